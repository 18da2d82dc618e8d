"""Bound the time of even an empty message: how far data has to go, and how it spreads.

Data from one rank has to reach another over some path, after the software at its origin has
started (α) and sent it (o). And what one rank has must become known to c ranks, where a rank that
knows it sends one message after another, o apart, and each arrives α and the way after that: λ =
α + the shortest way between any two ranks. So those who know at time t are no more than

    N(t) = Σ over j of C(⌊(t - j·λ) / o⌋, j),

the sequences of j messages in turn, each with the number of its turn; the bound is the least t
with N(t) >= c. This holds in steps, where the messages of a step arrive together at its end, and
where steps overlap. A switch that copies, or adds up what many send, may let one message reach
all; then only the first part counts.

References
----------
Bar-Noy and Kipnis, Designing broadcasting algorithms in the postal model for message-passing
systems, Math. Systems Theory 27 (1994) 431-452; Culler et al., LogP, PPoPP 1993.
"""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
from scipy.sparse.csgraph import dijkstra

from collectives.bounds.certificates import CollectiveNeed, Need, PairsNeed, TokenNeed
from collectives.bounds.network import Network
from collectives.bounds.split_nodes import Halves, halves
from collectives.model.schedule import IntArray
from collectives.timing import Endpoint
from topology import units
from topology.approximation import Approximation
from topology.fabric import BoolArray, Fabric, FloatArray

_CELLS = 60_000_000
_BLOCK = 4_000_000
_SWEEPS = 6
_ROUNDING = 1e-12
_GATHERING = ("reduce", "gather")


def latency_bound(
    fabric: Fabric, net: Network, need: Need, endpoint: Endpoint, *, helped: bool
) -> tuple[float, tuple[Approximation, ...]]:
    """Return seconds that not even an empty message can save, and where more may be lost.

    Parameters
    ----------
    fabric
        The whole fabric, for its latencies.
    net
        The part of it that carries the need, ranks in the order of the need's.
    need
        What must reach whom.
    endpoint
        Software overheads.
    helped
        Whether a switch on the way copies data or adds it up.
    """
    laid, delay = _laid(fabric, net, endpoint)
    pairs = _pairs(need)
    far, most = _farthest(laid, delay, need, pairs)
    least = endpoint.alpha + endpoint.message
    kind = need.collective if isinstance(need, CollectiveNeed) else ""
    known = net.ranks if pairs is None else 1 + int(pairs.sum(axis=1).max(initial=0))
    spread = 0.0
    if not (helped or kind in _GATHERING or known <= 2 or not endpoint.message):
        spread = spreading(known, endpoint.alpha + _nearest(laid, delay), endpoint.message)
    found = max(least + far, spread)
    if least + most <= found * (1 + _ROUNDING):
        return found, ()
    off = most - far
    why = f"the longest way from a few ranks; another may be {units.format_time(off)} longer"
    return found, (Approximation("latency bound", why, (least + most) / found - 1),)


def spreading(known: int, way: float, message: float) -> float:
    """Return the least seconds in which what one rank has becomes known to some ranks.

    Parameters
    ----------
    known
        How many ranks, the first included.
    way
        λ: seconds from the end of a message's turn until it is known.
    message
        o: seconds of a turn, above 0.
    """
    arrivals = [way + message]  # of the next message of each rank that knows
    for _ in range(known - 2):
        now = heapq.heappop(arrivals)
        heapq.heappush(arrivals, now + message)
        heapq.heappush(arrivals, now + way + message)
    return arrivals[0]


def _pairs(need: Need) -> BoolArray | None:
    """Return who has something for whom, shape (p, p); None if all have for all, or a root has."""
    if isinstance(need, PairsNeed):
        found: BoolArray = need.table.toarray() > 0
        return found
    if isinstance(need, TokenNeed):
        apart = (np.array(need.to_rank) > 0) & ~np.eye(len(need.ranks), dtype=bool)
        return apart.T if need.back else apart
    return None


