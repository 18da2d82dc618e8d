"""Certify a bound by a cut: what must leave a part of the machine, over what can.

Data that one side has and the other needs crosses the cut at least once, whatever the algorithm
and the routing. These certificates are checked on the NetworkX graph, link by link, by code that
shares nothing with the code that finds them.

References
----------
Patarasuk and Yuan, JPDC 69 (2009) 117-124, for the sum over all parts (all-reduce).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from collectives.bounds.bound import CertificateError
from collectives.model.collective import Collective, collective
from topology.naming import natural_sort
from topology.supernode import Supernode

_TOLERANCE = 1e-9
REVERSED = ("reduce_scatter", "reduce", "scatter")


@dataclass(frozen=True)
class Cut:
    """A cut: what one side must send to the other, over the links that leave it.

    Attributes
    ----------
    collective
        Name.
    part
        Ids of the nodes of one side.
    inside
        True if ``part`` is the sending side, False if everything else is.
    ranks
        Ids of the ranks that take part.
    claim
        Seconds per byte of S.
    where
        The links in words.
    halved
        Switches cut in two by their own forwarding limit: they take in all that comes from the
        sending side and pass on no more than their capacity.
    relay
        Whether NPUs that do not forward in the network may pass data on.
    target
        Without relaying, the one rank whose own links count (it receives; in a reduce-scatter
        it sends); other ranks' links do not, as they would have to relay.
    root
        Of a broadcast, reduce, gather or scatter.
    """

    collective: str
    part: frozenset[str]
    inside: bool
    ranks: tuple[str, ...]
    claim: float
    where: str
    halved: frozenset[str] = frozenset()
    relay: bool = True
    target: str | None = None
    root: str | None = None

    @property
    def words(self) -> str:
        """Say what limits, in words."""
        return self.where

    def sends(self, node: str) -> bool:
        """Tell whether a node is on the sending side."""
        return (node in self.part) == self.inside

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim: bytes that must cross, over the capacity that leaves."""
        check_ranks(supernode, self.ranks)
        inside = sum(map(self.sends, self.ranks))
        need = must_cross(collective(self.collective), inside, len(self.ranks) - inside)
        kind = collective(self.collective)
        if kind.rooted and self.root not in self.ranks:
            raise CertificateError(f"the root {self.root} is not one of the ranks")
        if kind.rooted and self.sends(str(self.root)) != (kind.before == "root"):
            raise CertificateError(f"the root {self.root} is on the wrong side of the cut")
        if self.target is not None and not self._fits_target():
            raise CertificateError(f"the rank {self.target} is on the wrong side of the cut")
        return need / self._capacity(supernode) if need else 0.0

    def _fits_target(self) -> bool:
        sends = self.collective in REVERSED
        return self.target in self.ranks and self.sends(str(self.target)) == sends

    def _capacity(self, supernode: Supernode) -> float:
        """Return bytes/s from the sending side to the rest."""
        graph, members = supernode.graph, frozenset(self.ranks)
        total = 0.0
        for node in natural_sort(self.halved):
            data = graph.nodes.get(node, {})
            if data.get("kind") != "switch" or not data.get("capacity") or self.sends(node):
                raise CertificateError(f"{node} has no forwarding limit to cut")
            total += float(data["capacity"])
        for u, v, capacity in self._border(supernode):
            if v in self.halved:
                continue
            if self._may(graph.nodes[u], u, members, end=self.collective not in REVERSED) and (
                self._may(graph.nodes[v], v, members, end=self.collective in REVERSED)
            ):
                total += capacity
        if not total:
            raise CertificateError("nothing leaves the sending side of the cut")
        return total

    def _border(self, supernode: Supernode) -> Iterator[tuple[str, str, float]]:
        """Yield the links from the sending side to the rest."""
        graph = supernode.graph
        for node in natural_sort(self.part):
            if node not in graph:
                raise CertificateError(f"{node} is not a node of {supernode.name}")
            for other, data in (graph.adj if self.inside else graph.pred)[node].items():
                if other not in self.part:
                    ends = (node, other) if self.inside else (other, node)
                    yield (*ends, float(data["capacity"]))

    def _may(self, data: dict[str, Any], node: str, members: frozenset[str], *, end: bool) -> bool:
        """Tell whether a node's links count: it passes data on, or its own begins or ends there."""
        if carries(data, member=node in members and self.relay, relay=self.relay):
            return True
        return node in members and (end or self.target in (None, node))

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return check_claim(self.claim, self.seconds_per_byte(supernode))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "kind": "cut",
            "collective": self.collective,
            "part": natural_sort(self.part),
            "part_sends": self.inside,
            "seconds_per_byte": self.claim,
            "where": self.where,
            "halved": natural_sort(self.halved),
            "relay": self.relay,
            "target": self.target,
            "root": self.root,
            "ranks": list(self.ranks),
        }


