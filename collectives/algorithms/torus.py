"""Bucket algorithms: rings along the dimensions of a torus, all ports at work.

References
----------
Barnett, Littlefield, Payne and van de Geijn, Global combine on mesh architectures with wormhole
routing, IPPS 1993; Jain and Sabharwal, Optimal bucket algorithms for large MPI collectives on
torus interconnects, ICS 2010.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from collectives.algorithms.alltoall import grid_of
from collectives.algorithms.compose import Steps, in_parallel
from collectives.algorithms.grid import gather_along, reduce_along, scatter_along
from collectives.algorithms.registry import algorithm
from collectives.model.collective import collective
from collectives.model.schedule import DoesNotFitError, IntArray, Schedule, Team, as_team

Dims: TypeAlias = Sequence[int] | None


@algorithm("all_reduce", "bucket")
def bucket_all_reduce(team: Team | int, *, dims: Dims = None) -> Schedule:
    """All-reduce in 2·Σ(a_i-1) steps on an a_1 x ... x a_D torus, with 2(p-1)/p · S/B.

    2D copies, each on its part of the data, start in different dimensions and directions.

    Parameters
    ----------
    team
        Who takes part; on a machine, the torus is the NPUs' ``coord`` attribute.
    dims
        The widths, instead; positions count with the last dimension fastest.
    """
    return _bucket("all_reduce", as_team(team), reduce_along, dims)


@algorithm("reduce_scatter", "bucket")
def bucket_reduce_scatter(team: Team | int, *, dims: Dims = None) -> Schedule:
    """Reduce-scatter in Σ(a_i-1) steps on a torus, with (p-1)/p · S/B."""
    return _bucket("reduce_scatter", as_team(team), scatter_along, dims)


@algorithm("all_gather", "bucket")
def bucket_all_gather(team: Team | int, *, dims: Dims = None) -> Schedule:
    """All-gather in Σ(a_i-1) steps on a torus, with (p-1)/p · S/B."""
    return _bucket("all_gather", as_team(team), gather_along, dims)


def _bucket(kind: str, team: Team, make: Callable[..., Steps], dims: Dims) -> Schedule:
    grid = torus_grid(team, "bucket", dims)
    grid = grid.reshape([n for n in grid.shape if n > 1] or [1])
    copies = [
        make(_rotated(grid, first), _words(grid.ndim, first), backwards=backwards)
        for first in range(grid.ndim)
        for backwards in (False, True)
    ]
    p = grid.size
    steps = in_parallel(copies, p, p)
    return Schedule("bucket", collective(kind), p, len(copies) * p, steps)


def torus_grid(team: Team, algorithm: str, dims: Dims = None) -> IntArray:
    """Return the position at each point of a team's torus or mesh.

    Parameters
    ----------
    team
        Who takes part.
    algorithm
        What an error calls the one that asks.
    dims
        The widths, if they are given.
    """
    try:
        return grid_of(team, dims)
    except DoesNotFitError as error:
        raise DoesNotFitError(
            f"{algorithm} needs the ranks of a torus or mesh, all of a rectangle, whose NPUs have "
            f"a 'coord' attribute ({error})"
        ) from error


def _rotated(grid: IntArray, first: int) -> IntArray:
    return np.transpose(grid, np.roll(np.arange(grid.ndim), -first))


def _words(count: int, first: int) -> list[str]:
    return [f"along dimension {(first + i) % count}" for i in range(count)]
