"""Choose as a software stack does: its own ways, and its own rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from collectives.analysis.candidate import Candidate, Selection
from collectives.analysis.question import Job, Question
from collectives.model.schedule import DoesNotFitError, IntArray, Schedule, ScheduleError
from collectives.stacks import MADE_FOR, Shape, Stack, Way, deploy, shape_of
from collectives.timing import Plan
from topology.errors import RoutingError

_SAME = 1e-6  # sizes nearer than this, as a fraction, are one


def stack_selection(question: Question, job: Job, make: Callable[[str], Candidate]) -> Selection:
    """Return the ways in which a question's stack carries out a job, and the one it chooses.

    Parameters
    ----------
    question, job
        What is asked; the question has a stack.
    make
        Returns an algorithm by name, as perfect software runs it.
    """
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
    plain: dict[str, tuple[Candidate, Candidate]] = {}
    refused: dict[str, str] = {}
    for way in wanted:
        name = asked if way.schedule == "*" else way.schedule
        try:
            one = plain[name] = plain[name] if name in plain else _for_any_size(make(name))
        except (DoesNotFitError, RoutingError) as error:
            refused[way.title] = str(error)
            continue
        time, tuner = (_by_stack(question, one, way, shape, use) for use in ("time", "tuner"))
        fitting.append((time, tuner, way))
    if not fitting:
        raise ScheduleError(f"{stack.title}: no way to do {job.kind.title} fits: {refused}")

    def pick(size: float) -> int:
        if stack.by_size:
            return next((i for i, (*_, way) in enumerate(fitting) if size <= way.up_to), -1)
        return int(np.argmin([tuner.time(size) for _, tuner, _ in fitting]))

    def rule(size: float) -> Candidate:
        at = pick(size) % len(fitting)
        chosen, _, way = fitting[at]
        before = switches(pick, size)
        least = max((fitting[i][0].time(s) for s, i in before), default=0.0)
        if least <= chosen.time(size):
            return chosen
        one = plain[asked if way.schedule == "*" else way.schedule]
        return _by_stack(question, one, way, shape, "time", least)

    return Selection(tuple(time for time, *_ in fitting), refused, rule=rule)


def _for_any_size(plain: Candidate) -> tuple[Candidate, Candidate]:
    """Return an algorithm with one schedule for all sizes, its plan made once, and as it is.

    A stack cuts a call in chunks by rules of its own; in how many segments the schedule comes
    changes what its links carry by rounding alone.
    """
    schedule, ranks = plain.placement(MADE_FOR)
    fixed = replace(schedule, sized=False), ranks
    plans: list[Plan] = []

    def route(_: Schedule, ranks: IntArray) -> Plan:
        if not plans:
            plans.append(plain.route(schedule, ranks))
        return plans[0]

    once = replace(plain, make=lambda _: fixed, route=route, _made={}, _plans={}, _times={})
    return once, plain


def switches(pick: Callable[[float], int], most: float) -> list[tuple[float, int]]:
    """Return up to where each choice holds, of those that change below a size, and which it is.

    A stack may go on with what has become slow and then change to what is faster: a larger call
    would end sooner than a smaller one. What is measured stays level there, as calls of about one
    size go either way, so no call is taken to be faster than a smaller one.

    Parameters
    ----------
    pick
        Returns the choice at a size in bytes.
    most
        Bytes. One size an octave is looked at, and a change found between two.
    """
    sizes = [2.0**k for k in range(int(np.log2(most)) + 1)] if most >= 1 else []
    found = []
    for lo, hi in pairwise([*sizes, most]):
        near, far, first = lo, hi, pick(lo)
        if pick(hi) == first:
            continue
        while far > near * (1 + _SAME):
            middle = float(np.sqrt(near * far))
            near, far = (middle, far) if pick(middle) == first else (near, middle)
        found.append((near, first))
    return found


def _stack_of(question: Question) -> Stack:
    if question.stack is None:
        raise ScheduleError("perfect software has no ways of its own; give stack=")
    return question.stack


def _is_wanted(way: Way, algorithm: str | Schedule) -> bool:
    """Tell whether a way of a stack is what a job asks for."""
    if isinstance(algorithm, Schedule):
        return way.schedule == "*"
    names = {way.schedule, way.algorithm.lower(), way.title.lower()}
    auto = algorithm == "auto" and not way.named
    return way.schedule != "*" and (auto or algorithm.lower() in names)


def _by_stack(
    question: Question,
    plain: tuple[Candidate, Candidate],
    way: Way,
    shape: Shape,
    use: str,
    least: float = 0.0,
) -> Candidate:
    """Return a candidate as a question's stack carries it out."""
    stack = _stack_of(question)
    once, perfect = plain

    def route(schedule: Schedule, ranks: IntArray) -> Plan:
        plan = once.route(schedule, ranks)
        return deploy(plan, question.routes, stack, way, shape, use, perfect.time, least)

    return replace(once, name=way.title, route=route, race=None, _made={}, _plans={}, _times={})
