"""Ask a question once, in full: machine, jobs, routing, rates, overheads; the rest follows from it.

Every way to ask ends here: one collective or several at once, in one group or many, even or uneven,
one algorithm or all. So an option, an assumption or a cap holds on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.algorithms.team import team_of
from collectives.bounds import Bound, CollectiveNeed, Need, bound_needs
from collectives.model.collective import Collective, collective
from collectives.model.schedule import IntArray, Progress, Schedule, ScheduleError, StepTime, Team
from collectives.stacks import IDEAL, Stack
from collectives.stacks import stack as stack_on
from collectives.timing import Endpoint, Plan, arc_rates, endpoint_of, plan
from collectives.timing.routed import Routes
from collectives.timing.stepwise import Race
from topology import border
from topology.approximation import Approximation
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.routing import Demand, Router, RoutingLike, check_ranks, router
from topology.supernode import Supernode
from topology.text import Part, Printed, counted

_GAP = 0.01  # how near a bound must come to what can be reached, where it is searched for


class LostRankError(SupernodeError):
    """A rank that takes part is not there any more."""


MOST_SIZES = 1_000


def silent(_: str, __: float) -> None:
    """Say nothing."""


def as_size(size: float | str) -> float:
    """Return a size in bytes from a number or a string with a unit; refuse anything else."""
    return border.size(size, "size", ScheduleError)


def as_sizes(sizes: Iterable[float | str]) -> list[float]:
    """Return several sizes in bytes, a thousand at most."""
    given = border.members(sizes, "sizes", ScheduleError, most=MOST_SIZES)
    return [as_size(size) for size in given]


@dataclass(frozen=True, eq=False, repr=False)
class Job(Printed):
    """A collective that one group or several run, each for itself.

    Attributes
    ----------
    collective
        Its name.
    groups
        Ranks, one group to a row; rows may differ in length.
    size
        S in bytes, of each group, or a string with a unit.
    algorithm
        One of `algorithm_names`, a `Schedule`, or "auto" for the fastest if the job runs without
        the others.
    name
        What tables call it; by default the collective.
    adapt
        Makes of an algorithm's schedule what the job sends, where blocks are uneven.
    needs
        What the bound is to hold for, per byte of S, where that is not the plain collective.
    notes
        What the numbers stand on, besides the rest.
    trusted
        Whether a schedule given is the library's own, and need not be checked.
    approximations
        In which ways what is sent is not exact.
    """

    collective: str
    groups: Sequence[npt.ArrayLike] | IntArray
    size: float | str
    algorithm: str | Schedule = "auto"
    name: str = ""
    adapt: Callable[[Schedule], Schedule] | None = field(default=None, repr=False)
    needs: tuple[Need, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    trusted: bool = field(default=False, repr=False)
    approximations: tuple[Approximation, ...] = field(default=(), repr=False)

    @property
    def given(self) -> bool:
        """Return whether a user gave the schedule."""
        return isinstance(self.algorithm, Schedule) and not self.trusted

    @property
    def kind(self) -> Collective:
        """Return the collective."""
        return collective(self.collective)

    @property
    def title(self) -> str:
        """Return what tables call it."""
        return self.name or self.kind.title

    def parts(self) -> list[Part]:
        """Return what people read."""
        groups = f"{counted(len(self.groups), 'group')} of up to {counted(self.largest, 'rank')}"
        how = self.algorithm.name if isinstance(self.algorithm, Schedule) else self.algorithm
        return [f"{self.asked(self.bytes)} in {groups}, {how}"]

    @property
    def bytes(self) -> float:
        """Return S in bytes."""
        return self.kind.payload(as_size(self.size))

    def asked(self, size: float) -> str:
        """Return what runs at a size in words: "all-reduce of 64 MiB"."""
        return self.kind.of(size, self.title)

    @property
    def largest(self) -> int:
        """Return how many ranks the largest group has."""
        return max(len(np.asarray(row)) for row in self.groups)

    def checked(self, supernode: Supernode) -> Job:
        """Return it with its groups as arrays; raise `ScheduleError` if they do not fit."""
        title = self.kind.title
        rows = [
            check_ranks(row, len(supernode.npus))
            for row in border.members(self.groups, "groups", ScheduleError)
        ]
        if not rows:
            raise ScheduleError(f"{title} in groups: give one group or more")
        members, counts = np.unique(np.concatenate(rows), return_counts=True)
        if counts.max() > 1:
            raise ScheduleError(
                f"{title} in groups: rank {members[counts > 1][0]} is in {counts.max()} groups; "
                "a rank can be in one at a time"
            )
        given = self.algorithm
        if isinstance(given, Schedule) and given.collective.name != self.kind.name:
            raise ScheduleError(
                f"schedule {given.name!r} is for {given.collective.title}, not {title}"
            )
        return replace(self, groups=rows, size=self.bytes)


@dataclass(frozen=True, eq=False, repr=False)
class Question(Printed):
    """What is asked of a machine.

    Attributes
    ----------
    supernode
        The machine.
    jobs
        What runs at the same time, one job or more; the groups of one job share no rank.
    routing, rate, alpha, message, group_size, exact
        As in `analyze`.
    stack
        The software that runs it; None for perfect software.
    progress
        Called with what is being done and the fraction done.
    """

    supernode: Supernode
    jobs: tuple[Job, ...]
    routing: RoutingLike = "ecmp"
    rate: str = "line"
    alpha: float | str | None = None
    message: float | str | None = None
    group_size: int | None = None
    exact: bool = False
    stack: Stack | None = None
    progress: Progress = field(default=silent, repr=False)

    def parts(self) -> list[Part]:
        """Return what people read: the machine, then what runs."""
        return [f"on {self.supernode.title}: {'; '.join(map(str, self.jobs))}"]

    @property
    def size(self) -> float:
        """Return S in bytes, of all jobs together."""
        return float(sum(job.bytes for job in self.jobs))

    def share(self, job: Job) -> float:
        """Return a job's size as a fraction of the whole."""
        return job.bytes / self.size if self.size > 0 else 1 / len(self.jobs)

    def bus(self, algbw: float) -> float:
        """Return algbw times the factor of nccl-tests, that of each job's largest group."""
        factor = sum(self.share(job) * job.kind.factor(job.largest) for job in self.jobs)
        return algbw * factor if factor else 0.0  # a rank alone has no bandwidth to share

    @cached_property
    def ranks(self) -> IntArray:
        """The ranks of all groups of all jobs; in their order if it is one group."""
        rows = [np.asarray(row) for job in self.jobs for row in job.groups]
        return rows[0] if len(rows) == 1 else np.unique(np.concatenate(rows))

    @cached_property
    def endpoint(self) -> Endpoint:
        """The endpoint overheads of all ranks."""
        return endpoint_of(self.supernode, self.ranks, self.alpha, self.message)

    @cached_property
    def router(self) -> Router:
        """The routing policy."""
        return router(self.supernode, self.routing, exact=self.exact)

    @cached_property
    def rates(self) -> FloatArray:
        """Bytes/s of each arc, shape (arcs,)."""
        return arc_rates(self.supernode.fabric, self.rate)

    @cached_property
    def routes(self) -> Routes:
        """All traffic that has been routed for it."""
        return Routes(self.router, self.rates)

    def plan(self, schedule: Schedule, ranks: IntArray, race: Race | None = None) -> Plan:
        """Return a schedule on its paths; raise `TooSlowError` if it must lose a race."""

        def say(done: float) -> None:
            self.progress(f"{schedule.collective.title} by {schedule.name}", done)

        return plan(
            self.supernode, schedule, ranks=ranks, routing=self.router, rate=self.rate,
            alpha=self.alpha, message=self.message, exact=self.exact, progress=say,
            race=race, routes=self.routes,
        )  # fmt: skip

    def team(self, row: npt.ArrayLike, size: float) -> Team:
        """Return a group as an algorithm sees it, at a size in bytes."""
        team = team_of(self.supernode, row, self.group_size)
        return replace(team, volume=size, step_time=self._step_time(np.asarray(team.ranks)))

    def _step_time(self, ranks: IntArray) -> Callable[[Demand], StepTime]:
        def measure(demand: Demand) -> StepTime:
            on = self.routes.find(demand.placed(ranks))
            sent = int(demand.messages().max(initial=0)) * self.endpoint.message
            farthest = float(on.slowest.latency.max(initial=0.0))
            empty = self.endpoint.alpha + sent + farthest
            return StepTime(empty, sent, np.concatenate([on.busy(), on.node_busy()]))

        return measure

    def on(self, machine: Supernode) -> Question:
        """Return the same question of another state of the machine, ranks found by their ids.

        Raises
        ------
        LostRankError
            If a rank that takes part is not there.
        """
        place = {npu: rank for rank, npu in enumerate(machine.npus)}
        ids = self.supernode.npus
        lost = [ids[rank] for rank in self.ranks.tolist() if ids[rank] not in place]
        if lost:
            raise LostRankError(f"{lost[0]} takes part and is not in {machine.name} any more")

        def moved(job: Job) -> Job:
            rows = [np.array([place[ids[r]] for r in np.asarray(row)]) for row in job.groups]
            return replace(job, groups=rows)

        return replace(self, supernode=machine, jobs=tuple(map(moved, self.jobs)))

    def run_by(self, name: str | None) -> Question:
        """Return the same question with another stack, by name; None for perfect software."""
        return replace(self, stack=stack_on(name or IDEAL, self.supernode, self.ranks.tolist()))

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What must reach whom, per byte of S."""
        found: list[Need] = []
        for job in self.jobs:
            if job.needs:
                found += job.needs
                continue
            given = job.algorithm
            root = given.root if isinstance(given, Schedule) else 0
            found += [
                CollectiveNeed.of(
                    self.supernode, job.kind, np.asarray(row), root=root, weight=self.share(job)
                )
                for row in job.groups
            ]
        return tuple(found)

    @property
    def _plain(self) -> bool:
        """Whether it is one collective in one group: its bound is worth a long search."""
        return len(self.needs) == 1 and not self.jobs[0].needs

    @cached_property
    def bound(self) -> Bound:
        """What nothing can beat, for any size."""
        first = self.jobs[0]
        return bound_needs(
            self.supernode, self.needs, kind=first.kind, ranks=first.largest,
            endpoint=self.endpoint, exact=self.exact, progress=self.progress,
            gap=_GAP if self.exact or self._plain else None,
        )  # fmt: skip


def ask(
    supernode: Supernode,
    jobs: Iterable[Job],
    progress: Progress | None = None,
    stack: str | Stack | None = None,
    launch: str | None = None,
    **choices: Any,
) -> Question:
    """Return a question whose parts are checked.

    Parameters
    ----------
    supernode, jobs
        What runs where.
    stack, launch
        The software that runs it, by name or as it is, and how it is launched.
    progress, **choices
        The other attributes of `Question`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    checked = tuple(job.checked(supernode) for job in jobs)
    if not checked:
        raise ScheduleError("give one job or more")
    fields = (name for name in Question.__dataclass_fields__ if not name.startswith("_"))
    known = {*fields, "launch"} - {"supernode", "jobs", "progress"}
    unknown = sorted(set(choices) - known)
    if unknown:
        raise TypeError(f"{unknown[0]!r} is not an option; options are {', '.join(sorted(known))}")
    choices = {name: value for name, value in choices.items() if value is not None}
    ranks = np.concatenate([np.asarray(row) for job in checked for row in job.groups])
    runs = stack_on(IDEAL if stack is None else stack, supernode, ranks.tolist(), launch)
    if runs is not None and len(checked) > 1:
        raise ScheduleError(
            f"stack {runs.name!r}: what jobs take beside each other is not known of it; ask for "
            "one at a time, or leave out stack="
        )
    question = Question(supernode, checked, stack=runs, progress=progress or silent, **choices)
    question.endpoint, question.rates, question.router  # noqa: B018 - refuses what is wrong, now
    return question


def one_group(
    supernode: Supernode,
    kind: str | Collective,
    size: float | str,
    *,
    algorithm: str | Schedule = "auto",
    ranks: npt.ArrayLike | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Question:
    """Return the question of one collective in one group, as `analyze` takes it."""
    chosen = np.arange(len(supernode.npus)) if ranks is None else ranks
    job = Job(collective(kind).name, [chosen], size, algorithm)
    return ask(supernode, [job], progress, **choices)
