"""Compile a supernode's graph to NumPy arrays, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any, TypeVar

import networkx as nx
import numpy as np
import numpy.typing as npt

from topology import units
from topology.errors import RoutingError
from topology.hardware.media import Link
from topology.naming import label, natural_sort, numbered
from topology.text import Part, Printed, Table, counted, span

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
_Whole = TypeVar("_Whole", bound=np.integer[Any])


@dataclass(frozen=True, repr=False)
class ArcClass(Printed):
    """Directed links of one sort: from one tier to another over one medium.

    Attributes
    ----------
    tail, head
        Words for the two ends: "NPU", "L1", "L2", "NIC".
    medium
        "copper" or "optical".
    arcs
        Indices into the fabric's arcs, shape (k,).
    """

    tail: str
    head: str
    medium: str
    arcs: IntArray

    def parts(self) -> list[Part]:
        """Return what a person reads."""
        return [f"{self.name}, {self.medium}: {len(self.arcs):,} directed links"]

    @property
    def name(self) -> str:
        """Return the class in words: "NPU→L1"."""
        return f"{self.tail}→{self.head}"


@dataclass(frozen=True, eq=False, repr=False)
class Fabric(Printed):
    """A supernode's graph as arrays; nodes in natural order of their ids, arcs by their ends.

    Attributes
    ----------
    nodes
        Node ids, n of them.
    npus
        Node index of each rank, shape (ranks,).
    tail, head
        Node indices of each arc, shape (m,), sorted by tail, then head.
    capacity
        Bytes/s of each arc, shape (m,).
    latency
        Seconds of each arc, shape (m,).
    lanes
        Parallel lanes of each arc, shape (m,).
    link
        Index into ``links`` of each arc, shape (m,).
    links
        The distinct link records.
    forwards
        Which nodes pass others' traffic on, shape (n,).
    kind
        "npu", "cpu", "switch" or "nic" of each node.
    labels
        The word for each node's tier.
    node_latency
        Seconds from port to port of each node, shape (n,).
    node_capacity
        Bytes/s a node can forward in all, shape (n,); infinite where it is not limited.
    reduces, multicasts
        Which nodes add up, or copy, what passes through them, shape (n,).
    coords
        Place of each node in the machine's grid, if any has one.
    groups
        Number of each node's group, as of a Dragonfly, shape (n,), -1 without one; if any has one.
    """

    nodes: tuple[str, ...]
    npus: IntArray
    tail: IntArray
    head: IntArray
    capacity: FloatArray
    latency: FloatArray
    lanes: FloatArray
    link: IntArray
    links: tuple[Link, ...]
    forwards: BoolArray
    kind: tuple[str, ...]
    labels: tuple[str, ...]
    node_latency: FloatArray
    node_capacity: FloatArray
    reduces: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    multicasts: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    coords: tuple[tuple[int, ...] | None, ...] | None = None
    groups: IntArray | None = None

    def parts(self) -> list[Part]:
        """Return what a person reads: how many nodes and links of each sort there are."""
        rows = [
            (
                cls.name,
                cls.medium,
                f"{len(cls.arcs):,}",
                span(rates.min(), rates.max(), units.format_rate),
                units.format_rate(rates.sum()),
            )
            for cls in self.classes
            for rates in [self.capacity[cls.arcs]]
        ]
        headers = ("directed links", "medium", "links", "each", "all")
        said = f"{counted(len(self.nodes), 'node')} and {counted(len(self.tail), 'directed link')}"
        return [f"{counted(len(self.npus), 'rank')}, {said}", Table("", headers, rows)]

    @cached_property
    def arcs(self) -> list[tuple[str, str]]:
        """Every directed link as (tail id, head id), in the order of the arrays."""
        names = self.nodes
        ends = zip(self.tail.tolist(), self.head.tolist(), strict=True)
        return [(names[u], names[v]) for u, v in ends]

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Node index of each id."""
        return {node: i for i, node in enumerate(self.nodes)}

    @cached_property
    def out_start(self) -> IntArray:
        """Where each node's outgoing arcs begin, shape (n + 1,): arcs are sorted by tail."""
        counts = np.bincount(self.tail, minlength=len(self.nodes))
        return np.concatenate(([0], np.cumsum(counts)))

    @cached_property
    def is_nic(self) -> BoolArray:
        """Which nodes are NICs, shape (n,)."""
        return np.array([kind == "nic" for kind in self.kind], dtype=bool)

    @cached_property
    def is_switch(self) -> BoolArray:
        """Which nodes are switches, shape (n,)."""
        return np.array([kind == "switch" for kind in self.kind], dtype=bool)

    @cached_property
    def is_npu(self) -> BoolArray:
        """Which nodes are NPUs, shape (n,)."""
        return np.array([kind == "npu" for kind in self.kind], dtype=bool)

    @cached_property
    def optical(self) -> BoolArray:
        """Which arcs are optical, shape (m,)."""
        return np.array([link.medium == "optical" for link in self.links], dtype=bool)[self.link]

    @cached_property
    def back(self) -> IntArray:
        """The arc the other way of each arc, -1 where there is none, shape (m,)."""
        return self.find_arcs(self.head, self.tail)

    @cached_property
    def mirrored(self) -> bool:
        """Whether every arc has one of the same capacity the other way."""
        back = self.back
        return bool((back >= 0).all() and (self.capacity[back] == self.capacity).all())

    @cached_property
    def _ends(self) -> IntArray:
        """Tail and head of each arc in one sorted number, shape (m,)."""
        return self.tail * len(self.nodes) + self.head

    def find_arcs(self, tails: IntArray, heads: IntArray) -> IntArray:
        """Return the arc from each tail to each head, node indices; -1 where there is none."""
        wanted = tails * len(self.nodes) + heads
        ends = np.append(self._ends, -1)
        found = np.searchsorted(self._ends, wanted)
        return np.where(ends[found] == wanted, found, -1)

    def arcs_between(self, tails: IntArray, heads: IntArray) -> IntArray:
        """Return the arc from each tail to each head, node indices; raise `RoutingError` if none.

        Parameters
        ----------
        tails, heads
            Node indices, shape (k,).
        """
        found = self.find_arcs(tails, heads)
        if (found < 0).any():
            at = int(np.flatnonzero(found < 0)[0])
            raise RoutingError(
                f"there is no link {self.nodes[tails[at]]} -> {self.nodes[heads[at]]}"
            )
        return found

    @cached_property
    def classes(self) -> tuple[ArcClass, ...]:
        """Every class of directed links, from the NPUs upwards."""
        words = list(dict.fromkeys(self.labels))
        code = {word: i for i, word in enumerate(words)}
        of_node = np.array([code[word] for word in self.labels], dtype=np.int64)
        key = (of_node[self.tail] * len(words) + of_node[self.head]) * 2 + self.optical
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        found = []
        for lo, hi in pairwise([*starts.tolist(), len(order)]):
            arcs = order[lo:hi]
            ends, light = divmod(int(key[arcs[0]]), 2)
            tail, head = divmod(ends, len(words))
            medium = "optical" if light else "copper"
            found.append(ArcClass(words[tail], words[head], medium, arcs))
        return tuple(sorted(found, key=self._class_order))

    def _class_order(self, cls: ArcClass) -> tuple[int, str, str]:
        rank = {"NPU": 0, "GPU": 0, "die": 0}
        return min(rank.get(cls.tail, 1), rank.get(cls.head, 1)), cls.name, cls.medium

    def arc(self, u: str, v: str) -> int:
        """Return the index of the arc from u to v; raise `RoutingError` if there is none."""
        ends = [self.index.get(u), self.index.get(v)]
        if None not in ends:
            tail, head = np.array(ends, dtype=np.int64)
            return int(self.arcs_between(tail[None], head[None])[0])
        raise RoutingError(f"there is no link {u} -> {v}")


