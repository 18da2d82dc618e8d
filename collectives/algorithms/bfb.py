"""Breadth-first broadcast: an all-gather in as many steps as the network's diameter.

In step t every rank receives the shards of all ranks at distance t, from those of its neighbours
that are one step nearer to their owners. How the shards are shared out among these neighbours is
a linear program for each rank and step, which makes the busiest of its links least busy.

References
----------
Zhao, Pal, Chugh, Wang, Fang, Basu and Krishnamurthy, Efficient direct-connect topologies for
collective communications, NSDI 2025, arXiv:2202.03356.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from math import lcm

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

from collectives.algorithms.compose import Steps, reverse
from collectives.algorithms.halves import Half, Part, halves
from collectives.algorithms.neighbours import direct_lanes
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Step,
    Team,
    Transfers,
)
from topology.fabric import FloatArray
from topology.routing import Pairs
from topology.solvers.linear import least_level

Counts = tuple[tuple[int, int], ...]
"""(set of neighbours as bits, how many shards these can bring), sorted."""

_MOST_PIECES = 5040
_MOST_RANKS = 2048


@dataclass(frozen=True, eq=False)
class _Share:
    """How the shards that reach one rank in one step are shared out among its neighbours."""

    rank: int
    senders: IntArray  # in-neighbours, shape (d,)
    owners: IntArray  # owners of the shards, by their set of senders, shape (k,)
    counts: Counts


@halves("bfb")
def bfb(team: Team) -> Half:
    """Broadcast breadth first: diam·α + (d/p)·Σ_t max_u U_(u,t) · S/B.

    The reduce-scatter is the all-gather on the reversed links, backwards; the all-reduce is both.

    Raises
    ------
    DoesNotFitError
        If the ranks are not joined by direct links.
    """
    lanes = direct_lanes(team, "bfb")
    turned = (lanes != lanes.T).nnz > 0

    @cache
    def gather(links: bool) -> tuple[Steps, int]:  # noqa: FBT001 - where both ways are one
        return _gather(team, lanes.T if links else lanes)

    def half(*, reduce: bool) -> Part:
        steps, pieces = gather(reduce and turned)
        return Part(reverse(steps) if reduce else steps, team.size * pieces)

    return half


def _gather(team: Team, links: sparse.csr_array) -> tuple[Steps, int]:
    """Return the steps of an all-gather, and into how many pieces shards are cut."""
    p = team.size
    if p > _MOST_RANKS:
        raise DoesNotFitError(f"bfb solves a program for each of {p} ranks; at most {_MOST_RANKS}")
    lanes = links.toarray()
    distance = shortest_path(sparse.csr_array(lanes > 0), unweighted=True)
    if np.isinf(distance).any():
        u, v = (int(i) for i in np.argwhere(np.isinf(distance))[0])
        raise DoesNotFitError(f"bfb: position {v} cannot be reached from {u} over direct links")
    hops = distance.astype(np.int64)
    shares = [
        [_share(lanes, hops, rank, t) for rank in range(p)]
        for t in range(1, int(hops.max(initial=0)) + 1)
    ]
    pieces = 1
    for step in shares:
        for share in step:
            if share.counts:
                pieces = lcm(pieces, _least(share.counts, len(share.senders))[0].denominator)
    if pieces > _MOST_PIECES:
        raise DoesNotFitError(
            f"bfb: shards would have to be cut in {pieces} pieces, more than {_MOST_PIECES}"
        )
    return tuple(_step(step, pieces, p) for step in shares), pieces


def _share(lanes: IntArray, hops: IntArray, rank: int, t: int) -> _Share:
    senders = np.flatnonzero(lanes[:, rank])
    owners = np.flatnonzero(hops[:, rank] == t)
    nearer = hops[np.ix_(owners, senders)] == t - 1
    masks = nearer @ (1 << np.arange(len(senders)))
    order = np.argsort(masks, kind="stable")
    values, counts = np.unique(masks, return_counts=True)
    pairs = tuple(zip(values.tolist(), counts.tolist(), strict=True))
    return _Share(rank, senders, owners[order], pairs)


@lru_cache(maxsize=4096)
def _least(counts: Counts, senders: int) -> tuple[Fraction, tuple[tuple[float, ...], ...]]:
    """Return the least load of the busiest sender, and what each sends of each set's shards.

    min U such that Σ_w x_(s,w) = n_s for every set s, and Σ_s x_(s,w) <= U for every sender w.
    With U fixed the program is one of transport, so a vertex times U's denominator is whole; and
    U = max_W (shards only W can bring) / |W|, so its denominator is at most the senders.
    """
    cells = [(i, w) for i, (mask, _) in enumerate(counts) for w in range(senders) if mask >> w & 1]
    row, column = np.array(cells).T
    ones, each = np.ones(len(cells)), np.arange(len(cells))
    use = sparse.csr_array((ones, (column, each)), shape=(senders, len(cells)))
    brought = sparse.csr_array((ones, (row, each)), shape=(len(counts), len(cells)))
    needs = np.array([n for _, n in counts], dtype=float)
    found = least_level(use, np.ones(senders), brought, needs, vertex=True)
    least = Fraction(found.level).limit_denominator(senders)
    amounts = np.zeros((len(counts), senders))
    amounts[row, column] = found.flow
    return least, tuple(map(tuple, amounts.tolist()))


def _step(shares: list[_Share], pieces: int, p: int) -> Step:
    """Return one step; every share's pieces go to its senders in order."""

    def transfers(_: int) -> Transfers:
        parts = [_pieces(share, pieces) for share in shares]
        src, dst, chunk = (np.concatenate([part[i] for part in parts]) for i in range(3))
        return Transfers(src, dst, chunk)

    rows = [(s.senders, np.full(len(s.senders), s.rank), _sent(s, pieces)) for s in shares]
    src, dst, sent = (np.concatenate([row[i] for row in rows]) for i in range(3))
    used = sent > 0
    traffic = Pairs(src[used], dst[used], sent[used] / (pieces * p))
    return Step(transfers, traffic, 1, "all-gather")


def _whole(share: _Share, pieces: int) -> IntArray:
    """Return how many pieces each sender brings of each set's shards, shape (sets, d)."""
    amounts = np.array(_least(share.counts, len(share.senders))[1]) * pieces
    whole: IntArray = np.rint(amounts).astype(np.int64)
    return whole


def _sent(share: _Share, pieces: int) -> FloatArray:
    if not share.counts:
        return np.zeros(len(share.senders))
    sent: FloatArray = _whole(share, pieces).sum(axis=0).astype(float)
    return sent


def _pieces(share: _Share, pieces: int) -> tuple[IntArray, IntArray, IntArray]:
    if not share.counts:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    chunk = (share.owners[:, None] * pieces + np.arange(pieces)).reshape(-1)
    whole = _whole(share, pieces)
    src = np.repeat(np.tile(share.senders, len(whole)), whole.reshape(-1))
    return src, np.full(len(chunk), share.rank), chunk
