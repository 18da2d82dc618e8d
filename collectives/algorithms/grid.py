"""Collectives along the axes of a grid of positions, one axis after the other: by any algorithm.

Nodes and the ranks in them are a grid; so are a torus, and racks of nodes of ranks. A
reduce-scatter along the first axis leaves each rank a part of the vector, the next axis works on
that part only, and so on; the all-gather goes the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm, prod
from typing import NamedTuple

import numpy as np

from collectives.algorithms.compose import Steps
from collectives.model.schedule import IntArray, Schedule, Step, Transfers
from collectives.model.traffic import on_rows
from topology.routing import Uniform


class Stage(NamedTuple):
    """A schedule that all rows along one axis of a grid run at once, and a word for it."""

    axis: int
    made: Schedule
    word: str


def pieces_of(grid: IntArray, stages: Sequence[Stage]) -> int:
    """Return into how many chunks a position's block is cut, for stages that all fit."""
    return lcm(1, *(s.made.chunks // gcd(s.made.chunks, grid.shape[s.axis]) for s in stages))


def staged(grid: IntArray, stages: Sequence[Stage], pieces: int) -> Steps:
    """Return stages one after the other; rows are along the stage's axis.

    The vector of a row is what belongs to the positions that share its coordinates on earlier
    axes, in order of the coordinate on its own axis: a reduce-scatter along the first axis leaves
    each position the part that those with its coordinate there need.

    Parameters
    ----------
    grid
        Position at each point; block b ends or begins at position b.
    stages
        What is run.
    pieces
        Chunks of a block: a multiple of `pieces_of`.
    """
    return tuple(_on_rows(grid, s, step, pieces) for s in stages for step in s.made.steps)


def _on_rows(grid: IntArray, stage: Stage, step: Step, pieces: int) -> Step:
    axis, width = stage.axis, grid.shape[stage.axis]
    # points on earlier axes, on this one, on later ones
    block = grid.reshape(prod(grid.shape[:axis]), width, -1)
    each = width * pieces // stage.made.chunks

    def transfers(t: int) -> Transfers:
        moved = step.transfers(t)
        place, piece = np.divmod(moved.chunk[:, None] * each + np.arange(each), pieces)
        chunk = block[:, place] * pieces + piece[:, :, None]  # (earlier, moved, piece, later)
        src, dst, adds, chunk = np.broadcast_arrays(
            block[:, moved.src, :, None, None], block[:, moved.dst, :, None, None],
            moved.adds[:, None, None, None], chunk[:, :, None],
        )  # fmt: skip
        return Transfers(*(part.reshape(-1) for part in (src, dst, chunk, adds)))

    rows = block.transpose(0, 2, 1).reshape(-1, width)
    traffic = on_rows(step.traffic, rows).scaled(1 / len(block))
    return Step(transfers, traffic, step.repeat, f"{step.phase} {stage.word}".rstrip())


def grid_steps(grid: IntArray, phases: Sequence[str] | None = None) -> tuple[Step, ...]:
    """Return an all-to-all along the axes of a grid of positions, the first axis first.

    Parameters
    ----------
    grid
        Position at each point. With nodes along the first axis and places along the second,
        blocks go along the rail and then inside the node; transposed, the other way round.
    phases
        A word for each axis; by default "dimension i".
    """
    words = phases or [f"dimension {axis}" for axis in range(grid.ndim)]
    return tuple(
        _axis_step(grid, axis, words[axis]) for axis in range(grid.ndim) if grid.shape[axis] > 1
    )


def _axis_step(grid: IntArray, axis: int, phase: str) -> Step:
    p, width = grid.size, grid.shape[axis]
    block = grid.reshape(prod(grid.shape[:axis]), width, -1)  # earlier axes, this one, later ones

    def transfers(_: int) -> Transfers:
        here, there = np.nonzero(~np.eye(width, dtype=bool))
        src, dst = block[:, here], block[:, there]  # (earlier, pairs, later)
        origin = src.transpose(1, 2, 0)  # from any earlier point; to any later point of dst:
        chunk = origin[None, :, :, :, None] * p + dst[:, :, None, None, :]
        each = chunk.shape[3] * chunk.shape[4]
        return Transfers(
            np.repeat(src.reshape(-1), each), np.repeat(dst.reshape(-1), each), chunk.reshape(-1)
        )

    rows = block.transpose(0, 2, 1).reshape(-1, width)
    return Step(transfers, Uniform(rows, 1 / width), 1, phase)
