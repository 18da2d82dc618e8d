"""Choose an algorithm: which fit, what each takes at any size, and which is the fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from collectives.algorithms import candidate_names, find_algorithm
from collectives.analysis.question import Job, Question
from collectives.model.lockstep import Placed, at_once
from collectives.model.schedule import DoesNotFitError, IntArray, Schedule, ScheduleError
from collectives.stacks import Shape, Stack, Way, deploy, shape_of
from collectives.timing import Plan
from collectives.timing.lower_bound import floor_time
from collectives.timing.stepwise import Race, TooSlowError
from topology.approximation import Approximation
from topology.errors import RoutingError, UnreachableError

Placement: TypeAlias = tuple[Schedule, IntArray]
"""A schedule and the rank at each of its positions."""

_ANY_SIZE = -1.0  # what a schedule for every size is kept under
_MOST_WORK = 20e6  # next hops looked at for pairs: some ten seconds, if no race is lost before
_A_STEP = 10_000  # of them take as long as what any different step takes besides


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
        Returns the place of the one that a stack takes at a size; None where the fastest is.
    """

    fitting: tuple[Candidate, ...]
    refused: dict[str, str]
    long: tuple[Candidate, ...] = ()
    rule: Callable[[float], int] | None = None

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
            return Choice(self.fitting[self.rule(size)])
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


def candidates(
    question: Question,
    job: Job | None = None,
    names: Iterable[str] | None = None,
    *,
    sizes: int = 1,
) -> Selection:
    """Return the algorithms that fit a job, and for the others why they do not.

    Parameters
    ----------
    question
        What is asked.
    job
        One of its jobs; by default the first.
    names
        Algorithms; by default those that "auto" tries, or the one the job asks for.
    sizes
        At how many sizes all of them will be timed.

    Raises
    ------
    ScheduleError
        If none fits, or an algorithm is broken.
    """
    wanted = job or question.jobs[0]
    if question.stack is not None:
        return _deployed(question, wanted)
    if isinstance(wanted.algorithm, Schedule):
        return Selection((_candidate(question, wanted, wanted.algorithm.name),), {})
    if names is None and wanted.algorithm != "auto":
        candidate = _candidate(question, wanted, wanted.algorithm)
        candidate.placement(wanted.bytes)  # what does not fit is told as it is
        return Selection((candidate,), {})
    fitting: list[Candidate] = []
    long: list[Candidate] = []
    refused: dict[str, str] = {}
    chosen = list(candidate_names(wanted.collective) if names is None else names)
    for at, name in enumerate(chosen):
        question.progress(f"{wanted.kind.title} by {name}", at / len(chosen))
        candidate = _candidate(question, wanted, name)
        try:
            dear = candidate.takes_long(wanted.bytes, sizes) and not question.exact
        except (DoesNotFitError, RoutingError) as error:
            refused[name] = str(error)
        else:
            (long if dear else fitting).append(candidate)
    if not fitting and not long:
        raise ScheduleError(f"no algorithm for {wanted.kind.title} fits: {refused}")
    if not fitting:
        return Selection(tuple(long), refused)
    return Selection(tuple(fitting), refused, tuple(long))


def _deployed(question: Question, job: Job) -> Selection:
    """Return the ways in which a question's stack carries out a job, and the one it chooses."""
    stack = _stack_of(question)
    shape = shape_of(question.supernode.fabric, [np.asarray(row) for row in job.groups])
    known = list(stack.ways(job.kind.name, shape.domains))
    wanted = [way for way in known if _is_wanted(way, job.algorithm)]
    asked = job.algorithm.name if isinstance(job.algorithm, Schedule) else job.algorithm
    if not wanted:
        have = ", ".join(dict.fromkeys(way.title for way in known)) or "none"
        raise ScheduleError(
            f"{stack.title} has no way {asked!r} for {job.kind.title} here; its ways are {have}"
        )
    fitting: list[tuple[Candidate, Candidate, Way]] = []
    refused: dict[str, str] = {}
    for way in wanted:
        plain = _candidate(question, job, asked if way.schedule == "*" else way.schedule)
        try:
            plain.placement(job.bytes)
        except (DoesNotFitError, RoutingError) as error:
            refused[way.title] = str(error)
            continue
        time, tuner = (_by_stack(question, plain, way, shape, use) for use in ("time", "tuner"))
        fitting.append((time, tuner, way))
    if not fitting:
        raise ScheduleError(f"{stack.title}: no way to do {job.kind.title} fits: {refused}")

    def rule(size: float) -> int:
        if stack.by_size:
            return next((i for i, (*_, way) in enumerate(fitting) if size <= way.up_to), -1)
        return int(np.argmin([tuner.time(size) for _, tuner, _ in fitting]))

    return Selection(tuple(time for time, *_ in fitting), refused, rule=rule)


