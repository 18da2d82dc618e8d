"""Parallel aggregated trees: a binomial tree from every rank, their messages sent together (PAT).

References
----------
Jeaugey, PAT: a new algorithm for all-gather and reduce-scatter operations at scale,
arXiv:2506.20252, 2025; in NCCL since 2.23.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from collectives.algorithms.halves import Half, halves, mirrored
from collectives.model.schedule import (
    IntArray,
    ScheduleError,
    Step,
    Team,
    Transfers,
    permutation,
)
from topology import border


@halves("pat")
def pat(team: Team, *, aggregation: int | None = None) -> Half:
    """Send along binomial trees, the farthest first: α ⌈log2 p⌉ + (p-1)/p · S/B, any p.

    The block of rank r goes to r + 2^k from those that have it, for k = ⌈log2 p⌉ - 1 down to 0:
    Bruck's bytes and steps in the opposite order, so that most bytes go the shortest way. With at
    most A = 2^a blocks in a message it takes the first a of these steps, and then sends the A
    blocks through the 2^(⌈log2 p⌉-a) ranks left under each, an edge of their tree at a time and
    depth first: a + 2^(⌈log2 p⌉-a) - 1 steps, and a buffer for A blocks on each level. The
    reduce-scatter is the reverse, and the all-reduce both.

    Parameters
    ----------
    team
        Who takes part.
    aggregation
        A, rounded down to a power of two; by default as many as there are.
    """
    p = team.size
    height = (p - 1).bit_length()
    most = 1 << height if aggregation is None else aggregation
    together = border.whole(most, "pat: aggregation", error=ScheduleError).bit_length() - 1
    under = 1 << max(0, height - together)
    far = [(0, 1 << k) for k in reversed(range(height)) if 1 << k >= under]
    steps = []
    for base, reach in (*far, *_depth_first(0, under)):
        sent = np.arange(base, p - reach, max(under, 2 * reach))
        steps += [_step(p, sent, reach)] if len(sent) else []
    return mirrored(tuple(steps), p)


def _depth_first(base: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the edges of a binomial tree, as where they start and how far they reach."""
    reach = size // 2
    while reach:
        yield base, reach
        yield from _depth_first(base + reach, reach)
        reach //= 2


def _step(p: int, ago: IntArray, reach: int) -> Step:
    """Return a step in which every rank sends on the blocks of the ranks so many places before."""
    ranks = np.arange(p)
    to = (ranks + reach) % p

    def transfers(_: int) -> Transfers:
        chunk = (ranks[:, None] - ago) % p
        return Transfers(np.repeat(ranks, len(ago)), np.repeat(to, len(ago)), chunk.reshape(-1))

    return Step(transfers, permutation(ranks, to, len(ago) / p), 1, "all-gather")
