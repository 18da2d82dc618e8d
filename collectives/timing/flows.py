"""Move messages at max-min fair rates, and share anew only what an event touches.

A link, or switch, is contended if all that is under way could fill more than it has. Messages
that meet on no contended link go as fast as they would alone, and what happens to some changes
the rates of those alone that contended links join to them.
"""

from __future__ import annotations

from array import array
from collections import deque
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from collectives.model.schedule import IntArray
from collectives.timing.fair import fill
from collectives.timing.program import Program
from collectives.timing.trace import Changes
from topology.fabric import BoolArray, FloatArray
from topology.routing.quotient import expand

_NO_MESSAGES = np.zeros(0, dtype=np.int64)
TIE = 1e-12  # of the time: events nearer than this are at once
_ROUNDING = 1e-11  # of a link's capacity, from shares that add up to it
_KNOWN = 20_000_000  # messages of all sets whose rates are remembered

Joined = tuple[FloatArray, list[IntArray]]
"""Rates of some messages, and which of them contended links join."""


class Flows:
    """Messages under way, some in several turns at once.

    Attributes
    ----------
    instant
        Whether a message is there at once: of nothing, or over nothing; never put under way.
    """

    def __init__(self, program: Program) -> None:
        messages = len(program.bytes)
        finite = np.isfinite(program.capacity)
        use = sparse.csc_array(sparse.csr_array(program.share)[finite])
        use.eliminate_zeros()
        on = sparse.csr_array(use)
        self._starts, self._row, self._row_starts, self._on_row = (
            each.astype(np.int64) for each in (use.indptr, use.indices, on.indptr, on.indices)
        )
        lengths = np.diff(self._starts)
        self._need = use.data * np.repeat(program.count, lengths)
        self._most = self._need * np.repeat(np.where(lengths > 0, program.peak, 0.0), lengths)
        self._capacity, self._size, self._peak = (
            program.capacity[finite], program.bytes, program.peak
        )  # fmt: skip
        self.instant: BoolArray = (program.bytes <= 0) | np.isinf(program.peak)
        self._load = np.zeros(len(self._capacity))
        self._contended = np.zeros(len(self._capacity), dtype=bool)
        self._live, self._turn, self._set = np.zeros((3, messages), dtype=np.int64)
        self._rate, self._logged, self._moved, self._since, self._target = np.zeros((5, messages))
        self._end = np.full(messages, np.inf)
        self._behind: dict[int, deque[tuple[int, float]]] = {}  # turns after the first, by message
        self._sets: dict[int, IntArray] = {}
        self._number = count(1)
        self._ends: list[tuple[float, int, IntArray | None]] = []
        self._known: dict[bytes, Joined] = {}
        self._kept = 0
        self._started: list[IntArray] = []
        self._gone: list[IntArray] = []
        self._log: tuple[array[Any], ...] = (array("d"), array("q"), array("d"))

    @property
    def next(self) -> float:
        """Seconds at which the next message may have left; infinite if none will."""
        return self._ends[0][0] if self._ends else np.inf

    @property
    def changes(self) -> Changes:
        """Every change of rates so far."""
        time, message, by = (np.array(column) for column in self._log)
        return time, message, by

    def start(self, now: float, turn: int, messages: IntArray) -> None:
        """Put messages of a turn under way, all different; `share` gives them rates."""
        again = self._live[messages] > 0
        if again.any():
            for message in messages[again].tolist():
                moved = self._moved[message] + self._rate[message] * (now - self._since[message])
                line = self._behind.setdefault(message, deque())
                line.append((turn, float(moved + self._size[message])))
            fresh = messages[~again]
        else:
            fresh = messages
        self._turn[fresh], self._target[fresh] = turn, self._size[fresh]
        self._moved[fresh], self._since[fresh] = 0.0, now
        self._live[messages] += 1
        self._started.append(messages)

    def leave(self, until: float) -> tuple[IntArray, IntArray]:
        """Return which messages have left by a time, and of which turns."""
        found = [_NO_MESSAGES]
        while self._ends and self._ends[0][0] <= until:
            _, number, messages = heappop(self._ends)
            if messages is None:
                messages = self._sets.get(number, _NO_MESSAGES)
            due = messages[self._end[messages] <= until]
            self._end[due] = np.inf
            found.append(due)
        gone = np.concatenate(found)
        turns = self._turn[gone]
        self._live[gone] -= 1
        for message in gone[self._live[gone] > 0].tolist():
            self._turn[message], self._target[message] = self._behind[message].popleft()
        if len(gone):
            self._gone.append(gone)
        return gone, turns

    def share(self, now: float) -> None:
        """Give new rates to what started, and to all that is joined to what started or left."""
        if not self._started and not self._gone:
            return
        messages, gone = self._touched(), np.concatenate([_NO_MESSAGES, *self._gone])
        rates, sets = self._rates(messages)
        anew = (rates != self._rate[messages]) | np.isinf(self._end[messages])
        some, rate = messages[anew], rates[anew]
        self._moved[some] += self._rate[some] * (now - self._since[some])
        self._since[some] = now
        self._rate[gone] = 0.0
        self._rate[some] = rate
        left = np.maximum(self._target[some] - self._moved[some], 0.0)
        self._end[some] = now + np.divide(
            left, rate, out=np.full(len(some), np.inf), where=rate > 0
        )
        self._expect(messages, sets)
        self._note(now, np.concatenate([gone[self._live[gone] == 0], some]))
        self._started, self._gone = [], []

    def _touched(self) -> IntArray:
        """Return all under way that contended links join, or joined, to what started or left."""
        started, gone = (
            np.concatenate([_NO_MESSAGES, *each]) for each in (self._started, self._gone)
        )
        for messages, sign in ((started, 1.0), (gone, -1.0)):
            _, entry = expand(self._starts, messages)
            np.add.at(self._load, self._row[entry], sign * self._most[entry])
        both = np.concatenate([started, gone])
        rows = np.unique(self._row[expand(self._starts, both)[1]])
        full = self._load[rows] > self._capacity[rows] * (1 + _ROUNDING)
        joins = rows[full | self._contended[rows]]
        self._contended[rows] = full
        near = self._on_row[expand(self._row_starts, joins)[1]]
        found = np.concatenate([both, near[self._live[near] > 0]])
        numbers = np.unique(self._set[found])
        self._set[gone] = 0
        found = np.concatenate([found, *(self._sets.pop(n) for n in numbers.tolist() if n)])
        found = np.unique(found)
        touched: IntArray = found[self._live[found] > 0]
        return touched

    def _rates(self, messages: IntArray) -> Joined:
        """Return the rates of messages that nothing joins to others, and what joins which."""
        live = self._live[messages]
        key = messages.tobytes() + (live.tobytes() if (live > 1).any() else b"")
        found = self._known.get(key)
        if found is None:
            found = self._solved(messages, live)
            self._kept += len(messages)
            if self._kept > _KNOWN:
                self._known.clear()
                self._kept = len(messages)
            self._known[key] = found
        return found

    def _solved(self, messages: IntArray, live: IntArray) -> Joined:
        column, entry = expand(self._starts, messages)
        used = self._contended[self._row[entry]]
        column, entry = column[used], entry[used]
        if not len(entry):
            return self._peak[messages], []
        rows, row = np.unique(self._row[entry], return_inverse=True)
        row = row.reshape(-1)
        need = self._need[entry] * live[column]
        rates = fill(column, row, need, self._capacity[rows], self._peak[messages])
        size = len(messages) + len(rows)
        ways = sparse.csr_array((np.ones(len(row)), (column, len(messages) + row)), (size, size))
        label = connected_components(ways, directed=False)[1]
        joined = np.unique(column)
        order = joined[np.argsort(label[joined], kind="stable")]
        return rates, np.split(order, np.flatnonzero(np.diff(label[order])) + 1)

    def _expect(self, messages: IntArray, sets: list[IntArray]) -> None:
        """Note when the first of each joined set, and each of the others, will have left."""
        self._set[messages] = 0
        for members in sets:
            number, joined = next(self._number), messages[members]
            self._sets[number], self._set[joined] = joined, number
            if np.isfinite(first := float(self._end[joined].min())):
                heappush(self._ends, (first, number, None))
        alone = messages[self._set[messages] == 0] if sets else messages
        ends = self._end[alone]
        order = np.argsort(ends, kind="stable")
        order = order[: np.searchsorted(ends[order], np.inf)]
        alone, ends = alone[order], ends[order]
        starts = np.flatnonzero(np.diff(ends, prepend=-1.0))
        for lo, hi in pairwise([*starts.tolist(), len(ends)]):
            heappush(self._ends, (float(ends[lo]), next(self._number), alone[lo:hi]))

    def _note(self, now: float, messages: IntArray) -> None:
        flow = self._live[messages] * self._rate[messages]
        by = flow - self._logged[messages]
        changed = messages[by != 0]
        self._logged[messages] = flow
        for column, values in zip(
            self._log, (np.full(len(changed), now), changed, by[by != 0]), strict=True
        ):
            column.frombytes(values.tobytes())
