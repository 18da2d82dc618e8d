"""Grow spanning trees from one rank so that their shifts load every link alike.

With ranks on a grid, a tree from the origin stands for its shifts from every rank. What they
load a link with depends only on how often the tree uses each *move* (a shift from parent to
child), so trees are grown move by move, always by the one that leaves the busiest link least busy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collectives.model.schedule import IntArray
from collectives.synthesis.arrangement import Arrangement
from collectives.synthesis.steady import busy_of
from topology.fabric import FloatArray
from topology.routing import Ecmp, Pairs


@dataclass(frozen=True, eq=False)
class Moves:
    """The shifts that trees may use, and what each costs the links.

    Attributes
    ----------
    shift
        Cell that each move takes the origin to, shape (k,).
    busy
        Seconds per byte that each kind of link or switch is busy if every rank sends by that
        move, shape (k, kinds).
    """

    shift: IntArray
    busy: FloatArray


@dataclass(frozen=True, eq=False)
class Tree:
    """A spanning tree from the origin.

    Attributes
    ----------
    parent
        Cell of each cell's parent, shape (p,); -1 at the origin.
    depth
        Hops from the origin, shape (p,).
    """

    parent: IntArray
    depth: IntArray


def moves_of(routing: Ecmp, ranks: IntArray, grid: Arrangement) -> Moves:
    """Return the moves of a grid: the shifts to the nearest ranks, as far as it takes.

    Parameters
    ----------
    routing
        Routing on the fabric.
    ranks
        Rank at each position.
    grid
        The ranks' arrangement.
    """
    cells = np.arange(grid.size)
    shifts = _near_shifts(routing, ranks, grid)
    rows = []
    for shift in shifts.tolist():
        target = grid.shifted(cells, np.full(grid.size, shift))
        src, dst = ranks[grid.position[cells]], ranks[grid.position[target]]
        rows.append(busy_of(routing, Pairs(src, dst, np.ones(grid.size))))
    kinds = np.unique(np.round(np.array(rows).T, 25), axis=0)
    return Moves(shifts, np.ascontiguousarray(kinds[kinds.any(axis=1)].T))


def _near_shifts(routing: Ecmp, ranks: IntArray, grid: Arrangement) -> IntArray:
    """Return the shifts of up to as few hops as it takes for them to reach every cell."""
    near = shifts = np.arange(1, grid.size)
    hops = routing.hops()[ranks[grid.position[0]], ranks[grid.position[shifts]]]
    for most in np.unique(hops).tolist():
        near = shifts[hops <= most]
        if (_levels(_reach(grid, near)) >= 0).all():
            break
    return near


def _reach(grid: Arrangement, shifts: IntArray) -> IntArray:
    """Return the cell that each shift takes each cell to, shape (k, p)."""
    cells = np.arange(grid.size)
    return np.stack([grid.shifted(cells, np.full(grid.size, shift)) for shift in shifts])


def grow(grid: Arrangement, moves: Moves, count: int, *, shallow: bool) -> list[Tree]:
    """Grow trees from the origin that together load the links evenly.

    Parameters
    ----------
    grid
        The ranks' arrangement.
    moves
        What trees are made of.
    count
        How many trees.
    shallow
        Whether every rank must be as near the origin in each tree as moves allow.
    """
    reach = _reach(grid, moves.shift)
    level = _levels(reach) if shallow else np.zeros(grid.size, dtype=np.int64)
    used = np.zeros(moves.busy.shape[1])
    trees = []
    for _ in range(count):
        tree, used = _grow_one(reach, level, moves.busy, used, shallow=shallow)
        trees.append(tree)
    return trees


def _levels(reach: IntArray) -> IntArray:
    """Return how many moves each cell is from the origin."""
    level = np.full(reach.shape[1], -1)
    level[0] = 0
    frontier = np.array([0])
    while len(frontier):
        after = np.unique(reach[:, frontier])
        after = after[level[after] < 0]
        level[after] = level[frontier[0]] + 1
        frontier = after
    return level


def _grow_one(
    reach: IntArray, level: IntArray, busy: FloatArray, used: FloatArray, *, shallow: bool
) -> tuple[Tree, FloatArray]:
    size = reach.shape[1]
    parent, depth = np.full(size, -1), np.zeros(size, dtype=np.int64)
    inside = np.zeros(size, dtype=bool)
    inside[0] = True
    total = busy.sum(axis=1)
    move, tail, head = _options(reach, level, shallow=shallow)
    for now in range(1, int(level.max()) + 1) if shallow else (0,):
        at = np.flatnonzero(level[head] == now)
        for _ in range(int((level == now).sum()) - (0 if shallow else 1)):
            at = at[~inside[head[at]]]
            can = at[inside[tail[at]]]
            choices = np.bincount(head[can], minlength=size)[head[can]]
            load = np.round((used + busy).max(axis=1), 25)[move[can]]
            keys = (head[can], depth[tail[can]], total[move[can]], choices, load)
            best = can[np.lexsort(keys)[0]]
            child, up = int(head[best]), int(tail[best])
            parent[child], depth[child] = up, depth[up] + 1
            inside[child] = True
            used = used + busy[move[best]]
    return Tree(parent, depth), used


def _options(
    reach: IntArray, level: IntArray, *, shallow: bool
) -> tuple[IntArray, IntArray, IntArray]:
    """Return every (move, from, to); with ``shallow`` only those one level down."""
    moves, size = reach.shape
    move = np.repeat(np.arange(moves), size)
    tail = np.tile(np.arange(size), moves)
    head = reach.reshape(-1)
    if shallow:
        down = level[head] == level[tail] + 1
        return move[down], tail[down], head[down]
    return move, tail, head
