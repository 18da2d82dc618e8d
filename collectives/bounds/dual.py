"""Certify a bound by lengths: what must be sent, times how far it goes, over what there is.

Give every link e a length y_e, zero or more. Carrying a demand takes at least its amount times
the distance between its ends, summed; and the links together offer no more than Σ c_e·y_e a
second. So no routing sends all demands at more than

    f* ≤ Σ c_e·y_e / Σ demand(s, t)·dist_y(s, t),

and the best lengths reach it (the dual of maximum concurrent flow).

References
----------
Shahrokhi and Matula, The maximum concurrent flow problem, J. ACM 37 (1990) 318-334.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from collectives.bounds.bound import CertificateError
from collectives.bounds.cuts import check_claim, check_ranks
from collectives.bounds.network import Network, network
from collectives.bounds.split_nodes import Halves, halves
from collectives.model.schedule import IntArray
from topology.fabric import FloatArray
from topology.naming import natural_sort
from topology.supernode import Supernode

Ends: TypeAlias = tuple[str, str]
_PLAIN = 30_000_000
_CELLS = 40_000_000


@dataclass(frozen=True)
class Lengths:
    """Link lengths that prove how fast a demand can be met at best.

    Attributes
    ----------
    ranks
        Ids of the ranks that take part.
    claim
        Seconds per byte of S.
    where
        The links with a length, in words.
    links
        Each length with the links that have it, as pairs of ids; all others have none.
    switches
        Each length with the switches that have it, for what they forward; all others have none.
    amounts
        Bytes per byte of S for pairs of ids; None if every rank sends 1/p to each, itself too.
    relay
        Whether NPUs that do not forward in the network may pass data on.
    """

    ranks: tuple[str, ...]
    claim: float
    where: str
    links: tuple[tuple[float, tuple[Ends, ...]], ...]
    switches: tuple[tuple[float, tuple[str, ...]], ...] = ()
    amounts: tuple[tuple[str, str, float], ...] | None = None
    relay: bool = True

    @property
    def words(self) -> str:
        """Say what limits, in words."""
        return self.where

    @cached_property
    def _by_link(self) -> Mapping[Ends, float]:
        found: dict[Ends, float] = {}
        for length, links in self.links:
            _check_length(length)
            found.update(dict.fromkeys(links, length))
        if len(found) != sum(len(links) for _, links in self.links):
            raise CertificateError("a link has two lengths")
        return found

    @cached_property
    def _by_switch(self) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for length, switches in self.switches:
            _check_length(length)
            found.update(dict.fromkeys(switches, length))
        return found

    def offered(self, supernode: Supernode) -> float:
        """Return Σ c·y: length times bytes/s that links and switches offer together."""
        graph = supernode.graph
        parts = []
        for (u, v), length in self._by_link.items():
            if not graph.has_edge(u, v):
                raise CertificateError(f"{supernode.name} has no link {u} -> {v}")
            parts.append(float(graph.edges[u, v]["capacity"]) * length)
        for node, length in self._by_switch.items():
            data = graph.nodes.get(node, {})
            if data.get("kind") != "switch" or not data.get("capacity"):
                raise CertificateError(f"{node} has no forwarding limit")
            parts.append(float(data["capacity"]) * length)
        return math.fsum(parts)

    def needed(self, supernode: Supernode) -> float:
        """Return Σ demand · distance, per byte of S, by Dijkstra's algorithm."""
        check_ranks(supernode, self.ranks)
        place = {npu: rank for rank, npu in enumerate(supernode.npus)}
        ranks = np.array([place[npu] for npu in self.ranks])
        net = self._laid(network(supernode.fabric, ranks, relay=self.relay))
        if self.amounts is not None:
            return self._needed_by_pairs(net)
        plain = net.ranks * (len(net.arc) + 1) <= _PLAIN
        laid = halves(net, np.arange(len(net.fabric.nodes)) if plain else None)
        rows = np.arange(len(laid.senders))
        weight = np.ones(len(rows))
        if not plain:  # one rank speaks for all to which a checked symmetry carries it
            rows, weight = representatives(laid)
        total = 0.0
        size = laid.size.astype(float)
        for part in _blocks(rows, laid.nodes):
            reach = self._reach(laid, part)
            pairs = np.repeat(size[None, :], len(part), axis=0)
            pairs[np.arange(len(part)), part] -= 1
            far = np.where(pairs > 0, reach[:, laid.receivers], 0.0)
            count = weight[np.searchsorted(rows, part)] * size[part]
            total += float(((pairs * far).sum(axis=1) * count).sum())
        return total / net.ranks

    def _laid(self, net: Network) -> Network:
        """Return the network with lengths in place of latencies, which it does not use."""
        bare = net.fabric
        long = {length: i + 1 for i, (length, _) in enumerate(self.switches)}
        mark = [long.get(self._by_switch.get(node, 0.0), 0) for node in bare.nodes]
        lengths = np.array([self._by_link.get(ends, 0.0) for ends in bare.arcs], dtype=float)
        return replace(net, fabric=replace(bare, latency=lengths), mark=np.array(mark))

    def _needed_by_pairs(self, net: Network) -> float:
        index = net.fabric.index
        laid = halves(net, np.arange(len(net.fabric.nodes)))
        at = {int(node): k for k, node in enumerate(laid.q.member[laid.senders].tolist())}
        wanted: dict[int, list[tuple[int, float]]] = {}
        for u, v, amount in self.amounts or ():
            if u not in self.ranks or v not in self.ranks or not amount >= 0:
                raise CertificateError(f"the demand {u} -> {v} is not one between ranks")
            if u != v:
                wanted.setdefault(at[index[u]], []).append((at[index[v]], amount))
        total = []
        for part in _blocks(np.array(sorted(wanted), dtype=np.int64), laid.nodes):
            reach = self._reach(laid, part)
            for row, k in enumerate(part.tolist()):
                total += [reach[row, laid.receivers[j]] * amount for j, amount in wanted[k]]
        return math.fsum(total)

    def _reach(self, laid: Halves, rows: IntArray) -> FloatArray:
        names = laid.net.fabric.nodes
        inside = [self._by_switch.get(names[laid.q.member[g]], 0.0) for g in laid.limited.tolist()]
        joined = len(laid.tail) - laid.links - len(inside)
        return laid.distances(np.concatenate([laid.q.latency, inside, np.zeros(joined)]), rows)

    def seconds_per_byte(self, supernode: Supernode) -> float:
        """Recompute the claim from the graph alone."""
        offered, needed = self.offered(supernode), self.needed(supernode)
        if not math.isfinite(needed):
            raise CertificateError("some ranks cannot reach one another")
        if not offered:
            raise CertificateError("no link has a length")
        return needed / offered

    def check(self, supernode: Supernode) -> bool:
        """Return True if the claim holds; raise `CertificateError` if not."""
        return check_claim(self.claim, self.seconds_per_byte(supernode))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "kind": "lengths",
            "seconds_per_byte": self.claim,
            "where": self.where,
            "links": [{"length": y, "links": [list(e) for e in ends]} for y, ends in self.links],
            "switches": [{"length": y, "switches": list(who)} for y, who in self.switches],
            "amounts": None if self.amounts is None else [list(row) for row in self.amounts],
            "relay": self.relay,
            "ranks": list(self.ranks),
        }


