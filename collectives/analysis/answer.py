"""What an analysis answers: time, bandwidths, bound, links by class, latency, bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from collectives.analysis import explain
from collectives.analysis.bottleneck import (
    Bottleneck,
    LinkClass,
    find_bottleneck,
    link_classes,
    links_table,
)
from collectives.analysis.question import Job, Question
from collectives.analysis.selection import Candidate, all_jobs, candidates
from collectives.bounds import Bound
from collectives.model.checking import check_schedule
from collectives.model.collective import Collective
from collectives.model.schedule import IntArray, Schedule
from collectives.stacks import KnownError, known_error, usual_stack
from collectives.timing import Cost, Latency, Plan
from topology import units
from topology.approximation import Approximation, require_exact
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.supernode import Supernode
from topology.text import Part, Printed, Table


class _Timed(Protocol):
    @property
    def question(self) -> Question: ...
    @property
    def size(self) -> float: ...
    @property
    def time(self) -> float: ...
    @property
    def algbw(self) -> float: ...
    @property
    def bound(self) -> Bound: ...


class Rated(Printed):
    """What a size, a time and a bound say together."""

    @property
    def algbw(self: _Timed) -> float:
        """Return size / time, bytes/s."""
        return self.size / self.time if self.time > 0 else float("inf")

    @property
    def busbw(self: _Timed) -> float:
        """Return `algbw` times the factor of nccl-tests, that of each job's largest group."""
        return self.question.bus(self.algbw)

    @property
    def efficiency(self: _Timed) -> float:
        """Return bound / time, 0 to 1: how near the time is to what nothing could beat."""
        return self.bound.time / self.time if self.time > 0 else 1.0


_MOST_RANKS = 2_048  # to have the usual stack beside each answer


