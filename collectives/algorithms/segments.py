"""Into how many segments to cut data that goes through steps at work at once."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np

from collectives.algorithms.compose import segmented
from collectives.model.schedule import Schedule, ScheduleError, Team
from topology import border
from topology.routing import Demand

UNSIZED = 16
"""Segments where the size, or the machine, is not known."""

_MOST_SEGMENTS = 4096
_MOST_AT_ONCE = 64  # of steps that are timed one by one
_MOST_TURNS = 4096
_AS_GOOD = 2e-3


def best_segments(
    team: Team,
    fill: int,
    traffic: Demand,
    segments: int | None = None,
    *,
    share: float = 1.0,
    ramp: float = 1.0,
) -> int:
    """Return how many segments make (fill + m)·α + (ramp·fill + m)·T·S/m smallest.

    α is the endpoints' and the slowest path's, and T what the most loaded link needs for the
    traffic of all segments, as the machine routes it.

    Parameters
    ----------
    team
        Who; its size S and the time of a step say what is best; without them it is `UNSIZED`.
    fill
        Steps that are needed besides one for each segment.
    traffic
        What every pair of positions exchanges at full flow, as a fraction of a segment.
    segments
        What the caller asked for, if anything.
    share
        What all segments that an edge carries are of S.
    ramp
        How busy the links are while the pipeline fills and empties.
    """
    if segments is not None:
        return border.whole(segments, "segments", most=_MOST_SEGMENTS, error=ScheduleError)
    if team.volume == 0:
        return 1
    if team.volume is None or team.step_time is None or team.size == 1:
        return UNSIZED
    step = team.step_time(traffic)
    alpha, serial = step.empty, step.per_byte * share * team.volume
    if alpha <= 0:
        return _MOST_SEGMENTS
    best = sqrt(max(fill, 0) * ramp * serial / alpha)
    near = [max(1, min(_MOST_SEGMENTS, int(best) + i)) for i in (0, 1)]
    return min(near, key=lambda m: (fill + m) * alpha + (ramp * fill + m) * serial / m)


def in_segments(team: Team, schedule: Schedule, segments: int | None = None) -> Schedule:
    """Return a schedule whose steps are at work at once, each on another segment of the data.

    m segments take A + F/m + (m-1)·max(T/m, o, c): A and F are the steps' latencies and times in S
    one after the other, T is what the most loaded link needs for all of them, o what a rank's
    software needs for its messages, and c what holds up the next segment at a step that repeats.
    Of numbers that are as good, the smallest is taken.

    Parameters
    ----------
    team
        Who; its size S and the time of a step say what is best; without them it is one segment.
    schedule
        In lockstep.
    segments
        m, if it is asked for.
    """
    if segments is not None:
        most = border.whole(segments, "segments", most=_MOST_SEGMENTS, error=ScheduleError)
        return segmented(schedule, most)
    if team.volume is None or team.step_time is None or len(schedule.steps) < 2:
        return schedule
    size, repeat = team.volume, np.array([step.repeat for step in schedule.steps])
    alone = [team.step_time(step.traffic) for step in schedule.steps]
    rows = [(step.empty, step.messages, step.per_byte) for step in alone]
    latency, sent, serial = np.array(rows).T
    busiest = size * float((repeat @ np.array([step.busy for step in alone])).max(initial=0.0))
    m = np.arange(1, max(1, min(_MOST_AT_ONCE, _MOST_TURNS // int(repeat.sum()))) + 1)[:, None]
    held = ((repeat - 1) * latency + repeat * serial * size / m).max(axis=1, keepdims=True)
    period = np.maximum(np.maximum(busiest / m, held), (repeat * sent).sum())
    time = (repeat * (latency + serial * size / m)).sum(axis=1, keepdims=True) + (m - 1) * period
    good = time[:, 0] <= time.min() * (1 + _AS_GOOD)
    return replace(segmented(schedule, 1 + int(np.argmax(good))), sized=True)
