"""Plan racks: what stands in each kind of rack, where the racks stand, how long the cables are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology.drawing.view import plural
from topology.fabric import IntArray
from topology.naming import natural_sort, numbered
from topology.supernode import Supernode

_LENGTHS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, float("inf"))
Devices = tuple[tuple[str, str, int], ...]
_ORDER = ("switch", "npu", "cpu", "nic")


@dataclass(frozen=True)
class RackKind:
    """Racks that hold the same.

    Attributes
    ----------
    racks
        Their names, in natural order.
    shelves
        What stands on each shelf, from the bottom: (shelf, ((word, kind, count), ...)).
    """

    racks: tuple[str, ...]
    shelves: tuple[tuple[str, Devices], ...]

    @property
    def contents(self) -> Counter[tuple[str, str]]:
        """Return how many devices of each (word, kind) a rack holds."""
        found: Counter[tuple[str, str]] = Counter()
        for _, devices in self.shelves:
            found.update({(word, kind): count for word, kind, count in devices})
        return found


@dataclass(frozen=True)
class CableClass:
    """Links between two racks, or inside racks, over one medium.

    Attributes
    ----------
    medium
        "copper" or "optical".
    upto
        Metres: the class ends here, above the one before.
    count
        Cables: full-duplex lanes.
    metres
        Of all together.
    """

    medium: str
    upto: float
    count: float
    metres: float


@dataclass(frozen=True, eq=False)
class RackPlan:
    """Which racks there are, and the cables in and between them.

    Attributes
    ----------
    by
        What a rack is: "rack", "node", "machine" where the nodes say nothing.
    names
        Every rack, in natural order; what is in none is gathered by its sort.
    count
        How many of them are racks.
    kinds
        The kinds of rack, the most frequent first.
    between
        Cables between each two racks, one medium after the other, shape (2, racks, racks).
    lengths
        Cables by medium and length.
    """

    by: str
    names: tuple[str, ...]
    count: int
    kinds: tuple[RackKind, ...]
    between: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    lengths: tuple[CableClass, ...]


def plan_racks(supernode: Supernode) -> RackPlan:
    """Return the racks of a machine, what they hold, and its cables by length.

    A node without a rack stands in the rack of its node, or in one of its own sort.
    """
    fabric, graph = supernode.fabric, supernode.graph
    data = [graph.nodes[node] for node in fabric.nodes]
    by = next(
        (name for name in ("rack", "node", "group") if any(name in row for row in data)), "machine"
    )
    homes = [
        str(row[by]) if by in row else (fabric.labels[i] if by != "machine" else "0")
        for i, row in enumerate(data)
    ]
    names, home = numbered(homes)
    return RackPlan(
        by=by,
        names=names,
        count=len({str(row[by]) for row in data if by in row}) or 1,
        kinds=_kinds(supernode, names, home, by),
        between=_between(supernode, home, len(names)),
        lengths=_lengths_of(supernode),
    )


def _kinds(
    supernode: Supernode, names: Sequence[str], home: IntArray, by: str
) -> tuple[RackKind, ...]:
    fabric, graph = supernode.fabric, supernode.graph
    held: list[dict[str, Counter[tuple[str, str]]]] = [{} for _ in names]
    shelf = "node" if by == "rack" else "slot"
    for node, word, kind, rack in zip(
        fabric.nodes, fabric.labels, fabric.kind, home.tolist(), strict=True
    ):
        row = graph.nodes[node]
        said = next((f"{name} {row[name]}" for name in (shelf, "plane") if name in row), None)
        held[rack].setdefault(said or plural(word, kind, 2), Counter())[word, kind] += 1
    kinds: dict[tuple[Devices, ...], list[int]] = {}
    shelves = [
        tuple((said, _sorted_devices(rack[said])) for said in natural_sort(rack)) for rack in held
    ]
    for k, each in enumerate(shelves):
        kinds.setdefault(tuple(devices for _, devices in each), []).append(k)
    found = [RackKind(tuple(names[k] for k in ids), shelves[ids[0]]) for ids in kinds.values()]
    return tuple(sorted(found, key=lambda kind: (-len(kind.racks), kind.racks)))


def _sorted_devices(devices: Counter[tuple[str, str]]) -> Devices:
    ordered = sorted(devices.items(), key=lambda item: (_ORDER.index(item[0][1]), item[0]))
    return tuple((word, kind, count) for (word, kind), count in ordered)


def _between(
    supernode: Supernode, home: IntArray, racks: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    fabric = supernode.fabric
    found = np.zeros((2, racks, racks))
    ends = fabric.optical.astype(int), home[fabric.tail], home[fabric.head]
    np.add.at(found, ends, fabric.lanes / 2)
    return found + found.transpose(0, 2, 1)


def _lengths_of(supernode: Supernode) -> tuple[CableClass, ...]:
    fabric = supernode.fabric
    count = np.bincount(fabric.link, weights=fabric.lanes, minlength=len(fabric.links)) / 2
    edges = np.searchsorted(_LENGTHS, [link.length for link in fabric.links])
    classes = sorted({(link.medium, k) for link, k in zip(fabric.links, edges, strict=True)})
    found = []
    for medium, k in classes:
        here = [i for i, link in enumerate(fabric.links) if (link.medium, edges[i]) == (medium, k)]
        metres = sum(count[i] * fabric.links[i].length for i in here)
        found.append(CableClass(medium, _LENGTHS[k], float(count[here].sum()), float(metres)))
    return tuple(found)
