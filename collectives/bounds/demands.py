"""Bound demands of any kind by cuts: uneven all-to-all, several groups at once, tokens.

As in `collectives.bounds.cuts`: what one side has and the other needs crosses the cut at least
once, whatever the algorithm and the routing. Here what must cross is asked of the demand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from collectives.bounds.bound import Bound, CertificateError
from collectives.bounds.cuts import carries, must_cross
from collectives.model.collective import Collective, collective
from topology.fabric import BoolArray, FloatArray, IntArray
from topology.naming import natural_sort
from topology.supernode import Supernode

_TOLERANCE = 1e-9
_ALL = {"NPU": "all NPUs", "node": "all nodes", "rack": "all racks", "half": "both halves"}


class Need(Protocol):
    """Data that some ranks have and others need, in bytes per byte of the size S."""

    @property
    def ranks(self) -> tuple[str, ...]:
        """Ids of the ranks that take part."""

    def crossing(self, side: frozenset[str]) -> float:
        """Return what must leave a side, whatever the algorithm."""

    def together(self, parts: Sequence[frozenset[str]]) -> float:
        """Return what parts that hold every rank once must send in all, at least."""


@dataclass(frozen=True, eq=False)
class MatrixNeed:
    """Blocks of their own from each rank to each: an all-to-all-v.

    Attributes
    ----------
    ranks
        Ids.
    matrix
        Bytes per byte of S, shape (p, p), row = sender.
    """

    ranks: tuple[str, ...]
    matrix: FloatArray

    def crossing(self, side: frozenset[str]) -> float:
        """Return the bytes from ranks inside to ranks outside."""
        inside = _inside(self.ranks, side)
        return float(self.matrix[inside][:, ~inside].sum())

    def together(self, parts: Sequence[frozenset[str]]) -> float:
        """Return the bytes between ranks of different parts."""
        return sum(self.crossing(part) for part in parts)


@dataclass(frozen=True, eq=False)
class GroupNeed:
    """A collective of some ranks.

    Attributes
    ----------
    collective
        Which.
    ranks
        Ids; the first is the root, where there is one.
    weight
        Its size per byte of S.
    reducing
        Whether switches add data up, so that ranks need not.
    """

    collective: Collective
    ranks: tuple[str, ...]
    weight: float = 1.0
    reducing: bool = False

    def crossing(self, side: frozenset[str]) -> float:
        """Return what the collective must send over the cut."""
        near = _inside(self.ranks, side)
        inside, total = int(near.sum()), len(near)
        if self.collective.rooted:
            return self.weight * self._rooted(root_inside=bool(near[0]), inside=inside)
        if self.collective.name == "barrier":
            return 0.0
        return self.weight * must_cross(self.collective, inside, total - inside)

    def _rooted(self, *, root_inside: bool, inside: int) -> float:
        """Return what must leave a side with or without the root, per byte of the size."""
        total, kind = len(self.ranks), self.collective
        outward = kind.before == "root"
        far = total - inside if root_inside else inside  # ranks on the side without the root
        if outward != root_inside or not far:
            return 0.0
        return far / total if "owner" in (kind.before, kind.after) else 1.0

    def together(self, parts: Sequence[frozenset[str]]) -> float:
        """Return 2(k-1) sizes for an all-reduce among k parts (Patarasuk and Yuan, 2009)."""
        if self.collective.name == "all_reduce" and not self.reducing:
            held = sum(bool(_inside(self.ranks, part).any()) for part in parts)
            return self.weight * 2 * max(0, held - 1)
        return sum(self.crossing(part) for part in parts)


@dataclass(frozen=True, eq=False)
class TokenNeed:
    """Tokens that are wanted at several places and may be copied, or added up, on the way.

    Attributes
    ----------
    ranks
        Ids.
    to_rank
        Bytes per byte of S of the tokens each rank has for each, shape (p, p).
    to_node
        The same for each node, every token once, shape (p, nodes).
    home
        Node of each rank, shape (p,).
    back
        Whether results return (combine) instead of tokens going out (dispatch).
    """

    ranks: tuple[str, ...]
    to_rank: FloatArray
    to_node: FloatArray
    home: IntArray
    back: bool = False

    def crossing(self, side: frozenset[str]) -> float:
        """Return the most that one rank, or one whole node, on the far side needs."""
        near = _inside(self.ranks, side) != self.back
        if near.all() or not near.any():
            return 0.0
        ranks = self.to_rank[near][:, ~near].sum(axis=0)
        away = np.array([not near[self.home == n].any() for n in range(self.to_node.shape[1])])
        nodes = self.to_node[near][:, away].sum(axis=0)
        return float(max(ranks.max(), nodes.max(initial=0.0)))

    def together(self, parts: Sequence[frozenset[str]]) -> float:
        """Return 0: copies make room for less than the sum."""
        del parts
        return 0.0


def _inside(ranks: Sequence[str], side: frozenset[str]) -> BoolArray:
    return np.fromiter((rank in side for rank in ranks), dtype=bool, count=len(ranks))


@dataclass(frozen=True, eq=False)
class DemandCut:
    """A cut: what one side must send to the other, over the links that leave it.

    Attributes
    ----------
    side
        Ids of the sending side.
    needs
        What is needed where.
    claim
        Seconds per byte of S.
    where
        The side in words.
    """

    side: frozenset[str]
    needs: tuple[Need, ...]
    claim: float
    where: str

    @property
    def words(self) -> str:
        """Say what limits, in words."""
        return f"the links that leave {self.where}"

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim from the graph alone."""
        need = sum(item.crossing(self.side) for item in self.needs)
        return need / _leaving(supernode, self.side) if need else 0.0

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return _check(self.claim, self.seconds_per_byte(supernode))

    def to_dict(self) -> dict[str, Any]:
        """Return the cut as plain data, for JSON."""
        return {
            "kind": "demand cut",
            "words": self.words,
            "seconds_per_byte": self.claim,
            "side": natural_sort(self.side),
        }


