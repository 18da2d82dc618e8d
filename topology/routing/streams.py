"""Say of routed traffic which share of each transfer every link carries, equal transfers as one.

Links that are alike are one resource, as are switches; a share is that of one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Resources:
    """What transfers share: links or their lanes, and switches that limit what they forward.

    Attributes
    ----------
    arc
        Arc of each entry, shape (e,): every arc once, or once for each lane.
    at
        Resource that each entry is, shape (e,).
    part
        Fraction of the arc's capacity that it has, shape (e,).
    node_at
        Resource of each node, shape (nodes,); -1 where forwarding is not limited.
    size
        How many resources there are.
    """

    arc: IntArray
    at: IntArray
    part: FloatArray
    node_at: IntArray
    size: int

    @property
    def key(self) -> tuple[bytes, ...]:
        """Return what two equal ones have in common."""
        return self.arc.tobytes(), self.at.tobytes(), self.node_at.tobytes()

    def capacity(self, fabric: Fabric, rates: FloatArray) -> FloatArray:
        """Return bytes/s of each resource, shape (resources,), at some rates of the arcs."""
        found = np.full(self.size, np.inf)
        np.minimum.at(found, self.at, rates[self.arc] * self.part)
        limited = self.node_at >= 0
        np.minimum.at(found, self.node_at[limited], fabric.node_capacity[limited])
        return found


def classes_as_resources(fabric: Fabric, arc_class: IntArray, node_class: IntArray) -> Resources:
    """Return classes of arcs, and of switches with limits, as resources.

    Parameters
    ----------
    fabric
        The machine.
    arc_class, node_class
        Class of each arc and of each node: all of a class carry the same.
    """
    arcs, count = np.arange(len(arc_class)), int(arc_class.max(initial=-1)) + 1
    limited = fabric.is_switch & np.isfinite(fabric.node_capacity)
    known, at = np.unique(node_class[limited], return_inverse=True)
    node_at = np.full(len(fabric.nodes), -1)
    node_at[limited] = count + at.reshape(-1)
    return Resources(arcs, arc_class, np.ones(len(arcs)), node_at, count + len(known))


def every_arc(fabric: Fabric) -> Resources:
    """Return each arc, and each switch with a limit, as a resource of its own."""
    return classes_as_resources(
        fabric, np.arange(len(fabric.tail)), np.arange(len(fabric.nodes))
    )  # fmt: skip


def every_lane(fabric: Fabric) -> Resources:
    """Return each lane of each arc, and each switch with a limit, as a resource of its own."""
    lanes, whole = fabric.lanes.astype(np.int64), every_arc(fabric)
    arc = np.repeat(np.arange(len(lanes)), lanes)
    node_at = np.where(whole.node_at < 0, -1, whole.node_at - len(lanes) + len(arc))
    size = whole.size - len(lanes) + len(arc)
    return Resources(arc, np.arange(len(arc)), 1 / fabric.lanes[arc], node_at, size)


@dataclass(frozen=True, eq=False)
class Streams:
    """Transfers, one entry for each sort of equal ones.

    Attributes
    ----------
    actor
        Which ranks are alike: a number for each rank, shape (ranks,).
    count
        How many transfers each stream stands for, shape (k,).
    amount
        What each such transfer carries, shape (k,).
    latency
        Seconds of the slowest path of each, shape (k,).
    senders, receivers
        Stream and actor of each sender and of each receiver, shapes (2, s) and (2, t).
    share
        Part of one transfer that each link or switch of a resource carries, the mean over them,
        shape (resources, k).
    resources
        What is shared.
    symmetry
        What made ranks and links alike, if more than twins did: streams made alike by another
        symmetry are not to be joined, as none might keep both.
    """

    actor: IntArray
    count: FloatArray
    amount: FloatArray
    latency: FloatArray
    senders: IntArray
    receivers: IntArray
    share: sparse.csc_array
    resources: Resources
    symmetry: bytes = b""

    def on(self, fabric: Fabric, resources: Resources) -> Streams:
        """Return the same on finer resources: arcs for classes of arcs, or lanes for arcs."""
        place = np.zeros(len(fabric.tail), dtype=np.int64)
        place[self.resources.arc] = self.resources.at
        rows = sparse.csr_array(self.share)
        links = sparse.diags_array(resources.part) @ rows[place[resources.arc]]
        limited = np.flatnonzero(resources.node_at >= 0)
        nodes = rows[self.resources.node_at[limited]]
        share = sparse.csc_array(sparse.vstack([links, nodes]))
        return replace(self, share=share, resources=resources)


def with_switches(
    fabric: Fabric, resources: Resources, share: sparse.csc_array
) -> sparse.csc_array:
    """Return shares of links with those of switches below: all that comes in over links.

    Parameters
    ----------
    fabric
        The machine.
    resources
        What the rows are, and are to be.
    share
        Part of each transfer on each link of a resource, shape (resources but switches, k).
    """
    node = resources.node_at[fabric.head[resources.arc]]
    into = np.flatnonzero(node >= 0)
    rows, links = resources.size - share.shape[0], share.shape[0]
    ways = sparse.csr_array(
        (np.ones(len(into)), (node[into] - links, resources.at[into])), shape=(rows, links)
    )  # fmt: skip
    switches = np.bincount(resources.node_at[resources.node_at >= 0] - links, minlength=rows)
    nodes = sparse.diags_array(1 / switches) @ (ways @ share) if rows else ways @ share
    return sparse.csc_array(sparse.vstack([share, nodes]))


def streams_on_links(fabric: Fabric, share: sparse.csc_array, **columns: Any) -> Streams:
    """Return streams on arcs, or on lanes of arcs, with the switches that they pass.

    Parameters
    ----------
    fabric
        The machine.
    share
        Part of each transfer on each arc or lane, shape (arcs or lanes, k).
    **columns
        The other attributes of `Streams`; every rank is its own actor.
    """
    fine = every_arc(fabric) if share.shape[0] == len(fabric.tail) else every_lane(fabric)
    every = np.arange(len(fabric.npus))
    return Streams(
        actor=every, share=with_switches(fabric, fine, share), resources=fine, **columns
    )  # fmt: skip


class ActorsDifferError(RoutingError):
    """Streams for which different ranks are alike; routed by `Router.apart` they fit together."""


def join_streams(fabric: Fabric, parts: Sequence[Streams]) -> Streams:
    """Return streams that share links as one.

    Parameters
    ----------
    fabric
        The machine.
    parts
        One or more.

    Raises
    ------
    ActorsDifferError
        If they differ in which ranks are alike.
    """
    alike = {(part.actor.tobytes(), part.symmetry) for part in parts}
    if len(alike) > 1:
        raise ActorsDifferError("different ranks are alike in parts of one demand")
    if len({part.resources.key for part in parts}) > 1:
        lanes = any(len(part.resources.arc) > len(fabric.tail) for part in parts)
        fine = every_lane(fabric) if lanes else every_arc(fabric)
        parts = [
            part if part.resources.key == fine.key else part.on(fabric, fine) for part in parts
        ]
    first = np.cumsum([0, *(len(part.count) for part in parts)])[:-1]
    columns: dict[str, Any] = {
        side: np.concatenate([np.add(getattr(part, side), [[at], [0]])
                              for part, at in zip(parts, first, strict=True)], axis=1)
        for side in ("senders", "receivers")
    }  # fmt: skip
    for name in ("count", "amount", "latency"):
        columns[name] = np.concatenate([getattr(part, name) for part in parts])
    share = sparse.csc_array(sparse.hstack([part.share for part in parts]))
    return replace(parts[0], share=share, **columns)
