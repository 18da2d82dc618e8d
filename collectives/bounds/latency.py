"""Bound the time of even an empty message: how far data has to go, in how many steps.

Data from one rank has to reach another over some path, after the software at its origin has
started (α); and one that reaches p - 1 others is passed on in steps. A step in which ranks send
m messages each multiplies those who know by 1 + m at most, and takes α + m·o, so S steps take at
least S·α + o·S·(p^(1/S) - 1).

References
----------
Chan, Heimlich, Purkayastha and van de Geijn, CCPE 19 (2007) 1749-1783 (⌈log2 p⌉ steps with one
message at a time); Culler et al., LogP: towards a realistic model of parallel computation, PPoPP
1993 (message overheads).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from collectives.bounds.network import Network
from collectives.bounds.split_nodes import Halves, halves
from collectives.model.collective import Collective
from collectives.model.schedule import IntArray
from collectives.timing import Endpoint
from topology.fabric import BoolArray, Fabric, FloatArray

_CELLS = 60_000_000
_GATHERING = ("reduce", "gather")


def latency_bound(
    fabric: Fabric,
    net: Network,
    kind: Collective,
    endpoint: Endpoint,
    root: int,
    pairs: BoolArray | None = None,
) -> float:
    """Return seconds that not even an empty message can save.

    Parameters
    ----------
    fabric
        The whole fabric, for its latencies.
    net
        The part of it that carries the collective.
    kind
        The collective.
    endpoint
        Software overheads.
    root
        Position of the root among the ranks.
    pairs
        Which ranks have something for which, shape (p, p), if not all for all.
    """
    laid, delay = _laid(fabric, net, endpoint.alpha)
    far, near = _reach(laid, delay, kind, root, pairs)
    once = endpoint.alpha + far
    if kind.name in _GATHERING or pairs is not None:
        return once + endpoint.message
    most = max(1, math.ceil(math.log2(net.ranks)))
    return min(_in_steps(net.ranks, steps, once, near, endpoint) for steps in range(1, most + 1))


def _in_steps(ranks: int, steps: int, once: float, near: float, endpoint: Endpoint) -> float:
    """Return the least time in which what one rank has reaches all others in some steps."""
    messages: float = steps * (ranks ** (1 / steps) - 1)
    return max(once, steps * (endpoint.alpha + near)) + endpoint.message * messages


def _laid(fabric: Fabric, net: Network, alpha: float) -> tuple[Halves, FloatArray]:
    """Return the network laid out with delays: of links and switches, and of ranks that relay.

    What a node inside adds is counted with the links out of it; a rank that relays takes what it
    needs as a router, or α as software.
    """
    bare = net.fabric
    inside = fabric.node_latency[net.node]
    member = np.zeros(len(bare.nodes), dtype=bool)
    member[bare.npus] = True
    routes = fabric.forwards[net.node]
    is_npu = np.array([fabric.kind[node] == "npu" for node in net.node.tolist()], dtype=bool)
    relays = np.where(is_npu | member, np.where(routes, np.minimum(inside, alpha), alpha), inside)
    link = fabric.latency[net.arc] + np.where(member, 0.0, relays)[bare.tail]
    timed = replace(net, fabric=replace(bare, latency=link, node_latency=relays))
    laid = halves(timed)
    joined = len(laid.tail) - laid.links - len(laid.limited)
    own = relays[laid.q.member[laid.head[len(laid.tail) - joined :]]]
    return laid, np.concatenate([laid.q.latency, np.zeros(len(laid.limited)), own])


def _reach(
    laid: Halves, delay: FloatArray, kind: Collective, root: int, pairs: BoolArray | None
) -> tuple[float, float]:
    """Return the longest of the shortest delays between ranks, and the shortest."""
    rows, columns = _ends(laid, kind, root)
    if len(rows) * len(laid.tail) > _CELLS and pairs is None:
        rows = _far_apart(laid, delay, rows[:1])
    found = laid.distances(delay, rows)[:, laid.receivers[columns]]
    if pairs is not None:
        place = np.searchsorted(laid.senders, laid.q.group[laid.net.fabric.npus])
        src, dst = np.nonzero(pairs)
        found = found[place[src], place[dst]]
    else:
        alone = (rows[:, None] == columns[None, :]) & (laid.size[rows] == 1)[:, None]
        found = found[~alone]
    found = found[np.isfinite(found)]
    return float(found.max(initial=0.0)), float(found.min(initial=np.inf)) if len(found) else 0.0


def _ends(laid: Halves, kind: Collective, root: int) -> tuple[IntArray, IntArray]:
    """Return which groups of ranks send to which in the end, as positions in ``senders``."""
    every = np.arange(len(laid.senders))
    home = laid.q.group[laid.net.fabric.npus[root]]
    at = np.flatnonzero(laid.senders == home)
    if not kind.rooted:
        return every, every
    return (at, every) if kind.before == "root" else (every, at)


def _far_apart(laid: Halves, delay: FloatArray, start: IntArray) -> IntArray:
    """Return a few groups of ranks that lie far apart, on fabrics too large to try them all."""
    reach = laid.distances(delay, start)[0, laid.receivers]
    far = int(np.argmax(np.where(np.isfinite(reach), reach, -1.0)))
    return np.unique(np.append(start, far))
