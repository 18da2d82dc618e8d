"""Ring algorithms: every rank talks to the next one only.

References
----------
Patarasuk and Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC 69
(2009) 117-124, doi:10.1016/j.jpdc.2008.09.002.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.compose import in_parallel, relabelled
from collectives.algorithms.halves import Half, Part, halves
from collectives.model.schedule import Step, Team, Transfers, permutation


def ring_steps(p: int, *, reduce: bool) -> tuple[Step, ...]:
    """Return the p - 1 steps of a ring: a block each from every rank to the next.

    Parameters
    ----------
    p
        Ranks; block b belongs to rank b.
    reduce
        True for reduce-scatter, which ends with rank r holding block r; False for all-gather,
        which starts so.
    """
    if p == 1:
        return ()
    src = np.arange(p)
    dst = (src + 1) % p
    behind = 1 if reduce else 0

    def transfers(t: int) -> Transfers:
        return Transfers(src, dst, (src - t - behind) % p, reduce=reduce)

    phase = "reduce-scatter" if reduce else "all-gather"
    return (Step(transfers, permutation(src, dst, 1 / p), p - 1, phase),)


@halves("ring")
def ring(team: Team) -> Half:
    """Pass blocks of S/p round: (p-1)α + (p-1)/p · S/B; the all-reduce takes twice as long."""
    return lambda reduce: Part(ring_steps(team.size, reduce=reduce), team.size)


@halves("bidirectional_ring")
def bidirectional_ring(team: Team) -> Half:
    """Send half the data each way round: (p-1)α + (p-1)/p · S/(2b), for links of rate b.

    The all-reduce takes twice as long.
    """
    p = team.size

    def half(*, reduce: bool) -> Part:
        steps = ring_steps(p, reduce=reduce)
        both_ways = [steps, relabelled(steps, np.arange(p)[::-1], 1)]
        return Part(in_parallel(both_ways, p, p), 2 * p)

    return half
