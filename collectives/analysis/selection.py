"""Choose an algorithm: which fit, what each takes at any size, and which is the fastest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from collectives.algorithms import candidate_names, find_algorithm
from collectives.analysis.by_stack import stack_selection
from collectives.analysis.candidate import Candidate as Candidate
from collectives.analysis.candidate import Choice as Choice
from collectives.analysis.candidate import Placement as Placement
from collectives.analysis.candidate import Selection as Selection
from collectives.analysis.candidate import of_plan as of_plan
from collectives.analysis.question import Job, Question
from collectives.model.lockstep import Placed, at_once
from collectives.model.schedule import DoesNotFitError, Schedule, ScheduleError
from collectives.timing.lower_bound import floor_time
from topology.errors import RoutingError

_A_STEP = 10_000  # of them take as long as what any different step takes besides


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
        return stack_selection(question, wanted, lambda name: _candidate(question, wanted, name))
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
