"""Name what can fail as one: a cable, a transceiver, a switch, a node, a rack, a plane.

A unit takes with it all that it holds: a rack its nodes, a transceiver the lanes it carries. A
link that loses some of its lanes keeps the share of its capacity that is left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from topology import border
from topology.errors import GraphError, unknown_name
from topology.naming import natural_sort
from topology.supernode import Supernode

UNITS = ("cable", "link", "optic", "npu", "cpu", "nic", "switch", "node", "rack", "plane")
"""Kinds of units: one lane both ways; all lanes between two nodes; one transceiver; one node of
the graph; all with the same node, rack or plane (a plane is made of switches)."""


@dataclass(frozen=True)
class FailureUnit:
    """What fails together.

    Attributes
    ----------
    name
        Such as "optic l1/0/0 3", "switch l2/0/1", "rack 2".
    nodes
        Ids of the nodes that are lost.
    lanes
        Links that lose lanes: (u, v, lanes), in both directions.
    """

    name: str
    nodes: tuple[str, ...] = ()
    lanes: tuple[tuple[str, str, int], ...] = ()


def failure_units(supernode: Supernode, kind: str) -> tuple[FailureUnit, ...]:
    """Return everything of one kind that can fail, in natural order.

    Parameters
    ----------
    supernode
        The machine.
    kind
        One of `UNITS`. An optic carries 2 / modules lanes of its link type at one end of them:
        two where a link has one module to a lane, both ends together.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    if kind not in UNITS:
        raise unknown_name("failure unit", kind, UNITS)
    if kind in ("cable", "link"):
        return tuple(_cables(supernode, whole=kind == "link"))
    if kind == "optic":
        return tuple(_optics(supernode))
    return tuple(_nodes(supernode, kind))


def fail(supernode: Supernode, units: FailureUnit | Iterable[FailureUnit]) -> Supernode:
    """Return the supernode without some units.

    Raises
    ------
    GraphError
        If a node or link of a unit is not there, or no NPU would be left.
    """
    chosen = [units] if isinstance(units, FailureUnit) else list(units)
    gone = {node for unit in chosen for node in unit.nodes}
    lost: Counter[tuple[str, str]] = Counter()
    for unit in chosen:
        for u, v, lanes in unit.lanes:
            lost[u, v] += lanes
    worn: dict[float, list[tuple[str, str]]] = defaultdict(list)
    for edge, lanes in sorted(lost.items()):
        has = _lanes(supernode.graph, edge)
        if not gone.intersection(edge):
            worn[max(0.0, (has - lanes) / has)].append(edge)
    dead = worn.pop(0.0, [])
    for factor, links in sorted(worn.items()):
        supernode = supernode.degrade(links=links, factor=factor, both_directions=False)
    if gone or dead:
        supernode = supernode.without(nodes=gone, links=dead, both_directions=False)
    return supernode


def random_failures(
    supernode: Supernode,
    kind: str,
    *,
    count: int | None = None,
    fraction: float | None = None,
    seed: int = 0,
) -> Supernode:
    """Return the supernode with some units of a kind failed at random.

    Parameters
    ----------
    supernode
        The machine.
    kind
        One of `UNITS`.
    count, fraction
        How many units, or which share of them (rounded to the nearest whole); give one.
    seed
        The same seed fails the same units.

    Raises
    ------
    GraphError
        If not exactly one of count and fraction is given, or it is more than there is.
    """
    units = failure_units(supernode, kind)
    if (count is None) == (fraction is None):
        raise GraphError("random_failures: give one of count and fraction")
    if fraction is not None:
        count = round(border.probability(fraction, "random_failures: fraction") * len(units))
    what = f"random_failures: count of {kind}"
    count = border.whole(count, what, least=0, most=len(units))
    seed = border.seed(seed, "random_failures: seed")
    chosen = np.random.default_rng(seed).choice(len(units), size=count, replace=False)
    return fail(supernode, [units[i] for i in sorted(chosen.tolist())])


def _lanes(graph: nx.DiGraph, edge: tuple[str, str]) -> int:
    if not graph.has_edge(*edge):
        raise GraphError(f"there is no link {edge[0]} -> {edge[1]} that could fail")
    return int(graph.edges[edge].get("lanes", 1))


def _both_ways(graph: nx.DiGraph, u: str, v: str, lanes: int) -> Iterator[tuple[str, str, int]]:
    for edge in ((u, v), (v, u)):
        if graph.has_edge(*edge):
            yield *edge, lanes


def _pairs(supernode: Supernode) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the linked pairs once, lower rank of the natural order first."""
    for u, v in supernode.fabric.arcs:
        index = supernode.fabric.index
        if index[u] < index[v] or not supernode.graph.has_edge(v, u):
            yield u, v, supernode.graph.edges[u, v]


def _cables(supernode: Supernode, *, whole: bool) -> Iterator[FailureUnit]:
    graph = supernode.graph
    for u, v, data in _pairs(supernode):
        lanes = int(data.get("lanes", 1))
        if whole:
            yield FailureUnit(f"link {u} {v}", lanes=tuple(_both_ways(graph, u, v, lanes)))
            continue
        for lane in range(lanes):
            name = f"cable {u} {v} {lane}"
            yield FailureUnit(name, lanes=tuple(_both_ways(graph, u, v, 1)))


def _optics(supernode: Supernode) -> Iterator[FailureUnit]:
    """Yield the transceivers of each node: each carries lanes to neighbours in natural order."""
    graph = supernode.graph
    ends: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for u, v, data in _pairs(supernode):
        link = data.get("link")
        if link is None or not link.modules:
            continue
        carried = max(1, round(2 / link.modules))
        for near, far in ((u, v), (v, u)):
            ends[near][carried] += [far] * int(data.get("lanes", 1))
    for node in natural_sort(ends):
        for number, mine in enumerate(_shared(ends[node])):
            lost = Counter(mine)
            rows = [row for far, n in lost.items() for row in _both_ways(graph, node, far, n)]
            yield FailureUnit(f"optic {node} {number}", lanes=tuple(rows))


def _shared(lanes: Mapping[int, Sequence[str]]) -> Iterator[Sequence[str]]:
    """Yield the far ends of the lanes that share a transceiver."""
    for carried, far in sorted(lanes.items()):
        for lo in range(0, len(far), carried):
            yield far[lo : lo + carried]


def _nodes(supernode: Supernode, kind: str) -> Iterator[FailureUnit]:
    nodes = supernode.graph.nodes
    groups: dict[Any, list[str]] = defaultdict(list)
    for node in supernode.fabric.nodes:
        data = nodes[node]
        if kind in ("node", "rack", "plane"):
            held = data.get(kind)
            if held is not None and (kind != "plane" or data.get("kind", "switch") == "switch"):
                groups[held].append(node)
        elif data.get("kind", "switch") == kind:
            groups[node].append(node)
    names = {str(held): tuple(members) for held, members in groups.items()}
    for name in natural_sort(names):
        yield FailureUnit(f"{kind} {name}", nodes=names[name])