def distinct(values: npt.NDArray[_Whole]) -> npt.NDArray[_Whole]:
    """Return the values that there are, rising, each once.

    NumPy's `unique` hashes integers since 2.3: 60 times slower than this where most differ.
    """
    ordered = np.sort(values, axis=None)
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]


def compile_fabric(graph: nx.DiGraph, npus: Sequence[str]) -> Fabric:
    """Compile a validated graph; see `Fabric` for the arrays."""
    data: dict[str, dict[str, Any]] = dict(graph.nodes(data=True))
    nodes = natural_sort(data)
    index = {node: i for i, node in enumerate(nodes)}
    degrees: list[int] = []
    heads: list[int] = []
    edges: list[dict[str, Any]] = []
    for row in map(itemgetter(1), graph.adjacency()):
        degrees.append(len(row))
        heads.extend(map(index.__getitem__, row))
        edges.extend(row.values())
    link, links = _records(edges)
    tail = np.repeat(np.array([index[node] for node in graph], dtype=np.int64), degrees)
    head = np.array(heads, dtype=np.int64)
    order = np.lexsort((head, tail))
    attributes = [data[node] for node in nodes]
    kinds = tuple(str(d.get("kind", "switch")) for d in attributes)
    limits = (d.get("capacity") for d in attributes)
    return Fabric(
        nodes=tuple(nodes),
        npus=np.array([index[npu] for npu in npus], dtype=np.int64),
        tail=tail[order],
        head=head[order],
        capacity=_column([edge["capacity"] for edge in edges])[order],
        latency=_column([edge.get("latency", 0.0) for edge in edges])[order],
        lanes=_column([edge.get("lanes", 1) for edge in edges])[order],
        link=link[order],
        links=links,
        forwards=np.array([bool(d.get("forwards", False)) for d in attributes], dtype=bool),
        kind=kinds,
        labels=tuple(label(node, kind) for node, kind in zip(nodes, kinds, strict=True)),
        node_latency=np.array([float(d.get("latency", 0.0)) for d in attributes]),
        node_capacity=np.array([np.inf if c is None else float(c) for c in limits]),
        reduces=np.array([bool(d.get("reduces", False)) for d in attributes], dtype=bool),
        multicasts=np.array([bool(d.get("multicasts", False)) for d in attributes], dtype=bool),
        coords=_coords([d.get("coord") for d in attributes]),
        groups=_groups([d.get("group") for d in attributes]),
    )


def _coords(found: list[Any]) -> tuple[tuple[int, ...] | None, ...] | None:
    places = tuple(tuple(one) if isinstance(one, tuple | list) else None for one in found)
    return places if any(places) else None


def _groups(found: list[Any]) -> IntArray | None:
    given = [str(group) for group in found if group is not None]
    if not given:
        return None
    numbers = iter(numbered(given)[1].tolist())
    return np.array([-1 if group is None else next(numbers) for group in found], dtype=np.int64)


def _column(values: list[Any]) -> FloatArray:
    return np.array(values, dtype=float)


def _records(edges: Sequence[Mapping[str, Any]]) -> tuple[IntArray, tuple[Link, ...]]:
    """Return the link record of each edge as an index, and the distinct records."""
    bare = Link()
    found = [edge.get("link", bare) for edge in edges]
    by_identity = {id(record): record for record in found}  # most edges share one record
    links: dict[Link, int] = {}
    index = {key: links.setdefault(record, len(links)) for key, record in by_identity.items()}
    return np.array([index[key] for key in map(id, found)], dtype=np.int64), tuple(links)
