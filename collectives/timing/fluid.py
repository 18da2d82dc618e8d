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
from collectives.timing.flows import TIE, Flows
from collectives.timing.ledger import Ledger
from collectives.timing.program import Program
from collectives.timing.trace import Trace
from collectives.timing.turns import STUCK, Watch, unwatched, whole_ticks
from topology.fabric import FloatArray

_START, _ARRIVE = 0, 1
_AN_EVENT = 300  # microseconds, roughly


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
        self.ledger, self.flows = Ledger(program, window), Flows(program)
        self.now = 0.0
        self.events: list[tuple[float, int, int, int, IntArray]] = []
        self.order = count()
        self.arrived, self.all = 0, sum(program.patterns[p].size for p in program.pattern.tolist())

    def run(self, watch: Watch = unwatched) -> Trace:
        """Carry out everything."""
        self.ledger.begin()
        self._take()
        events, flows = self.events, self.flows
        while self.arrived < self.all:
            self.now = min(flows.next, events[0][0] if events else np.inf)
            if not np.isfinite(self.now):
                raise ScheduleError(STUCK)
            watch(self.now, _AN_EVENT)
            until = self.now * (1 + TIE)
            gone, turns = flows.leave(until)
            for turn in np.unique(turns).tolist():
                self._leave(turn, gone[turns == turn] - self.program.at(turn).first)
            while events and events[0][0] <= until:
                self._carry_out(*heappop(events)[2:])
            flows.share(self.now)
        return Trace(self.program, self.ledger.records(), flows.changes)

    def _carry_out(self, kind: int, turn: int, local: IntArray) -> None:
        """Let messages of a turn start, or arrive."""
        if kind == _START:
            self.ledger.open(turn).record.start[local] = self.now
            messages = self.program.at(turn).first + local
            instant = self.flows.instant[messages]
            if instant.any():
                self._leave(turn, local[instant])
                messages = messages[~instant]
            self.flows.start(self.now, turn, messages)
            return
        self.arrived += len(local)
        if self.progress is not None:
            self.progress(self.arrived / self.all)
        self.ledger.arrived(turn, local, self.now)
        self._take()

    def _leave(self, turn: int, local: IntArray) -> None:
        """Note that messages have left, and when they will arrive."""
        latency = self.program.latency[self.program.at(turn).first + local]
        arrival = self.now + latency
        if self.tick:
            start = self.ledger.open(turn).record.start[local]
            arrival = np.maximum(self.now, start + whole_ticks(arrival - start, self.tick))
        self._push(arrival, _ARRIVE, turn, local)
        self.ledger.sent(turn, local, self.now)
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
