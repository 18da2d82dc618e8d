"""Time algorithms at any size, and find the sizes at which one overtakes another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from collectives.algorithms import algorithm_names, candidate_names, find_algorithm
from collectives.analysis.analyze import team_of
from collectives.model.collective import Collective, collective
from collectives.model.schedule import Schedule, ScheduleError, Team
from collectives.timing import Plan, plan
from topology import border
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.supernode import Supernode
from topology.units import GiB

_PER_OCTAVE = 1
_EQUAL = 1e-12  # sizes are found to this
_MEETS = 1e-7  # times nearer than this are equal
_TIE = 1e-9
_ANY_SIZE = 2.0**20


@dataclass(frozen=True, eq=False)
class Candidate:
    """An algorithm on a machine, and what it takes at any size.

    Attributes
    ----------
    name
        The algorithm.
    make
        Returns its schedule at a size in bytes.
    route
        Returns the plan of a schedule.
    tried
        Whether ``algorithm="auto"`` tries it.
    """

    name: str
    make: Callable[[float], Schedule]
    route: Callable[[Schedule], Plan]
    tried: bool = True
    _times: dict[float, float] = field(default_factory=dict, repr=False)

    @cached_property
    def fixed(self) -> Plan | None:
        """The one plan for all sizes; None where the schedule depends on the size."""
        schedule = self.make(_ANY_SIZE)
        return None if schedule.sized else self.route(schedule)

    def plan(self, size: float) -> Plan:
        """Return the plan at a size."""
        return self.fixed or self.route(self.make(size))

    def time(self, size: float) -> float:
        """Return seconds at a size in bytes."""
        if size not in self._times:
            self._times[size] = self.plan(size).cost(size).time
        return self._times[size]


def candidates(
    supernode: Supernode,
    kind: str | Collective,
    *,
    algorithms: Iterable[str] | None = None,
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    alpha: float | None = None,
    **choices: Any,
) -> tuple[list[Candidate], dict[str, str]]:
    """Return the algorithms that fit, and for the others why they do not.

    Parameters
    ----------
    supernode, ranks, group_size, alpha, **choices
        As in `analyze`.
    kind
        The collective.
    algorithms
        Names; by default all.
    """
    name = collective(kind).name
    team = team_of(supernode, ranks, group_size)

    def route(schedule: Schedule) -> Plan:
        return plan(supernode, schedule, ranks=team.ranks, alpha=alpha, **choices)

    fitting, refused = [], {}
    for algorithm in algorithm_names(name) if algorithms is None else algorithms:
        make = _maker(name, algorithm, team, alpha)
        candidate = Candidate(algorithm, make, route, tried=algorithm in candidate_names(name))
        try:
            candidate.fixed  # noqa: B018 - makes the schedule, and routes it
        except SupernodeError as error:
            refused[algorithm] = str(error)
        else:
            fitting.append(candidate)
    return fitting, refused


def _maker(kind: str, name: str, team: Team, alpha: float | None) -> Callable[[float], Schedule]:
    make = find_algorithm(kind, name)
    return lambda size: make(replace(team, volume=size, alpha=alpha))


@dataclass(frozen=True)
class Crossover:
    """A size at which two algorithms take the same time.

    Attributes
    ----------
    size
        Bytes.
    below, above
        The faster algorithm at smaller and at larger sizes.
    time
        What both take there, in seconds.
    """

    size: float
    below: str
    above: str
    time: float


def crossovers(
    a: Candidate | Plan, b: Candidate | Plan, *, low: float = 1.0, high: float = 64 * GiB
) -> list[Crossover]:
    """Return the sizes at which two algorithms overtake each other, smallest first.

    Times are piecewise linear in the size; the range is searched at one size an octave, so
    algorithms that overtake each other twice in less are taken for equal there.

    Parameters
    ----------
    a, b
        Plans, or candidates.
    low, high
        Bytes, above 0.

    Raises
    ------
    ScheduleError
        If the range is empty.
    """
    first, second = _as_candidate(a), _as_candidate(b)
    found = []
    for lo, hi in pairwise(size_grid(low, high).tolist()):
        before, after = (first.time(s) - second.time(s) for s in (lo, hi))
        if before * after < 0 or (after == 0 and before != 0):
            below, above = (first, second) if before < 0 else (second, first)
            size = _switch(below, above, lo, hi)
            time = below.time(size)
            if abs(time - above.time(size)) <= _MEETS * time:  # else one jumps past the other
                found.append(Crossover(size, below.name, above.name, time))
    return found


def _as_candidate(given: Candidate | Plan) -> Candidate:
    if isinstance(given, Candidate):
        return given
    if not isinstance(given, Plan):
        border.refuse(given, "crossovers: a and b", "plans", ScheduleError)
    schedule = given.schedule
    return Candidate(schedule.name, lambda _: schedule, lambda _: given)


def size_grid(low: float, high: float, per_octave: float = _PER_OCTAVE) -> FloatArray:
    """Return sizes from low to high, both included, evenly in the logarithm.

    Raises
    ------
    ScheduleError
        If the range is empty or begins at 0 or below.
    """
    low, high = (border.size(end, "a size", ScheduleError) for end in (low, high))
    if not 0 < low < high:
        raise ScheduleError(f"sizes from {low!r} to {high!r}: they must be above 0 and rising")
    count = max(2, int(np.ceil(np.log2(high / low) * per_octave - 1e-9)) + 1)
    grid = np.geomspace(low, high, count)
    grid[0], grid[-1] = low, high
    return grid


def _switch(below: Candidate, above: Candidate, lo: float, hi: float) -> float:
    """Return where ``above`` has caught up with ``below``; an end if it has there."""

    def behind(size: float) -> float:
        return above.time(size) - below.time(size)

    if behind(lo) <= 0:
        return lo
    if behind(hi) >= 0:
        return hi
    return float(scipy.optimize.brentq(behind, lo, hi, xtol=_EQUAL * lo, rtol=_EQUAL))


def changes_of_fastest(fitting: Sequence[Candidate], sizes: Sequence[float]) -> Iterator[Crossover]:
    """Yield where the fastest algorithm changes; the first of equals counts as fastest.

    Parameters
    ----------
    fitting
        The algorithms, one or more.
    sizes
        Bytes, rising; the fastest is compared at these, and changes found between them.
    """
    for lo, hi in pairwise(sizes):
        yield from _between(fitting, lo, _fastest(fitting, lo), hi, _fastest(fitting, hi))


def _between(
    fitting: Sequence[Candidate], lo: float, below: Candidate, hi: float, above: Candidate
) -> Iterator[Crossover]:
    if below is above or hi - lo <= _EQUAL * hi:
        return
    size = _switch(below, above, lo, hi)
    best = _fastest(fitting, size)
    if best is not below and best is not above and lo < size < hi:
        yield from _between(fitting, lo, below, size, best)
        yield from _between(fitting, size, best, hi, above)
    else:
        yield Crossover(size, below.name, above.name, above.time(size))


def _fastest(fitting: Sequence[Candidate], size: float) -> Candidate:
    """Return the fastest; of those that take the same time, the first."""
    least = min(candidate.time(size) for candidate in fitting)
    return next(c for c in fitting if c.time(size) <= least * (1 + _TIE))
