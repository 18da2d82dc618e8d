"""Carry out turns one after the other, as long as those that share links do not meet in time.

Most schedules are that simple: each rank follows its own chain of turns, and the messages of one
turn have left before those of the next start, or no two of them could slow each other down. Then
each turn is a small problem of its own, the same for every repetition, and is solved once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from collectives.model.schedule import IntArray, ScheduleError
from collectives.timing.fair import fair_rates
from collectives.timing.program import Pattern, Program
from collectives.timing.trace import Changes, Record, Trace
from topology.fabric import FloatArray

TIE = 1e-12  # of the time: events nearer than this are at once
STUCK = "simulation: messages are under way on links that carry nothing"
Watch: TypeAlias = Callable[[float, float], object]
_A_TURN = 100  # microseconds, and one for each message
_CELLS = 20_000_000  # times of messages and actors that are kept


def unwatched(_: float, __: float) -> None:
    """Let a simulation go on."""


def whole_ticks(seconds: FloatArray, tick: float) -> FloatArray:
    """Return durations cut to whole ticks; as they are where there are none."""
    if not tick:
        return seconds
    cut: FloatArray = np.floor(seconds / tick + 1e-6) * tick
    return cut


@dataclass(frozen=True, eq=False)
class _Flowed:
    """How messages of a pattern moved: after these starts, so long each; and their rates."""

    start: FloatArray
    took: FloatArray
    changes: Changes


def turn_by_turn(program: Program, tick: float, watch: Watch = unwatched) -> Trace | None:
    """Return what happens, turn by turn; None if messages of several turns meet and share links.

    Once all that take part in a step are done with it a constant later than with its repetition
    before, they are so in all that follow: those are counted and not gone through. Latencies and
    overheads add up and the last of several counts, whatever constant is added to all.
    """
    if any(not part.schedule.lockstep for part in program.parts):
        return None
    alone = program.uncontended
    if not alone and len(program.parts) > 1:
        return None
    records: list[Record] = []
    known: dict[int, _Flowed] = {}
    cells, latest = 0, 0.0
    for turn, done in _chained(program, records):
        on = program.at(turn)
        end = program.parts[program.part[turn]].endpoint
        handed = done + on.messages * end.message + end.alpha
        start = np.zeros(on.size)
        np.maximum.at(start, on.senders[0], handed[on.senders[1]])
        if not alone and on.size and start.min() < latest * (1 - TIE):
            return None
        pattern = int(program.pattern[turn])
        flowed = known[pattern] = _flow(program, on, start, known.get(pattern), watch, alone=alone)
        sent = start + flowed.took
        latency = program.latency[on.first : on.first + on.size]
        arrival = start + whole_ticks(flowed.took + latency, tick)
        after = done.copy()
        for message, actor in (on.senders, on.receivers):
            np.maximum.at(after, actor, arrival[message])
        record = Record(turn, start, sent, arrival, after)
        if not alone and on.size:
            time, message, by = flowed.changes
            record.changes = time + float(start.min() - flowed.start.min()), message, by
        cells += 3 * on.size + len(done)
        if cells > _CELLS:
            record.start = record.sent = record.arrival = np.zeros(0)
        later = (after - done)[on.ends > 0]
        if len(later) and np.ptp(later) <= TIE * float(after.max()):
            record.repeat = 1 + _again(program, turn)
            record.period = float(later.mean())
        latest = float(sent.max(initial=latest)) + (record.repeat - 1) * record.period
        watch(latest, _A_TURN + on.size)
        records.append(record)
    return Trace(program, tuple(records))


def _flow(
    program: Program,
    on: Pattern,
    start: FloatArray,
    before: _Flowed | None,
    watch: Watch,
    *,
    alone: bool,
) -> _Flowed:
    """Return how messages move that have these starts; as before if they had the same, shifted."""
    if before is not None and (
        alone or not on.size or np.ptp(start - before.start) <= TIE * float(start.max())
    ):
        return before
    here = np.arange(on.first, on.first + on.size)
    size, peak = program.bytes[here], program.peak[here]
    if ((size > 0) & (peak <= 0)).any():
        raise ScheduleError(STUCK)
    if alone:
        took = np.divide(size, peak, out=np.zeros(len(here)), where=size > 0)
        return _Flowed(start, took, (np.zeros(0), here[:0], np.zeros(0)))
    return _shared(program, here, start, watch)


def _shared(program: Program, here: IntArray, start: FloatArray, watch: Watch) -> _Flowed:
    """Return how messages move that share links with each other alone."""
    share, count = program.share[:, here], program.count[here]
    left, rate = program.bytes[here].copy(), np.zeros(len(here))
    sent = np.full(len(here), np.nan)
    waiting = np.argsort(start, kind="stable")
    changes: list[tuple[float, IntArray, FloatArray]] = []
    now, at = 0.0, 0
    under_way = np.zeros(len(here), dtype=bool)
    while at < len(waiting) or under_way.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.where(under_way, now + np.where(left > 0, left / rate, 0.0), np.inf)
        then = float(min(ends.min(), start[waiting[at]] if at < len(waiting) else np.inf))
        if not np.isfinite(then):
            raise ScheduleError(STUCK)
        gone = under_way & (ends <= then * (1 + TIE))
        moved = np.where(np.isfinite(rate), rate * (then - now), 0.0)
        left = np.where(gone, 0.0, left - moved)
        sent[gone] = then
        under_way &= ~gone
        upto = at + int(np.searchsorted(start[waiting[at:]], then * (1 + TIE), side="right"))
        under_way[waiting[at:upto]] = True
        now, at = then, upto
        watch(now, _A_TURN + len(here))
        active = np.flatnonzero(under_way)
        after = np.zeros(len(here))
        after[active] = fair_rates(share[:, active], program.capacity, count[active])
        changed = np.flatnonzero(after != rate)
        changes.append((now, here[changed], (after - rate)[changed]))
        rate = after
    return _Flowed(start, sent - start, joined_changes(changes))


def joined_changes(parts: list[tuple[float, IntArray, FloatArray]]) -> Changes:
    """Return changes of rates at several times as one."""
    return (
        np.repeat([time for time, _, _ in parts], [len(by) for _, _, by in parts]),
        np.concatenate([np.zeros(0, dtype=np.int64), *(message for _, message, _ in parts)]),
        np.concatenate([np.zeros(0), *(by for _, _, by in parts)]),
    )


def _again(program: Program, turn: int) -> int:
    """Return how many of the next turns repeat this one's step, if the turn before did."""
    key = program.part * (int(program.step.max()) + 1) + program.step
    last = int(np.searchsorted(key, key[turn], side="right")) - 1
    return last - turn if turn and key[turn - 1] == key[turn] else 0


def _chained(program: Program, records: list[Record]) -> Iterator[tuple[int, FloatArray]]:
    """Yield each turn that is to be gone through, and when each actor is done with those before."""
    turn = 0
    while turn < len(program.pattern):
        done = np.zeros(program.actors)
        if program.needs[turn]:
            done = records[-1].last(program.at(turn - 1).ends > 0)
        yield turn, done
        turn += records[-1].repeat