@dataclass(frozen=True, eq=False, repr=False)
class Analysis(Rated):
    """How long collectives take, what limits them, and what nothing could beat.

    Attributes
    ----------
    question
        What was asked.
    size
        S in bytes; of several jobs added up.
    plan
        The schedule on its paths.
    cost
        Its time, step by step.
    bound
        The lower bound, with its certificate.
    assumptions
        What the numbers stand on.
    approximations
        In which ways they are not exact.
    """

    question: Question
    size: float
    plan: Plan
    cost: Cost
    bound: Bound
    assumptions: tuple[str, ...]
    approximations: tuple[Approximation, ...] = ()

    @property
    def supernode(self) -> Supernode:
        """Return the machine."""
        return self.question.supernode

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Return what ran."""
        return self.question.jobs

    @property
    def collective(self) -> Collective:
        """Return the collective, of several jobs the first."""
        return self.jobs[0].kind

    @property
    def algorithm(self) -> str:
        """Return the algorithm's name."""
        return self.plan.schedule.name

    @property
    def schedule(self) -> Schedule:
        """Return the schedule."""
        return self.plan.schedule

    @property
    def ranks(self) -> IntArray:
        """Return the ranks in their order, shape (p,)."""
        return self.plan.ranks

    @property
    def time(self) -> float:
        """Return seconds."""
        return self.cost.time

    @property
    def latency(self) -> Latency:
        """Return where the time goes."""
        return self.cost.latency

    @property
    def busy(self) -> FloatArray:
        """Return seconds each arc is in use, shape (arcs,), in the order of the fabric."""
        return self.cost.busy

    @cached_property
    def utilisation(self) -> FloatArray:
        """Return the share of the transfer time each arc is in use, shape (arcs,)."""
        whole = self.cost.transfer
        return self.busy / whole if whole > 0 else np.zeros_like(self.busy)

    @cached_property
    def links(self) -> tuple[LinkClass, ...]:
        """Return every class of links, the busiest first."""
        return link_classes(self.supernode.fabric, self.busy, self.cost.transfer)

    @cached_property
    def bottleneck(self) -> Bottleneck:
        """Return what limits."""
        title = " with ".join(dict.fromkeys(job.title for job in self.jobs))
        return find_bottleneck(title, self.supernode.fabric, self.cost)

    @cached_property
    def ideal(self) -> Analysis:
        """What perfect software takes, with the algorithm that is the fastest for it."""
        if self.question.stack is None:
            return self
        return answer(self.question.run_by(None), [self.size])[0]

    @cached_property
    def deployed(self) -> Analysis | None:
        """What the stack that was asked for takes, or the one most run on these NPUs, if any.

        None too beyond some thousands of ranks, where they take long to route: ask for it.
        """
        if self.question.stack is not None:
            return self
        name = usual_stack(self.supernode, self.question.ranks)
        if not name or len(self.jobs) > 1 or len(self.question.ranks) > _MOST_RANKS:
            return None
        question = self.question.run_by(name)
        try:
            return answer(question, [self.size])[0]
        except SupernodeError:  # it has no way to do this here
            return None

    @property
    def error(self) -> KnownError | None:
        """How far times of its stack are from published measurements; None without a stack."""
        run_by = self.question.stack
        return known_error(run_by, self.size) if run_by else None

    @property
    def asked(self) -> str:
        """Return the question in words."""
        return explain.asked(
            self.supernode.title, len(self.supernode.npus), self.algorithm,
            [(job.asked(self.size * self.question.share(job)), [len(np.asarray(row))
              for row in job.groups]) for job in self.jobs],
        )  # fmt: skip

    def parts(self) -> list[Part]:
        """Return what people read, the answer first: sentences and tables."""
        limit = self.bound
        rates, most = [], ""
        if self.size > 0:
            rates = [(name, units.format_rate(getattr(self, name))) for name in ("algbw", "busbw")]
            most = f", {units.format_rate(limit.algbw)} algbw"
        facts = [
            ("time", units.format_time(self.time)),
            *rates,
            *self._beside(),
            ("bound", f"{units.format_time(limit.time)}{most}, by {limit.words}"),
            ("bound / estimate", units.format_percent(self.efficiency)),
        ]
        return [
            self.bottleneck.sentence,
            self.asked,
            Table("", ("", ""), facts),
            links_table(self.links),
            *self.latency.parts()[1:],
            self.assumption_table,
        ]

    def _beside(self) -> list[tuple[str, str]]:
        """Return what other software takes, with the error that is known of it."""
        run = self.deployed
        stack = run.question.stack if run else None
        if run is None or stack is None or run.error is None:
            return []
        way = run.cost.steps[0].phase
        if run is not self:
            return [(stack.title, f"{_rated(run)}, {way}; {run.error.words}")]
        ideal = f"{_rated(self.ideal)}, {self.ideal.algorithm}"
        return [(stack.title, f"{way}; {run.error.words}"), ("perfect software", ideal)]

    @property
    def assumption_table(self) -> Table:
        """Return what the numbers stand on, and in which ways they are not exact."""
        notes = [*self.assumptions, *(f"approximate: {note}" for note in self.approximations)]
        return Table("assumptions", ("",), [(note,) for note in notes])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        limit = self.bound
        return {
            "system": self.supernode.name,
            "history": list(self.supernode.history),
            "collective": self.collective.name,
            "size_bytes": self.size,
            "size_means": self.collective.size,
            "algorithm": self.algorithm,
            "ranks": [int(rank) for rank in self.ranks],
            "jobs": [self._job_data(job) for job in self.jobs],
            "time_s": self.time,
            "algbw_Bps": self.algbw,
            "busbw_Bps": self.busbw,
            "bound": {
                "time_s": limit.time,
                "algbw_Bps": limit.algbw,
                "busbw_Bps": limit.busbw,
                "words": limit.words,
            },
            "bound_over_estimate": self.efficiency,
            "ideal_s": self.ideal.time,
            "stack": self._stack_data(),
            "bottleneck": self.bottleneck.to_dict(),
            "links": [row.to_dict() for row in self.links],
            "latency_s": {**asdict(self.latency), "total": self.latency.total},
            "steps": [
                {"phase": step.phase, "repeat": step.repeat, "time_s": step.time}
                for step in self.cost.steps
            ],
            "assumptions": list(self.assumptions),
            "approximations": [asdict(note) for note in self.approximations],
        }

    def _stack_data(self) -> dict[str, Any] | None:
        found = self.deployed
        run_by = found.question.stack if found else None
        if found is None or run_by is None or found.error is None:
            return None
        return {
            "name": run_by.name, "generation": run_by.generation, "launch": run_by.launch,
            "way": found.cost.steps[0].phase, "time_s": found.time, "busbw_Bps": found.busbw,
            "error": found.error.error, "measurements": found.error.measurements,
        }  # fmt: skip

    def _job_data(self, job: Job) -> dict[str, Any]:
        return {
            "name": job.title,
            "collective": job.kind.name,
            "size_bytes": self.size * self.question.share(job),
            "groups": [np.asarray(row).tolist() for row in job.groups],
        }


