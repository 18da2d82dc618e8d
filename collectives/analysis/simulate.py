"""Simulate collectives on a machine, message by message, as the question that `analyze` asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.analysis import explain
from collectives.analysis.answer import Analysis, verified
from collectives.analysis.question import Job, Question, ask, one_group
from collectives.analysis.selection import Candidate, Choice, Selection, candidates
from collectives.analysis.simulation import JobRun, Simulation, TwoWays
from collectives.model.collective import Collective
from collectives.model.schedule import Progress, Schedule, ScheduleError
from collectives.timing.chunked import chunked
from collectives.timing.lower_bound import run_floor
from collectives.timing.pipelined import pipelined
from collectives.timing.program import Part, lay_out
from collectives.timing.simulation import carry_out
from collectives.timing.trace import Trace
from collectives.timing.turns import Watch, unwatched
from topology import border
from topology.approximation import Approximation, require_exact
from topology.errors import SupernodeError, UnreachableError
from topology.routing import RoutingLike
from topology.supernode import Supernode

_MOST_WORK = 2e6  # microseconds that simulating a candidate may take, as its events are counted
FORWARDING = ("cut-through", "store-and-forward")


@dataclass(frozen=True)
class Terms:
    """How messages move, besides what a question says.

    Attributes
    ----------
    stored
        Whether every link stores a message and forwards it whole.
    window
        How many messages a rank has under way at most in a step; None for any number.
    injection, ejection
        Bytes/s that a rank can send, and receive, in all.
    tick
        Seconds to whole multiples of which durations are cut; 0 for none.
    """

    stored: bool = False
    window: int | None = None
    injection: float = np.inf
    ejection: float = np.inf
    tick: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether the closed form knows all of them."""
        return self == Terms()

    def allow(self, schedule: Schedule, *, alone: bool) -> bool:
        """Tell whether a schedule can run on these terms, alone or beside others."""
        if schedule.overlaps:
            return alone and self == Terms(stored=self.stored)
        return not (self.stored and schedule.helped)

    @property
    def words(self) -> list[str]:
        """Say what they are, as assumptions."""
        return explain.moving(
            stored=self.stored, window=self.window, injection=self.injection,
            ejection=self.ejection, tick=self.tick,
        )  # fmt: skip


def terms_of(
    forwarding: str = FORWARDING[0],
    window: int | None = None,
    injection: float | str | None = None,
    ejection: float | str | None = None,
    tick: float | str = 0.0,
) -> Terms:
    """Return terms that are checked; see `simulate`."""
    how = border.choice(forwarding, "forwarding", FORWARDING, ScheduleError)
    ports = {
        name: border.quantity(value, name, "bytes/s", above=0, error=ScheduleError)
        for name, value in (("injection", injection), ("ejection", ejection))
        if value is not None
    }
    stored = how == FORWARDING[1]
    if stored and ports:
        raise ScheduleError(
            "store-and-forward: links carry one message at a time, and injection= and ejection= "
            "limit what several share; use cut-through"
        )
    return Terms(
        stored=stored,
        window=None if window is None else border.whole(window, "window", error=ScheduleError),
        tick=border.quantity(tick, "tick", "seconds", error=ScheduleError),
        **ports,
    )


