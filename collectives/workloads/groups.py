"""Place parallel groups (TP, EP, DP, PP) on a machine, and run them all at the same time.

References
----------
Narayanan et al., Efficient large-scale language model training on GPU clusters using
Megatron-LM, SC 2021 (arXiv:2104.04473), for the order in which the groups are placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.algorithms import find_algorithm
from collectives.analysis.analyze import Analysis, assumptions_of, team_of
from collectives.bounds import CollectiveNeed, bound_needs
from collectives.model.collective import Collective, collective
from collectives.model.lockstep import Placed, at_once
from collectives.model.schedule import IntArray, Schedule, ScheduleError
from collectives.timing import Cost, Plan, plan
from collectives.workloads.all_to_all_v import fitting
from topology import border, units
from topology.routing import check_ranks
from topology.supernode import Supernode

AXES = ("tp", "ep", "dp", "pp")


@dataclass(frozen=True, eq=False)
class Groups(Mapping[str, IntArray]):
    """Ranks on a grid of parallel dimensions: ``groups["tp"]`` has one group to a row.

    Attributes
    ----------
    sizes
        Ranks in a group, by dimension.
    grid
        Ranks, shape (pp, dp, ep, tp) for the usual order: the last axis is placed first, on
        neighbouring ranks.
    axes
        The dimension of each axis of the grid.
    """

    sizes: Mapping[str, int]
    grid: IntArray
    axes: tuple[str, ...]

    def along(self, *dimensions: str) -> IntArray:
        """Return the groups along one or several dimensions together, shape (groups, size).

        Ranks in a row are in the order they are placed. ``along("ep", "dp")`` gives the
        data-parallel groups of the layers that are not experts.

        Raises
        ------
        ScheduleError
            If a dimension is not one of the axes.
        """
        for name in dimensions:
            if name not in self.axes:
                raise ScheduleError(
                    f"groups: there is no {name!r}; there are {', '.join(self.axes)}"
                )
        inner = [at for at, name in enumerate(self.axes) if name in dimensions]
        outer = [at for at in range(self.grid.ndim) if at not in inner]
        size = prod(self.grid.shape[at] for at in inner)
        return self.grid.transpose(outer + inner).reshape(-1, size)

    def __getitem__(self, name: str) -> IntArray:
        return self.along(name)

    def __iter__(self) -> Iterator[str]:
        return reversed(self.axes)

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def tp(self) -> IntArray:
        """Return the tensor-parallel groups, one to a row."""
        return self.along("tp")

    @property
    def ep(self) -> IntArray:
        """Return the expert-parallel groups, one to a row."""
        return self.along("ep")

    @property
    def dp(self) -> IntArray:
        """Return the data-parallel groups, one to a row."""
        return self.along("dp")

    @property
    def pp(self) -> IntArray:
        """Return the pipeline-parallel groups, one to a row."""
        return self.along("pp")


def groups(
    supernode: Supernode,
    *,
    tp: int = 1,
    ep: int = 1,
    dp: int | None = None,
    pp: int = 1,
    order: Sequence[str] = AXES,
    ranks: npt.ArrayLike | None = None,
) -> Groups:
    """Place parallel groups on a machine's ranks.

    Parameters
    ----------
    supernode
        The machine.
    tp, ep, dp, pp
        Ranks in a tensor-, expert-, data- and pipeline-parallel group. They are dimensions of
        their own: tp · ep · dp · pp ranks in all. By default dp is what is left.
    order
        Which dimension is placed first, on neighbouring ranks, and so on.
    ranks
        Who takes part, in which order; by default all.

    Raises
    ------
    ScheduleError
        If the product is not the number of ranks, or the order is not one of the dimensions.
    """
    count = len(supernode.npus)
    chosen = check_ranks(np.arange(count) if ranks is None else ranks, count)
    given = {"tp": tp, "ep": ep, "pp": pp} | ({} if dp is None else {"dp": dp})
    for name, size in given.items():
        border.whole(size, f"groups: {name}", error=ScheduleError)
    if sorted(order) != sorted(AXES):
        raise ScheduleError(f"groups: order is {list(order)}; it must hold {', '.join(AXES)} once")
    rest, over = divmod(len(chosen), prod(given.values()))
    if over or (dp is not None and rest != 1):
        said = " x ".join(f"{name} {size}" for name, size in given.items())
        raise ScheduleError(
            f"groups: {said} is {prod(given.values())} ranks, and there are {len(chosen)}; "
            "the product must divide them, or choose ranks="
        )
    sizes = {name: int(given.get(name, rest)) for name in AXES}
    axes = tuple(reversed(list(order)))
    return Groups(sizes, chosen.reshape([sizes[name] for name in axes]), axes)


@dataclass(frozen=True, eq=False)
class Job:
    """A collective that several groups run, each for itself.

    Attributes
    ----------
    collective
        Its name.
    groups
        Ranks, one group to a row; rows may differ in length.
    size
        S in bytes, of each group, or a string with a unit.
    algorithm
        One of `algorithm_names`, or "auto" for the fastest if the job runs without the others.
    name
        What tables call it; by default the collective.
    """

    collective: str
    groups: Sequence[npt.ArrayLike] | IntArray
    size: float | str
    algorithm: str = "auto"
    name: str = ""

    @property
    def kind(self) -> Collective:
        """Return the collective."""
        return collective(self.collective)

    @property
    def bytes(self) -> float:
        """Return S in bytes."""
        return border.size(self.size, error=ScheduleError)


@dataclass(frozen=True, eq=False)
class GroupsAnalysis(Analysis):
    """Several groups at the same time; the fields and the print of an `Analysis`.

    ``size`` is S of one group, or of several jobs added up; ``busbw`` counts each job with its
    group's own factor; ``ranks`` are all ranks of all groups.

    Attributes
    ----------
    jobs
        What ran.
    """

    jobs: tuple[Job, ...] = ()

    @property
    def busbw(self) -> float:
        """Return the jobs' sizes by their factors, over the time: bytes/s of the largest groups."""
        weighed = sum(job.bytes * job.kind.factor(_largest(job)) for job in self.jobs)
        return weighed / self.time if self.time > 0 else float("inf")

    @property
    def asked(self) -> str:
        """Return the question in words."""
        said = [
            f"{job.name or job.kind.title} of {units.format_size(job.bytes)} in each of "
            f"{len(job.groups)} groups of {_largest(job)}"
            for job in self.jobs
        ]
        return f"{', with '.join(said)}, at once on {self.supernode.name}, {self.algorithm}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        jobs = [
            {
                "name": job.name or job.kind.title,
                "collective": job.kind.name,
                "size_bytes": job.bytes,
                "groups": [
                    np.asarray(row).tolist()
                    for row in border.members(job.groups, "groups", ScheduleError)
                ],
            }
            for job in self.jobs
        ]
        return {**super().to_dict(), "jobs": jobs}


