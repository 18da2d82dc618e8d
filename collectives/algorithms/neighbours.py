"""Which ranks of a team are linked directly."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from collectives.model.schedule import DoesNotFitError, Team


def direct_lanes(team: Team, algorithm: str) -> sparse.csr_array:
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
        If the team does not say what it runs on, or a rank has no direct link.
    """
    if team.supernode is None or team.ranks is None:
        raise DoesNotFitError(f"{algorithm} needs to know the machine: give it a team with one")
    fabric = team.supernode.fabric
    position = np.full(len(fabric.nodes), -1)
    position[fabric.npus[team.ranks]] = np.arange(team.size)
    src, dst = position[fabric.tail], position[fabric.head]
    among = (src >= 0) & (dst >= 0)
    alone = np.setdiff1d(np.arange(team.size), np.concatenate([src[among], dst[among]]))
    if len(alone) and team.size > 1:
        name = fabric.nodes[fabric.npus[team.ranks[alone[0]]]]
        raise DoesNotFitError(
            f"{algorithm} needs NPUs that are linked directly, and {name} of "
            f"{team.supernode.name} is linked to none of the others; use an algorithm for switches"
        )
    lanes = fabric.lanes[among].astype(np.int64)
    return sparse.csr_array((lanes, (src[among], dst[among])), shape=(team.size, team.size))
