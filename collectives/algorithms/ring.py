"""Ring algorithms: every rank talks to the next one only, on one tour of the ranks or several.

References
----------
Patarasuk and Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC 69
(2009) 117-124, doi:10.1016/j.jpdc.2008.09.002.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collectives.algorithms.compose import in_parallel, relabelled
from collectives.algorithms.halves import Half, Part, halves
from collectives.algorithms.rails import rail_tours
from collectives.model.schedule import IntArray, Step, Team, Transfers, permutation


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


def rings(tours: Sequence[IntArray], *notes: str) -> Half:
    """Return rings on tours of all positions, each with an equal part of every block.

    Parameters
    ----------
    tours
        Positions in the order in which each goes, shape (p,) each.
    notes
        For the schedule.
    """
    p = len(tours[0])

    def half(*, reduce: bool) -> Part:
        steps = ring_steps(p, reduce=reduce)
        copies = [relabelled(steps, tour, 1) for tour in tours]
        return Part(in_parallel(copies, p, p), len(tours) * p, notes)

    return half


def _channels(tours: Sequence[IntArray]) -> list[str]:
    return [f"{len(tours)} channels, a rail each"] if len(tours) > 1 else []


@halves("ring")
def ring(team: Team) -> Half:
    """Pass blocks of S/p round: (p-1)α + (p-1)/p · S/B; the all-reduce takes twice as long.

    Groups of g ranks are passed one after the other by a ring for each of the g rails, with a
    g-th of the data each (see `rail_tours`): B is the sum of a group's NICs.
    """
    tours = rail_tours(team)
    return rings(tours, *_channels(tours))


@halves("bidirectional_ring")
def bidirectional_ring(team: Team) -> Half:
    """Send half the data each way round: (p-1)α + (p-1)/p · S/(2b), for links of rate b.

    The all-reduce takes twice as long.
    """
    tours = rail_tours(team)
    return rings([way for tour in tours for way in (tour, tour[::-1])], *_channels(tours))
