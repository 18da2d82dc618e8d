"""Run several schedules at the same time, as one schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectives.model.schedule import IntArray, Schedule, ScheduleError, Step, Transfers, join
from topology.routing import Demand, add_demands

_EMPTY = 1e-20  # of the size: what a message without content counts as, where others have some


@dataclass(frozen=True, eq=False)
class Placed:
    """A schedule on ranks.

    Attributes
    ----------
    schedule
        What runs.
    ranks
        Rank at each position, shape (p,).
    share
        Its size as a fraction of the size of the whole.
    """

    schedule: Schedule
    ranks: npt.ArrayLike
    share: float = 1.0


def at_once(placed: Sequence[Placed]) -> tuple[Schedule, IntArray]:
    """Return schedules as one, and the rank of each of its positions.

    In lockstep the first steps of all go together, then the second ones, and so on; one that has
    fewer steps is done earlier. Where a schedule has an order of its own, steps that are equal in
    all of them are one; if they differ, each schedule keeps its own. One whose transfers overlap
    goes step by step here. The chunks of each follow those of the one before.

    Raises
    ------
    ScheduleError
        If there is none.
    """
    if not placed:
        raise ScheduleError("at_once: give one schedule or more")
    ranks = np.unique(np.concatenate([np.asarray(one.ranks) for one in placed]))
    runs, offset = [], 0
    for one in placed:
        runs.append(_Run(one.schedule, np.searchsorted(ranks, one.ranks), one.share, offset))
        offset += one.schedule.chunks
    name = " + ".join(dict.fromkeys(one.schedule.name for one in placed))
    kind = placed[0].schedule.collective
    sized = any(one.schedule.sized for one in placed)
    steps = tuple(_lockstep(runs) if _equal(runs) else _apart(runs))
    return Schedule(name, kind, len(ranks), offset, steps, sized=sized), ranks


@dataclass(frozen=True, eq=False)
class _Run:
    """A schedule on some of the positions of a larger one."""

    schedule: Schedule
    at: IntArray
    share: float
    first_chunk: int


def _lockstep(runs: Sequence[_Run]) -> Iterator[Step]:
    """Yield steps of all runs together, repetitions together as far as all repeat."""
    left = [[(step, 0) for step in reversed(run.schedule.steps)] for run in runs]
    while any(left):
        busy = [(run, stack) for run, stack in zip(runs, left, strict=True) if stack]
        repeat = min(stack[-1][0].repeat - stack[-1][1] for _, stack in busy)
        now = [(run, *stack[-1]) for run, stack in busy]
        phase = " + ".join(dict.fromkeys(step.phase for _, step, _ in now))
        first = now[0][1]
        yield Step(_moving(now), _load([(run, step) for run, step, _ in now]), repeat, phase,
                   first.after, first.channel)  # fmt: skip
        for _, stack in busy:
            step, done = stack.pop()
            if done + repeat < step.repeat:
                stack.append((step, done + repeat))


def _equal(runs: Sequence[_Run]) -> bool:
    """Tell whether all go in lockstep, or have the same order of steps."""
    orders = [[(s.repeat, s.after, s.channel) for s in run.schedule.steps] for run in runs]
    return all(run.schedule.lockstep for run in runs) or all(o == orders[0] for o in orders)


def _apart(runs: Sequence[_Run]) -> Iterator[Step]:
    """Yield the steps of each run, in its own order, after those of the one before."""
    first, channel = 0, 0
    for run in runs:
        steps = run.schedule.steps
        for number, step in enumerate(steps):
            yield Step(
                _moving([(run, step, 0)]), _load([(run, step)]), step.repeat, step.phase,
                tuple(first + other for other in run.schedule.waits_for(number)),
                None if step.channel is None else channel + step.channel,
            )  # fmt: skip
        first += len(steps)
        channel += 1 + max((step.channel or 0 for step in steps), default=0)


def _moving(now: Sequence[tuple[_Run, Step, int]]) -> Callable[[int], Transfers]:
    def transfers(t: int) -> Transfers:
        parts = [(run, step.transfers(done + t)) for run, step, done in now]
        return join(
            [
                Transfers(run.at[m.src], run.at[m.dst], m.chunk + run.first_chunk, m.reduce)
                for run, m in parts
            ]
        )

    return transfers


def _load(now: Sequence[tuple[_Run, Step]]) -> Demand:
    """Return what all runs send in one step, by position of the whole: no bytes go too."""
    parts = [(step.traffic.placed(run.at), max(run.share, _EMPTY)) for run, step in now]
    return add_demands([traffic.scaled(share) for traffic, share in parts])
