"""Find what can fail as one: a cable, a transceiver, a switch, a node, a rack, a plane.

A unit takes with it all that it holds: a rack its nodes, a transceiver the lanes it carries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import networkx as nx

from topology.faults.registry import FailureUnit, alive, failure_unit
from topology.naming import natural_sort
from topology.supernode import Supernode


def _both_ways(
    graph: nx.DiGraph, u: str, v: str, which: Iterable[int] | None = None
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield which of some lanes, or of all, each direction of a link still has."""
    chosen = None if which is None else frozenset(which)
    for edge in ((u, v), (v, u)):
        if graph.has_edge(*edge):
            there = alive(graph.edges[edge])
            left = tuple(there if chosen is None else filter(chosen.__contains__, there))
            if left:
                yield *edge, left


def _pairs(supernode: Supernode) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Yield the linked pairs once, lower rank of the natural order first, and words for them."""
    fabric = supernode.fabric
    heights = [
        (supernode.graph.nodes[node].get("tier", 0), kind != "npu", word)
        for node, kind, word in zip(fabric.nodes, fabric.kind, fabric.labels, strict=True)
    ]
    for u, v in fabric.arcs:
        i, j = fabric.index[u], fabric.index[v]
        if i < j or not supernode.graph.has_edge(v, u):
            ends = sorted((heights[i], heights[j]))
            yield u, v, supernode.graph.edges[u, v], "–".join(word for *_, word in ends)


@failure_unit("cable")
def cables(supernode: Supernode) -> Iterator[FailureUnit]:
    """Yield one lane both ways, for every lane."""
    graph = supernode.graph
    for u, v, data, ends in _pairs(supernode):
        for lane in alive(data):
            lost = tuple(_both_ways(graph, u, v, [lane]))
            yield FailureUnit(f"cable {u} {v} {lane}", lanes=lost, sort=f"{ends} cable")


@failure_unit("link")
def links(supernode: Supernode) -> Iterator[FailureUnit]:
    """Yield all lanes between two nodes, for every linked pair."""
    for u, v, _, ends in _pairs(supernode):
        lost = tuple(_both_ways(supernode.graph, u, v))
        yield FailureUnit(f"link {u} {v}", lanes=lost, sort=f"{ends} link")


@failure_unit("optic", aliases=("transceiver",))
def optics(supernode: Supernode) -> Iterator[FailureUnit]:
    """Yield the transceivers of each node: each carries lanes to neighbours in natural order.

    A transceiver carries 2 / modules lanes of its link type at one end of them: two where a link
    has one module to a lane, both ends together.
    """
    graph = supernode.graph
    ends: dict[str, dict[tuple[int, str], list[tuple[str, int]]]]
    ends = defaultdict(lambda: defaultdict(list))
    for u, v, data, words in _pairs(supernode):
        link = data.get("link")
        if link is None or not link.modules:
            continue
        carried = max(1, round(2 / link.modules))
        for near, far in ((u, v), (v, u)):
            ends[near][carried, words] += [(far, lane) for lane in range(1 + max(alive(data)))]
    for node in natural_sort(ends):
        for number, (words, mine) in enumerate(_shared(ends[node])):
            lost: dict[str, list[int]] = defaultdict(list)
            for far, lane in mine:
                lost[far].append(lane)
            rows = [
                row for far, which in lost.items() for row in _both_ways(graph, node, far, which)
            ]
            if rows:
                yield FailureUnit(f"optic {node} {number}", (), tuple(rows), f"{words} transceiver")


def _shared(
    lanes: Mapping[tuple[int, str], Sequence[tuple[str, int]]],
) -> Iterator[tuple[str, Sequence[tuple[str, int]]]]:
    """Yield the words for, and the far ends of, the lanes that share a transceiver."""
    for (carried, words), far in sorted(lanes.items()):
        for lo in range(0, len(far), carried):
            yield words, far[lo : lo + carried]


def _nodes(supernode: Supernode, kind: str) -> Iterator[FailureUnit]:
    """Yield the nodes of a kind one by one."""
    fabric = supernode.fabric
    for node, found, word in zip(fabric.nodes, fabric.kind, fabric.labels, strict=True):
        if found == kind:
            bare = kind != "switch" or word.lower().endswith("switch")
            sort = word if bare else f"{word} switch"
            yield FailureUnit(f"{kind} {node}", (node,), sort=sort)


def _groups(supernode: Supernode, kind: str) -> Iterator[FailureUnit]:
    """Yield the nodes that have the same node, rack or plane; a plane is made of switches."""
    groups: dict[str, list[str]] = defaultdict(list)
    for node, sort in zip(supernode.fabric.nodes, supernode.fabric.kind, strict=True):
        held = supernode.graph.nodes[node].get(kind)
        if held is not None and (kind != "plane" or sort == "switch"):
            groups[str(held)].append(node)
    for name in natural_sort(groups):
        yield FailureUnit(f"{kind} {name}", tuple(groups[name]), sort=kind)


for _kind in ("npu", "cpu", "nic", "switch"):
    failure_unit(_kind)(partial(_nodes, kind=_kind))
for _kind in ("node", "rack", "plane"):
    failure_unit(_kind)(partial(_groups, kind=_kind))
