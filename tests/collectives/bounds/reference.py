"""Bounds the slow and obvious way: every cut in turn, and the whole linear program."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from topology import Supernode


def carrying(machine: Supernode, ranks: list[str]) -> nx.DiGraph:
    """Return the part of a machine that can carry data: ranks, NPUs and forwarding nodes."""
    graph = machine.graph
    kept = [
        node
        for node, data in graph.nodes(data=True)
        if node in ranks or data["forwards"] or data["kind"] == "npu"
    ]
    return graph.subgraph(sorted(kept))


def sides(graph: nx.DiGraph) -> list[frozenset[str]]:
    """Return every set of nodes."""
    nodes = sorted(graph)
    return [
        frozenset(node for node, chosen in zip(nodes, bits, strict=True) if chosen)
        for bits in product((False, True), repeat=len(nodes))
    ]


def leaving(graph: nx.DiGraph, side: frozenset[str]) -> Fraction:
    return sum(
        (Fraction(data["capacity"]) for u, v, data in graph.edges(data=True)
         if u in side and v not in side),
        Fraction(0),
    )  # fmt: skip


def all_gather_algbw(machine: Supernode, ranks: list[str]) -> Fraction:
    """Return N · min over S of B⁺(S) / |S ∩ ranks|."""
    graph, members = carrying(machine, ranks), set(ranks)
    ratios = [
        leaving(graph, side) / len(side & members)
        for side in sides(graph)
        if side & members and not members <= side
    ]
    return len(ranks) * min(ratios)


def narrowest(machine: Supernode, ranks: list[str], root: str) -> Fraction:
    """Return the narrowest cut between a root and any other rank."""
    graph, members = carrying(machine, ranks), set(ranks)
    return min(
        leaving(graph, side) for side in sides(graph) if root in side and not members <= side
    )


def exchange_rate(graph: nx.DiGraph, amounts: dict[tuple[str, str], float]) -> float:
    """Return the rate at which all amounts flow at once: one flow variable a source and link."""
    nodes, edges = sorted(graph), sorted(graph.edges)
    sources = sorted({u for u, _ in amounts})
    place = {node: i for i, node in enumerate(nodes)}
    unit = max(data["capacity"] for _, _, data in graph.edges(data=True))
    most = max(amounts.values())
    columns = len(sources) * len(edges) + 1
    balance = sparse.lil_array((len(sources) * len(nodes), columns))
    room = sparse.lil_array((len(edges), columns))
    for k, source in enumerate(sources):
        for e, (u, v) in enumerate(edges):
            column = k * len(edges) + e
            balance[k * len(nodes) + place[v], column] = 1
            balance[k * len(nodes) + place[u], column] = -1
            room[e, column] = 1
        for v in nodes:
            balance[k * len(nodes) + place[v], columns - 1] = -amounts.get((source, v), 0.0) / most
        balance[k * len(nodes) + place[source]] = 0
    cost = np.zeros(columns)
    cost[-1] = -1
    offered = np.array([graph.edges[edge]["capacity"] / unit for edge in edges])
    zero = np.zeros(balance.shape[0])
    found = linprog(cost, A_ub=room.tocsr(), b_ub=offered, A_eq=balance.tocsr(), b_eq=zero)
    return float(found.x[-1]) * unit / most


def uniform(ranks: list[str]) -> dict[tuple[str, str], float]:
    """Return what an all-to-all of one byte sends from rank to rank."""
    return {(u, v): 1 / len(ranks) for u in ranks for v in ranks if u != v}
