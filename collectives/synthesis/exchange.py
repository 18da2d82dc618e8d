"""Find all-to-alls that reach the bandwidth bound.

Where the direct exchange reaches it, that is the answer. Elsewhere ranks relay: a linear program
mixes the ways from every rank to every other (see `roads` and `mix`), its flows are taken apart
into a few equal pieces of every block, and their hops laid out in steps (see `relays`). Where
shifts of a grid of ranks are symmetries, one rank's ways and their shifts do; elsewhere the
program has a flow for every rank, and is solved up to a size.

References
----------
Basu, Zhao, Fantl, Pal, Krishnamurthy and Khoury, Efficient all-to-all collective communication
schedules for direct-connect topologies, HPDC 2024, arXiv:2309.13541 (maximum concurrent flow,
taken apart into paths).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collectives.algorithms.direct import direct_all_to_all
from collectives.bounds import bound
from collectives.model.schedule import IntArray, Schedule, ScheduleError
from collectives.synthesis.concurrent_flow import Mix, best_mix, whole_mix
from collectives.synthesis.overlay import Roads, is_direct, plain_roads, shifted_roads
from collectives.synthesis.relays import Ways, as_schedule, lockstep, timetable, ways_of
from collectives.timing import plan
from topology.errors import RoutingError
from topology.routing import Demand, Ecmp, Pairs, Uniform, check_ranks, ecmp
from topology.supernode import Supernode
from topology.units import MiB

_EQUAL = 1e-9
_MOST_PIECES = 16
_FAR = 1.02
_MOST_VARIABLES = {False: 270_000, True: 80_000}  # over switches, over links
_TRIES = 4
_MOST_WORK = 30_000
_MOST_HOPS = 50_000
_MOST_TRANSFERS = 4_000_000
_MOST_WAYS = 500_000
_SEGMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LAGS = (1, 2, 3)
_COPIES = (1, 2, 4)
_NEAR = 1.001


@dataclass(frozen=True, eq=False)
class Exchange:
    """Ways for the pieces of an all-to-all, and how near their steady state is to the bound.

    Attributes
    ----------
    ranks
        Rank at each position, shape (p,).
    ways
        The pieces' hops; None where every block goes directly.
    seconds_per_byte
        Busy time of the most loaded link or switch per byte of S, over the whole exchange.
    bound
        The least that any algorithm takes.
    neighbours
        Whether every hop is a link.
    searched
        Whether relaying was looked at; False where that is too large a program.
    """

    ranks: IntArray
    ways: Ways | None
    seconds_per_byte: float
    bound: float
    neighbours: bool = False
    searched: bool = True

    @property
    def pieces(self) -> int:
        """Return the equal pieces that every block is cut in."""
        return 1 if self.ways is None else self.ways.pieces

    @property
    def optimal(self) -> bool:
        """Return whether the steady state reaches the bound to 1e-9."""
        return self.seconds_per_byte <= self.bound * (1 + _EQUAL)

    @property
    def efficiency(self) -> float:
        """Return bound / steady state, 0 to 1."""
        return min(1.0, self.bound / self.seconds_per_byte) if self.seconds_per_byte else 1.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how the blocks go, and how near the bound that is."""
        near = f"steady state at {100 * self.efficiency:.4g} % of the bound"
        if self.ways is not None:
            pieces = f"{self.pieces} pieces" if self.pieces > 1 else "one piece"
            return (f"blocks in {pieces}, relayed by ranks; {near}",)
        if self.searched:
            return (near,)
        many = f"{len(self.ranks)} ranks without a symmetry found"
        return (f"{near}; relaying was not looked at, too large a program for {many}",)


