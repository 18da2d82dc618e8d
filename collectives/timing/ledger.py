"""Keep account of which rank may send what: turns wait for turns, messages for their senders.

A rank may send in a turn once it has sent and received all that the turns before have for it; a
rank without a part in a turn is done with it as soon as it is with those that the turn needs. The
software of a rank takes its turns one after the other, and on a channel they leave in order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from collectives.model.schedule import IntArray
from collectives.timing.program import Pattern, Program
from collectives.timing.trace import Record
from topology.fabric import FloatArray
from topology.routing.quotient import expand

_NONE = -1


@dataclass(eq=False)
class _Open:
    """A turn under way.

    Attributes
    ----------
    unmet
        How many of the turns it needs each actor is not done with, shape (actors,).
    ends
        How many of its messages each actor has yet to send or receive, shape (actors,).
    waiting
        How many senders each message still waits for, shape (k,).
    handed
        Seconds at which its last sender so far handed each message over, shape (k,).
    unsent
        How many messages of each actor have not left yet, shape (actors,).
    held
        Seconds at which actors handed over messages that are not yet first on their channel.
    """

    record: Record
    unmet: IntArray
    ends: IntArray
    waiting: IntArray
    handed: FloatArray
    unsent: IntArray
    held: FloatArray


@dataclass(frozen=True, eq=False)
class _Outbox:
    """The messages of a pattern by sender, in the order in which a rank sends them."""

    starts: IntArray
    message: IntArray
    place: IntArray  # of each message, among those of its sender; of several senders 0


@dataclass(eq=False)
class Ledger:
    """Who waits for what.

    Attributes
    ----------
    program
        What is carried out.
    window
        How many messages a rank has under way at most, in each turn; None for any number.
    out
        Messages that start: when, in which turn, and which; whoever moves them takes them out.
    """

    program: Program
    window: int | None = None
    out: list[tuple[FloatArray, int, IntArray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        program = self.program
        self.turns: dict[int, _Open] = {}
        self.free = np.zeros(program.actors)
        self.outboxes: dict[int, _Outbox] = {}
        self.behind: dict[int, list[int]] = {}
        for turn in np.flatnonzero(program.ahead != _NONE).tolist():
            self.behind.setdefault(int(program.ahead[turn]), []).append(turn)
        self._ready: deque[tuple[int, IntArray, float]] = deque()

    def begin(self) -> None:
        """Let the turns start that need no other."""
        for part in range(len(self.program.parts)):
            actors = np.unique(self.program.actors_of(part))
            for turn in np.flatnonzero(self.program.part == part).tolist():
                if not self.program.needs[turn]:
                    self._ready.append((turn, actors, 0.0))
        self._settle()

    def records(self) -> tuple[Record, ...]:
        """Return what happened in every turn."""
        return tuple(self.turns[turn].record for turn in range(len(self.program.pattern)))

    def _pattern(self, turn: int) -> Pattern:
        return self.program.at(turn)

    def open(self, turn: int) -> _Open:
        """Return the state of a turn."""
        if turn not in self.turns:
            on, actors = self._pattern(turn), self.program.actors
            start, sent, arrival = (np.full(on.size, np.nan) for _ in range(3))
            self.turns[turn] = _Open(
                Record(turn, start, sent, arrival, np.full(actors, np.nan)),
                np.full(actors, len(self.program.needs[turn])),
                on.ends.copy(),
                np.bincount(on.senders[0], minlength=on.size),
                np.zeros(on.size),
                np.bincount(on.senders[1], minlength=actors),
                np.full(actors, np.nan),
            )
        return self.turns[turn]

    def outbox(self, turn: int) -> _Outbox:
        """Return the messages of a turn by sender."""
        number = int(self.program.pattern[turn])
        if number not in self.outboxes:
            on, actors = self.program.patterns[number], self.program.actors
            message, sender = on.senders
            order = np.argsort(sender, kind="stable")
            starts = np.concatenate(([0], np.cumsum(np.bincount(sender, minlength=actors))))
            place = np.zeros(on.size, dtype=np.int64)
            place[message[order]] = np.arange(len(order)) - starts[sender[order]]
            self.outboxes[number] = _Outbox(starts, message[order], place)
        return self.outboxes[number]

    def sent(self, turn: int, messages: IntArray, now: float) -> None:
        """Note that messages have left; what is behind them on the channel may start."""
        state, on = self.open(turn), self._pattern(turn)
        state.record.sent[messages] = now
        if turn not in self.behind:
            return
        gone = np.isin(on.senders[0], messages)
        np.subtract.at(state.unsent, on.senders[1][gone], 1)
        actors = np.unique(on.senders[1][gone])
        actors = actors[state.unsent[actors] == 0]
        for later in self.behind[turn]:
            held = self.open(later).held[actors]
            freed = ~np.isnan(held)
            self._send(later, actors[freed], np.maximum(held[freed], now))

    def arrived(self, turn: int, messages: IntArray, now: float) -> None:
        """Note that messages have arrived; their senders and receivers may go on."""
        state, on = self.open(turn), self._pattern(turn)
        state.record.arrival[messages] = now
        there = np.zeros(on.size, dtype=bool)
        there[messages] = True
        senders = on.senders[1][there[on.senders[0]]]
        touched = np.concatenate([senders, on.receivers[1][there[on.receivers[0]]]])
        state.ends -= np.bincount(touched, minlength=len(state.ends))
        if self.window is not None:
            self._next(turn, senders, now)
        actors = np.unique(touched)
        self._done(turn, actors[(state.ends[actors] == 0) & (state.unmet[actors] == 0)], now)
        self._settle()

    def _next(self, turn: int, senders: IntArray, now: float) -> None:
        """Start as many messages of each sender as have arrived."""
        box, state = self.outbox(turn), self.open(turn)
        message = self.program.parts[self.program.part[turn]].endpoint.message
        for actor in senders.tolist():
            mine = box.message[box.starts[actor] : box.starts[actor + 1]]
            waiting = mine[np.isnan(state.handed[mine])]
            if len(waiting):
                self.free[actor] = max(self.free[actor], now) + message
                state.handed[waiting[0]] = self.free[actor]
                self._emit(turn, waiting[:1])

    def _settle(self) -> None:
        """Go through all that has become ready, in the order in which it has."""
        while self._ready:
            turn, actors, now = self._ready.popleft()
            state, on = self.open(turn), self._pattern(turn)
            end = self.program.parts[self.program.part[turn]].endpoint
            sends = actors[on.messages[actors] > 0]
            if len(sends):
                first = on.messages[sends]
                first = first if self.window is None else np.minimum(first, self.window)
                self.free[sends] = np.maximum(self.free[sends], now) + first * end.message
                self._hand(turn, sends, self.free[sends] + end.alpha)
            self._done(turn, actors[state.ends[actors] == 0], now)

    def _hand(self, turn: int, actors: IntArray, times: FloatArray) -> None:
        """Send, unless messages that have not left are first on the channel."""
        ahead = int(self.program.ahead[turn])
        if ahead != _NONE:
            blocked = self.open(ahead).unsent[actors] > 0
            self.open(turn).held[actors[blocked]] = times[blocked]
            actors, times = actors[~blocked], times[~blocked]
        self._send(turn, actors, times)

    def _send(self, turn: int, actors: IntArray, times: FloatArray) -> None:
        """Hand over the messages of some actors, or the first of each, as many as may be."""
        state, box = self.open(turn), self.outbox(turn)
        which, entry = expand(box.starts, actors)
        message = box.message[entry]
        if self.window is not None:
            first = box.place[message] < self.window
            which, message = which[first], message[first]
            late = box.message[entry[~first]]
            state.handed[late] = np.nan
        np.maximum.at(state.handed, message, times[which])
        np.subtract.at(state.waiting, message, 1)
        self._emit(turn, np.unique(message[state.waiting[message] == 0]))

    def _emit(self, turn: int, messages: IntArray) -> None:
        if len(messages):
            self.out.append((self.open(turn).handed[messages], turn, messages))

    def _done(self, turn: int, actors: IntArray, now: float) -> None:
        """Note that actors are done with a turn; what needed nothing else is ready."""
        if not len(actors):
            return
        self.open(turn).record.done[actors] = now
        for later in self.program.followers[turn]:
            state = self.open(later)
            state.unmet[actors] -= 1
            free = actors[state.unmet[actors] == 0]
            if len(free):
                self._ready.append((later, free, now))
