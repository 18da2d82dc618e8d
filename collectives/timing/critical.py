"""Follow a simulation back from its end: which transfers the last rank waited for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collectives.model.schedule import IntArray
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
    if max(latest, default=0.0) <= 0:
        return []
    at = int(np.argmax(latest))
    turn = trace.records[at].turn + trace.records[at].repeat - 1
    walk, legs = _Walk(trace), []
    actor, now = walk.one_of(int(np.nanargmax(ends[at]))), max(latest)
    found, left = walk.last_arrival(turn, actor, now), False
    while turn != _NONE:
        sender = actor if found is None or left else walk.slowest_sender(turn, found)
        before, ready = walk.before(turn, sender)
        held = None
        if found is not None:
            leg = walk.leg(turn, found, sender, ready)
            held = walk.behind(leg, sender)
            ready = leg.start if held is not None else ready
            end = leg.sent if left else leg.arrival  # what waits on a channel waits for no arrival
            legs.append(replace(leg, ready=ready, arrival=end))
        if held is not None:
            turn, actor, found, left = int(program.ahead[turn]), sender, held, True
            continue
        turn, actor, now, left = before, sender, ready, False
        found = walk.last_arrival(turn, actor, now) if turn != _NONE else None
    return _held_back(trace, legs[::-1])


class _Walk:
    """From message to message as they were before what is alike became one."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.program = trace, trace.program
        origin = trace.program.origin
        self.apart = self.program if origin is None else origin.program
        self.message = np.arange(len(self.program.bytes)) if origin is None else origin.message
        self.actor = np.arange(self.program.actors) if origin is None else origin.actor

    def one_of(self, actor: int) -> int:
        """Return the first of the actors that are one now."""
        return int(np.argmax(self.actor == actor))

    def times(self, turn: int, name: str, messages: IntArray) -> FloatArray:
        """Return seconds at which messages of a turn started, were sent or arrived."""
        record, later = self.trace.at(turn)
        now = self.message[self.apart.at(turn).first + messages] - self.program.at(turn).first
        found: FloatArray = getattr(record, name)[now] + later
        return found

    def leg(self, turn: int, message: int, sender: int, ready: float) -> Leg:
        """Return one transfer of a message."""
        program, one = self.program, np.array([message])
        start, sent, arrival = (
            float(self.times(turn, name, one)[0]) for name in ("start", "sent", "arrival")
        )
        part, which = (
            int(program.part[turn]),
            int(self.message[self.apart.at(turn).first + message]),
        )
        src, dst = self.ranks(part, turn, message, sender)
        return Leg(
            part, turn, int(program.step[turn]), which, src, dst, ready, start, sent, arrival
        )

    def behind(self, leg: Leg, sender: int) -> int | None:
        """Return the message of the turn ahead on its channel that a transfer was held up by."""
        ahead = int(self.program.ahead[leg.turn])
        if ahead == _NONE or leg.start <= 0:
            return None
        on = self.apart.at(ahead)
        mine = on.senders[0][on.senders[1] == sender]
        if not len(mine):
            return None
        gone = self.times(ahead, "sent", mine)
        last = int(np.argmax(gone))
        return int(mine[last]) if abs(gone[last] - leg.start) <= _TIE * leg.start else None

    def last_arrival(self, turn: int, actor: int, now: float) -> int | None:
        """Return the message whose arrival made an actor done with a turn; None if none did."""
        on = self.apart.at(turn)
        mine = np.concatenate(
            [ends[0][ends[1] == actor] for ends in (on.receivers, on.senders)]
        )  # fmt: skip
        if not len(mine):
            return None
        times = self.times(turn, "arrival", mine)
        last = int(np.argmax(times))
        return int(mine[last]) if times[last] >= now * (1 - _TIE) else None

    def slowest_sender(self, turn: int, message: int) -> int:
        """Return the sender of a message that was the last to be ready for it."""
        on = self.apart.at(turn)
        senders: list[int] = on.senders[1][on.senders[0] == message].tolist()
        return max(senders, key=lambda actor: self.before(turn, actor)[1])

    def before(self, turn: int, actor: int) -> tuple[int, float]:
        """Return the turn that an actor was done with last before another, and when; or -1."""
        needs = self.program.needs[turn]
        times = [(float(self.trace.done(other)[self.actor[actor]]), other) for other in needs]
        now, other = max(times, default=(0.0, _NONE))
        return other, now

    def ranks(self, part: int, turn: int, message: int, sender: int) -> tuple[int, int]:
        """Return the ranks of one transfer of a message."""
        on, here = self.apart.at(turn), self.apart.parts[part].ranks
        receivers = on.receivers[1][on.receivers[0] == message]
        to = receivers[receivers != sender] if (receivers != sender).any() else receivers
        actor = self.apart.actors_of(part)
        src, there = int(here[actor == sender][0]), here[actor == int(to[0])]
        return src, int(there[there != src][0] if (there != src).any() else there[0])


def _held_back(trace: Trace, legs: list[Leg]) -> list[Leg]:
    """Return legs with the fullest of their links while they moved."""
    if trace.hops is not None:  # each hop has a link to itself
        return legs
    program, found = trace.program, []
    share, count = program.share, program.count
    time, message, by = trace.rate_changes()
    seconds = Moved(time, message, by, len(count))
    for leg in legs:
        lo, hi = share.indptr[leg.message], share.indptr[leg.message + 1]
        rows = share.indices[lo:hi][share.data[lo:hi] > 0]
        took = leg.sent - leg.start
        if took > 0 and len(rows):
            carried = share[rows] @ (count * seconds.between(leg.start, leg.sent))
            full = np.minimum(carried / program.capacity[rows] / took, 1.0)
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
