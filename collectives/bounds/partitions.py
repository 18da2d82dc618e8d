"""Bound all-reduce by what all parts of a machine must take in together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx as nx

from collectives.bounds.cuts import PartsSum, entering
from topology.supernode import Supernode

_CLEARLY = 1 + 1e-9


def best_parts_sum(supernode: Supernode, members: tuple[str, ...]) -> PartsSum | None:
    """Return the tightest sum over natural parts, or None where switches reduce.

    Parameters
    ----------
    supernode
        The machine.
    members
        Ids of the ranks that take part, two or more.
    """
    if any(data.get("reduces") for _, data in supernode.graph.nodes(data=True)):
        return None
    best: PartsSum | None = None
    inside = set(members)
    for where, parts in natural_parts(supernode, members):
        total = sum(entering(supernode, part, inside) for part in parts)
        claim = 2 * (len(parts) - 1) / total if total else 0.0
        if best is None or claim > best.claim * _CLEARLY:
            said = "both halves" if where == "half" else f"all {where}s"
            best = PartsSum(tuple(parts), members, claim, said)
    return best


def natural_parts(
    supernode: Supernode, members: tuple[str, ...]
) -> Iterator[tuple[str, list[frozenset[str]]]]:
    """Yield the ways to part a machine, each with a word and the parts that hold ranks."""
    graph = supernode.graph
    yield "NPU", [frozenset((npu, *_own_nics(graph, npu))) for npu in members]
    for attribute in ("node", "rack"):
        parts: dict[Any, set[str]] = {}
        for node, data in graph.nodes(data=True):
            if attribute in data:
                parts.setdefault(data[attribute], set()).add(node)
        for npu in members:  # a NIC belongs where its NPU does
            home = graph.nodes[npu].get(attribute)
            if home in parts:
                parts[home].update(_own_nics(graph, npu))
        held = [frozenset(part) for part in parts.values() if part & set(members)]
        if len(held) > 1 and sum(len(part & set(members)) for part in held) == len(members):
            yield attribute, held
            half = len(held) // 2
            yield "half", [frozenset().union(*held[:half]), frozenset().union(*held[half:])]


def _own_nics(graph: nx.DiGraph, npu: str) -> list[str]:
    """Return the NICs that no other NPU is linked to."""
    nics = (v for v in graph.adj[npu] if graph.nodes[v].get("kind") == "nic")
    return [
        nic
        for nic in nics
        if all(u == npu or graph.nodes[u].get("kind") != "npu" for u in graph.pred[nic])
    ]
