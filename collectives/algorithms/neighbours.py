"""Which ranks of a team are linked directly."""

from __future__ import annotations

import numpy as np

from collectives.model.schedule import DoesNotFitError, IntArray, Team

_MOST_RANKS = 8192


def direct_lanes(team: Team, algorithm: str) -> IntArray:
    """Return the parallel links from each position straight to each other, shape (p, p).

    Parameters
    ----------
    team
        Who takes part.
    algorithm
        What an error calls the one that asks.

    Raises
    ------
    DoesNotFitError
        If the team does not say what it runs on, a rank has no direct link, or there are too many.
    """
    if team.supernode is None or team.ranks is None:
        raise DoesNotFitError(f"{algorithm} needs to know the machine: give it a team with one")
    graph = team.supernode.graph
    names = [team.supernode.npus[rank] for rank in team.ranks.tolist()]
    position = {name: i for i, name in enumerate(names)}
    ends = np.array(
        [
            (i, position[other], data["lanes"])
            for name, i in position.items()
            for other, data in graph.adj[name].items()
            if other in position
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    alone = np.setdiff1d(np.arange(team.size), np.intersect1d(ends[:, 0], ends[:, 1]))
    if len(alone) and team.size > 1:
        raise DoesNotFitError(
            f"{algorithm} needs NPUs that are linked directly, and {names[int(alone[0])]} of "
            f"{team.supernode.name} is linked to none of the others; use an algorithm for switches"
        )
    if team.size > _MOST_RANKS:
        raise DoesNotFitError(f"{algorithm} takes up to {_MOST_RANKS} ranks, not {team.size}")
    lanes = np.zeros((team.size, team.size), dtype=np.int64)
    lanes[ends[:, 0], ends[:, 1]] = ends[:, 2]
    return lanes
