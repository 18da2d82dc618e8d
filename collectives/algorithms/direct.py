"""Direct algorithms: every rank talks to every other at once.

References
----------
Chan, Heimlich, Purkayastha and van de Geijn, Collective communication: theory, practice, and
experience, CCPE 19 (2007) 1749-1783; the two-shot all-reduce is its reduce-scatter and all-gather
with all messages of a phase in flight together, as in TensorRT-LLM and MSCCL++.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collectives.algorithms.compose import Steps
from collectives.algorithms.halves import Half, halves, mirrored
from collectives.algorithms.registry import algorithm
from collectives.model.collective import collective
from collectives.model.schedule import IntArray, Schedule, Step, Team, Transfers, as_team
from topology.routing import Uniform


def _every_pair(p: int) -> tuple[IntArray, IntArray]:
    src = np.repeat(np.arange(p), p - 1)
    offset = np.tile(np.arange(1, p), p)
    return src, (src + offset) % p


def _exchange(
    p: int,
    phase: str,
    chunk: Callable[[IntArray, IntArray], IntArray],
    amount: float,
    *,
    reduce: bool = False,
) -> Steps:
    """Return one step in which every rank sends every other the chunk that their pair says."""
    if p == 1:
        return ()

    def transfers(_: int) -> Transfers:
        src, dst = _every_pair(p)
        return Transfers(src, dst, chunk(src, dst), reduce=reduce)

    return (Step(transfers, Uniform(np.arange(p), amount), 1, phase),)


def direct_steps(p: int, *, reduce: bool) -> Steps:
    """Return one step in which every rank sends a block of S/p to every other."""
    if reduce:
        return _exchange(p, "reduce-scatter", lambda _, dst: dst, 1 / p, reduce=True)
    return _exchange(p, "all-gather", lambda src, _: src, 1 / p)


@halves("direct")
def direct(team: Team) -> Half:
    """Exchange blocks with everyone at once: α + (p-1)/p · S/B; the two-shot all-reduce is both."""
    return mirrored(direct_steps(team.size, reduce=False), team.size)


@algorithm("all_reduce", "one_shot")
def one_shot_all_reduce(team: Team | int) -> Schedule:
    """All-reduce in one step: every rank sends its vector to every other; α + (p-1) · S/B."""
    p = as_team(team).size
    steps = _exchange(p, "exchange", lambda src, _: np.zeros_like(src), 1.0, reduce=True)
    return Schedule("one_shot", collective("all_reduce"), p, 1, steps)


@algorithm("all_to_all", "direct")
def direct_all_to_all(team: Team | int) -> Schedule:
    """All-to-all in one step of p - 1 messages of S/p: α + (p-1)·o + (p-1)/p · S/B."""
    p = as_team(team).size
    steps = _exchange(p, "exchange", lambda src, dst: src * p + dst, 1 / p)
    return Schedule("direct", collective("all_to_all"), p, p * p, steps)
