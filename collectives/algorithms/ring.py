"""Ring algorithms: every rank talks to the next one only.

References
----------
Patarasuk and Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC 69
(2009) 117-124, doi:10.1016/j.jpdc.2008.09.002.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.compose import Steps, in_parallel, relabelled
from collectives.algorithms.registry import algorithm
from collectives.model.collective import collective
from collectives.model.schedule import Schedule, Step, Team, Transfers, as_team, permutation


def ring_steps(p: int, *, reduce: bool, lag: int = 0) -> tuple[Step, ...]:
    """Return the p - 1 steps of a ring: a block each from every rank to the next.

    Parameters
    ----------
    p
        Ranks; block b belongs to rank b.
    reduce
        True for reduce-scatter, which ends with rank r holding block r; False for all-gather,
        which starts so.
    lag
        Extra blocks the first send stands behind the sender.
    """
    if p == 1:
        return ()
    src = np.arange(p)
    dst = (src + 1) % p
    behind = (1 if reduce else 0) + lag

    def transfers(t: int) -> Transfers:
        return Transfers(src, dst, (src - t - behind) % p, reduce=reduce)

    phase = "reduce-scatter" if reduce else "all-gather"
    return (Step(transfers, permutation(src, dst, 1 / p), p - 1, phase),)


@algorithm("reduce_scatter", "ring")
def ring_reduce_scatter(team: Team | int) -> Schedule:
    """Reduce-scatter in p - 1 steps of S/p: (p-1)α + (p-1)/p · S/B."""
    p = as_team(team).size
    steps = ring_steps(p, reduce=True)
    return Schedule("ring", collective("reduce_scatter"), p, p, steps)


@algorithm("all_gather", "ring")
def ring_all_gather(team: Team | int) -> Schedule:
    """All-gather in p - 1 steps of S/p: (p-1)α + (p-1)/p · S/B."""
    p = as_team(team).size
    return Schedule("ring", collective("all_gather"), p, p, ring_steps(p, reduce=False))


@algorithm("all_reduce", "ring")
def ring_all_reduce(team: Team | int) -> Schedule:
    """All-reduce as reduce-scatter and all-gather: 2(p-1)α + 2(p-1)/p · S/B."""
    p = as_team(team).size
    steps = (*ring_steps(p, reduce=True), *ring_steps(p, reduce=False))
    return Schedule("ring", collective("all_reduce"), p, p, steps)


@algorithm("all_reduce", "bidirectional_ring")
def bidirectional_all_reduce(team: Team | int) -> Schedule:
    """All-reduce as two rings, half the data each way: 2(p-1)α + (p-1)/p · S/b, links of rate b."""
    p = as_team(team).size
    steps = _both_ways((*ring_steps(p, reduce=True), *ring_steps(p, reduce=False)), p)
    return Schedule("bidirectional_ring", collective("all_reduce"), p, 2 * p, steps)


@algorithm("reduce_scatter", "bidirectional_ring")
def bidirectional_reduce_scatter(team: Team | int) -> Schedule:
    """Reduce-scatter as two rings: (p-1)α + (p-1)/p · S/(2b)."""
    p = as_team(team).size
    steps = _both_ways(ring_steps(p, reduce=True), p)
    return Schedule("bidirectional_ring", collective("reduce_scatter"), p, 2 * p, steps)


@algorithm("all_gather", "bidirectional_ring")
def bidirectional_all_gather(team: Team | int) -> Schedule:
    """All-gather as two rings: (p-1)α + (p-1)/p · S/(2b)."""
    p = as_team(team).size
    steps = _both_ways(ring_steps(p, reduce=False), p)
    return Schedule("bidirectional_ring", collective("all_gather"), p, 2 * p, steps)


def _both_ways(steps: Steps, p: int) -> Steps:
    return in_parallel([steps, relabelled(steps, np.arange(p)[::-1], 1)], p, p)
