"""Sort failure units: by the word for them, and by symmetry, so that one stands for many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from topology import border
from topology.fabric import BoolArray, Fabric, IntArray
from topology.faults.registry import FailureUnit, failure_units
from topology.supernode import Supernode
from topology.symmetry import Coloured, codes, coloured, joined, orbits

_Key: TypeAlias = tuple[tuple[int, ...], tuple[tuple[int, int, int], ...]]


def unit_sorts(
    supernode: Supernode,
    kinds: Iterable[str] = ("switch", "nic", "link"),
    used: BoolArray | None = None,
) -> dict[str, tuple[FailureUnit, ...]]:
    """Return what can fail by its sort: "L2 switch", "L1–L2 link".

    Parameters
    ----------
    supernode
        The machine.
    kinds
        Kinds of units.
    used
        Arcs of ``supernode.fabric`` that carry traffic, shape (arcs,): units that touch none of
        them are left out. None takes all.
    """
    found: dict[str, list[FailureUnit]] = {}
    fabric = supernode.fabric
    mask = np.ones(len(fabric.tail), dtype=bool) if used is None else used
    _check_array("used", used, len(fabric.tail))
    busy = {fabric.arcs[arc] for arc in np.flatnonzero(mask).tolist()}
    ends = {end for arc in busy for end in arc}
    for kind in kinds:
        for unit in failure_units(supernode, kind):
            if used is None or ends.intersection(unit.nodes) or _edges(unit) & busy:
                found.setdefault(unit.sort or kind, []).append(unit)
    return {sort: tuple(units) for sort, units in found.items()}


def _edges(unit: FailureUnit) -> set[tuple[str, str]]:
    return {(u, v) for u, v, _ in unit.lanes}


def _check_array(what: str, values: BoolArray | IntArray | None, count: int) -> None:
    if values is not None and (values.shape != (count,) or values.dtype.kind not in "biu"):
        border.refuse(values, what, f"an array of {count} whole numbers or truth values")


def distinct_units(
    supernode: Supernode,
    kind: str,
    *,
    node_colour: IntArray | None = None,
    arc_colour: IntArray | None = None,
) -> list[tuple[FailureUnit, int]]:
    """Return one unit of each symmetry class, the first in natural order, and how many it is for.

    Units are in a class if they hold the same lanes and nodes, or if symmetries of the machine
    that were found and checked carry one to another: links, capacities, latencies and devices
    are then the same around each. What treats all ranks alike, such as a bound or uniform
    traffic, has one answer for a class; a schedule that goes by the numbers of ranks may not.

    Parameters
    ----------
    supernode
        The machine.
    kind
        One of `topology.faults.unit_kinds`.
    node_colour, arc_colour
        What else symmetries keep, shapes (nodes,) and (arcs,) of ``supernode.fabric``: which
        ranks take part, or what each link carries.
    """
    fabric = supernode.fabric
    _check_array("node_colour", node_colour, len(fabric.nodes))
    _check_array("arc_colour", arc_colour, len(fabric.tail))
    units = failure_units(supernode, kind)
    keys = [_key(fabric, unit) for unit in units]
    first: dict[_Key, int] = {}
    label = np.array([first.setdefault(key, i) for i, key in enumerate(keys)], dtype=np.int64)
    graph = _with_units(_coloured(supernode, node_colour, arc_colour), list(first))
    moves = [_moved(keys, first, image.tolist()) for image in orbits(graph).generators]
    groups = joined(label, moves).tolist()
    counts = Counter(groups)
    found: dict[int, FailureUnit] = {}
    for unit, group in zip(units, groups, strict=True):
        found.setdefault(group, unit)
    return [(unit, counts[group]) for group, unit in found.items()]


def _coloured(
    supernode: Supernode, node_colour: IntArray | None, arc_colour: IntArray | None
) -> Coloured:
    """Return the machine as a graph whose symmetries keep devices and link records too."""
    fabric, nodes = supernode.fabric, supernode.graph.nodes
    device = np.array([str(nodes[node].get("device")) for node in fabric.nodes])
    of_node = [device, np.array(fabric.labels)] + ([] if node_colour is None else [node_colour])
    of_arc = [fabric.lanes, fabric.link] + ([] if arc_colour is None else [arc_colour])
    return coloured(fabric, codes(of_node), codes(of_arc))


def _with_units(graph: Coloured, keys: list[_Key]) -> Coloured:
    """Return the graph with a vertex for each unit but single nodes, joined to what it takes.

    Symmetries then carry units to units: they do not take one chip out of a rack, and are looked
    for between the links of one node too.
    """
    size, sort = graph.size, int(graph.arc_colour.max(initial=0)) + 1
    rows: list[tuple[int, int, int]] = []
    count = 0
    for held, lost in keys:
        if lost or len(held) > 1:
            times = Counter(held)
            for u, _, lanes in lost:
                times[u] += lanes
            rows += ((size + count, node, sort + n) for node, n in times.items())
            count += 1
    more = np.array(rows, dtype=np.int64).reshape(-1, 3)
    colour = np.full(count, int(graph.node_colour.max(initial=0)) + 1)
    return Coloured(
        np.concatenate((graph.tail, more[:, 0])),
        np.concatenate((graph.head, more[:, 1])),
        np.concatenate((graph.node_colour, colour)),
        np.concatenate((graph.arc_colour, more[:, 2])),
        np.arange(size + count),
    )


def _key(fabric: Fabric, unit: FailureUnit) -> _Key:
    """Return what a unit holds, as numbers."""
    at = fabric.index
    lost = tuple(sorted((at[u], at[v], len(which)) for u, v, which in unit.lanes))
    return tuple(sorted(at[node] for node in unit.nodes)), lost


def _moved(keys: list[_Key], first: dict[_Key, int], image: list[int]) -> IntArray:
    """Return which unit a symmetry of the nodes carries each to."""
    found = []
    for held, lost in keys:
        moved = (
            tuple(sorted(image[node] for node in held)),
            tuple(sorted((image[u], image[v], lanes) for u, v, lanes in lost)),
        )
        # An image that is no unit joins nothing: which lanes share a transceiver is a convention.
        found.append(first.get(moved, first[held, lost]))
    return np.array(found, dtype=np.int64)