def _stack_of(question: Question) -> Stack:
    if question.stack is None:
        raise ScheduleError("perfect software has no ways of its own; give stack=")
    return question.stack


def _is_wanted(way: Way, algorithm: str | Schedule) -> bool:
    """Tell whether a way of a stack is what a job asks for."""
    if isinstance(algorithm, Schedule):
        return way.schedule == "*"
    names = {way.schedule, way.algorithm.lower(), way.title.lower()}
    return way.schedule != "*" and (algorithm == "auto" or algorithm.lower() in names)


def _by_stack(question: Question, plain: Candidate, way: Way, shape: Shape, use: str) -> Candidate:
    """Return a candidate as a question's stack carries it out."""
    stack = _stack_of(question)

    def route(schedule: Schedule, ranks: IntArray) -> Plan:
        plan = question.plan(schedule, ranks)
        return deploy(plan, question.routes, stack, way, shape, use)

    return replace(plain, name=way.title, route=route, race=None, _made={}, _plans={}, _times={})


def _candidate(question: Question, job: Job, name: str) -> Candidate:
    def make(size: float) -> Placement:
        made = _together([_schedule(question, job, name, row, size) for row in job.groups], job)
        if made[0].overlaps and question.router.by_pair:
            question.plan(*made)  # refuses a routing that leaves the links
        return made

    def floor(placement: Placement, size: float) -> float:
        schedule, ranks = placement
        return floor_time(schedule, question.router, ranks, question.endpoint, question.rates, size)

    def work(schedule: Schedule) -> float:
        fabric = question.supernode.fabric
        each = len(fabric.tail) / max(1, len(fabric.nodes))
        distinct = {step.traffic.key: step.traffic for step in schedule.steps}.values()
        # Uniform and in-network traffic is routed by symmetry and trees, which is quick.
        by_pair = question.router.by_pair
        pairs = [int(t.messages().sum()) if by_pair else t.listed for t in distinct]
        return sum(_A_STEP * (count > 0) + each * count for count in pairs)

    tried = name in candidate_names(job.collective)
    return Candidate(name, make, question.plan, floor, tried, question.plan, work)


def _schedule(question: Question, job: Job, name: str, row: object, size: float) -> Schedule:
    given = job.algorithm
    if isinstance(given, Schedule):
        return given if job.adapt is None else job.adapt(given)
    made = find_algorithm(job.collective, name)(question.team(row, size))  # type: ignore[arg-type]
    return made if job.adapt is None else job.adapt(made)


def _together(schedules: Sequence[Schedule], job: Job) -> Placement:
    """Return the schedules of a job's groups as one; a single one as it is."""
    if len(schedules) == 1:
        return schedules[0], np.asarray(job.groups[0])
    return at_once([Placed(one, row) for one, row in zip(schedules, job.groups, strict=True)])


def all_jobs(question: Question, chosen: Sequence[Candidate]) -> Candidate:
    """Return the jobs of a question at once, each by its own candidate, as one candidate."""
    if len(chosen) == 1:
        return chosen[0]

    def make(size: float) -> Placement:
        placed = []
        for job, candidate in zip(question.jobs, chosen, strict=True):
            schedule, ranks = candidate.placement(size * question.share(job))
            placed.append(Placed(schedule, ranks, question.share(job)))
        return at_once(placed)

    name = " + ".join(dict.fromkeys(candidate.name for candidate in chosen))
    return Candidate(name, make, question.plan)