@dataclass(frozen=True)
class PartsSum:
    """All-reduce among k parts: together they send 2(k - 1) times the buffer.

    Each of the k - 1 additions that join parts takes a message that crosses from one part to
    another, and the result has to come back to k - 1 of them.

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
        return f"the links into {self.where}, together"

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim; raise `CertificateError` where it does not apply."""
        check_ranks(supernode, self.ranks)
        members = set(self.ranks)
        sizes = [len(part & members) for part in self.parts]
        disjoint = sum(map(len, self.parts)) == len(frozenset().union(*self.parts))
        if not disjoint or sum(sizes) != len(members) or min(sizes, default=0) == 0:
            raise CertificateError("the parts overlap, or do not hold every rank")
        if any(data.get("reduces") for _, data in supernode.graph.nodes(data=True)):
            raise CertificateError("the sum over parts does not hold where switches reduce")
        total = sum(entering(supernode, part, members) for part in self.parts)
        return 2 * (len(self.parts) - 1) / total if total else math.inf

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return check_claim(self.claim, self.seconds_per_byte(supernode))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "kind": "sum over parts",
            "parts": [natural_sort(part) for part in self.parts],
            "seconds_per_byte": self.claim,
            "where": self.where,
            "ranks": list(self.ranks),
        }


@dataclass(frozen=True)
class Nothing:
    """The proof of a bound of zero: one rank alone has nothing to send."""

    claim: float = 0.0

    @property
    def words(self) -> str:
        """Say what limits, in words."""
        return "nothing, as nothing is sent"

    def seconds_per_byte(self, supernode: Supernode) -> float:  # noqa: ARG002 - as in Certificate
        """Return zero."""
        return 0.0

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return check_claim(self.claim, self.seconds_per_byte(supernode))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {"kind": "nothing", "seconds_per_byte": self.claim}


def check_claim(claim: float, found: float) -> bool:
    """Return True if a claim is what was found; raise `CertificateError` if not."""
    if not math.isclose(claim, found, rel_tol=_TOLERANCE, abs_tol=0.0):
        raise CertificateError(f"claimed {claim:.12g} s/B, but the graph proves {found:.12g} s/B")
    return True


def check_ranks(supernode: Supernode, ranks: tuple[str, ...]) -> None:
    """Raise `CertificateError` unless all ranks are different NPUs of a machine."""
    known = set(supernode.npus)
    if len(set(ranks)) != len(ranks) or not known.issuperset(ranks):
        raise CertificateError(f"the ranks are not those of {supernode.name}, or repeat")


def carries(data: dict[str, Any], *, member: bool, relay: bool = True) -> bool:
    """Tell whether a node can be inside a path: it forwards, or is an NPU and may relay."""
    return member or bool(data.get("forwards")) or (relay and data.get("kind") == "npu")


def entering(supernode: Supernode, part: frozenset[str], members: set[str]) -> float:
    """Return bytes/s from the rest to a part, over nodes that can carry traffic."""
    graph = supernode.graph
    total = 0.0
    for v in natural_sort(part):
        if v not in graph:
            raise CertificateError(f"{v} is not a node of {supernode.name}")
        if not carries(graph.nodes[v], member=v in members):
            continue
        for u, data in graph.pred[v].items():
            if u not in part and carries(graph.nodes[u], member=u in members):
                total += float(data["capacity"])
    return total


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
    if kind.name in ("all_gather", "gather"):
        return inside / total
    if kind.name in ("reduce_scatter", "scatter"):
        return outside / total
    return 1.0
