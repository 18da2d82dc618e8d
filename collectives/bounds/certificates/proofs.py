"""Check a lower bound on a graph: what must be moved, over what the graph offers for it.

This is written to be read by a referee. It works from the definition of what is asked, on the
NetworkX graph alone, and shares nothing with the code that finds bounds. Four kinds of proof:

- a *cut*: what one side has and the other needs has to leave over the links between them;
- a *sum over parts*: what all parts must take in, over all links into parts;
- *lengths*: give every link e a length y_e, zero or more. A demand takes at least its amount
  times the distance between its ends, and the links offer Σ c_e·y_e a second together;
- *nothing*, for a bound of zero.

A path begins and ends at ranks, and passes through nodes that forward and, where NPUs may relay,
through NPUs. Ranks outside a collective pass its data on as it is.

References
----------
Patarasuk and Yuan, JPDC 69 (2009) 117-124 (all-reduce among parts); Shahrokhi and Matula, The
maximum concurrent flow problem, J. ACM 37 (1990) 318-334 (lengths).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra

from collectives.bounds.certificates.codec import CertificateError, from_plain, to_plain
from collectives.bounds.certificates.needs import (
    BoolArray,
    CollectiveNeed,
    FloatArray,
    Machine,
    Need,
    PairsNeed,
    TokenNeed,
)
from topology.errors import shown

Ends: TypeAlias = tuple[str, str]
_TOLERANCE = 1e-9
_CELLS = 20_000_000


@dataclass(frozen=True, repr=False)
class Certificate:
    """Proof of a lower bound on the time.

    Attributes
    ----------
    needs
        What must reach whom.
    claim
        Seconds per byte of S.
    words
        What limits.
    relay
        Whether NPUs that do not forward in the network may pass data on.
    """

    needs: tuple[Need, ...] = ()
    claim: float = 0.0
    words: str = "nothing, as nothing is sent"
    relay: bool = True

    def needed(self, machine: Machine) -> float:
        """Return bytes, per byte of S, that must be moved over what is offered."""
        del machine
        return 0.0

    def offered(self, machine: Machine) -> Iterator[tuple[Ends | str, float]]:
        """Yield links, and switches with a limit, with the bytes/s that count of each."""
        del machine
        return iter(())

    def seconds_per_byte(self, machine: Machine) -> float:
        """Recompute the claim from the graph alone; raise `CertificateError` if it cannot hold."""
        known = set(machine.npus)
        for need in self.needs:
            if len(set(need.ranks)) != len(need.ranks) or not known.issuperset(need.ranks):
                raise CertificateError(f"the ranks are not those of {machine.name}, or repeat")
            if (fault := need.fault()) is not None:
                raise CertificateError(fault)
        offered = math.fsum(amount for _, amount in self.offered(machine))
        needed = self.needed(machine)
        if needed and not offered:
            raise CertificateError("the certificate names no link, and yet something is to be sent")
        return needed / offered if needed else 0.0

    def check(self, machine: Machine) -> bool:
        """Return True if the claim holds on a machine; raise `CertificateError` if not."""
        found = self.seconds_per_byte(machine)
        if not math.isclose(self.claim, found, rel_tol=_TOLERANCE, abs_tol=0.0):
            raise CertificateError(
                f"claimed {self.claim:.12g} s/B, but the graph proves {found:.12g} s/B"
            )
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        plain: dict[str, Any] = to_plain(self, KINDS)
        return plain

    def __str__(self) -> str:
        return textwrap.fill(f"{self.claim:.6g} s for each byte: {self.words}", 80)

    def __repr__(self) -> str:
        said = textwrap.shorten(self.words, 48, placeholder=" ...")
        return f"<{type(self).__name__} {self.claim:.6g} s/B: {said}>"


@dataclass(frozen=True, repr=False)
class Nothing(Certificate):
    """The proof of a bound of zero: one rank alone has nothing to send."""


@dataclass(frozen=True, repr=False)
class Cut(Certificate):
    """A cut: what one side must send to the other, over the links that leave it.

    Attributes
    ----------
    part
        Ids of the nodes of one side.
    inside
        True if ``part`` is the sending side, False if everything else is.
    halved
        Switches cut in two by their own forwarding limit: they take in all that comes from the
        sending side and pass on no more than their capacity.
    sender, receiver
        Count only what this rank has, or needs. Where ranks pass nothing on, the links of other
        ranks then carry nothing of it.
    """

    part: tuple[str, ...] = ()
    inside: bool = True
    halved: tuple[str, ...] = ()
    sender: str | None = None
    receiver: str | None = None

    def needed(self, machine: Machine) -> float:
        """Return what must cross, by the definition of each need."""
        del machine
        part = frozenset(self.part)
        crossing = (
            need.crossing(_within(need, part) == self.inside, self.sender, self.receiver)
            for need in self.needs
        )
        return math.fsum(crossing)

    def offered(self, machine: Machine) -> Iterator[tuple[Ends | str, float]]:
        """Yield the links from the sending side to the rest, and the limits of cut switches."""
        graph, part, halved = machine.graph, frozenset(self.part), frozenset(self.halved)
        for node in self.halved:
            if (node in part) == self.inside:
                raise CertificateError(f"{node} is cut in two, and must be on the receiving side")
            yield node, _limit(machine, node)
        counts = _carrier(machine, self, self.sender, self.receiver)
        for node in sorted(part):
            if node not in graph:
                raise CertificateError(f"{node} is not a node of {machine.name}")
            for other, data in (graph.adj if self.inside else graph.pred)[node].items():
                u, v = (node, other) if self.inside else (other, node)
                if other not in part and v not in halved and counts(u, v):
                    yield (u, v), float(data["capacity"])


@dataclass(frozen=True, repr=False)
class PartsSum(Certificate):
    """What all parts must take in, over all links into them.

    An all-reduce whose ranks lie in m parts brings 2(m - 1) sizes into parts, if whoever adds up
    is in some part: a rank always is, and switches that reduce may be in parts of their own,
    which bring nothing and want nothing. Proof, for one element of the buffer. Contract each part
    to a point; what lies outside only passes on, or copies, so each arrival at a point is a
    message of one other point. Let C be the first point that knows all m contributions. Before
    that the arrivals led each contribution to C, so they hold a tree into C that spans the m
    points with ranks: m - 1 arrivals if C is one of them, else m. After it each of the other
    m - 1 points (else m) still has to learn something, one arrival each. Where a switch that
    reduces lies outside the parts, only what each part needs for itself counts, as for any
    other collective.

    Attributes
    ----------
    parts
        Ids of each part; no two share a node, and every rank is in one.
    """

    parts: tuple[tuple[str, ...], ...] = ()

    def needed(self, machine: Machine) -> float:
        """Return what must enter parts, by the definition of each need."""
        sides = [frozenset(part) for part in self.parts]
        every = frozenset[str]().union(*sides)
        if sum(map(len, self.parts)) != len(every):
            raise CertificateError("the parts overlap")
        if any(rank not in every for need in self.needs for rank in need.ranks):
            raise CertificateError("the parts do not hold every rank")
        adders = {node for node, data in machine.graph.nodes(data=True) if data.get("reduces")}
        total = []
        for need in self.needs:
            within = [_within(need, side) for side in sides]
            reduced = isinstance(need, CollectiveNeed) and need.collective == "all_reduce"
            if reduced and adders <= every:
                held = sum(bool(inside.any()) for inside in within)
                total.append(2 * (held - 1) * need.weight)  # type: ignore[union-attr]
            else:
                total += [need.crossing(~inside) for inside in within]
        return math.fsum(total)

    def offered(self, machine: Machine) -> Iterator[tuple[Ends | str, float]]:
        """Yield the links that enter parts."""
        counts = _carrier(machine, self)
        for part in self.parts:
            inside = frozenset(part)
            for v in part:
                if v not in machine.graph:
                    raise CertificateError(f"{v} is not a node of {machine.name}")
                for u, data in machine.graph.pred[v].items():
                    if u not in inside and counts(u, v):
                        yield (u, v), float(data["capacity"])


@dataclass(frozen=True, repr=False)
class Lengths(Certificate):
    """Link lengths that prove how fast demands can be met at best.

    Every byte has to be for one rank: in an all-to-all it is; in an all-gather or a broadcast
    too where no rank relays and no switch copies or adds.

    Attributes
    ----------
    links
        Each length with the links that have it, as pairs of ids; all others have none.
    switches
        Each length with the switches that have it, for what they forward; all others have none.
    """

    links: tuple[tuple[float, tuple[Ends, ...]], ...] = ()
    switches: tuple[tuple[float, tuple[str, ...]], ...] = ()

    def offered(self, machine: Machine) -> Iterator[tuple[Ends | str, float]]:
        """Yield links and limited switches with their length times bytes/s."""
        graph = machine.graph
        for (u, v), length in _once(self.links).items():
            if not graph.has_edge(u, v):
                raise CertificateError(f"{machine.name} has no link {u} -> {v}")
            yield (u, v), float(graph.edges[u, v]["capacity"]) * length
        for node, length in _once(self.switches).items():
            yield node, _limit(machine, node) * length

    def needed(self, machine: Machine) -> float:
        """Return Σ demand · distance."""
        nodes, passes = machine.graph.nodes(data=True), _carrier(machine, self)
        helps = (node for node, data in nodes if data.get("multicasts") or data.get("reduces"))
        helped = any(passes(node, None) for node in helps)
        far = _Distances(machine, self)
        total = []
        for need in self.needs:
            which = np.arange(len(need.ranks))
            for block in np.array_split(which, 1 + far.size * len(which) // _CELLS):
                amount = need.rows(block, copied=self.relay or helped)
                if amount is None:
                    raise CertificateError("lengths do not bound data that may be copied or added")
                senders = np.flatnonzero(amount.any(axis=1))
                reach = far.between([need.ranks[i] for i in block[senders]], need.ranks)
                amount = amount[senders]
                total.append(float(np.sum(amount * np.where(amount > 0, reach, 0.0))))
        if not math.isfinite(sum(total)):
            raise CertificateError("some ranks cannot reach one another")
        return math.fsum(total)


class _Distances:
    """Distances from rank to rank, where every node is entered and left at halves of its own."""

    def __init__(self, machine: Machine, proof: Lengths) -> None:
        graph, length, inside = machine.graph, _once(proof.links), _once(proof.switches)
        self.place = {node: i for i, node in enumerate(graph)}
        counts, n = _carrier(machine, proof), len(graph)
        arcs = [
            (n + self.place[u], self.place[v], length.get((u, v), 0.0))
            for u, v in graph.edges
            if counts(u, v)
        ]
        arcs += [(i, n + i, inside.get(v, 0.0)) for v, i in self.place.items() if counts(v, None)]
        rows = np.array(arcs, dtype=float).reshape(-1, 3)
        tail, head = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
        # Nodes that reach one another at no length are one place: far fewer rows and columns.
        free = rows[:, 2] == 0
        flat = sparse.coo_array((free[free], (tail[free], head[free])), shape=(2 * n, 2 * n))
        self.size, self.half = connected_components(flat, connection="strong")
        tail, head = self.half[tail], self.half[head]
        order = np.lexsort((rows[:, 2], head, tail))
        order = order[tail[order] != head[order]]
        ends = tail[order] * np.int64(self.size) + head[order]
        kept = order[np.unique(ends, return_index=True)[1]]  # the shortest of parallel ones
        shape = (self.size, self.size)
        self.graph = sparse.csr_array((rows[kept, 2], (tail[kept], head[kept])), shape=shape)

    def between(self, senders: list[str], receivers: tuple[str, ...]) -> FloatArray:
        """Return distances, shape (senders, receivers)."""
        n = len(self.place)
        start, row = np.unique([self._of(n + self.place[u]) for u in senders], return_inverse=True)
        ends = [self._of(self.place[v]) for v in receivers]
        found: FloatArray = dijkstra(self.graph, indices=start)[row.reshape(-1)][:, ends]
        return found

    def _of(self, node: int) -> int:
        return int(self.half[node])


def _carrier(
    machine: Machine, proof: Certificate, sender: str | None = None, receiver: str | None = None
) -> Callable[[str, str | None], bool]:
    """Return the test of whether a link can carry data; of a node alone, whether it passes on."""
    members = {rank for need in proof.needs for rank in need.ranks}
    passes = {
        node
        for node, data in machine.graph.nodes(data=True)
        if data.get("forwards") or (proof.relay and (node in members or data.get("kind") == "npu"))
    }
    begins = passes | (members if sender is None else {sender})
    ends = passes | (members if receiver is None else {receiver})

    def counts(u: str, v: str | None) -> bool:
        return u in passes if v is None else u in begins and v in ends

    return counts


def _limit(machine: Machine, node: str) -> float:
    """Return what a switch can forward in all."""
    data = machine.graph.nodes.get(node, {})
    if data.get("kind") != "switch" or not data.get("capacity"):
        raise CertificateError(f"{node} is no switch of {machine.name} with a forwarding limit")
    return float(data["capacity"])


def _once(rows: tuple[tuple[float, tuple[Any, ...]], ...]) -> Mapping[Any, float]:
    """Return the length of each link or switch."""
    found: dict[Any, float] = {}
    for length, group in rows:
        if not 0 <= length < math.inf:
            raise CertificateError(f"a length is {shown(length)}; lengths are finite, zero or more")
        found.update(dict.fromkeys(group, length))
    if len(found) != sum(len(group) for _, group in rows):
        raise CertificateError("a link or switch has two lengths")
    return found


def _within(need: Need, side: frozenset[str]) -> BoolArray:
    return np.fromiter((rank in side for rank in need.ranks), bool, len(need.ranks))


KINDS: Mapping[str, type[Any]] = {
    "nothing": Nothing, "cut": Cut, "sum over parts": PartsSum, "lengths": Lengths,
    "collective": CollectiveNeed, "pairs": PairsNeed, "tokens": TokenNeed,
}  # fmt: skip
"""What certificates are called in saved data."""


def read_certificate(data: Mapping[str, Any]) -> Certificate:
    """Return a certificate from the data that `Certificate.to_dict` made of it.

    Raises
    ------
    CertificateError
        If it is not a certificate, something is missing, or does not fit.
    """
    found = from_plain(data, KINDS)
    if not isinstance(found, Certificate):
        raise CertificateError("this says what is needed, and proves nothing")
    return found
