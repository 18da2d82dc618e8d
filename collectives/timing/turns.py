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
from collectives.timing.flows import TIE, Flows
from collectives.timing.program import Pattern, Program
from collectives.timing.trace import Changes, Record, Trace
from topology.fabric import FloatArray

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
    flows, sent = Flows(program), np.full(len(here), np.nan)
    order = np.argsort(start, kind="stable")
    at = 0
    while at < len(order) or np.isnan(sent).any():
        now = float(min(flows.next, start[order[at]] if at < len(order) else np.inf))
        if not np.isfinite(now):
            raise ScheduleError(STUCK)
        watch(now, _A_TURN + len(here))
        sent[flows.leave(now * (1 + TIE))[0] - here[0]] = now
        upto = at + int(np.searchsorted(start[order[at:]], now * (1 + TIE), side="right"))
        starting, at = order[at:upto], upto
        instant = flows.instant[here[starting]]
        sent[starting[instant]] = now
        flows.start(now, 0, here[starting[~instant]])
        flows.share(now)
    return _Flowed(start, sent - start, flows.changes)


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