@dataclass(frozen=True, eq=False)
class DemandSum:
    """Parts that together must send more than their links carry in less time.

    Attributes
    ----------
    parts
        Ids of each part; no two share a node, and every rank is in one.
    needs, claim, where
        As in `DemandCut`.
    """

    parts: tuple[frozenset[str], ...]
    needs: tuple[Need, ...]
    claim: float
    where: str

    @property
    def words(self) -> str:
        """Say what limits, in words."""
        return f"the links that leave {self.where} taken together"

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim; raise `CertificateError` where the parts overlap."""
        members = {rank for need in self.needs for rank in need.ranks}
        if sum(map(len, self.parts)) != len(frozenset().union(*self.parts)):
            raise CertificateError("the parts overlap")
        if not members <= frozenset().union(*self.parts):
            raise CertificateError("the parts do not hold every rank")
        need = sum(item.together(self.parts) for item in self.needs)
        return need / sum(_leaving(supernode, part) for part in self.parts) if need else 0.0

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return _check(self.claim, self.seconds_per_byte(supernode))

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain data, for JSON."""
        return {
            "kind": "demand sum",
            "words": self.words,
            "seconds_per_byte": self.claim,
            "parts": [natural_sort(part) for part in self.parts],
        }


def _check(claim: float, found: float) -> bool:
    if not math.isclose(claim, found, rel_tol=_TOLERANCE, abs_tol=0.0):
        raise CertificateError(f"claimed {claim:.12g} s/B, but the cut proves {found:.12g} s/B")
    return True


def _leaving(supernode: Supernode, side: frozenset[str]) -> float:
    """Return bytes/s from a side to the rest, over nodes that can carry traffic."""
    graph = supernode.graph
    through = {n for n, data in graph.nodes(data=True) if carries(data, member=False)}
    edges = ((u, v, data) for u in side & through for v, data in graph.adj[u].items())
    return float(sum(data["capacity"] for _, v, data in edges if v not in side and v in through))


