"""Time a schedule whose steps overlap: each starts when those it needs have ended everywhere.

A step is its software, its transfers, and the latency of its slowest path, as in lockstep. Steps
that are at work at once share the links max-min fairly, message by message; a step moves as fast
as its most loaded link lets it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush

import numpy as np

from collectives.model.schedule import Schedule
from collectives.timing.cost import Latency, StepCost, split_path
from collectives.timing.fair import fair_rates
from collectives.timing.routed import RoutedTraffic
from collectives.timing.stepwise import Stepwise
from topology.approximation import Approximation
from topology.fabric import FloatArray

_NONE = -1
_DIGITS = 12  # of the use of a link, by which links are alike


@dataclass(slots=True)
class Turn:
    """One repetition of a step.

    Attributes
    ----------
    step
        Its position in the schedule.
    ready, worked, handed, begun, left, ended
        Seconds: what it needs is there; software begins with its messages; hands them over; they
        begin to move; the last has left; it has arrived.
    needs, behind, ahead
        The turn that it waited for last: to be ready, at the software, and on its channel; -1 for
        none.
    """

    step: int
    ready: float
    worked: float
    handed: float
    needs: int
    behind: int
    ahead: int = _NONE
    begun: float = 0.0
    left: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, eq=False)
class Overlapped:
    """A schedule with steps of its own order, on their paths.

    Attributes
    ----------
    schedule
        What runs.
    alone
        Its steps, each routed and timed by itself.
    """

    schedule: Schedule
    alone: Stepwise
    _runs: dict[float, list[Turn]] = field(default_factory=dict, repr=False)

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return in which ways the paths are not exact."""
        return self.alone.approximations

    @cached_property
    def kinds(self) -> tuple[list[RoutedTraffic], list[int]]:
        """Return the different traffics, and which of them each step has."""
        index: dict[int, int] = {}
        found: list[RoutedTraffic] = []
        of_step = []
        for _, on in self.alone.steps:
            if id(on) not in index:
                index[id(on)] = len(found)
                found.append(on)
            of_step.append(index[id(on)])
        return found, of_step

    @cached_property
    def sharing(self) -> Sharing:
        """Return how the different traffics share links and switches."""
        found, of_step = self.kinds
        columns, message = [], []
        for kind, on in enumerate(found):
            traffic = self.schedule.steps[of_step.index(kind)].traffic
            out, into = traffic.ports(self.schedule.ranks)
            sent = np.maximum(out, into) if traffic.in_network else out  # copies count as sent
            count = np.zeros(len(sent))
            count[: len(traffic.messages())] = traffic.messages()
            mean = np.divide(sent, count, out=np.zeros(len(sent)), where=count > 0)
            message.append(float(mean.max(initial=0.0)))
            columns.append(np.concatenate([on.busy(), on.node_busy()]))
        busy = np.stack(columns, axis=1)
        scale = 10.0 ** np.floor(np.log10(np.maximum(busy.max(initial=0.0), 1e-300)))
        rows = np.unique(np.round(busy / scale, _DIGITS), axis=0) * scale
        return Sharing(rows[rows.any(axis=1)], np.array(message))

    def time(self, size: float) -> float:
        """Return seconds until the last step has ended at a size."""
        return max((turn.ended for turn in self._run(size)), default=0.0)

    def cost(self, size: float) -> tuple[StepCost, ...]:
        """Return what all steps together take at a size in bytes."""
        steps = self.alone.steps
        busy = np.zeros(len(self.alone.fabric.tail))
        inside = np.zeros(len(self.alone.fabric.nodes))
        found, of_step = self.kinds
        times = Counter[int]()
        for kind, (step, _) in zip(of_step, steps, strict=True):
            times[kind] += step.repeat
        for kind, on in enumerate(found):
            busy += times[kind] * on.busy()
            inside += times[kind] * on.node_busy()
        most = max(float(busy.max(initial=0.0)), float(inside.max(initial=0.0)))
        split, _ = self._critical(size)
        return (
            StepCost("all steps, overlapping", 1, split, size * most, size, lambda: busy,
                     lambda: inside),
        )  # fmt: skip

    def critical_path(self, step: int, size: float) -> list[int]:
        """Return the arcs of the slowest transfers that the end waited for, in order."""
        del step
        return self._critical(size)[1]

    def _critical(self, size: float) -> tuple[Latency, list[int]]:
        """Follow the last step back to the start; return where the time went, and the arcs."""
        turns, (found, of_step) = self._run(size), self.kinds
        end = self.alone.endpoint
        split = Latency()
        arcs: list[int] = []
        at = max(range(len(turns)), key=lambda i: turns[i].ended) if turns else _NONE
        came = "ended"
        while at != _NONE:
            turn = turns[at]
            if came == "ended":
                on = found[of_step[turn.step]]
                kind = on.at(size)
                path = [] if kind is None else on.path(kind)
                way = split_path(self.alone.fabric, path)
                split += way + Latency(propagation=max(0.0, turn.ended - turn.left - way.total))
                arcs, came = path + arcs, "left"
            elif came == "left":
                split += Latency(serialisation=turn.left - turn.begun)
                if turn.begun > turn.handed:
                    at = turn.ahead
                    continue
                split += Latency(endpoint=end.alpha)
                came = "worked"
            else:
                split += Latency(endpoint=turn.handed - end.alpha - turn.worked)
                if turn.worked > turn.ready:
                    at = turn.behind
                else:
                    at, came = turn.needs, "ended"
        return split, arcs

    def _run(self, size: float) -> list[Turn]:
        """Carry out every step at a size, once."""
        if size not in self._runs:
            self._runs.clear()  # a run is as long as the schedule; one is enough
            self._runs[size] = _Run(self, size).carry_out()
        return self._runs[size]