def simulate(
    supernode: Supernode,
    what: str | Collective | Schedule | Sequence[Job],
    size: float | str | None = None,
    *,
    algorithm: str | Schedule = "auto",
    routing: RoutingLike = "ecmp",
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    rate: str = "line",
    alpha: float | str | None = None,
    message: float | str | None = None,
    exact: bool = False,
    forwarding: str = "cut-through",
    window: int | None = None,
    injection: float | str | None = None,
    ejection: float | str | None = None,
    tick: float | str = 0.0,
    progress: Progress | None = None,
) -> Simulation:
    """Simulate collectives on a machine: fluid flows with dependencies that share every link.

    Where all transfers of a step are alike the time is that of `analyze`; where they are not, a
    rank goes on as soon as its own transfers are done, whether or not its receiver is as far, and
    links are shared max-min fairly (Bertsekas and Gallager, Data Networks, section 6.5.2) instead
    of all waiting for the fullest. It can take longer, as fair shares serve what is not urgent
    too, and for the same reason more bytes in one step can end a later step earlier.

    Parameters
    ----------
    supernode
        The machine.
    what
        A collective's name, a `Schedule`, or several `Job` that run at once.
    size
        S in bytes, or a string with a unit; jobs have their own.
    algorithm, routing, ranks, group_size, rate, alpha, message, exact
        As in `analyze`; jobs have their own algorithm and ranks.
    forwarding
        "cut-through": a message flows over all its links at once. "store-and-forward": each hop
        is a message of its own, and a link carries one at a time in order of arrival.
    window
        How many messages a rank has under way at most in a step; by default any number.
    injection, ejection
        Bytes/s that a rank can send, and receive, in all, or texts such as "50GB/s"; by default
        what its links carry.
    tick
        Seconds to whole multiples of which durations are cut, as simulators that count whole
        nanoseconds do, or a text such as "1ns"; 0 for none.
    progress
        Called with what is being done and the fraction done.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    choices = {
        "routing": routing, "group_size": group_size, "rate": rate, "alpha": alpha,
        "message": message, "exact": exact, "algorithm": algorithm, "ranks": ranks,
    }  # fmt: skip
    terms = terms_of(forwarding, window, injection, ejection, tick)
    return run(_question(supernode, what, size, progress, choices), terms)


def _question(
    supernode: Supernode,
    what: str | Collective | Schedule | Sequence[Job],
    size: float | str | None,
    progress: Progress | None,
    choices: dict[str, Any],
) -> Question:
    """Return what is asked, checked."""
    if isinstance(what, str | Collective | Schedule):
        if size is None:
            raise ScheduleError("simulate: give a size in bytes, or with a unit such as '64 MiB'")
        if isinstance(what, Schedule):
            choices["algorithm"] = what
        kind = what.collective if isinstance(what, Schedule) else what
        return one_group(supernode, kind, size, progress=progress, **choices)
    if size is not None or choices.pop("algorithm") != "auto" or choices.pop("ranks") is not None:
        raise ScheduleError("simulate: jobs have their own sizes, algorithms and ranks")
    jobs = border.members(what, "jobs", ScheduleError)
    if not all(isinstance(job, Job) for job in jobs):
        raise ScheduleError("simulate: what runs is a collective, a Schedule, or a list of Job")
    return ask(supernode, jobs, progress, **choices)


def run(question: Question, terms: Terms | None = None) -> Simulation:
    """Return what happens when a question's jobs run.

    Parameters
    ----------
    question
        What is asked.
    terms
        How messages move; by default cut-through, without limits of the ranks.
    """
    terms = terms or Terms()
    notes = [note for job in question.jobs for note in verified(job)]
    said, parts, alone = [], [], []
    for job in question.jobs:
        selection = candidates(question, job)
        auto = job.algorithm == "auto"
        if auto:
            single = len(question.jobs) == len(job.groups) == 1
            allowed = [
                one for one in selection.fitting
                if terms.allow(one.placement(job.bytes)[0], alone=single)
            ]  # fmt: skip
            selection = replace(selection, fitting=tuple(allowed))
        pick, trace = selection.fastest(job.bytes), None
        notes += pick.approximations
        if auto and not terms.plain:
            pick, trace, unknown = _raced(question, job, selection, pick, terms)
            notes += unknown
        alone.append(trace)
        name = pick.candidate.name
        said.append(explain.choice(name, selection.names, pick.excluded, auto=auto))
        schedule, ranks = pick.candidate.placement(job.bytes)
        parts.append(Part(schedule, ranks, job.bytes, question.endpoint))
    return _told(question, parts, said, tuple(notes), terms, alone)


class _TooSlowError(SupernodeError):
    """A simulation that has lost a race."""


class _TooLongError(SupernodeError):
    """A simulation that takes too long to carry out."""


def _raced(
    question: Question, job: Job, selection: Selection, pick: Choice, terms: Terms
) -> tuple[Choice, Trace | None, list[Approximation]]:
    """Return the candidate that a simulation of each alone says is the fastest, and that trace.

    What the closed form picks goes first. One is left once it cannot be the fastest any more: by
    a lower bound on its time, or by the time that its simulation has come to.
    """
    least = {one.name: _floor(question, job, one, terms) for one in selection.fitting}
    order = sorted(
        selection.fitting, key=lambda one: (one is not pick.candidate, one.least(job.bytes))
    )
    best, found, limit = pick.candidate, None, np.inf
    excluded: list[str] = []
    dear: list[str] = []
    for at, one in enumerate(order):
        question.progress(f"{job.kind.title} by {one.name}", at / len(order))
        if least[one.name] >= limit:
            excluded.append(one.name)
            continue
        part = Part(*one.placement(job.bytes), job.bytes, question.endpoint)
        try:
            trace = _carried_out(question, [part], terms, _watch(limit))
        except _TooSlowError:
            excluded.append(one.name)
            continue
        except (_TooLongError, ScheduleError, UnreachableError):
            dear.append(one.name)
            continue
        time = float(trace.finish(0).max(initial=0.0))
        if found is None or time < limit:
            best, found, limit = one, trace, time
    dear = [name for name in dear if least[name] < limit]
    why = f"{', '.join(dear)} not tried, as simulating takes long; ask by name"
    if found is None:
        why = "chosen by the closed form, as simulating takes long; ask for others by name"
    notes = [Approximation("fastest algorithm", why)] if dear and len(order) > 1 else []
    return Choice(best, tuple(excluded), pick.left_out), found, notes


def _floor(question: Question, job: Job, one: Candidate, terms: Terms) -> float:
    """Return seconds that a candidate takes at least on some terms."""
    schedule, ranks = one.placement(job.bytes)
    cut = np.inf if terms.stored and terms.tick else terms.tick  # each hop's, of any number
    return run_floor(
        schedule, question.router, ranks, question.endpoint, question.rates, job.bytes,
        most=(terms.injection, terms.ejection), tick=cut,
    )  # fmt: skip


def _watch(limit: float) -> Watch:
    """Return what stops a simulation past a time, or beyond what it may take to carry out."""
    spent = 0.0

    def watch(now: float, more: float) -> None:
        nonlocal spent
        spent += more
        if now > limit:
            raise _TooSlowError(f"takes more than {limit:.4g} s")
        if spent > _MOST_WORK:
            raise _TooLongError("takes too long to simulate")

    return watch


def both_ways(analysis: Analysis, terms: Terms | None = None) -> TwoWays:
    """Return an analysis beside the simulation of the schedule that it chose.

    Parameters
    ----------
    analysis
        Of one job.
    terms
        How messages move; see `run`.
    """
    question, end = analysis.question, analysis.plan.endpoint
    if len(question.jobs) > 1:
        return TwoWays(analysis, run(question, terms))
    part = Part(analysis.schedule, analysis.ranks, analysis.size, end)
    said, known = [*analysis.assumptions[:1]], analysis.approximations
    return TwoWays(analysis, _told(question, [part], said, known, terms or Terms()))


def _told(
    question: Question,
    parts: list[Part],
    said: list[str],
    more: tuple[Approximation, ...],
    terms: Terms,
    known: Sequence[Trace | None] = (None,),
) -> Simulation:
    """Return what happens when schedules run at once, and what it stands on.

    What happens to each alone may be known.
    """
    traces = [
        trace or _carried_out(question, [part], terms)
        for part, trace in zip(parts, known, strict=True)
    ]
    trace = traces[0] if len(parts) == 1 else _carried_out(question, parts, terms)
    jobs = tuple(
        JobRun(job, part.schedule, part.ranks, trace.finish(at),
               float(traces[at].finish(0).max(initial=0.0)))
        for at, (job, part) in enumerate(zip(question.jobs, parts, strict=True))
    )  # fmt: skip
    words = trace.words or question.router.words
    found = trace.approximations(question.rates)
    sent = [note for job in question.jobs for note in job.approximations]
    own = tuple(dict.fromkeys((*more, *sent, *found)))
    if question.exact:
        require_exact((*own, *question.bound.at(question.size).approximations))
    end, chunks = question.endpoint, any(part.schedule.overlaps for part in parts)
    assumptions = (
        *dict.fromkeys(said),
        *explain.conditions(question.rate, end.alpha, end.message, end.source,
                            words=words, order="chunk" if chunks else "simulated"),
        *([] if chunks else terms.words),
        *(explain.VERIFIED for job in question.jobs if job.given and not more),
        *(note for job in question.jobs for note in job.notes),
    )  # fmt: skip
    return Simulation(question, jobs, trace, assumptions, own)


def _carried_out(
    question: Question, parts: list[Part], terms: Terms, watch: Watch = unwatched
) -> Trace:
    """Return what happens when schedules run at once."""

    def route(done: float) -> None:
        question.progress("routing", done)

    def move(done: float) -> None:
        question.progress("simulating", done)

    chunks = [part for part in parts if part.schedule.overlaps]
    if chunks:
        return _chunked(question, parts, chunks[0], terms)
    program = lay_out(
        question.supernode, question.router, parts, question.rates, injection=terms.injection,
        ejection=terms.ejection, apart=terms.stored or terms.window is not None, progress=route,
    )  # fmt: skip
    stored = question.rates if terms.stored else None
    return carry_out(
        program, stored=stored, window=terms.window, tick=terms.tick, progress=move, watch=watch
    )


def _chunked(question: Question, parts: list[Part], part: Part, terms: Terms) -> Trace:
    """Return what happens when a schedule runs whose transfers wait for links and chunks."""
    if not terms.allow(part.schedule, alone=len(parts) == 1):
        raise ScheduleError(
            f"simulate: the transfers of {part.schedule.name!r} wait for links and chunks, one at "
            "a time on a link; that goes with no window=, injection=, ejection= or tick=, and "
            "with no other job; choose another algorithm"
        )
    engine = pipelined(question.router, part.schedule, part.ranks, part.endpoint, question.rates)
    return chunked(engine, part)
