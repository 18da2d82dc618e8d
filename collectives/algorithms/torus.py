"""Bucket algorithms: rings along the dimensions of a torus, all ports at work.

References
----------
Barnett, Littlefield, Payne and van de Geijn, Global combine on mesh architectures with wormhole
routing, IPPS 1993; Jain and Sabharwal, Optimal bucket algorithms for large MPI collectives on
torus interconnects, ICS 2010.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collectives.algorithms.alltoall import grid_of
from collectives.algorithms.halves import Half, Part, halves
from collectives.algorithms.levels import Levels, levels_steps
from collectives.model.schedule import DoesNotFitError, IntArray, Team


@halves("bucket")
def bucket(team: Team, *, dims: Sequence[int] | None = None) -> Half:
    """Run rings along each dimension of an a_1 x ... x a_D torus: Σ(a_i-1) steps, (p-1)/p · S/B.

    The all-reduce takes twice that. 2D copies, each on its part of the data, start in different
    dimensions and directions.

    Parameters
    ----------
    team
        Who takes part; on a machine, the torus is the NPUs' ``coord`` attribute.
    dims
        The widths, instead; positions count with the last dimension fastest.
    """
    grid = torus_grid(team, "bucket", dims)
    grid = grid.reshape([n for n in grid.shape if n > 1] or [1])
    orders = [np.roll(np.arange(grid.ndim), -first) for first in range(grid.ndim)]
    words = [f"along dimension {axis}" for axis in range(grid.ndim)]
    turned = [
        Levels(way.transpose(order), [words[axis] for axis in order], ["ring"] * grid.ndim)
        for order in orders
        for way in (grid, np.flip(grid))
    ]

    def half(*, reduce: bool) -> Part:
        return Part(*levels_steps("reduce_scatter" if reduce else "all_gather", team, turned))

    return half


def torus_grid(team: Team, algorithm: str, dims: Sequence[int] | None = None) -> IntArray:
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
