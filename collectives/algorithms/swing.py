"""Swing and Bine: butterflies whose partners swing from one side to the other.

In step s a rank exchanges with the one at distance ρ(s) = 1, -1, 3, -5, 11, ..., the sum of
(-2)^i for i up to s; odd ranks the other way. Partners are nearer than with doubling distances,
so that fewer messages share a link of a ring or torus.

References
----------
De Sensi, Bonato, Saam and Hoefler, Swing: short-cutting rings for higher bandwidth allreduce,
NSDI 2024, arXiv:2401.09356.
De Sensi et al., Bine trees: enhancing collective operations by optimizing communication
locality, SC 2025, arXiv:2508.17311.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.alltoall import grid_of
from collectives.algorithms.butterfly import (
    exchange_steps,
    gather_steps,
    is_power,
    require_power,
)
from collectives.algorithms.compose import Steps, in_parallel, reverse
from collectives.algorithms.halves import Half, halves, mirrored
from collectives.algorithms.registry import algorithm
from collectives.algorithms.rooted import from_root
from collectives.model.collective import collective
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
    permutation,
)


def swing_distance(step: int) -> int:
    """Return ρ(s) = (1 - (-2)^(s+1)) / 3: 1, -1, 3, -5, 11, -21, ..."""
    return int((1 - (-2) ** (step + 1)) // 3)


def ring_partners(p: int) -> IntArray:
    """Return Swing's partners on a ring of p = 2^k, the nearest first, shape (k, p)."""
    ranks = np.arange(p)
    sign = np.where(ranks % 2 == 0, 1, -1)
    steps = p.bit_length() - 1
    return np.array([(ranks + sign * swing_distance(s)) % p for s in range(steps)]).reshape(-1, p)


def grid_partners(
    grid: IntArray, *, first: int = 0, mirrored: bool = False, doubling: bool = False
) -> IntArray:
    """Return partners on a torus, one dimension after the other in turn, shape (log2 p, p).

    Parameters
    ----------
    grid
        Position at each point; every axis is a power of two.
    first
        The axis to start with.
    mirrored
        Whether the even ranks of a row go backwards first.
    doubling
        Distances 1, 2, 4, ... instead (Sack and Gropp's recursive doubling on tori).
    """
    rows = [_row_partners(n, mirrored=mirrored, doubling=doubling) for n in grid.shape]
    order = [
        ((first + i) % grid.ndim, s) for s in range(max(map(len, rows))) for i in range(grid.ndim)
    ]
    found = []
    for axis, s in order:
        if s < len(rows[axis]):
            partner = np.empty(grid.size, dtype=np.int64)
            partner[grid] = np.take(grid, rows[axis][s], axis=axis)
            found.append(partner)
    return np.array(found).reshape(-1, grid.size)


def _row_partners(n: int, *, mirrored: bool, doubling: bool) -> IntArray:
    if doubling:
        rows = np.array([np.arange(n) ^ (1 << s) for s in range(n.bit_length() - 1)])
        return rows.reshape(-1, n)
    rows = ring_partners(n)
    return (-rows[:, -np.arange(n)]) % n if mirrored else rows


def swing_grid(team: Team, name: str = "swing") -> IntArray:
    """Return the team's torus, or its ranks as a ring; all widths are powers of two."""
    try:
        grid = grid_of(team)
    except DoesNotFitError:
        grid = np.arange(team.size)
    bad = [n for n in grid.shape if not is_power(n)]
    if bad:
        shape = "x".join(map(str, grid.shape))
        raise DoesNotFitError(
            f"{name} needs a power of two ranks in every dimension, and {shape} has {bad[0]}; use "
            "2, 4, 8, 16, ... or another algorithm"
        )
    return grid.reshape([n for n in grid.shape if n > 1] or [1])


def _copies(grid: IntArray) -> list[IntArray]:
    """Return the partners of a plain and a mirrored copy for each dimension to start with."""
    return [
        grid_partners(grid, first=first, mirrored=mirrored)[::-1]
        for first in range(grid.ndim)
        for mirrored in (False, True)
    ]


@halves("swing")
def swing(team: Team) -> Half:
    """Swing to farther and farther partners: log2 p · α + (p-1)/p · S/B, all ports of a torus.

    One copy for each port, 2D in all, each on its part of the data: they start in different
    dimensions, and half of them swing the other way. An all-reduce takes
    2α log2 p + (S/D)·β·Ξ on a D-torus; Ξ → 6/5 for D = 2.
    """
    grid = swing_grid(team)
    copies = [gather_steps(partners) for partners in _copies(grid)]
    return mirrored(in_parallel(copies, grid.size, grid.size), len(copies) * grid.size)


@algorithm("all_reduce", "swing_latency")
def swing_latency_all_reduce(team: Team | int) -> Schedule:
    """All-reduce by Swing with whole vectors, for small sizes: log2 p steps."""
    grid = swing_grid(as_team(team))
    copies = [exchange_steps(partners[::-1]) for partners in _copies(grid)]
    steps = in_parallel(copies, 1)
    return Schedule("swing_latency", collective("all_reduce"), grid.size, len(copies), steps)


@halves("torus_doubling", "all_reduce")
def torus_doubling(team: Team) -> Half:
    """All-reduce by recursive halving and doubling, the dimensions of a torus in turn.

    As Sack and Gropp (Faster topology-aware collective algorithms through non-minimal
    communication, PPoPP 2012) do it, on one port at a time.
    """
    grid = swing_grid(team, "torus_doubling")
    return mirrored(gather_steps(grid_partners(grid, doubling=True)[::-1]), grid.size)


@halves("bine")
def bine(team: Team) -> Half:
    """Meet on a Bine butterfly: α log2 p + (p-1)/p · S/B; the all-reduce takes twice as long.

    The all-gather goes to the farthest first, the reduce-scatter to the nearest.
    """
    require_power(team.size, "bine")
    return mirrored(gather_steps(ring_partners(team.size)[::-1]), team.size)


@algorithm("broadcast", "bine")
def bine_broadcast(team: Team | int, *, root: int = 0) -> Schedule:
    """Broadcast down a Bine tree, the farthest first: log2 p · (α + S/B)."""
    return from_root("broadcast", "bine", team, root, _tree_steps)


@algorithm("reduce", "bine")
def bine_reduce(team: Team | int, *, root: int = 0) -> Schedule:
    """Reduce up a Bine tree, the nearest first: log2 p · (α + S/B)."""
    return from_root("reduce", "bine", team, root, lambda p: reverse(_tree_steps(p), "reduce"))


def _tree_steps(p: int) -> Steps:
    """Return a broadcast from position 0: in each step all that know tell their partner."""
    require_power(p, "bine")
    known = np.zeros(1, dtype=np.int64)
    steps = []
    for partner in ring_partners(p)[::-1]:
        steps.append(_tell(known, partner[known]))
        known = np.concatenate([known, partner[known]])
    return tuple(steps)


def _tell(src: IntArray, dst: IntArray) -> Step:
    chunk = np.zeros(len(src), dtype=np.int64)
    return Step(lambda _: Transfers(src, dst, chunk), permutation(src, dst, 1.0), 1, "broadcast")
