"""Move messages hop by hop: each link stores a message whole, and carries one at a time.

Messages queue at a link in the order in which they arrive there. A message that spreads over
several paths goes as a piece over each.

References
----------
Won et al., ASTRA-sim 2.0, ISPASS 2023 (the congestion-aware analytical network).
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import numpy as np

from collectives.model.schedule import IntArray, ScheduleError
from collectives.timing.ledger import Ledger
from collectives.timing.program import Program
from collectives.timing.trace import Trace
from collectives.timing.turns import Watch, unwatched
from topology.fabric import FloatArray
from topology.routing import PathFlow

_START, _SENT, _HOP = 0, 1, 2
_AN_EVENT = 15  # microseconds
_ROUNDING = 1e-6  # of a tick

_MOST_PIECES = 2_000_000  # of all messages: some 3 GB

Piece = tuple[float, list[int], list[int]]
"""Share of a message, the arcs that it takes, and their lanes; none if it takes all of an arc."""


class Stored:
    """Messages on their hops, event by event."""

    def __init__(
        self,
        program: Program,
        rates: FloatArray,
        window: int | None,
        tick: float,
        progress: Callable[[float], object] | None,
    ) -> None:
        if any(np.bincount(on.senders[0]).max(initial=0) > 1 for on in program.patterns):
            raise ScheduleError(
                "store-and-forward: switches add up and copy messages as they pass, in cut-through "
                "only; choose another algorithm"
            )
        limited = np.isfinite(program.fabric.node_capacity)
        if limited.any():
            node = program.fabric.nodes[int(np.flatnonzero(limited)[0])]
            raise ScheduleError(
                f"store-and-forward: what {node} forwards in all is limited, which links that "
                "carry one message at a time do not tell; use cut-through"
            )
        self.program, self.rates, self.tick, self.progress = program, rates, tick, progress
        self.ledger = Ledger(program, window)
        self.free: dict[tuple[int, int], float] = {}  # by arc and lane
        self.events: list[tuple[float, int, int, int, IntArray, int, int]] = []
        self.order = count()
        self.missing: dict[tuple[int, int], int] = {}
        self.known: dict[int, list[Piece]] = {}
        self.pieces = 0
        self.all = sum(program.at(turn).size for turn in range(len(program.pattern)))
        self.there = 0
        self.busy: list[tuple[int, float, float, float]] = []

    def run(self, watch: Watch = unwatched) -> Trace:
        """Carry out everything."""
        self.ledger.begin()
        self._take()
        while self.events:
            now, _, kind, turn, messages, piece, hop = heappop(self.events)
            watch(now, _AN_EVENT)
            if kind == _START:
                self.ledger.open(turn).record.start[messages] = now
                for message in messages.tolist():
                    self._begin(turn, message, now)
            elif kind == _SENT:
                self.ledger.sent(turn, messages, now)
            else:
                self._hop(turn, messages, piece, hop, now)
            self._take()
        arc, begin, end, part = np.array(self.busy, dtype=float).reshape(-1, 4).T
        hops = arc.astype(np.int64), begin, end, part
        return Trace(self.program, self.ledger.records(), hops=hops)

    def _take(self) -> None:
        for times, turn, messages in self.ledger.out:
            for now in np.unique(times).tolist():
                self._push(now, _START, turn, messages[times == now])
        self.ledger.out.clear()

    def _push(
        self, at: float, kind: int, turn: int, messages: IntArray, piece: int = 0, hop: int = 0
    ) -> None:
        heappush(self.events, (at, next(self.order), kind, turn, messages, piece, hop))

    def _pieces(self, turn: int, message: int) -> list[Piece]:
        """Return the paths of a message."""
        pattern = int(self.program.pattern[turn])
        on = self.program.patterns[pattern]
        key = on.first + message
        if key not in self.known:
            rank_of = self.program.actor[self.program.part[turn]]
            src, dst = (
                int(np.searchsorted(rank_of, ends[1][ends[0] == message][0]))
                for ends in (on.senders, on.receivers)
            )
            self.known[key] = self._ways(pattern, message, src, dst)
            self.pieces += len(self.known[key])
            if self.pieces > _MOST_PIECES:
                raise ScheduleError(
                    f"store-and-forward: messages go in more than {_MOST_PIECES:,} pieces over "
                    "their paths; choose fewer ranks, or a routing of one path to a pair, such as "
                    "'hashed'"
                )
        return self.known[key]

    def _ways(self, pattern: int, message: int, src: int, dst: int) -> list[Piece]:
        flow = self.program.flows[pattern]
        if not isinstance(flow, PathFlow):
            return [(share, arcs, []) for share, arcs in flow.paths(src, dst)]
        ways, found = flow.ways, []
        for path in ways.of(message):  # its messages are its pairs, in their order
            hops = slice(ways.starts[path], ways.starts[path + 1])
            lanes = [] if ways.lane is None else ways.lane[hops].tolist()
            found.append((float(ways.share[path]), ways.way(path), lanes))
        return found

    def _begin(self, turn: int, message: int, now: float) -> None:
        pieces = self._pieces(turn, message)
        self.missing[turn, message] = len(pieces)
        left = [self._carry(turn, message, piece, 0, now) for piece in range(len(pieces))]
        self._push(max(left), _SENT, turn, np.array([message]))

    def _hop(self, turn: int, messages: IntArray, piece: int, hop: int, now: float) -> None:
        """Let a piece go on from a node, or note that it is there."""
        message = int(messages[0])
        if hop < len(self._pieces(turn, message)[piece][1]):
            self._carry(turn, message, piece, hop, now)
            return
        self.missing[turn, message] -= 1
        if not self.missing[turn, message]:
            del self.missing[turn, message]
            self.there += 1
            if self.progress is not None:
                self.progress(self.there / self.all)
            self.ledger.arrived(turn, messages, now)

    def _carry(self, turn: int, message: int, piece: int, hop: int, now: float) -> float:
        """Send a piece over its next link once that is free; return when it has left."""
        program, fabric = self.program, self.program.fabric
        share, arcs, lanes = self._pieces(turn, message)[piece]
        arc, lane = arcs[hop], lanes[hop] if lanes else -1
        rate = float(self.rates[arc] / (fabric.lanes[arc] if lanes else 1.0))
        size = program.bytes[program.at(turn).first + message]
        if size > 0 and rate <= 0:
            raise ScheduleError(f"simulation: {' → '.join(fabric.arcs[arc])} carries nothing")
        took = float(size * share / rate) if size else 0.0
        begin = max(now, self.free.get((arc, lane), 0.0))
        left = self.free[arc, lane] = begin + self._cut(took)
        passing = float(fabric.node_latency[fabric.head[arc]]) if hop + 1 < len(arcs) else 0.0
        there = begin + self._cut(took + float(fabric.latency[arc]) + passing)
        self.busy.append((arc, begin, left, 1 / fabric.lanes[arc] if lanes else 1.0))
        self._push(there, _HOP, turn, np.array([message]), piece, hop + 1)
        return left

    def _cut(self, seconds: float) -> float:
        return (
            float(np.floor(seconds / self.tick + _ROUNDING)) * self.tick if self.tick else seconds
        )
