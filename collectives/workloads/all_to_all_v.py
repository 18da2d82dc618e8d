"""Analyse an all-to-all whose blocks differ: all-to-all-v, from a matrix of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.algorithms import candidate_names, find_algorithm
from collectives.algorithms.alltoall import check_matrix, mean_size, uneven
from collectives.analysis.analyze import Analysis, assumptions_of, team_of
from collectives.bounds import PairsNeed, bound_needs
from collectives.model.collective import collective
from collectives.model.schedule import Schedule, ScheduleError, Team
from collectives.timing import Cost, Plan, plan
from topology.supernode import Supernode


def analyze_all_to_all_v(
    supernode: Supernode,
    matrix: npt.ArrayLike,
    *,
    algorithm: str | Schedule = "auto",
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    **choices: Any,
) -> Analysis:
    """Analyse an all-to-all-v: how long, how near the bound, and what limits it.

    Parameters
    ----------
    supernode
        The machine.
    matrix
        Bytes from each rank to each, shape (p, p), row = sender; what a rank keeps for itself is
        on the diagonal. The size S is the mean over the rows (`mean_size`).
    algorithm
        An all-to-all algorithm, an all-to-all `Schedule`, or "auto" for the fastest.
    ranks, group_size, **choices
        As in `analyze`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    team = team_of(supernode, ranks, group_size)
    share = check_matrix(matrix, team.size)
    size = mean_size(share)
    even = even_schedules(team, algorithm)
    schedules = [uneven(schedule, share) for schedule in even]
    best, cost, tried = fastest(supernode, schedules, team.ranks, size, choices)
    need = PairsNeed.of(supernode, share / size if size > 0 else share, best.ranks)
    limit = bound_needs(
        supernode, [need], kind="all_to_all", size=size, endpoint=best.endpoint, gap=None
    )
    notes = (*assumptions_of(best, tried, auto=algorithm == "auto"), *best.schedule.notes)
    return Analysis(supernode, collective("all_to_all"), size, best, cost, limit, notes)


def even_schedules(team: Team, algorithm: str | Schedule) -> list[Schedule]:
    """Return the all-to-all schedules that an algorithm, or "auto", means for a team."""
    if isinstance(algorithm, Schedule):
        return [algorithm]
    if algorithm != "auto":
        return [find_algorithm("all_to_all", algorithm)(team)]
    return fitting("all_to_all", team)


def fitting(kind: str, team: Team) -> list[Schedule]:
    """Return the schedules of every algorithm that fits a team and may be the fastest."""
    found = []
    for name in candidate_names(kind):
        try:
            found.append(find_algorithm(kind, name)(team))
        except ScheduleError:
            continue
    return found


def fastest(
    supernode: Supernode,
    schedules: Sequence[Schedule],
    ranks: npt.ArrayLike | None,
    size: float,
    choices: dict[str, Any],
) -> tuple[Plan, Cost, list[str]]:
    """Return the fastest of some schedules at a size: its plan, its cost, and who was tried.

    Parameters
    ----------
    supernode, ranks, choices
        As in `plan`.
    schedules
        One or more.
    size
        S in bytes.
    """
    plans = [plan(supernode, schedule, ranks=ranks, **choices) for schedule in schedules]
    costs = [candidate.cost(size) for candidate in plans]
    best = int(np.argmin([cost.time for cost in costs]))
    return plans[best], costs[best], [schedule.name for schedule in schedules]