@dataclass(frozen=True, eq=False)
class Sharing:
    """How traffics that are at work at once share what they load.

    Attributes
    ----------
    busy
        Seconds per byte of S that links and switches are busy, shape (links, traffics).
    message
        Bytes of a message per byte of S, shape (traffics,).
    """

    busy: FloatArray
    message: FloatArray
    _known: dict[tuple[int, ...], FloatArray] = field(default_factory=dict, repr=False)

    def rates(self, count: tuple[int, ...]) -> FloatArray:
        """Return S/s of each traffic, where ``count`` steps of each are at work."""
        if count not in self._known:
            active = np.flatnonzero((np.array(count) > 0) & (self.message > 0))
            found = np.full(len(count), np.inf)
            if len(active):
                use = self.busy[:, active] / self.message[active]
                each = fair_rates(use, np.ones(len(use)), np.array(count, dtype=float)[active])
                found[active] = each / self.message[active]
            self._known[count] = found
        return self._known[count]


class _Run:
    """A schedule on its way at one size, event by event."""

    def __init__(self, on: Overlapped, size: float) -> None:
        schedule = on.schedule
        steps = range(len(schedule.steps))
        self.on, self.size = on, size
        self.traffics, self.of_step = on.kinds
        waits = [set(schedule.waits_for(step)) for step in steps]
        self.missing = [len(others) for others in waits]
        self.followers: list[list[int]] = [[] for _ in steps]
        for step, others in enumerate(waits):
            for other in sorted(others):
                self.followers[other].append(step)
        self.ahead = _ahead_on_channel(schedule)
        self.held: dict[int, int] = {}  # the turn that waits for a step to leave its channel
        self.gone: dict[int, int] = {}  # the turn in which a step's last messages left
        self.again = [step.repeat for step in schedule.steps]
        self.turns: list[Turn] = []
        self.events: list[tuple[float, int, bool]] = []  # a turn is handed over, or it has ended
        self.moving: list[list[tuple[float, int]]] = [[] for _ in self.traffics]
        self.clock = [0.0] * len(self.traffics)  # steps' worth that one of each has moved by now
        self.now, self.free, self.last = 0.0, 0.0, _NONE

    def carry_out(self) -> list[Turn]:
        """Return every repetition of every step."""
        for step, missing in enumerate(self.missing):
            if not missing:
                self.ready(step, _NONE)
        while self.events or any(self.moving):
            rates = self.on.sharing.rates(tuple(map(len, self.moving)))
            leaves = [
                (self.now + (moving[0][0] - self.clock[k]) * self.size / float(rates[k]), k)
                for k, moving in enumerate(self.moving)
                if moving
            ]
            first, kind = min(leaves, default=(np.inf, _NONE))
            then = min(first, self.events[0][0]) if self.events else first
            for _, k in leaves:
                self.clock[k] += (then - self.now) * float(rates[k]) / self.size
            self.now = then
            if first <= then:
                self.leave(heappop(self.moving[kind])[1])
                continue
            _, turn, ended = heappop(self.events)
            (self.end if ended else self.hand)(turn)
        return self.turns

    def ready(self, step: int, needs: int) -> None:
        """Let the software begin with a step, after what it has begun before."""
        end = self.on.alone.endpoint
        worked = max(self.now, self.free)
        behind = self.last if self.free > self.now else _NONE
        self.free = worked + self.on.schedule.steps[step].messages * end.message
        self.last = len(self.turns)
        heappush(self.events, (self.free + end.alpha, self.last, False))
        self.turns.append(Turn(step, self.now, worked, self.free + end.alpha, needs, behind))

    def hand(self, at: int) -> None:
        """Begin to move, unless another step's messages are first on the channel."""
        ahead = self.ahead[self.turns[at].step]
        if ahead == _NONE or ahead in self.gone:
            self.begin(at, _NONE)
        else:
            self.held[ahead] = at

    def begin(self, at: int, ahead: int) -> None:
        """Begin to move."""
        turn = self.turns[at]
        turn.begun, turn.ahead = self.now, ahead
        kind = self.of_step[turn.step]
        if self.size * self.traffics[kind].most > 0:
            heappush(self.moving[kind], (self.clock[kind] + 1.0, at))
        else:
            self.leave(at)

    def leave(self, at: int) -> None:
        """Let the messages arrive, and the next ones on the channel begin."""
        turn = self.turns[at]
        turn.left = self.now
        on = self.traffics[self.of_step[turn.step]]
        heappush(self.events, (self.now + on.time(self.size) - self.size * on.most, at, True))
        self.again[turn.step] -= 1
        if self.again[turn.step] == 0:
            self.gone[turn.step] = at
            if turn.step in self.held:
                self.begin(self.held.pop(turn.step), at)

    def end(self, at: int) -> None:
        """Repeat the step, or let those that need it start."""
        turn = self.turns[at]
        turn.ended = self.now
        if self.again[turn.step]:
            self.ready(turn.step, at)
            return
        for step in self.followers[turn.step]:
            self.missing[step] -= 1
            if self.missing[step] == 0:
                self.ready(step, at)


def _ahead_on_channel(schedule: Schedule) -> list[int]:
    """Return the step before each on its channel; -1 for none."""
    last: dict[int, int] = {}
    found = []
    for number, step in enumerate(schedule.steps):
        found.append(_NONE if step.channel is None else last.get(step.channel, _NONE))
        if step.channel is not None:
            last[step.channel] = number
    return found