def find_exchange(
    supernode: Supernode, ranks: npt.ArrayLike | None = None, *, pieces: int | None = None
) -> Exchange:
    """Return the best way found for an all-to-all.

    Parameters
    ----------
    supernode
        The machine.
    ranks
        Who takes part; by default all.
    pieces
        Equal pieces to cut every block in where it is relayed; by default as many as it takes,
        16 at most.

    Raises
    ------
    ScheduleError
        If ``pieces`` is not a whole number of 1 or more, or no exchange was found.
    """
    if pieces is not None and (
        isinstance(pieces, bool) or not isinstance(pieces, int) or pieces < 1
    ):
        raise ScheduleError(f"pieces is {pieces!r}; it must be a whole number, 1 or more")
    count = len(supernode.npus)
    chosen = check_ranks(np.arange(count) if ranks is None else ranks, count)
    if len(chosen) == 1:
        return Exchange(chosen, None, 0.0, 0.0)
    task = _Task(supernode, chosen, pieces)
    best = task.direct()
    if best is None or not best.optimal:
        best = task.relayed(best)
    if best is None:
        raise ScheduleError(f"no all-to-all was found on {supernode.name}: {task.obstacle}")
    return best


def _better(best: Exchange | None, found: Exchange) -> Exchange:
    if best is None or found.seconds_per_byte < best.seconds_per_byte * (1 - _EQUAL):
        return found
    return best