def _laid(fabric: Fabric, net: Network, endpoint: Endpoint) -> tuple[Halves, FloatArray]:
    """Return the network laid out with delays: of links and switches, and of ranks that relay.

    What a node inside adds is counted with the links out of it; a rank that relays takes what it
    needs as a router, or as software α and a message.
    """
    bare, software = net.fabric, endpoint.alpha + endpoint.message
    inside = fabric.node_latency[net.node]
    member = np.zeros(len(bare.nodes), dtype=bool)
    member[bare.npus] = True
    routes = fabric.forwards[net.node]
    is_npu = np.array([fabric.kind[node] == "npu" for node in net.node.tolist()], dtype=bool)
    routed = np.where(routes, np.minimum(inside, software), software)
    relays = np.where(is_npu | member, routed, inside)
    link = fabric.latency[net.arc] + np.where(member, 0.0, relays)[bare.tail]
    timed = replace(net, fabric=replace(bare, latency=link, node_latency=relays))
    laid = halves(timed)
    joined = len(laid.tail) - laid.links - len(laid.limited)
    own = relays[laid.q.member[laid.head[len(laid.tail) - joined :]]]
    return laid, np.concatenate([laid.q.latency, np.zeros(len(laid.limited)), own])


def _nearest(laid: Halves, delay: FloatArray) -> float:
    """Return the shortest delay between any two ranks, exactly, by few searches.

    Two groups of ranks differ in some bit of their numbers, so the shortest way leads from those
    with the bit to those without it, or back, for some bit.
    """
    graph, number = laid.graph(delay), np.arange(len(laid.senders))
    sides = [(laid.size > 1, laid.size > 0)]  # two ranks of one group: out of it and into it
    for bit in range(int(number[-1]).bit_length()):
        here = (number >> bit & 1).astype(bool)
        sides += [(here, ~here), (~here, here)]
    least = np.inf
    for begin, end in sides:
        if begin.any() and end.any():
            reach = dijkstra(graph, indices=laid.senders[begin], min_only=True)
            least = min(least, float(reach[laid.receivers[end]].min()))
    return least


def _farthest(
    laid: Halves, delay: FloatArray, need: Need, pairs: BoolArray | None
) -> tuple[float, float]:
    """Return the longest of the shortest delays that data has to go, and how long it may be."""
    home = laid.q.group[laid.net.fabric.npus]
    place = np.searchsorted(laid.senders, home)
    if isinstance(need, CollectiveNeed) and need.root is not None:
        at = int(place[need.ranks.index(need.root)])
        graph, start, ends = laid.graph(delay), laid.senders, laid.receivers
        if need.kind.before != "root":
            graph, start, ends = graph.T.tocsr(), laid.receivers, laid.senders
        reach = dijkstra(graph, indices=start[at])[ends]
        if laid.size[at] == 1:
            reach[at] = 0.0
        return _longest(reach), _longest(reach)
    rows = np.arange(len(laid.senders))
    upper = 0.0
    if len(rows) * len(laid.tail) > _CELLS:
        rows, upper = _far_apart(laid, delay)
    longest = 0.0
    for part in np.array_split(rows, 1 + len(rows) * laid.nodes // _BLOCK):
        reach = laid.distances(delay, part)[:, laid.receivers]
        if pairs is None:
            reach[(part[:, None] == np.arange(len(laid.senders))) & (laid.size == 1)] = 0.0
        else:
            row = np.full(len(laid.senders), -1)
            row[part] = np.arange(len(part))
            src, dst = np.nonzero(pairs & (row[place] >= 0)[:, None])
            reach = reach[row[place[src]], place[dst]]
        longest = max(longest, _longest(reach))
    return longest, max(longest, upper)


def _far_apart(laid: Halves, delay: FloatArray) -> tuple[IntArray, float]:
    """Return a few groups of ranks that lie far apart, and how long any way can be at most.

    From one to the farthest from it, and on from there; no way is longer than the longest one to
    some node in the middle, with the longest one from there.
    """
    graph = laid.graph(delay)
    rows, worst = [0], np.zeros(laid.nodes)
    for _ in range(_SWEEPS):
        worst = np.maximum(worst, dijkstra(graph, indices=laid.senders[rows[-1]]))
        ends = worst[laid.receivers]
        ends[rows] = -1.0
        rows.append(int(np.argmax(np.where(np.isfinite(ends), ends, -1.0))))
    middle = int(np.argmin(worst))
    into = dijkstra(graph.T.tocsr(), indices=middle)[laid.senders]
    most = into.max() + dijkstra(graph, indices=middle)[laid.receivers].max()
    return np.unique(rows), float(most)


def _longest(reach: FloatArray) -> float:
    return float(reach[np.isfinite(reach)].max(initial=0.0))
