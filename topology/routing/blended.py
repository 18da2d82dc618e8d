"""Blend flows over the cheapest paths, ever again at the prices of what is crowded.

Column generation, with a column for each target and each flow so far: how much of each is taken,
and the prices of its links say which paths are the cheapest; those become the next flow, even over
ties. The first rounds only ease what is crowded, by prices that grow exponentially with it, ever
steeper: cheap, and their prices spread over all that is crowded, so that the paths are good ones.
Then a linear program takes the best of all flows; its prices leap, so paths are sought at the mean
with the best so far. What the cheapest paths cost is a bound: the gap is proved, however early it
stops.

References
----------
Dantzig and Wolfe, Operations Research 8 (1960) 101-111; Plotkin, Shmoys and Tardos, Math. Oper.
Res. 20 (1995) 257-301 (prices that grow exponentially with what is crowded); Wentges, Int. Trans.
Oper. Res. 4 (1997) 151-162 (means of prices); Kivinen and Warmuth, Information and Computation 132
(1997) 1-63 (exponentiated gradient).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from topology.fabric import FloatArray, IntArray
from topology.routing.balanced import Search
from topology.routing.hops import Hops
from topology.routing.split import Spray
from topology.solvers.linear import UnfinishedError, least_level

_EASED = 40
_FEWEST = 6
_WORK = 120_000_000  # hops priced while crowding is eased
_SOLVED = 8_000_000_000  # cells · columns of all linear programs
_STEEP, _STEEPER, _STEEPEST = 30.0, 1.08, 100.0
_STEPS = 200
_TRIED = 12
_LEFT = 1e-6  # parts below it are dropped
_FRESH = 3  # rounds whose flows are kept whatever their parts
_FLOOR = 1e-4  # of the mean price: makes the cheapest paths short
_BETTER = 1e-4
_NEAR, _NEAR_LARGE = 1e-3, 5e-3
_LARGE = 1_000_000  # hops


@dataclass(eq=False)
class _Blend:
    """Flows to each target, and how much of each is taken.

    Attributes
    ----------
    search
        Takes note of what is reached, and of what prices prove.
    width
        How many targets there are.
    ways
        The flows to all targets, of each round.
    busy
        Seconds that each column keeps each room busy, shape (rooms, columns).
    column
        Round · width + target of each column, shape (columns,).
    part
        How much of it is taken: of each target 1 in all, shape (columns,).
    """

    search: Search
    width: int
    ways: list[Spray] = field(default_factory=list)
    busy: sparse.csc_array = field(init=False)
    column: IntArray = field(init=False)
    part: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.busy = sparse.csc_array((len(self.search.rooms.room), 0))
        self.column, self.part = np.zeros(0, dtype=np.int64), np.zeros(0)

    @property
    def target(self) -> IntArray:
        """Return the target of each column."""
        return self.column % self.width

    @property
    def now(self) -> FloatArray:
        """Return seconds each room is busy, shape (rooms,)."""
        found: FloatArray = self.busy @ self.part
        return found

    def add(self, way: Spray) -> None:
        """Know another flow to every target; none of it is taken yet, but of the first all."""
        rooms, hops, width = self.search.rooms, way.hops, self.width
        arcs = len(rooms.fabric.tail)
        flow = hops.flows(self.search.entering, way.share)
        loads = sparse.csr_array((flow, (hops.arc, hops.tail % width)), shape=(arcs, width))
        each = sparse.diags_array(1 / rooms.room) @ rooms.use(np.arange(arcs)) @ loads
        self.ways.append(way)
        self.busy = sparse.csc_array(sparse.hstack([self.busy, sparse.csc_array(each)]))
        fresh = (len(self.ways) - 1) * width + np.arange(width)
        self.column = np.concatenate([self.column, fresh])
        self.part = np.concatenate([self.part, np.full(width, float(len(self.ways) == 1))])

    def take(self, part: FloatArray) -> None:
        """Take some parts; forget columns that are old and of which none is taken."""
        kept = part > _LEFT
        kept |= self.column >= (len(self.ways) - _FRESH) * self.width
        self.busy, self.column = sparse.csc_array(self.busy[:, kept]), self.column[kept]
        part = np.where(part > _LEFT, part, 0.0)[kept]
        self.part = part / np.bincount(self.target, part, self.width)[self.target]
        self.search.reached = min(self.search.reached, float(self.now.max()))

    def ease(self, steep: float) -> FloatArray:
        """Lower what is crowded by exponentiated gradients; return the price of rooms' time."""
        columns, rows = sparse.csr_array(self.busy.T), sparse.csr_array(self.busy)
        scale, target, rounds = float(self.now.max()), self.target, len(self.ways)
        part = self.part * (1 - 1 / rounds)
        part[self.column >= (rounds - 1) * self.width] += 1 / rounds
        log = np.log(np.maximum(part, _LEFT**2))

        def crowding(part: FloatArray) -> tuple[float, FloatArray]:
            busy = rows @ part
            top = float(busy.max())
            weight = np.exp(steep * (busy - top) / scale)
            return top / scale + float(np.log(weight.sum())) / steep, weight / weight.sum()

        value, price = crowding(part)
        stride = scale / max(float((columns @ price).max()), _LEFT * scale)
        for _ in range(_STEPS):
            slope, best = columns @ price / scale, value
            for _ in range(_TRIED):
                tried = self._shared(log - stride * slope, target)
                value, found = crowding(tried)
                if value <= best:
                    break
                stride /= 3
            else:
                break
            part, price, log = tried, found, np.log(np.maximum(tried, _LEFT**5))
            stride *= 1.6
            if best - value < _LEFT**2 * best:
                break
        self.take(part)
        busy = self.now
        crowded: FloatArray = np.exp(min(steep, _STEEPEST) * (busy / busy.max() - 1))
        return crowded

    def _shared(self, log: FloatArray, target: IntArray) -> FloatArray:
        """Return parts, of each target 1 in all, from their logarithms but for a constant."""
        most = np.full(self.width, -np.inf)
        np.maximum.at(most, target, log)
        part = np.exp(log - most[target])
        found: FloatArray = part / np.bincount(target, part, self.width)[target]
        return found

    def solve(self) -> FloatArray:
        """Take the best parts, by linear programming; return the price of rooms' time."""
        rooms, count, top = self.busy.shape[0], len(self.part), float(self.now.max())
        each = sparse.csr_array((np.ones(count), (self.target, np.arange(count))))
        found = least_level(
            sparse.csr_array(self.busy / top), np.ones(rooms), each, np.ones(self.width)
        )
        self.take(found.flow)
        return found.price

    def parts(self) -> list[tuple[Spray, FloatArray]]:
        """Return the flows with the part of each target that takes each, shape (targets,)."""
        every = np.zeros(len(self.ways) * self.width)
        every[self.column] = self.part
        return list(zip(self.ways, every.reshape(len(self.ways), self.width), strict=True))