class _Task:
    """One question: how some ranks of a machine best exchange blocks."""

    def __init__(self, supernode: Supernode, ranks: IntArray, pieces: int | None) -> None:
        self.supernode = supernode
        self.ranks = ranks
        self.pieces = pieces
        self.routing: Ecmp = ecmp(supernode)
        self.limit = bound(supernode, "all_to_all", ranks).seconds_per_byte

    def direct(self) -> Exchange | None:
        """Return the direct exchange; None if two ranks have no path of their own."""
        try:
            busy = self.busy(Uniform(self.ranks, 1 / len(self.ranks)))
        except RoutingError:
            return None
        return Exchange(self.ranks, None, busy, self.limit)

    def busy(self, demand: Demand) -> float:
        """Return seconds that the busiest link or switch is busy with a demand."""
        flow = self.routing.route(demand)
        return max(float(flow.busy().max(initial=0.0)), float(flow.node_busy().max(initial=0.0)))

    @property
    def fits(self) -> bool:
        """Return whether the program with a flow for every rank is small enough to solve."""
        p, direct = len(self.ranks), is_direct(self.routing, self.ranks)
        links = len(self.routing.fabric.tail) if direct else p * (p - 1)
        return p * links <= _MOST_VARIABLES[direct]

    @property
    def obstacle(self) -> str:
        """Say why there is no exchange."""
        some = f"of its {len(self.ranks)} ranks, some have no path to each other but through"
        if self.fits:
            return f"{some} NPUs that do not take part; choose ranks= that include them"
        return (
            f"{some} NPUs that do not forward, and relaying is too large a program without a "
            "symmetry; choose fewer ranks="
        )

    def relayed(self, best: Exchange | None) -> Exchange | None:
        """Return the best of the direct exchange, if there is one, and what relaying gives."""
        for mix in self.mixes():
            reach = mix.level / mix.roads.size
            if best is not None and reach >= best.seconds_per_byte * (1 - _EQUAL):
                continue
            for found in self.rounded(mix):
                best = _better(best, found)
            if best is not None and best.optimal:
                return best
        return best if best is None or self.fits else replace(best, searched=False)

    def mixes(self) -> Iterator[Mix]:
        """Yield mixes of regular roads, then of all; at the end those far from the bound."""
        far = []
        for roads in self.roads():
            mix = best_mix(roads)
            if mix is None:
                continue
            if roads.grid is None or mix.level / roads.size <= self.limit * _FAR:
                yield mix
            else:  # the grid is no symmetry of the machine
                far.append(mix)
        yield from sorted(far, key=lambda mix: mix.level)[:1]

    def roads(self) -> Iterator[Roads]:
        """Yield what ways may be made of: regular roads first, then all."""
        for roads in shifted_roads(self.supernode, self.routing, self.ranks):
            if len(roads.tail) <= _MOST_VARIABLES[roads.neighbours]:
                yield roads
        if self.fits:
            yield plain_roads(self.routing, self.ranks)

    def rounded(self, mix: Mix) -> Iterator[Exchange]:
        """Yield a mix in whole pieces, for some numbers of them."""
        roads, p = mix.roads, mix.roads.size
        per_piece = p * float(mix.flow.sum()) / len(roads.origins)
        most = int(max(1, min(_MOST_PIECES, _MOST_WAYS // max(1.0, per_piece))))
        tries = 1 if mix.flow.size > _MOST_WORK else _TRIES
        for pieces in [self.pieces] if self.pieces else mix.promises(most)[:tries]:
            flow = whole_mix(mix, pieces)
            ways = ways_of(roads, flow, pieces)
            traffic = ways.traffic
            placed = Pairs(self.ranks[traffic.src], self.ranks[traffic.dst], traffic.amount)
            found = Exchange(self.ranks, ways, self.busy(placed), self.limit, roads.neighbours)
            yield found
            if found.optimal:
                return


def exchange_schedule(supernode: Supernode, found: Exchange, size: float = 256 * MiB) -> Schedule:
    """Return the schedule of an exchange, quick at a size.

    Parameters
    ----------
    supernode
        The machine.
    found
        How the blocks go.
    size
        S in bytes that segments and timetables are chosen for.
    """
    if found.ways is None:
        direct = direct_all_to_all(len(found.ranks))
        notes = found.notes if len(found.ranks) > 1 else ()
        return Schedule(
            direct.name, direct.collective, direct.ranks, direct.chunks, direct.steps, notes
        )
    made = [
        (plan(supernode, schedule, ranks=found.ranks).cost(size).time, schedule)
        for schedule in _laid_out(supernode, found, found.ways, size)
    ]
    quickest = min(time for time, _ in made)
    return next(schedule for time, schedule in made if time <= _NEAR * quickest)


def _laid_out(supernode: Supernode, found: Exchange, ways: Ways, size: float) -> Iterator[Schedule]:
    """Yield the ways as timetables of links, or in lockstep with more and more segments."""
    if found.neighbours:
        yield from _timetables(supernode, found, ways)
        return
    last = np.inf
    for segments in _SEGMENTS if ways.longest > 1 else (1,):
        steps = lockstep(ways, segments)
        schedule = as_schedule(ways, steps, segments, found.notes, overlaps=False)
        yield schedule
        time = plan(supernode, schedule, ranks=found.ranks).cost(size).time
        if time > last or 2 * segments * len(ways) > _MOST_TRANSFERS:
            break
        last = time


def _timetables(supernode: Supernode, found: Exchange, ways: Ways) -> Iterator[Schedule]:
    """Yield timetables of several lags, with pieces as they are and finer; one of many hops."""
    few = len(ways) <= _MOST_HOPS
    for copies in _COPIES:
        if copies > 1 and copies * len(ways) > _MOST_HOPS:
            break
        finer = ways.finer(copies)
        lasting = _lasting(supernode, found.ranks, finer)
        lags = _LAGS if few else _LAGS[:1]
        tables = {len(t): t for t in (timetable(finer, lag, lasting) for lag in lags)}
        for steps in tables.values():
            yield as_schedule(finer, steps, 1, found.notes, overlaps=True)


def _lasting(supernode: Supernode, ranks: IntArray, ways: Ways) -> IntArray:
    """Return how many times longer than the fastest link each hop's link takes, rounded."""
    fabric = supernode.fabric
    nodes = fabric.npus[ranks]
    keys = fabric.tail * len(fabric.nodes) + fabric.head
    arcs = np.searchsorted(keys, nodes[ways.tail] * len(fabric.nodes) + nodes[ways.head])
    rate = fabric.capacity[arcs]
    times: IntArray = np.rint(rate.max() / rate).astype(np.int64)
    return times
