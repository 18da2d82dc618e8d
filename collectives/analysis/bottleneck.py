"""Find what limits: the busiest class of links or switches, the next one, and the latency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collectives.analysis import explain
from collectives.timing import Cost, Latency
from topology import units
from topology.fabric import ArcClass, Fabric, FloatArray, IntArray
from topology.text import Part, Printed, Table, counted, span

_EQUAL = 1 - 1e-9
_DOMINANT = 0.5
_ENDPOINTS = ("NPU", "GPU", "die")


@dataclass(frozen=True, order=True)
class Carrier:
    """What can limit: a class of links, or what one sort of switch forwards in all.

    Attributes
    ----------
    tail, head
        Words for the two ends of the links; ``head`` is empty for switches.
    medium
        "copper" or "optical".
    """

    tail: str
    head: str = ""
    medium: str = ""

    @property
    def forwards(self) -> bool:
        """Return whether it is the forwarding of switches."""
        return not self.head

    @property
    def back(self) -> Carrier:
        """Return the links the other way."""
        return Carrier(self.head, self.tail, self.medium)

    @property
    def name(self) -> str:
        """Return it in words: "NPU→L1"."""
        return f"forwarding of {self.tail}" if self.forwards else f"{self.tail}→{self.head}"


def carrier_of(cls: ArcClass) -> Carrier:
    """Return the class of links of a fabric as a key."""
    return Carrier(cls.tail, cls.head, cls.medium)


@dataclass(frozen=True, repr=False)
class LinkClass(Printed):
    """How busy one class of links is.

    Attributes
    ----------
    key
        Which class.
    links
        How many directed links.
    capacity, widest
        Bytes/s of the narrowest and of the widest of them.
    load
        Bytes through the most loaded one (by time), over the whole collective.
    utilisation
        Share of the transfer time that the busiest one is in use, 0 to 1.
    mean
        The same, averaged over the class.
    """

    key: Carrier
    links: int
    capacity: float
    widest: float
    load: float
    utilisation: float
    mean: float

    @property
    def name(self) -> str:
        """Return the class in words: "NPU→L1"."""
        return self.key.name

    @property
    def medium(self) -> str:
        """Return "copper" or "optical"."""
        return self.key.medium

    def cells(self) -> tuple[str, ...]:
        """Return what a table says of it."""
        return (
            self.name,
            self.medium,
            f"{self.links:,}",
            span(self.capacity, self.widest, units.format_rate),
            units.format_size(round(self.load)),
            units.format_percent(self.utilisation),
            units.format_percent(self.mean),
        )

    def parts(self) -> list[Part]:
        """Return what people read."""
        name, medium, _, each, _, most, mean = self.cells()
        links = counted(self.links, f"{name} {medium} link")
        return [f"{links}, {each} each: {most} at most, {mean} on average"]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data in SI units, for JSON."""
        return {
            "name": self.name, "medium": self.medium, "links": self.links,
            "capacity": self.capacity, "widest": self.widest, "load": self.load,
            "utilisation": self.utilisation, "mean": self.mean,
        }  # fmt: skip


@dataclass(frozen=True, repr=False)
class Bottleneck(Printed):
    """What limits, as facts; `sentence` says it.

    Attributes
    ----------
    title
        What ran: "all-to-all".
    time, latency
        Seconds, and where they go.
    rows
        Every class of links, the busiest first.
    key
        What is the busiest for the largest share of the transfer time; None if nothing is sent.
    links
        The busiest directed links of it, as pairs of ids.
    of
        How many links the class has.
    utilisation
        Their share of the transfer time.
    dimension
        Dimension of the machine's grid along which all of them run, if it is one of several.
    mirrored
        Whether the links the other way are as busy.
    runner_up_class
        The next class, or None.
    share_of
        What is the busiest at the same time, and for which share of the transfer time, the
        largest first; the shares add up to 1.
    """

    title: str
    time: float
    latency: Latency
    rows: tuple[LinkClass, ...]
    key: Carrier | None = None
    links: tuple[tuple[str, str], ...] = ()
    of: int = 0
    utilisation: float = 0.0
    dimension: int | None = None
    mirrored: bool = False
    runner_up_class: LinkClass | None = None
    share_of: tuple[tuple[tuple[Carrier, ...], float], ...] = ()

    @property
    def kind(self) -> str:
        """Return "bandwidth" or "latency": which takes the larger part of the time."""
        serial = self.latency.serialisation
        return "bandwidth" if self.key and serial >= _DOMINANT * self.time else "latency"

    @property
    def name(self) -> str:
        """Return the class of links that is busiest, in words: "NPU→L1"."""
        return self.key.name if self.key else ""

    @property
    def sentence(self) -> str:
        """Return what a person should read first."""
        return explain.sentence(self)

    @property
    def runner_up(self) -> str | None:
        """Return the next class in words, or None."""
        return self.runner_up_class.name if self.runner_up_class else None

    @property
    def runner_up_utilisation(self) -> float:
        """Return how busy the next class is."""
        return self.runner_up_class.utilisation if self.runner_up_class else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of the transfer time that each class is the busiest, by its words."""
        found: dict[str, float] = {}
        for keys, share in self.share_of:
            for name in dict.fromkeys(key.name for key in keys):
                found[name] = found.get(name, 0.0) + share
        return found

    @property
    def share(self) -> float:
        """Return the share of the transfer time that the busiest class is the busiest."""
        return sum(share for keys, share in self.share_of if self.key in keys)

    def parts(self) -> list[Part]:
        """Return what people read: the sentence, and every class of links."""
        return [self.sentence, links_table(self.rows)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data in SI units, for JSON."""
        return {
            "kind": self.kind, "sentence": self.sentence, "name": self.name,
            "medium": self.key.medium if self.key else "",
            "links": [list(ends) for ends in self.links], "utilisation": self.utilisation,
            "runner_up": self.runner_up, "runner_up_utilisation": self.runner_up_utilisation,
            "shares": self.shares,
        }  # fmt: skip


