"""Which ranks of a team are linked directly."""

from __future__ import annotations

import numpy as np

from collectives.schedule import IntArray, ScheduleError, Team


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
    ScheduleError
        If the team does not say what it runs on, or a rank has no direct link.
    """
    if team.supernode is None or team.ranks is None:
        raise ScheduleError(f"{algorithm} needs to know the machine: give it a team with one")
    graph = team.supernode.graph
    names = [team.supernode.npus[rank] for rank in team.ranks.tolist()]
    position = {name: i for i, name in enumerate(names)}
    lanes = np.zeros((team.size, team.size), dtype=np.int64)
    for name, i in position.items():
        for other, data in graph.adj[name].items():
            if other in position:
                lanes[i, position[other]] = data["lanes"]
    alone = np.flatnonzero((lanes.sum(axis=1) == 0) | (lanes.sum(axis=0) == 0))
    if len(alone) and team.size > 1:
        raise ScheduleError(
            f"{algorithm} needs NPUs that are linked directly, and {names[int(alone[0])]} of "
            f"{team.supernode.name} is linked to none of the others; use an algorithm for switches"
        )
    return lanes