def _rated(found: Analysis) -> str:
    """Say how long something takes, and its busbw if it moves data."""
    time = units.format_time(found.time)
    return f"{time}, {units.format_rate(found.busbw)} busbw" if found.size > 0 else time


def answer(question: Question, sizes: Sequence[float] | None = None) -> list[Analysis]:
    """Return the fastest way to carry out a question's jobs, at each of some sizes.

    Parameters
    ----------
    question
        What is asked.
    sizes
        S in bytes, of all jobs together; by default the question's own.
    """
    unchecked = [note for job in question.jobs for note in verified(job)]
    selections = [candidates(question, job) for job in question.jobs]
    together: dict[tuple[str, ...], Candidate] = {}
    found = []
    for size in [question.size] if sizes is None else sizes:
        picks = [
            selection.fastest(size * question.share(job))
            for job, selection in zip(question.jobs, selections, strict=True)
        ]
        names = tuple(pick.candidate.name for pick in picks)
        if names not in together:
            together[names] = all_jobs(question, [pick.candidate for pick in picks])
        said = [
            explain.choice(pick.candidate.name, selection.names, pick.excluded,
                           auto=job.algorithm == "auto",
                           by=question.stack.title if question.stack else "")
            for job, selection, pick in zip(question.jobs, selections, picks, strict=True)
        ]  # fmt: skip
        plan = together[names].plan(size)
        notes = [*unchecked, *(note for pick in picks for note in pick.approximations)]
        found.append(conclude(question, plan, size, list(dict.fromkeys(said)), notes))
    return found


def conclude(
    question: Question,
    plan: Plan,
    size: float,
    notes: Sequence[str],
    more: Sequence[Approximation] = (),
) -> Analysis:
    """Return what there is to say of a plan at a size.

    Parameters
    ----------
    question
        What was asked.
    plan
        How it is carried out.
    size
        S in bytes.
    notes
        How the algorithm was chosen.
    more
        In which other ways the answer is not exact.
    """
    cost, limit = plan.cost(size), question.bound.at(size)
    sent = [note for job in question.jobs for note in job.approximations]
    found = (*more, *sent, *plan.approximations, *limit.approximations)
    approximations = tuple(dict.fromkeys(found))
    if question.exact:
        require_exact(approximations)
    assumptions = (
        *notes[:1],
        *_conditions(question, plan),
        *notes[1:],
        *(explain.VERIFIED for job in question.jobs if job.given and not more),
        *(note for job in question.jobs for note in job.notes),
        *(explain.LOCKSTEP for _ in [0] if sum(len(job.groups) for job in question.jobs) > 1),
    )  # fmt: skip
    return Analysis(question, float(size), plan, cost, limit, assumptions, approximations)


def _conditions(question: Question, plan: Plan) -> list[str]:
    """Say what the numbers of a plan stand on."""
    end, run_by = plan.endpoint, question.stack
    if run_by is None:
        return explain.conditions(plan.rate, end.alpha, end.message, end.source,
                                  words=plan.ways, order=plan.schedule.order)  # fmt: skip
    return explain.deployed(run_by.title, run_by.generation, run_by.launch, run_by.sources[0],
                            words=plan.ways)  # fmt: skip


def verified(job: Job) -> tuple[Approximation, ...]:
    """Verify the schedule of a job if a user gave it; return what was not verified."""
    given = job.algorithm
    if not isinstance(given, Schedule) or job.trusted:
        return ()
    return check_schedule(given)
