"""Lay hops of pieces out in steps: in lockstep, or as a timetable for every link.

Trees of an all-gather and paths of an all-to-all are the same thing here: hops, each of which
sends on the piece that another brings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import Any, Protocol, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from collectives.algorithms.compose import Steps
from collectives.model.schedule import IntArray, Schedule, Step, Transfers
from collectives.timing import Plan, plan
from topology.routing import Pairs
from topology.supernode import Supernode

_SEGMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LAGS = (1, 2, 3)
_COPIES = (1, 2, 4, 8)
_NEAR = 1.001
_MOST_HOPS = 50_000
_MOST_SLOTS = 4_000
_MOST_TRANSFERS = 4_000_000

_LAID_OUT: WeakKeyDictionary[Any, dict[tuple[Any, ...], tuple[list[Plan], Iterator[Plan]]]]
_LAID_OUT = WeakKeyDictionary()  # the schedules of some hops, as far as any size asked for them


class Hops(Protocol):
    """Hops of pieces from rank to rank; each may stand for its shifts on a grid."""

    @property
    def phase(self) -> str:
        """Return a word for tables."""

    @property
    def shifts(self) -> int:
        """Return how many hops each stands for."""

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """Return the positions that each joins, shape (h,)."""

    @property
    def link(self) -> IntArray:
        """Return a number for what each is sent over, shape (h,)."""

    @property
    def before(self) -> IntArray:
        """Return the hop that brings what each sends, -1 at the start, shape (h,)."""

    @property
    def level(self) -> IntArray:
        """Return how many hops are before each, shape (h,)."""

    @property
    def below(self) -> IntArray:
        """Return how many hops follow each other after it, shape (h,)."""

    def transfers(self, hops: IntArray, segment: int = 0, segments: int = 1) -> Transfers:
        """Return what moves in some hops, of one of the segments of every piece."""

    def traffic(self, hops: IntArray, segments: int = 1) -> Pairs:
        """Return what positions send each other in some hops, as a fraction of S."""

    def finer(self, copies: int) -> Self:
        """Return the hops with every piece cut into ``copies`` that take the same way."""


H = TypeVar("H", bound=Hops)
Make: TypeAlias = Callable[[H, Steps, int], Schedule]
"""From hops, their steps and the segments of a piece."""


def quickest(
    supernode: Supernode, ranks: IntArray, hops: H, make: Make[H], size: float, *, neighbours: bool
) -> Schedule:
    """Return the schedule of some hops that is quickest at a size, the simplest of equals.

    Parameters
    ----------
    supernode, ranks
        Who moves them, rank at each position.
    hops
        What to lay out.
    make
        Makes a schedule of steps.
    size
        S in bytes.
    neighbours
        Whether every hop is over a link of its own: then timetables are tried, else lockstep.
    """
    made: list[tuple[float, Schedule]] = []
    known = _LAID_OUT.setdefault(hops, {})
    key = id(supernode.fabric), ranks.tobytes(), make
    if key not in known:
        tried = _timetables(supernode, ranks, hops, make) if neighbours else _locksteps(hops, make)
        known[key] = (
            [],
            (plan(supernode, replace(each, overlaps=neighbours), ranks=ranks) for each in tried),
        )
    plans, more = known[key]
    for at in itertools.count():
        if at == len(plans):
            plans.extend(itertools.islice(more, 1))
        if at == len(plans):
            break
        made.append((plans[at].time(size), plans[at].schedule))
        if not neighbours and len(made) > 2 and made[-1][0] > made[-2][0] > made[-3][0]:
            break
    least = min(time for time, _ in made)
    return next(schedule for time, schedule in made if time <= _NEAR * least)


def _locksteps(hops: H, make: Make[H]) -> Iterator[Schedule]:
    """Yield schedules in lockstep with more and more segments."""
    count = len(hops.link) * hops.shifts
    for segments in _SEGMENTS if hops.level.max(initial=0) else (1,):
        if segments > 1 and segments * count > _MOST_TRANSFERS:
            return
        yield make(hops, lockstep(hops, segments), segments)


def _timetables(
    supernode: Supernode, ranks: IntArray, hops: H, make: Make[H]
) -> Iterator[Schedule]:
    """Yield timetables of several lags, with pieces as they are and finer; one if it is long."""
    count, slots = len(hops.link) * hops.shifts, 0
    for copies in _COPIES:
        if copies > 1 and copies * count > _MOST_HOPS:
            return
        finer = hops.finer(copies)
        lasting = _lasting(supernode, ranks, finer)
        tables: dict[int, list[IntArray]] = {}
        for lag in _LAGS if count <= _MOST_HOPS else _LAGS[:1]:
            table = timetable(finer, lag, lasting)
            tables[len(table)] = table  # of equally long ones, the one with the longest lag
            slots += len(table)
            if slots > _MOST_SLOTS:
                break
        for table in tables.values():
            yield make(finer, tuple(_slot(finer, slot) for slot in table), 1)
        if slots > _MOST_SLOTS:
            return


def _slot(hops: Hops, slot: IntArray) -> Step:
    return Step(lambda _: hops.transfers(slot), hops.traffic(slot), 1, hops.phase)


def _lasting(supernode: Supernode, ranks: IntArray, hops: Hops) -> IntArray:
    """Return how many times longer than the fastest link each hop's link takes, rounded."""
    fabric = supernode.fabric
    tail, head = (fabric.npus[ranks[ends]] for ends in hops.ends)
    rate = fabric.capacity[fabric.arcs_between(tail, head)]
    times: IntArray = np.rint(rate.max() / rate).astype(np.int64)
    return times


