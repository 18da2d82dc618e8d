"""Move messages as fluids: all that are under way share the links max-min fairly.

Between two events rates are constant; an event is that messages start, have left, or arrive, and
all of one time are taken together. A message arrives one latency of its slowest path after its
last byte has left (cut-through).
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import numpy as np

from collectives.model.schedule import IntArray, ScheduleError
from collectives.timing.fair import fair_rates
from collectives.timing.ledger import Ledger
from collectives.timing.program import Program
from collectives.timing.trace import Trace
from collectives.timing.turns import STUCK, TIE, Watch, joined_changes, unwatched, whole_ticks
from topology.fabric import FloatArray

_KNOWN = 256  # sets of messages under way whose rates are remembered
_START, _ARRIVE = 0, 1
_AN_EVENT = 300  # microseconds, and one for each message under way


class Shared:
    """Messages under way, event by event."""

    def __init__(
        self,
        program: Program,
        window: int | None,
        tick: float,
        progress: Callable[[float], object] | None,
    ) -> None:
        self.program, self.tick, self.progress = program, tick, progress
        self.ledger = Ledger(program, window)
        self.now = 0.0
        self.events: list[tuple[float, int, int, int, IntArray]] = []
        self.order = count()
        self.turn, self.message = np.zeros((2, 0), dtype=np.int64)
        self.left, self.rate = np.zeros((2, 0))
        self.known: dict[bytes, FloatArray] = {}
        self.changes: list[tuple[float, IntArray, FloatArray]] = []
        self.arrived, self.all = 0, sum(program.patterns[p].size for p in program.pattern.tolist())

    def run(self, watch: Watch = unwatched) -> Trace:
        """Carry out everything."""
        self.ledger.begin()
        self._take()
        while self.events or len(self.turn):
            self._advance()
            watch(self.now, _AN_EVENT + len(self.turn))
            self._leave()
            starting = self._due()
            if starting or len(self.rate) != len(self.turn):
                self._start(starting)
            self._share()
        if self.arrived < self.all:
            raise ScheduleError("simulation: messages are left that nothing lets start")
        changes = joined_changes(self.changes)
        return Trace(self.program, self.ledger.records(), changes)

    def _advance(self) -> None:
        """Go on to the next event."""
        if not self.events and not (self.rate > 0).any():
            raise ScheduleError(STUCK)
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = self.now + np.where(self.left > 0, self.left / self.rate, 0.0)
        first = float(ends.min(initial=np.inf))
        then = min(first, self.events[0][0]) if self.events else first
        gone = np.where(np.isfinite(self.rate), self.rate * (then - self.now), self.left)
        self.left = np.where(ends <= then * (1 + TIE), 0.0, self.left - gone)
        self.now = then

    def _leave(self) -> None:
        """Let messages leave of which nothing is left."""
        gone = self.left <= 0
        if not gone.any():
            return
        if self.progress is not None:
            self.progress(self.arrived / self.all)
        latency = self.program.latency
        for turn in np.unique(self.turn[gone]).tolist():
            here = gone & (self.turn == turn)
            first = self.program.at(turn).first
            local = self.message[here] - first
            start = self.ledger.open(turn).record.start[local]
            taken = whole_ticks(self.now - start + latency[self.message[here]], self.tick)
            at = (
                np.maximum(self.now, start + taken)
                if self.tick
                else self.now + latency[self.message[here]]
            )
            self._push(at, _ARRIVE, turn, local)
            self.ledger.sent(turn, local, self.now)
        self.changes.append((self.now, self.message[gone], -self.rate[gone]))
        keep = ~gone
        self.turn, self.message, self.left = self.turn[keep], self.message[keep], self.left[keep]
        self.rate = self.rate[keep]
        self._take()

    def _take(self) -> None:
        """Take over what the ledger lets start."""
        for times, turn, messages in self.ledger.out:
            self._push(times, _START, turn, messages)
        self.ledger.out.clear()

    def _push(self, times: FloatArray, kind: int, turn: int, messages: IntArray) -> None:
        order = np.argsort(times, kind="stable")
        times, messages = times[order], messages[order]
        bounds = np.flatnonzero(np.diff(times, prepend=-1.0) > TIE * times)
        for lo, hi in zip(bounds.tolist(), [*bounds[1:].tolist(), len(times)], strict=True):
            entry = float(times[lo]), next(self.order), kind, turn, messages[lo:hi]
            heappush(self.events, entry)

    def _due(self) -> list[tuple[int, IntArray]]:
        """Carry out the events of now; return what starts, by turn."""
        starting = []
        limit = self.now * (1 + TIE)
        while self.events and self.events[0][0] <= limit:
            _, _, kind, turn, messages = heappop(self.events)
            if kind == _START:
                starting.append((turn, messages))
                continue
            self.arrived += len(messages)
            self.ledger.arrived(turn, messages, self.now)
            self._take()
        return starting

    def _start(self, starting: list[tuple[int, IntArray]]) -> None:
        """Put messages under way."""
        for turn, local in starting:
            self.ledger.open(turn).record.start[local] = self.now
            message = self.program.at(turn).first + local
            self.turn = np.concatenate([self.turn, np.full(len(local), turn)])
            self.message = np.concatenate([self.message, message])
            self.left = np.concatenate([self.left, self.program.bytes[message]])

    def _share(self) -> None:
        """Share the links among what is under way."""
        before = np.zeros(len(self.turn))
        before[: len(self.rate)] = self.rate
        key = self.message.tobytes()
        if key not in self.known:
            if len(self.known) >= _KNOWN:
                self.known.clear()
            program = self.program
            self.known[key] = fair_rates(
                program.share[:, self.message], program.capacity, program.count[self.message]
            )
        self.rate = self.known[key]
        changed = np.flatnonzero(self.rate != before)
        if len(changed):
            self.changes.append((self.now, self.message[changed], (self.rate - before)[changed]))
