"""Collectives along the axes of a grid of positions, one axis after the other.

Nodes and the ranks in them are a grid; so are a torus, and racks of nodes of ranks. A
reduce-scatter along the first axis leaves each rank a part of the vector, the next axis works on
that part only, and so on; the all-gather goes the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from collectives.algorithms.compose import Steps
from collectives.model.schedule import IntArray, Step, Transfers, permutation
from topology.routing import Uniform


def along(
    grid: IntArray,
    words: Sequence[str],
    *,
    reduce: bool,
    direct: bool = False,
    backwards: bool = False,
) -> Steps:
    """Return a reduce-scatter along the axes of a grid, or an all-gather, the last axis first.

    Parameters
    ----------
    grid
        Position at each point; block b ends or begins at position b.
    words
        Words for the axes: "in the node".
    reduce
        Whether it is the reduce-scatter.
    direct
        One step an axis in which everyone sends to everyone, instead of a ring.
    backwards
        Rings run towards smaller indices.
    """
    what = "reduce-scatter" if reduce else "all-gather"
    make = _direct_step if direct else _ring_step
    steps = []
    for axis in range(grid.ndim) if reduce else reversed(range(grid.ndim)):
        if grid.shape[axis] > 1:
            # points on earlier axes, on this one, on later ones
            block = grid.reshape(prod(grid.shape[:axis]), grid.shape[axis], -1)
            block = block[:, ::-1] if backwards else block
            steps.append(make(block, f"{what} {words[axis]}".rstrip(), reduce=reduce))
    return tuple(steps)


def _ring_step(block: IntArray, phase: str, *, reduce: bool) -> Step:
    _, width, later = block.shape
    src, dst = block.reshape(-1), np.roll(block, -1, axis=1).reshape(-1)

    def transfers(t: int) -> Transfers:
        part = np.roll(block, t + (1 if reduce else 0), axis=1)
        chunk = np.repeat(part[:, :, None], later, axis=2)
        return Transfers(
            np.repeat(src, later), np.repeat(dst, later), chunk.reshape(-1), reduce=reduce
        )

    return Step(transfers, permutation(src, dst, later / block.size), width - 1, phase)


def _direct_step(block: IntArray, phase: str, *, reduce: bool) -> Step:
    _, width, later = block.shape

    def transfers(_: int) -> Transfers:
        here, there = np.nonzero(~np.eye(width, dtype=bool))
        src, dst = block[:, here].reshape(-1), block[:, there].reshape(-1)
        part = block[:, there if reduce else here]
        chunk = np.repeat(part[:, :, None], later, axis=2)
        return Transfers(
            np.repeat(src, later), np.repeat(dst, later), chunk.reshape(-1), reduce=reduce
        )

    rows = block.transpose(0, 2, 1).reshape(-1, width)
    return Step(transfers, Uniform(rows, later / block.size), 1, phase)


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