def _check_length(length: float) -> None:
    if not 0 <= length < math.inf:
        raise CertificateError(f"a length is {length!r}; lengths are finite, zero or more")


def _blocks(rows: IntArray, nodes: int) -> list[IntArray]:
    width = max(1, _CELLS // nodes)
    return [rows[lo : lo + width] for lo in range(0, len(rows), width)]


def representatives(laid: Halves) -> tuple[IntArray, FloatArray]:
    """Return a group of ranks for each orbit, sorted, and how many groups each stands for."""
    orbit = laid.net.orbits.node[laid.senders]
    _, first, count = np.unique(orbit, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], count[order].astype(float)


def grouped(names: list[Ends], length: FloatArray) -> tuple[tuple[float, tuple[Ends, ...]], ...]:
    """Return links sorted by length, without those that have none.

    Parameters
    ----------
    names
        Ends of each link.
    length
        Of each link, shape (links,).
    """
    values, which = np.unique(length, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(which.reshape(-1), minlength=len(values)))
    found = []
    for value, lo, hi in zip(values.tolist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        if value > 0:
            found.append((value, tuple(names[i] for i in order[lo:hi].tolist())))
    return tuple(found)


def by_name(names: list[str], length: FloatArray) -> tuple[tuple[float, tuple[str, ...]], ...]:
    """Return switches sorted by length, without those that have none."""
    found: dict[float, list[str]] = {}
    for name, value in zip(names, length.tolist(), strict=True):
        if value > 0:
            found.setdefault(value, []).append(name)
    return tuple((value, tuple(natural_sort(found[value]))) for value in sorted(found))
