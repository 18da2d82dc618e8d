"""Butterflies: in every step each rank exchanges with one partner, and knows twice as much.

A butterfly is given by its partners, one row for each step. Doubling distances, Swing's and
Bine's negabinary distances all make one; an all-gather sends everything known to the partner, a
reduce-scatter is the same backwards, and the latency-optimal all-reduce exchanges whole vectors.

References
----------
Thakur, Rabenseifner and Gropp, Optimization of collective communication operations in MPICH,
IJHPCA 19 (2005) 49-66, doi:10.1177/1094342005051521.
Rabenseifner and Träff, More efficient reduction algorithms for non-power-of-two number of
processors in message-passing parallel systems, EuroPVM/MPI 2004, for the 3-2 elimination.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from collectives.algorithms.compose import Steps, relabelled, reverse, runs
from collectives.algorithms.halves import Half, halves, mirrored
from collectives.algorithms.registry import algorithm
from collectives.model.collective import collective
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
    permutation,
)
from topology.routing import Pairs


def is_power(p: int) -> bool:
    """Tell whether a number is a power of two."""
    return p & (p - 1) == 0


def require_power(p: int, algorithm: str) -> None:
    """Raise `DoesNotFitError` unless p is a power of two."""
    if not is_power(p):
        low = 1 << (p.bit_length() - 1)
        raise DoesNotFitError(
            f"{algorithm} needs a power of two ranks, not {p}; use {low} or {2 * low} of them, or "
            "another algorithm"
        )


def doubling_partners(p: int) -> IntArray:
    """Return partners at distance 1, 2, 4, ..., shape (log2 p, p)."""
    ranks = np.arange(p)
    return np.array([ranks ^ (1 << i) for i in range(p.bit_length() - 1)]).reshape(-1, p)


def gather_steps(partners: IntArray) -> Steps:
    """Return an all-gather in which partners tell each other all they know.

    Parameters
    ----------
    partners
        Partner of each position in each step, shape (steps, p); those that a position hears
        from, step after step, must tell it something new each time.
    """
    p = partners.shape[1]
    return tuple(_gather_step(partners, i, p) for i in range(len(partners)))


def _gather_step(partners: IntArray, index: int, p: int) -> Step:
    def transfers(_: int) -> Transfers:
        known = np.arange(p)[:, None]
        for row in partners[:index]:
            known = np.concatenate([known, known[row]], axis=1)
        width = known.shape[1]
        return Transfers(
            np.repeat(np.arange(p), width), np.repeat(partners[index], width), known.reshape(-1)
        )

    traffic = permutation(np.arange(p), partners[index], 2**index / p)
    return Step(transfers, traffic, 1, "all-gather")


def exchange_steps(partners: IntArray) -> Steps:
    """Return an all-reduce in which partners exchange whole vectors of one chunk and add.

    Parameters
    ----------
    partners
        As in `gather_steps`.
    """
    p = partners.shape[1]
    ranks, chunk = np.arange(p), np.zeros(p, dtype=np.int64)
    return tuple(
        Step(
            lambda _, row=row: Transfers(ranks, row, chunk, reduce=True),  # type: ignore[misc]
            permutation(ranks, row, 1.0),
            1,
            "exchange",
        )
        for row in partners
    )


def _doubling(team: Team, name: str) -> Half:
    require_power(team.size, name)
    return mirrored(gather_steps(doubling_partners(team.size)), team.size)


@halves("recursive_doubling", "all_gather")
def recursive_doubling(team: Team) -> Half:
    """All-gather in log2 p steps, blocks doubling: α log2 p + (p-1)/p · S/B; p = 2^k."""
    return _doubling(team, "recursive doubling")


@halves("recursive_halving", "reduce_scatter")
def recursive_halving(team: Team) -> Half:
    """Reduce-scatter in log2 p steps, blocks halving: α log2 p + (p-1)/p · S/B; p = 2^k."""
    return _doubling(team, "recursive halving")


@algorithm("all_reduce", "recursive_doubling")
def recursive_doubling_all_reduce(team: Team | int) -> Schedule:
    """All-reduce of whole vectors: log2 p · (α + S/B), and 2(α + S/B) more if p is not 2^k."""
    p = as_team(team).size
    steps = folded(p, exchange_steps(doubling_partners(_below(p))), 1)
    return Schedule("recursive_doubling", collective("all_reduce"), p, 1, steps)


@algorithm("all_reduce", "halving_doubling")
def halving_doubling_all_reduce(team: Team | int) -> Schedule:
    """All-reduce by recursive halving and doubling (Rabenseifner), folded if p is not 2^k.

    2α log2 p + 2(p-1)/p · S/B; folding p to p' = 2^k ranks costs 2(α + S/B) more.
    """
    p = as_team(team).size
    inner = _below(p)
    gather = gather_steps(doubling_partners(inner))
    steps = folded(p, (*reverse(gather), *gather), inner)
    return Schedule("halving_doubling", collective("all_reduce"), p, inner, steps)


def _below(p: int) -> int:
    """Return the largest power of two up to p."""
    return 1 << (p.bit_length() - 1)


def folded(p: int, inner: Steps, chunks: int) -> Steps:
    """Return an all-reduce for p ranks from one for a power of two below.

    Of the first 2(p - p') ranks, the even ones give their vector to the odd ones before, and
    get the result after.

    Parameters
    ----------
    p
        Ranks.
    inner
        An all-reduce for p' = 2^⌊log2 p⌋ ranks.
    chunks
        Its number of chunks.
    """
    extra = p - _below(p)
    if not extra:
        return inner
    idle = 2 * np.arange(extra)
    working = np.concatenate([idle + 1, np.arange(2 * extra, p)])
    none = np.zeros(extra, dtype=np.int64)
    fold = Step(
        lambda _: runs(idle, idle + 1, none, chunks, reduce=True),
        permutation(idle, idle + 1, 1.0), 1, "fold",
    )  # fmt: skip
    unfold = Step(
        lambda _: runs(idle + 1, idle, none, chunks, reduce=False),
        permutation(idle + 1, idle, 1.0), 1, "unfold",
    )  # fmt: skip
    return (fold, *relabelled(inner, working), unfold)


@algorithm("all_reduce", "elimination")
def elimination_all_reduce(team: Team | int) -> Schedule:
    """All-reduce by recursive halving and doubling with 3-2 elimination; any p.

    In a halving round most ranks work in pairs, each keeping one half of the piece; t triples
    work too, where the third rank gives one half to each of the others and rests until the
    end. A round with triples takes two steps. Less than 3 S/B in all, where folding takes 4 S/B
    (Rabenseifner and Träff).
    """
    p = as_team(team).size
    rounds = _triples(p)[1]
    chunks = 1 << len(rounds)
    members = np.arange(p).reshape(1, p)
    halving: list[Step] = []
    for t in rounds:
        width = chunks // len(members) // 2
        halving += _elimination_round(members, t, width, chunks)
        trios, rest = members[:, : 3 * t], members[:, 3 * t :]
        keeps = [np.concatenate([trios[:, i::3], rest[:, i::2]], axis=1) for i in (0, 1)]
        members = np.stack(keeps, axis=1).reshape(2 * len(members), -1)
    steps = (*halving, *reverse(tuple(halving), "all-gather", reduce=False))
    return Schedule("elimination", collective("all_reduce"), p, chunks, steps)


@cache
def _triples(n: int) -> tuple[float, tuple[int, ...]]:
    """Return the bytes sent and the triples of each round, for the cheapest halving of n."""
    if n == 1:
        return 0.0, ()
    options = []
    for t in range(1, n // 3 + 1, 2) if n % 2 else (0,):  # a round with triples costs twice as much
        if n - t >= 2:
            later, rounds = _triples((n - t) // 2)
            options.append(((1.0 if t else 0.5) + later / 2, (t, *rounds)))
    return min(options)


def _elimination_round(members: IntArray, t: int, width: int, chunks: int) -> list[Step]:
    """Return the steps of one halving round: one, or two if there are triples.

    Parameters
    ----------
    members
        Ranks that work on each piece, shape (pieces, n).
    t
        Triples among the n.
    width
        Chunks of half a piece.
    chunks
        Chunks in all.
    """
    low = np.broadcast_to(np.arange(len(members))[:, None] * 2 * width, members.shape)
    a, b, c = (members[:, i : 3 * t : 3] for i in range(3))
    one, two = members[:, 3 * t :: 2], members[:, 3 * t + 1 :: 2]
    first = low[:, :t]
    pairs = low[:, 3 * t :: 2]
    steps = [
        _halves(
            [(one, two, pairs + width), (two, one, pairs), (c, a, first), (a, b, first + width)],
            width, chunks,
        )
    ]  # fmt: skip
    if t:
        steps.append(_halves([(b, a, first), (c, b, first + width)], width, chunks))
    return steps


def _halves(moves: list[tuple[IntArray, IntArray, IntArray]], width: int, chunks: int) -> Step:
    src, dst, first = (np.concatenate([m[i].reshape(-1) for m in moves]) for i in range(3))
    traffic = Pairs(src, dst, np.full(len(src), width / chunks))
    return Step(lambda _: runs(src, dst, first, width, reduce=True), traffic, 1, "reduce-scatter")


@halves("bruck")
def bruck(team: Team) -> Half:
    """Send all that is known on, twice as far each step (Bruck): α ⌈log2 p⌉ + (p-1)/p · S/B, any p.

    The reduce-scatter is the all-gather backwards, and the all-reduce takes twice as long.
    """
    return mirrored(_bruck_steps(team.size), team.size)


def _bruck_steps(p: int) -> Steps:
    steps, held = [], 1
    while held < p:
        steps.append(_bruck_step(p, held, min(held, p - held)))
        held *= 2
    return tuple(steps)


def _bruck_step(p: int, distance: int, width: int) -> Step:
    ranks = np.arange(p)
    to = (ranks - distance) % p

    def transfers(_: int) -> Transfers:
        chunk = (ranks[:, None] + np.arange(width)) % p
        return Transfers(np.repeat(ranks, width), np.repeat(to, width), chunk.reshape(-1))

    return Step(transfers, permutation(ranks, to, width / p), 1, "all-gather")
