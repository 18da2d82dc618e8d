"""Follow a simulation back from its end: which transfers the last rank waited for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collectives.model.schedule import IntArray
from collectives.timing.program import Pattern
from collectives.timing.trace import Leg, Trace
from topology.fabric import FloatArray

_TIE = 1e-11
_NONE = -1


def critical_path(trace: Trace) -> list[Leg]:
    """Return the transfers that the end waited for, each for the one before, first to last."""
    if trace.legs is not None:
        return list(trace.legs)
    program = trace.program
    ends = [record.last(program.at(record.turn).ends > 0)
            for record in trace.records]  # fmt: skip
    latest = [float(np.nanmax(end, initial=0.0)) for end in ends]
    legs: list[Leg] = []
    if not latest or max(latest) <= 0:
        return legs
    at = int(np.argmax(latest))
    turn = trace.records[at].turn + trace.records[at].repeat - 1
    actor, now = int(np.nanargmax(ends[at])), max(latest)
    found, left = _last_arrival(trace, turn, actor, now), False
    while turn != _NONE:
        sender = actor if found is None or left else _slowest_sender(trace, turn, found)
        before, ready = _before(trace, turn, sender)
        held = None
        if found is not None:
            leg = _leg(trace, turn, found, sender, ready)
            held = _behind(trace, leg, sender)
            ready = leg.start if held is not None else ready
            end = leg.sent if left else leg.arrival  # what waits on a channel waits for no arrival
            legs.append(replace(leg, ready=ready, arrival=end))
        if held is not None:
            turn, actor, found, left = int(program.ahead[turn]), sender, held, True
            continue
        turn, actor, now, left = before, sender, ready, False
        found = _last_arrival(trace, turn, actor, now) if turn != _NONE else None
    return _held_back(trace, legs[::-1])


def _leg(trace: Trace, turn: int, message: int, sender: int, ready: float) -> Leg:
    program, on = trace.program, trace.program.at(turn)
    record, later = trace.at(turn)
    src, dst = _ranks(trace, turn, on, message, sender)
    start, sent, arrival = (
        float(each[message] + later) for each in (record.start, record.sent, record.arrival)
    )
    return Leg(int(program.part[turn]), turn, int(program.step[turn]), on.first + message,
               src, dst, ready, start, sent, arrival)  # fmt: skip


def _behind(trace: Trace, leg: Leg, sender: int) -> int | None:
    """Return the message of the turn ahead on its channel that a transfer was held up by."""
    ahead = int(trace.program.ahead[leg.turn])
    if ahead == _NONE or leg.start <= 0:
        return None
    on = trace.program.at(ahead)
    record, later = trace.at(ahead)
    mine = on.senders[0][on.senders[1] == sender]
    if not len(mine):
        return None
    last = int(np.argmax(record.sent[mine]))
    gone = float(record.sent[mine[last]] + later)
    return int(mine[last]) if abs(gone - leg.start) <= _TIE * leg.start else None


def _last_arrival(trace: Trace, turn: int, actor: int, now: float) -> int | None:
    """Return the message whose arrival made an actor done with a turn; None if none did."""
    on = trace.program.at(turn)
    record, later = trace.at(turn)
    mine = np.concatenate(
        [ends[0][ends[1] == actor] for ends in (on.receivers, on.senders)]
    )  # fmt: skip
    if not len(mine):
        return None
    times = record.arrival[mine] + later
    last = int(np.argmax(times))
    return int(mine[last]) if times[last] >= now * (1 - _TIE) else None


def _slowest_sender(trace: Trace, turn: int, message: int) -> int:
    """Return the sender of a message that was the last to be ready for it."""
    on = trace.program.at(turn)
    senders: list[int] = on.senders[1][on.senders[0] == message].tolist()
    return max(senders, key=lambda actor: _before(trace, turn, actor)[1])


def _before(trace: Trace, turn: int, actor: int) -> tuple[int, float]:
    """Return the turn that an actor was done with last before another, and when; -1 for none."""
    needs = trace.program.needs[turn]
    times = [(float(trace.done(other)[actor]), other) for other in needs]
    now, other = max(times, default=(0.0, _NONE))
    return other, now


def _ranks(trace: Trace, turn: int, on: Pattern, message: int, sender: int) -> tuple[int, int]:
    """Return the ranks of one transfer of a message."""
    program = trace.program
    part = int(program.part[turn])
    base = part * (program.actors // len(program.parts))
    receivers = on.receivers[1][on.receivers[0] == message]
    to = receivers[receivers != sender] if (receivers != sender).any() else receivers
    here = program.parts[part].ranks
    actor = program.streams.actor[here]
    src = int(here[actor == sender - base][0])
    there = here[actor == int(to[0]) - base]
    return src, int(there[there != src][0] if (there != src).any() else there[0])


def _held_back(trace: Trace, legs: list[Leg]) -> list[Leg]:
    """Return legs with the fullest of their links while they moved."""
    if trace.hops is not None:  # each hop has a link to itself
        return legs
    program, found = trace.program, []
    share, count = program.streams.share, program.streams.count
    time, message, by = trace.rate_changes()
    seconds = Moved(time, message, by, len(count))
    for leg in legs:
        lo, hi = share.indptr[leg.message], share.indptr[leg.message + 1]
        rows = share.indices[lo:hi][share.data[lo:hi] > 0]
        took = leg.sent - leg.start
        if took > 0 and len(rows):
            carried = share[rows] @ (count * seconds.between(leg.start, leg.sent))
            full = carried / program.capacity[rows] / took
            most = int(np.argmax(full))
            found.append(replace(leg, resource=int(rows[most]), full=float(full[most])))
        else:
            found.append(leg)
    return found


class Moved:
    """What each message moves between two times, in order of time."""

    def __init__(self, time: FloatArray, message: IntArray, by: FloatArray, count: int) -> None:
        self.time, self.message, self.by, self.count = time, message, by, count

    def between(self, start: float, end: float) -> FloatArray:
        """Return bytes that each message moves from start to end, shape (messages,)."""
        upto = int(np.searchsorted(self.time, end))
        left = np.minimum(end - self.time[:upto], end - start)
        weight = self.by[:upto] * left
        return np.bincount(self.message[:upto], weight, self.count).astype(float)
