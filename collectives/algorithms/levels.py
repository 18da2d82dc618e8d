"""Collectives in levels: any algorithm inside the node, any other between nodes, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm
from typing import NamedTuple

from collectives.algorithms.compose import Steps, in_parallel, side_by_side
from collectives.algorithms.grid import Stage, pieces_of, staged
from collectives.algorithms.registry import find_algorithm
from collectives.algorithms.segments import in_segments
from collectives.model.collective import collective
from collectives.model.schedule import DoesNotFitError, IntArray, Schedule, Team


class Levels(NamedTuple):
    """A grid of positions, the innermost level first, and what runs along each axis.

    Attributes
    ----------
    grid
        Position at each point.
    words
        For each axis: "in the node".
    algorithms
        For each axis, by name.
    """

    grid: IntArray
    words: Sequence[str]
    algorithms: Sequence[str]


def levels_steps(
    kind: str, team: Team, copies: Sequence[Levels], counts: Sequence[int] | None = None
) -> tuple[Steps, int]:
    """Return the steps and chunks of a collective in levels, on copies with parts of S.

    A reduce-scatter goes through the levels from the inside out, an all-gather from the outside in,
    and an all-reduce in and out again around an all-reduce at the outermost level.

    Parameters
    ----------
    kind
        "all_reduce", "reduce_scatter" or "all_gather".
    team
        Who takes part.
    copies
        Their levels, all of which are at work at once.
    counts
        How many of all equal parts of S each copy takes, which then go each at its own pace; by
        default one each, in lockstep.

    Raises
    ------
    DoesNotFitError
        If an algorithm does not fit its level.
    """
    every = [_stages(kind, team, levels) for levels in copies]
    pairs = list(zip(copies, every, strict=True))
    pieces = lcm(*(pieces_of(levels.grid, stages) for levels, stages in pairs))
    chunks = team.size * pieces
    steps = [staged(levels.grid, stages, pieces) for levels, stages in pairs]
    if counts is None or len(copies) == 1:
        return in_parallel(steps, chunks, team.size), len(copies) * chunks
    return side_by_side(steps, counts, chunks, team.size), sum(counts) * chunks


def levels_schedule(
    kind: str,
    name: str,
    team: Team,
    copies: Sequence[Levels],
    segments: int | None = None,
    *,
    counts: Sequence[int] | None = None,
) -> Schedule:
    """Return the same as a schedule in segments that go through the levels one after the other.

    Parameters
    ----------
    kind, team, copies, counts
        As in `levels_steps`.
    name
        Of the algorithm.
    segments
        How many; by default the best for the team's size.
    """
    steps, chunks = levels_steps(kind, team, copies, counts)
    whole = Schedule(name, collective(kind), team.size, chunks, steps)
    return in_segments(team, whole, segments)


def _stages(kind: str, team: Team, levels: Levels) -> list[Stage]:
    axes = [axis for axis, width in enumerate(levels.grid.shape) if width > 1]
    inside = {"reduce_scatter": axes, "all_gather": [], "all_reduce": axes[:-1]}[kind]
    outside = {"reduce_scatter": [], "all_gather": axes, "all_reduce": axes[:-1]}[kind]
    top = axes[-1:] if kind == "all_reduce" else []
    order = [
        *((axis, "reduce_scatter") for axis in inside),
        *((axis, "all_reduce") for axis in top),
        *((axis, "all_gather") for axis in reversed(outside)),
    ]
    return [
        Stage(axis, _along(team, levels, axis, half), levels.words[axis]) for axis, half in order
    ]


def _along(team: Team, levels: Levels, axis: int, kind: str) -> Schedule:
    """Return what a row along an axis runs; the first row stands for all."""
    grid = levels.grid
    width = grid.shape[axis]
    row = grid.swapaxes(0, axis).reshape(width, -1)[:, 0]
    ranks = None if team.ranks is None else team.ranks[row]
    name = levels.algorithms[axis]
    # of no bytes: a level runs in one segment, all levels together in several
    made = find_algorithm(kind, name)(Team(width, None, team.supernode, ranks, volume=0.0))
    if not made.lockstep:
        raise DoesNotFitError(f"{name} has an order of its own, so it cannot be one level of more")
    return made
