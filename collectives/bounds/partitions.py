"""Bound any needs by the parts a machine has: every NPU, node, rack and half.

Each part must send and take in something, and all parts together too; see
`collectives.bounds.certificates.PartsSum` for what that is worth where switches reduce.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from collectives.bounds.certificates import (
    Certificate,
    CollectiveNeed,
    Cut,
    Need,
    Nothing,
    PartsSum,
)
from collectives.bounds.describe import cut_words
from collectives.bounds.network import Network
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.naming import natural_key, natural_sort
from topology.supernode import Supernode

_CLEARLY = 1 + 1e-9
_ALL = {"NPU": "all NPUs", "node": "all nodes", "rack": "all racks", "half": "both halves"}


def natural_parts(
    supernode: Supernode, members: Sequence[str]
) -> Iterator[tuple[str, list[frozenset[str]]]]:
    """Yield the ways to part a machine, each with a word and the parts that hold ranks."""
    graph, inside = supernode.graph, set(members)
    yield "NPU", [frozenset((npu, *_own_nics(graph, npu))) for npu in members]
    for attribute in ("node", "rack"):
        parts: dict[Any, set[str]] = {}
        for node in supernode.fabric.nodes:
            if attribute in graph.nodes[node]:
                parts.setdefault(graph.nodes[node][attribute], set()).add(node)
        for npu in members:  # a NIC belongs where its NPU does
            home = graph.nodes[npu].get(attribute)
            if home in parts:
                parts[home].update(_own_nics(graph, npu))
        order = sorted(parts, key=lambda name: natural_key(str(name)))  # of halves: 0, 1 and 2, 3
        held = [frozenset(parts[name]) for name in order if parts[name] & inside]
        disjoint = sum(map(len, held)) == len(frozenset[str]().union(*held))
        if len(held) > 1 and disjoint and sum(len(part & inside) for part in held) == len(inside):
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


@dataclass(frozen=True, eq=False)
class _Parting:
    """Some parts of a fabric, and the capacity between them.

    Attributes
    ----------
    part
        Part of each node, shape (nodes,); -1 outside.
    into, out
        Bytes/s into and out of each part, shape (parts,).
    """

    part: IntArray
    into: FloatArray
    out: FloatArray


def _parting(fabric: Fabric, net: Network, parts: Sequence[frozenset[str]]) -> _Parting:
    """Return what can enter and leave parts; only links that can carry the needs count."""
    part = np.full(len(fabric.nodes), -1)
    for number, nodes in enumerate(parts):
        part[[fabric.index[node] for node in sorted(nodes)]] = number
    tail, head = part[fabric.tail[net.arc]], part[fabric.head[net.arc]]
    between, capacity = tail != head, fabric.capacity[net.arc]
    into, out = (
        np.bincount(ends[used], capacity[used], len(parts)).astype(float)
        for ends, used in ((head, between & (head >= 0)), (tail, between & (tail >= 0)))
    )
    return _Parting(part, into, out)


def best_cut(supernode: Supernode, net: Network, needs: tuple[Need, ...]) -> Certificate:
    """Return the tightest cut between any part and the rest; `Nothing` if none is needed.

    Parameters
    ----------
    supernode
        The machine.
    net
        The part of it that carries the needs.
    needs
        What must reach whom.
    """
    fabric = supernode.fabric
    members = list(dict.fromkeys(rank for need in needs for rank in need.ranks))
    best: tuple[float, BoolArray] | None = None
    for _, parts in natural_parts(supernode, members):
        found = _parting(fabric, net, parts)
        enter, leave = _crossings(fabric, needs, found.part, len(parts))
        for need, offered, inside in ((enter, found.into, False), (leave, found.out, True)):
            claim = np.divide(need, offered, out=np.zeros(len(parts)), where=offered > 0)
            at = int(np.argmax(claim))
            if claim[at] > (best[0] * _CLEARLY if best else 0.0):
                best = float(claim[at]), (found.part == at) == inside
    if best is None:
        return Nothing(needs, relay=net.relay)
    sends = best[1]
    small = sends if 2 * int(sends.sum()) <= len(sends) else ~sends
    names = tuple(natural_sort(fabric.nodes[node] for node in np.flatnonzero(small).tolist()))
    words = cut_words(fabric, net, sends[net.node], frozenset())
    return Cut(needs, best[0], words, net.relay, part=names, inside=small is sends)


def _crossings(
    fabric: Fabric, needs: Sequence[Need], part: IntArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """Return what must enter and leave each part, shape (parts,)."""
    enter, leave = np.zeros(count), np.zeros(count)
    for need in needs:
        home = part[[fabric.index[rank] for rank in need.ranks]]
        for at in np.unique(home[home >= 0]).tolist():
            inside = home == at
            enter[at] += need.crossing(~inside)
            leave[at] += need.crossing(inside)
    return enter, leave


def best_sum(supernode: Supernode, net: Network, needs: tuple[Need, ...]) -> Certificate:
    """Return the tightest sum over parts; `Nothing` if no need is an all-reduce.

    For other collectives the sum is never above the tightest of its parts' own cuts. Switches
    that reduce and lie in no part are one more part, which brings nothing and wants nothing.
    """
    graph, fabric = supernode.graph, supernode.fabric
    best: Certificate = Nothing(needs, relay=net.relay)
    if not any(_is_all_reduce(need) for need in needs):
        return best
    members = list(dict.fromkeys(rank for need in needs for rank in need.ranks))
    adders = frozenset(node for node, data in graph.nodes(data=True) if data.get("reduces"))
    for word, parts in natural_parts(supernode, members):
        rest = adders.difference(*parts)
        every = [*parts, rest] if rest else parts
        found = _parting(fabric, net, every)
        enter, _ = _crossings(fabric, [n for n in needs if not _is_all_reduce(n)], found.part,
                              len(every))  # fmt: skip
        total = float(enter.sum()) + sum(_together(fabric, need, found.part) for need in needs)
        claim = total / float(found.into.sum()) if found.into.any() else 0.0
        if claim > best.claim * _CLEARLY:
            shown = tuple(tuple(natural_sort(nodes)) for nodes in every)
            words = f"the links into {_ALL[word]}{' and the switches that reduce' * bool(rest)}"
            best = PartsSum(needs, claim, f"{words}, together", net.relay, parts=shown)
    return best


def _is_all_reduce(need: Need) -> bool:
    return isinstance(need, CollectiveNeed) and need.collective == "all_reduce"


def _together(fabric: Fabric, need: Need, part: IntArray) -> float:
    """Return what the parts of an all-reduce must take in together, 0 for other needs."""
    if not isinstance(need, CollectiveNeed) or not _is_all_reduce(need):
        return 0.0
    held = np.unique(part[[fabric.index[rank] for rank in need.ranks]])
    return 2 * (len(held) - 1) * need.weight