def links_table(rows: Iterable[LinkClass]) -> Table:
    """Return the links by class with their utilisation."""
    headers = ("class", "medium", "links", "each, one way", "most loaded", "utilisation", "mean")
    return Table("links by class", headers, [row.cells() for row in rows])


def link_classes(fabric: Fabric, busy: FloatArray, whole: float) -> tuple[LinkClass, ...]:
    """Return how busy every class of links is, the busiest first.

    Parameters
    ----------
    fabric
        The machine.
    busy, whole
        Seconds each arc is in use, shape (arcs,), and seconds in all.
    """
    rows = [_class(fabric, cls, busy, whole) for cls in fabric.classes]
    return tuple(sorted(rows, key=lambda row: -round(row.utilisation, 9)))


def _class(fabric: Fabric, cls: ArcClass, busy: FloatArray, whole: float) -> LinkClass:
    used = busy[cls.arcs] / whole if whole > 0 else np.zeros(len(cls.arcs))
    capacity = fabric.capacity[cls.arcs]
    return LinkClass(
        key=carrier_of(cls),
        links=len(cls.arcs),
        capacity=float(capacity.min()),
        widest=float(capacity.max()),
        load=float((busy[cls.arcs] * capacity).max()),
        utilisation=float(used.max()),
        mean=float(used.mean()),
    )


def find_bottleneck(title: str, fabric: Fabric, cost: Cost) -> Bottleneck:
    """Return the busiest class of links, how busy the next one is, and the latency.

    Parameters
    ----------
    title
        The collective's name in words.
    fabric, cost
        What ran where.
    """
    together, rows = _shares(fabric, cost), link_classes(fabric, cost.busy, cost.transfer)
    if not together:
        return Bottleneck(title, cost.time, cost.latency, rows)
    shares: dict[Carrier, float] = {}
    for keys, share in together.items():
        shares.update((one, shares.get(one, 0.0) + share) for one in keys)
    key = max(shares, key=lambda one: (round(shares[one], 12), one.tail in _ENDPOINTS))
    at_top = _busiest(fabric, cost, key)
    top = float(cost.busy[at_top].max()) / cost.transfer if len(at_top) else shares[key]
    mirrored = key.back != key and any(
        row.key == key.back and row.utilisation >= top * _EQUAL for row in rows
    )
    hidden = {key, key.back} if mirrored else {key}
    return Bottleneck(
        title=title,
        time=cost.time,
        latency=cost.latency,
        rows=rows,
        key=key,
        links=tuple(fabric.arcs[arc] for arc in at_top.tolist()),
        of=next((row.links for row in rows if row.key == key), 0),
        utilisation=top,
        dimension=_dimension(fabric, key, at_top),
        mirrored=mirrored,
        runner_up_class=next((r for r in rows if r.key not in hidden and r.utilisation > 0), None),
        share_of=tuple(sorted(together.items(), key=lambda item: (-round(item[1], 9), item[0]))),
    )


def _busiest(fabric: Fabric, cost: Cost, key: Carrier) -> IntArray:
    """Return the arcs of a class that are in use the longest, none for switches."""
    arcs = [cls.arcs for cls in fabric.classes if carrier_of(cls) == key]
    if not arcs:
        return np.zeros(0, dtype=np.int64)
    busy = cost.busy[arcs[0]]
    found: IntArray = arcs[0][busy >= busy.max() * _EQUAL]
    return found


def _dimension(fabric: Fabric, key: Carrier, arcs: IntArray) -> int | None:
    """Return the one dimension the arcs run along, where others of their class run elsewhere."""
    every = next((cls.arcs for cls in fabric.classes if carrier_of(cls) == key), arcs)
    if len(arcs) == len(every) or fabric.coords is None:
        return None
    found = _dimensions(fabric.coords, fabric.tail[arcs], fabric.head[arcs])
    return found.pop() if len(found) == 1 else None


def _dimensions(
    coords: Sequence[tuple[int, ...] | None], tails: Iterable[int], heads: Iterable[int]
) -> set[int | None]:
    found: set[int | None] = set()
    for u, v in zip(tails, heads, strict=True):
        here, there = coords[u], coords[v]
        if here is None or there is None or len(here) != len(there):
            return {None}
        moved = [axis for axis, (a, b) in enumerate(zip(here, there, strict=True)) if a != b]
        found.add(moved[0] if len(moved) == 1 else None)
    return found


def _shares(fabric: Fabric, cost: Cost) -> dict[tuple[Carrier, ...], float]:
    """Return for classes that are busiest together in which share of the transfer time they are."""
    shares: dict[tuple[Carrier, ...], float] = {}
    for step in cost.steps:
        if step.transfer == 0:
            continue
        least, busy = step.transfer * _EQUAL, step.busy
        keys = [carrier_of(cls) for cls in fabric.classes if busy[cls.arcs].max() >= least]
        if not keys:  # no link is as busy as a switch
            nodes = np.flatnonzero(step.node_busy >= least).tolist()
            keys = [Carrier(fabric.labels[node]) for node in nodes]
        together = tuple(dict.fromkeys(keys))
        weight = step.repeat * step.transfer / cost.transfer
        shares[together] = shares.get(together, 0.0) + weight
    return shares
