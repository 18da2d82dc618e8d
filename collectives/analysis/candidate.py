"""Hold algorithms on a machine: what each takes at any size, and which is the fastest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from collectives.model.schedule import IntArray, Schedule, ScheduleError
from collectives.timing import Plan
from collectives.timing.stepwise import Race, TooSlowError
from topology.approximation import Approximation
from topology.errors import UnreachableError

Placement: TypeAlias = tuple[Schedule, IntArray]
"""A schedule and the rank at each of its positions."""

_ANY_SIZE = -1.0  # what a schedule for every size is kept under
_MOST_WORK = 20e6  # next hops looked at for pairs: some ten seconds, if no race is lost before


@dataclass(frozen=True, eq=False)
class Candidate:
    """An algorithm on a machine, and what it takes at any size.

    Attributes
    ----------
    name
        The algorithm.
    make
        Returns its schedule at a size in bytes, and the rank at each position.
    route
        Returns a schedule on its paths.
    floor
        Returns seconds that a schedule takes at least, without routing it.
    tried
        Whether ``algorithm="auto"`` tries it.
    race
        As ``route``, but raises `TooSlowError` once the schedule must lose a race.
    work
        Returns how many next hops have to be looked at to route a schedule, roughly.
    """

    name: str
    make: Callable[[float], Placement]
    route: Callable[[Schedule, IntArray], Plan]
    floor: Callable[[Placement, float], float] = field(default=lambda _, __: 0.0)
    tried: bool = True
    race: Callable[[Schedule, IntArray, Race], Plan] | None = None
    work: Callable[[Schedule], float] = field(default=lambda _: 0.0)
    _made: dict[float, Placement] = field(default_factory=dict, repr=False)
    _plans: dict[float, Plan] = field(default_factory=dict, repr=False)
    _times: dict[float, float] = field(default_factory=dict, repr=False)

    def _key(self, size: float) -> float:
        """Make the schedule at a size, if it is not made; return what it is kept under."""
        if _ANY_SIZE in self._made or size in self._made:
            return _ANY_SIZE if _ANY_SIZE in self._made else size
        made = self.make(size)
        key = size if made[0].sized else _ANY_SIZE
        self._made[key] = made
        return key

    def placement(self, size: float) -> Placement:
        """Return the schedule at a size, and the rank at each position."""
        return self._made[self._key(size)]

    def sized(self, size: float) -> bool:
        """Tell whether its schedule is made for one size."""
        return self.placement(size)[0].sized

    def takes_long(self, size: float, sizes: int = 1) -> bool:
        """Tell whether it takes long to route it at so many sizes, one of which is given."""
        schedule = self.placement(size)[0]
        return self.work(schedule) * (sizes if self.sized(size) else 1) > _MOST_WORK

    def plan(self, size: float) -> Plan:
        """Return the plan at a size; the same for all where the schedule is."""
        key = self._key(size)
        if key not in self._plans:
            self._plans[key] = self.route(*self._made[key])
        return self._plans[key]

    def time(self, size: float) -> float:
        """Return seconds at a size in bytes."""
        if size not in self._times:
            self._times[size] = self.plan(size).time(size)
        return self._times[size]

    def time_within(self, size: float, limit: float) -> float:
        """Return seconds at a size, or infinity where they are clearly more than a limit."""
        key = self._key(size)
        if self.race is not None and key not in self._plans:
            try:
                self._plans[key] = self.race(*self._made[key], Race(size, limit))
            except TooSlowError:
                return np.inf
        return self.time(size)

    def least(self, size: float) -> float:
        """Return seconds it takes at least: cheap, and exact once it has been routed."""
        known = self._plans.get(self._key(size))
        return self.time(size) if known else self.floor(self.placement(size), size)


def of_plan(plan: Plan) -> Candidate:
    """Return a plan as a candidate: the same schedule at every size."""
    return Candidate(plan.schedule.name, lambda _: (plan.schedule, plan.ranks), lambda _, __: plan)


@dataclass(frozen=True, eq=False)
class Choice:
    """The fastest algorithm at one size.

    Attributes
    ----------
    candidate
        It.
    excluded
        Names of those that a lower bound on their time excludes.
    left_out
        Names of those that might be faster, and take too long to route.
    """

    candidate: Candidate
    excluded: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return what was left out, if anything was."""
        if not self.left_out:
            return ()
        why = f"{', '.join(self.left_out)} not tried, as routing them takes long; ask by name"
        return (Approximation("fastest algorithm", why),)


@dataclass(frozen=True, eq=False)
class Selection:
    """The algorithms that fit a job, and for the others why they do not.

    Attributes
    ----------
    fitting
        Those that fit, in the order in which "auto" prefers equals.
    refused
        Why the others do not, by name.
    long
        Those that fit and are not routed, as that takes too long.
    rule
        Returns the one that a stack takes at a size; None where the fastest counts.
    """

    fitting: tuple[Candidate, ...]
    refused: dict[str, str]
    long: tuple[Candidate, ...] = ()
    rule: Callable[[float], Candidate] | None = None

    @property
    def names(self) -> list[str]:
        """Return every algorithm that fits."""
        return [candidate.name for candidate in (*self.fitting, *self.long)]

    @property
    def not_shown(self) -> dict[str, str]:
        """Return why each algorithm is not in a table, by name."""
        why = "takes long to route; ask by name"
        return {**self.refused, **{candidate.name: why for candidate in self.long}}

    def fastest(self, size: float) -> Choice:
        """Return the fastest at a size, and those that were not routed for it.

        Of algorithms that take the same time the first counts as the fastest. One is routed only
        if it could be faster than the best so far.
        """
        if self.rule is not None:
            return Choice(self.rule(size))
        order = sorted(range(len(self.fitting)), key=lambda i: self.fitting[i].least(size))
        best: int | None = None
        excluded = []
        lost: list[UnreachableError] = []
        for at in order:
            candidate = self.fitting[at]
            limit = np.inf if best is None else self.fitting[best].time(size)
            hopeless = candidate.least(size) > limit
            try:
                time = np.inf if hopeless else candidate.time_within(size, limit)
            except UnreachableError as error:  # its pairs have no path; another's may
                lost.append(error)
                continue
            if time == np.inf:
                excluded.append(candidate.name)
            elif best is None or (time, at) < (limit, best):
                best = at
        if best is None:
            raise lost[0] if lost else ScheduleError(f"no algorithm fits: {self.refused}")
        chosen = self.fitting[best]
        left_out: list[str] = []
        for candidate in self.long:
            slower = candidate.least(size) > chosen.time(size)
            (excluded if slower else left_out).append(candidate.name)
        return Choice(chosen, tuple(excluded), tuple(left_out))

    def routed(self, size: float) -> Selection:
        """Return it with those among the refused whose pairs have no path to each other.

        Raises
        ------
        UnreachableError
            If that is so of all.
        """
        fitting, refused = [], dict(self.refused)
        for candidate in self.fitting:
            try:
                candidate.plan(size)
            except UnreachableError as error:
                refused[candidate.name] = str(error)
                lost = error
            else:
                fitting.append(candidate)
        if not fitting:
            raise lost
        return replace(self, fitting=tuple(fitting), refused=refused)