def blended(
    search: Search, first: Spray, cheapest: Callable[[FloatArray], Hops], goal: IntArray, size: int
) -> Spray:
    """Return the best blend of a split with flows over the cheapest paths.

    Parameters
    ----------
    search
        Takes note of what is reached, and of what prices prove.
    first
        The split to begin with.
    cheapest
        Returns the hops on the cheapest paths by the price of each arc.
    goal
        The states where traffic ends, one for each target, shape (targets,).
    size
        How many hops there are at all: large cases get fewer rounds.
    """
    rooms, blend = search.rooms, _Blend(search, len(goal))
    capacity = rooms.fabric.capacity
    blend.add(first)
    price = np.exp(_STEEP / 3 * (blend.now / blend.now.max() - 1))
    best, mean, lowest, spent, turn = price, 0.0, np.inf, 0, 0
    eased = max(_FEWEST, min(_EASED, _WORK // max(1, size)))
    while spent < _SOLVED:
        price = mean * best / best.sum() + (1 - mean) * price / price.sum()
        floored = (price + _FLOOR * price.mean()) / rooms.room
        known, top = search.bound, float(blend.now.max())
        search.prove(floored)
        if search.gap <= (_NEAR if size < _LARGE else _NEAR_LARGE):
            if blend.busy.nnz * len(blend.part) < _SOLVED / 10:
                with suppress(UnfinishedError):  # near enough as it is
                    price = blend.solve()
            search.prove(price / rooms.room)  # the floor costs a trace
            break
        better = search.bound > known or top < lowest * (1 - _BETTER)
        hops = cheapest(search.on_arcs(floored))
        blend.add(Spray(hops, hops.shares(capacity[hops.arc])))
        best = price if search.bound > known or turn <= eased else best
        turn += 1
        if turn <= eased:
            price = blend.ease(_STEEP * _STEEPER**turn)
            continue
        spent += blend.busy.nnz * len(blend.part)
        try:
            price = blend.solve() if spent < _SOLVED else price
        except UnfinishedError:
            break
        mean, lowest = (0.5 if better else mean / 2), top
    return search.joined(blend.parts(), goal)
