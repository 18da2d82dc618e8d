"""Bound a collective by cuts: what must leave a part of the machine, over what can.

These bounds hold for any algorithm, relaying NPUs included: data that one side has and the other
needs crosses the cut at least once. The cuts tried are each NPU's own links, and the
natural parts: nodes, racks and halves of the machine.

References
----------
Patarasuk and Yuan, JPDC 69 (2009) 117-124, for the sum over all parts (all-reduce).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from collectives.bounds.bound import Bound, CertificateError
from collectives.collective import Collective, collective
from collectives.schedule import IntArray
from topology.routing import check_ranks
from topology.supernode import Supernode

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Cut:
    """A cut: what one side must send to the other, over the links that leave it.

    Attributes
    ----------
    collective
        Name.
    side
        Ids of the sending side, sorted.
    ranks
        Ids of the ranks that take part.
    claim
        Seconds per byte of S.
    where
        The side in words.
    """

    collective: str
    side: frozenset[str]
    ranks: tuple[str, ...]
    claim: float
    where: str

    @property
    def words(self) -> str:
        """Say what limits, in words."""
        return f"the links that leave {self.where}"

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim: bytes that must cross, over the capacity that leaves."""
        inside = sum(rank in self.side for rank in self.ranks)
        need = must_cross(collective(self.collective), inside, len(self.ranks) - inside)
        return need / _leaving(supernode, self.side, set(self.ranks)) if need else 0.0

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return _check(self.claim, self.seconds_per_byte(supernode))


@dataclass(frozen=True)
class PartsSum:
    """All-reduce among k parts: together they send 2(k - 1) times the buffer.

    Attributes
    ----------
    parts
        Ids of each part; no two share a node, and every rank is in one.
    ranks
        Ids of the ranks that take part.
    claim
        Seconds per byte of S.
    where
        The parts in words.
    """

    parts: tuple[frozenset[str], ...]
    ranks: tuple[str, ...]
    claim: float
    where: str

    @property
    def words(self) -> str:
        """Say what limits, in words."""
        return f"the links that leave {self.where}, together"

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim; raise `CertificateError` where it does not apply."""
        members = set(self.ranks)
        sizes = [len(part & members) for part in self.parts]
        disjoint = sum(map(len, self.parts)) == len(frozenset().union(*self.parts))
        if not disjoint or sum(sizes) != len(members) or min(sizes) == 0:
            raise CertificateError("the parts overlap, or do not hold every rank")
        if any(data.get("reduces") for _, data in supernode.graph.nodes(data=True)):
            raise CertificateError("the sum over parts does not hold where switches reduce")
        total = sum(_leaving(supernode, part, members) for part in self.parts)
        return 2 * (len(self.parts) - 1) / total

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return _check(self.claim, self.seconds_per_byte(supernode))


def _check(claim: float, found: float) -> bool:
    if not math.isclose(claim, found, rel_tol=_TOLERANCE, abs_tol=0.0):
        raise CertificateError(f"claimed {claim:.12g} s/B, but the cut proves {found:.12g} s/B")
    return True


def carries(data: dict[str, Any], *, member: bool) -> bool:
    """Tell whether a node can be inside a path: it forwards, or is a rank and may relay."""
    return member or bool(data.get("forwards")) or data.get("kind") == "npu"


def _leaving(supernode: Supernode, side: frozenset[str], members: set[str]) -> float:
    """Return bytes/s from a side to the rest, over nodes that can carry traffic."""
    graph = supernode.graph
    total = 0.0
    for u in side:
        if u not in graph:
            raise CertificateError(f"{u} is not a node of {supernode.name}")
        if not carries(graph.nodes[u], member=u in members):
            continue
        for v, data in graph.adj[u].items():
            if v not in side and carries(graph.nodes[v], member=v in members):
                total += data["capacity"]
    return total


def _entering(supernode: Supernode, side: frozenset[str], members: set[str]) -> float:
    """Return bytes/s from the rest to a side: what leaves the complement."""
    graph = supernode.graph
    return float(
        sum(
            data["capacity"]
            for v in side
            if carries(graph.nodes[v], member=v in members)
            for u, data in graph.pred[v].items()
            if u not in side and carries(graph.nodes[u], member=u in members)
        )
    )


def must_cross(kind: Collective, inside: int, outside: int) -> float:
    """Return the bytes, per byte of S, that must go from one side of a cut to the other.

    Parameters
    ----------
    kind
        The collective; S is counted as nccl-tests does.
    inside, outside
        Ranks on the sending and on the receiving side.
    """
    total = inside + outside
    if not inside or not outside:
        return 0.0
    if kind.name == "all_to_all":
        return inside * outside / total
    if kind.name == "all_gather":
        return inside / total
    if kind.name == "reduce_scatter":
        return outside / total
    return 1.0


def cut_bound(
    supernode: Supernode, kind: str | Collective, ranks: Sequence[int] | IntArray | None = None
) -> Bound:
    """Return the best of the port and natural cut bounds.

    Parameters
    ----------
    supernode
        The machine.
    kind
        A collective other than broadcast and reduce, whose root is not known here.
    ranks
        Who takes part; by default all.
    """
    wanted = collective(kind)
    count = len(supernode.npus)
    chosen = check_ranks(np.arange(count) if ranks is None else ranks, count)
    members = tuple(supernode.npus[r] for r in chosen.tolist())
    best: Cut | PartsSum = Cut(wanted.name, frozenset(), members, 0.0, "nothing")
    for where, parts in natural_parts(supernode, members):
        for certificate in _certificates(supernode, wanted, members, where, parts):
            if certificate.claim > best.claim * (1 + _TOLERANCE):
                best = certificate
    return Bound(wanted, len(members), best.claim, best)


def _certificates(
    supernode: Supernode,
    kind: Collective,
    members: tuple[str, ...],
    where: str,
    parts: list[frozenset[str]],
) -> Iterator[Cut | PartsSum]:
    graph = supernode.graph
    inside = set(members)
    every = frozenset(graph)
    reduces = any(data.get("reduces") for _, data in graph.nodes(data=True))
    rooted = kind.name in ("broadcast", "reduce")
    leaving = [_leaving(supernode, part, inside) for part in parts]
    if kind.name == "all_reduce" and not reduces and len(parts) > 1 and sum(leaving) > 0:
        claim = 2 * (len(parts) - 1) / sum(leaving)
        yield PartsSum(tuple(parts), members, claim, f"all {where}s")
    for part, out in zip(parts, leaving, strict=True):
        size = len(part & inside)
        if rooted or not 0 < size < len(members):
            continue
        need = must_cross(kind, size, len(members) - size)
        if out > 0:
            yield Cut(kind.name, part, members, need / out, f"a {where}")
        entering = _entering(supernode, part, inside)
        need = must_cross(kind, len(members) - size, size)
        if entering > 0:
            yield Cut(kind.name, every - part, members, need / entering, f"all but one {where}")


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