def _largest(job: Job) -> int:
    return max(len(np.asarray(row)) for row in job.groups)


def analyze_groups(
    supernode: Supernode,
    kind: str,
    size: float | str,
    groups: Sequence[npt.ArrayLike] | IntArray | Groups,
    *,
    algorithm: str = "auto",
    **choices: Any,
) -> GroupsAnalysis:
    """Analyse one collective in several groups at the same time, sharing links.

    Parameters
    ----------
    supernode, kind, size, algorithm
        As in `analyze`; the size is each group's.
    groups
        Ranks, one group to a row, as ``groups(...)["tp"]`` gives them; no rank in two rows.
    **choices
        ``routing``, ``rate``, ``alpha``, ``message``, ``group_size`` as in `analyze`.
    """
    if isinstance(groups, Groups):
        raise ScheduleError(
            "analyze_groups: give the groups of one dimension, such as groups(...)['tp']"
        )
    return analyze_jobs(supernode, [Job(kind, groups, size, algorithm)], **choices)


def analyze_jobs(
    supernode: Supernode, jobs: Sequence[Job], *, group_size: int | None = None, **choices: Any
) -> GroupsAnalysis:
    """Analyse several collectives at the same time, each in its own groups, sharing links.

    All go in lockstep: the first steps of all together, then the second ones; a collective with
    fewer steps is done earlier. The load of a step is what all of them send in it.

    Parameters
    ----------
    supernode
        The machine.
    jobs
        What runs, one or more; the groups of one job share no rank, those of two jobs may.
    group_size, **choices
        As in `analyze`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    checked = [_checked(supernode, job) for job in jobs]
    if not checked:
        raise ScheduleError("analyze_jobs: give one job or more")
    size = sum(job.bytes for job in jobs)
    shares = [job.bytes / size if size > 0 else 0.0 for job in jobs]
    alpha = choices.get("alpha")
    tables = [_schedules(supernode, job, group_size, alpha) for job in checked]
    best, cost = _fastest(supernode, checked, shares, tables, size, choices)
    tried = list(dict.fromkeys(name for table in tables for name in table))
    auto = any(job.algorithm == "auto" for job in jobs)
    needs = _needs(supernode, checked, shares)
    first = checked[0]
    limit = bound_needs(
        supernode, needs, kind=first.kind, size=size, ranks=_largest(first), endpoint=best.endpoint,
        gap=None,
    )  # fmt: skip
    notes = (
        *assumptions_of(best, tried, auto=auto),
        "groups: all in lockstep, step by step; a step's load is what all of them send in it",
    )
    return GroupsAnalysis(
        supernode, first.kind, size, best, cost, limit, notes, jobs=tuple(checked)
    )


def _checked(supernode: Supernode, job: Job) -> Job:
    """Return a job with its groups as arrays; raise `ScheduleError` if they do not fit."""
    rows = [check_ranks(row, len(supernode.npus)) for row in job.groups]
    if not rows:
        raise ScheduleError(f"{job.kind.title} in groups: give one group or more")
    members, counts = np.unique(np.concatenate(rows), return_counts=True)
    if counts.max() > 1:
        raise ScheduleError(
            f"{job.kind.title} in groups: rank {members[counts > 1][0]} is in "
            f"{counts.max()} groups; a rank can be in one at a time"
        )
    return Job(job.collective, rows, job.bytes, job.algorithm, job.name)


def _schedules(
    supernode: Supernode, job: Job, group_size: int | None, alpha: float | None
) -> dict[str, list[Schedule]]:
    """Return for each algorithm that fits all groups of a job their schedules."""
    teams = [
        replace(team_of(supernode, row, group_size), volume=job.bytes or None, alpha=alpha)
        for row in job.groups
    ]
    if job.algorithm != "auto":
        make = find_algorithm(job.collective, job.algorithm)
        return {job.algorithm: [make(team) for team in teams]}
    found: dict[str, list[Schedule]] = {}
    for team in teams:
        for schedule in fitting(job.collective, team):
            found.setdefault(schedule.name, []).append(schedule)
    whole = {name: rows for name, rows in found.items() if len(rows) == len(teams)}
    if not whole:
        raise ScheduleError(f"no algorithm for {job.kind.title} fits all groups")
    return whole


def _fastest(
    supernode: Supernode,
    jobs: Sequence[Job],
    shares: Sequence[float],
    tables: Sequence[dict[str, list[Schedule]]],
    size: float,
    choices: dict[str, Any],
) -> tuple[Plan, Cost]:
    """Return the jobs at once, each by the algorithm that is fastest for its own groups."""
    chosen = [
        next(iter(table.values())) if len(table) == 1 else _best(supernode, job, table, choices)
        for job, table in zip(jobs, tables, strict=True)
    ]
    placed = [
        one
        for job, schedules, share in zip(jobs, chosen, shares, strict=True)
        for one in _placed(job, schedules, share)
    ]
    schedule, ranks = at_once(placed)
    routed = plan(supernode, schedule, ranks=ranks, **choices)
    return routed, routed.cost(size)


def _best(
    supernode: Supernode, job: Job, table: dict[str, list[Schedule]], choices: dict[str, Any]
) -> list[Schedule]:
    """Return the schedules of the algorithm that is fastest in all groups of a job at once."""
    found = []
    for schedules in table.values():
        schedule, ranks = at_once(_placed(job, schedules))
        time = plan(supernode, schedule, ranks=ranks, **choices).cost(job.bytes).time
        found.append((time, schedules))
    return min(found, key=lambda pair: pair[0])[1]


def _placed(job: Job, schedules: Sequence[Schedule], share: float = 1.0) -> list[Placed]:
    pairs = zip(schedules, job.groups, strict=True)
    return [Placed(schedule, row, share) for schedule, row in pairs]


def _needs(
    supernode: Supernode, jobs: Sequence[Job], shares: Sequence[float]
) -> list[CollectiveNeed]:
    return [
        CollectiveNeed.of(supernode, job.kind, row, weight=share)
        for job, share in zip(jobs, shares, strict=True)
        for row in job.groups
    ]