@dataclass(frozen=True, eq=False)
class _Links:
    """Arcs between nodes that can carry traffic, for many cuts of one machine."""

    supernode: Supernode

    @cached_property
    def _capacity(self) -> FloatArray:
        fabric = self.supernode.fabric
        carry = fabric.forwards | np.array([kind == "npu" for kind in fabric.kind])
        return np.where(carry[fabric.tail] & carry[fabric.head], fabric.capacity, 0.0)

    def both_ways(self, part: frozenset[str]) -> tuple[float, float]:
        """Return bytes/s that leave a part, and that enter it."""
        fabric = self.supernode.fabric
        inside = np.zeros(len(fabric.nodes), dtype=bool)
        inside[[fabric.index[node] for node in part]] = True
        tail, head = inside[fabric.tail], inside[fabric.head]
        out, into = self._capacity[tail & ~head].sum(), self._capacity[head & ~tail].sum()
        return float(out), float(into)


def demand_bound(
    supernode: Supernode, kind: str | Collective, needs: Sequence[Need], *, size: float, ranks: int
) -> Bound:
    """Return the best bound by an NPU's links and the natural cuts of a machine.

    Parameters
    ----------
    supernode
        The machine.
    kind
        What the needs are called, and whose bandwidth factor holds.
    needs
        What must reach whom, per byte of S.
    size
        S in bytes.
    ranks
        How many ranks the bandwidth factor is for.
    """
    members = tuple(dict.fromkeys(rank for need in needs for rank in need.ranks))
    best: DemandCut | DemandSum = DemandCut(frozenset(), tuple(needs), 0.0, "nothing")
    for candidate in _candidates(supernode, members, tuple(needs)):
        if candidate.claim > best.claim * (1 + _TOLERANCE):
            best = candidate
    return Bound(collective(kind), ranks, best.claim, best, size)


def _candidates(
    supernode: Supernode, members: tuple[str, ...], needs: tuple[Need, ...]
) -> Iterator[DemandCut | DemandSum]:
    every = frozenset(supernode.graph)
    links = _Links(supernode)
    for one, parts in _parts(supernode, members):
        total = 0.0
        for part in parts:
            out, into = links.both_ways(part)
            total += out
            sides = ((part, out, f"a {one}"), (every - part, into, f"all but one {one}"))
            for side, capacity, said in sides:
                need = sum(item.crossing(side) for item in needs)
                if need > 0 and capacity > 0:
                    yield DemandCut(side, needs, need / capacity, said)
        need = sum(item.together(parts) for item in needs)
        disjoint = sum(map(len, parts)) == len(frozenset().union(*parts))
        if need > 0 and total > 0 and disjoint:
            yield DemandSum(tuple(parts), needs, need / total, _ALL[one])


def _parts(
    supernode: Supernode, members: tuple[str, ...]
) -> Iterator[tuple[str, list[frozenset[str]]]]:
    """Yield the natural ways to part a machine, with a word: every NPU, node, rack, half."""
    graph = supernode.graph
    cards = {npu: _own_nics(supernode, npu) for npu in members}
    yield "NPU", [frozenset((npu, *cards[npu])) for npu in members]
    for attribute in ("node", "rack"):
        held: dict[object, set[str]] = {}
        for npu in members:
            home = graph.nodes[npu].get(attribute)
            held.setdefault(home, set()).update((npu, *cards[npu]))
        if None in held or len(held) < 2:
            continue
        for name, data in graph.nodes(data=True):
            if data.get(attribute) in held:
                held[data[attribute]].add(name)
        parts = [frozenset(part) for part in held.values()]
        yield attribute, parts
        middle = len(parts) // 2
        yield "half", [frozenset().union(*parts[:middle]), frozenset().union(*parts[middle:])]


def _own_nics(supernode: Supernode, npu: str) -> list[str]:
    """Return the NICs that no other NPU is linked to."""
    graph = supernode.graph
    nics = [v for v in graph.adj[npu] if graph.nodes[v].get("kind") == "nic"]
    return [
        nic
        for nic in nics
        if not any(u != npu and graph.nodes[u].get("kind") == "npu" for u in graph.pred[nic])
    ]
