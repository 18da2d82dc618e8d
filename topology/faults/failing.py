"""Take failure units out of a machine: chosen ones, or some drawn at random."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import networkx as nx
import numpy as np

from topology import border
from topology.errors import GraphError
from topology.faults.registry import FailureUnit, alive, failure_units
from topology.supernode import Supernode
from topology.text import counted


def fail(supernode: Supernode, units: FailureUnit | Iterable[FailureUnit]) -> Supernode:
    """Return the supernode without some units: the same whether they fail together or in turn.

    What several units hold fails once. Links that are left know the lanes they have lost, as
    ``failed``.

    Raises
    ------
    GraphError
        If nothing of a unit is there, or no NPU would be left.
    """
    chosen = [units] if isinstance(units, FailureUnit) else list(units)
    gone: set[str] = set()
    lost: dict[tuple[str, str], set[int]] = defaultdict(set)
    for unit in chosen:
        nodes, rows = _left(supernode.graph, unit)
        gone.update(nodes)
        for u, v, lanes in rows:
            lost[u, v].update(lanes)
    worn = {edge: which for edge, which in lost.items() if not gone.intersection(edge)}
    graph = nx.DiGraph(supernode.graph)
    dead = [edge for edge, which in worn.items() if len(which) == len(alive(graph.edges[edge]))]
    less = {edge: which for edge, which in worn.items() if edge not in set(dead)}
    for edge, which in less.items():
        data = graph.edges[edge]
        has = len(alive(data))
        data["capacity"] *= (has - len(which)) / has
        data["lanes"] = has - len(which)
        data["failed"] = tuple(sorted(which.union(data.get("failed", ()))))
    if less:
        said = f"lanes lost on {counted(len(less), 'directed link')}"
        history = (*supernode.history, said)
        supernode = replace(supernode, graph=graph, history=history, copies=0)
    return supernode.without(nodes=gone, links=dead, both_directions=False)


def _left(
    graph: nx.DiGraph, unit: FailureUnit
) -> tuple[list[str], list[tuple[str, str, list[int]]]]:
    """Return the nodes, and the lanes of links, of a unit that are there."""
    nodes = [node for node in unit.nodes if node in graph]
    rows = []
    for u, v, lanes in unit.lanes:
        which = border.ordered(lanes, f"{unit.name}: which lanes of {u} -> {v}")
        there = alive(graph.edges[u, v]) if graph.has_edge(u, v) else []
        rows.append((u, v, [lane for lane in there if lane in which]))
    if not nodes and not any(which for *_, which in rows):
        for u, v, _ in unit.lanes:
            raise GraphError(f"{unit.name}: there is no link {u} -> {v}, or lane, that could fail")
        for node in unit.nodes:
            raise GraphError(f"{unit.name}: there is no node {node} that could fail")
    return nodes, [row for row in rows if row[2]]


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
        One of `unit_kinds`.
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
    count = border.whole(count, f"random_failures: count of {kind}", least=0, most=len(units))
    generator = np.random.default_rng(border.seed(seed, "random_failures: seed"))
    chosen = generator.choice(len(units), size=count, replace=False)
    return fail(supernode, [units[i] for i in sorted(chosen.tolist())])