def lockstep(hops: Hops, segments: int) -> Steps:
    """Return pipelined steps: in step t, segment s of every piece makes its hop t - s.

    Parameters
    ----------
    hops
        What to lay out.
    segments
        Equal parts of every piece; as many steps, and one less than there are levels.
    """
    levels = int(hops.level.max(initial=-1)) + 1
    at = [np.flatnonzero(hops.level == level) for level in range(levels)]

    def step(first: int, repeat: int) -> Step:
        live = [level for level in range(levels) if 0 <= first - level < segments]

        def transfers(t: int) -> Transfers:
            parts = [hops.transfers(at[level], first + t - level, segments) for level in live]
            ends = ([getattr(part, name) for part in parts] for name in ("src", "dst", "chunk"))
            return Transfers(*(np.concatenate(columns) for columns in ends))

        used = np.concatenate([at[level] for level in live])
        return Step(transfers, hops.traffic(used, segments), repeat, hops.phase)

    steady = segments - levels + 1
    if steady < 1:
        return tuple(step(t, 1) for t in range(segments + levels - 1))
    fill = [step(t, 1) for t in range(levels - 1)]
    drain = [step(segments + t, 1) for t in range(levels - 1)]
    return (*fill, step(levels - 1, steady), *drain)


def timetable(hops: Hops, lag: int, lasting: IntArray) -> list[IntArray]:
    """Return slots, hops in each, that use every link once at most, and seldom have it wait.

    Of the pieces that wait for a link, the one with the most hops to go is next.

    Parameters
    ----------
    hops
        Hops over links.
    lag
        Slots between a piece's arrival and its next hop, so that latency is hidden.
    lasting
        Slots that each hop's link takes for a piece, shape (h,).
    """
    order = np.lexsort((np.arange(len(hops.link)), -hops.below))
    urgency = np.argsort(order).tolist()  # the smaller, the sooner
    link, last = hops.link.tolist(), lasting.tolist()
    after: dict[int, list[int]] = {}
    for hop, brought in enumerate(hops.before.tolist()):
        after.setdefault(brought, []).append(hop)
    waiting: dict[int, list[tuple[int, int]]] = {}  # hops that could go, by link
    free: dict[int, int] = {}  # since when, by link
    events = [(0, link[hop], hop) for hop in after.get(-1, [])]  # a piece has come, or -1: is free
    heapify(events)
    slots = []
    while events:
        now, woken = events[0][0], set()
        while events and events[0][0] == now:
            _, used, hop = heappop(events)
            woken.add(used)
            if hop >= 0:
                heappush(waiting.setdefault(used, []), (urgency[hop], hop))
        begun = []
        for used in sorted(woken):
            if free.get(used, 0) > now or not waiting.get(used):
                continue
            hop = heappop(waiting[used])[1]
            begun.append(hop)
            free[used] = done = now + last[hop]
            heappush(events, (done, used, -1))
            for following in after.get(hop, []):
                heappush(events, (done + lag - 1, link[following], following))
        if begun:
            slots.append(np.array(begun))
    return slots
