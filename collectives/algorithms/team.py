"""Put ranks of a machine together as an algorithm sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collectives.model.schedule import IntArray, Team, consecutive_groups
from topology.routing import chosen_ranks
from topology.supernode import Supernode


def team_of(
    supernode: Supernode, ranks: npt.ArrayLike | None = None, group_size: int | None = None
) -> Team:
    """Return the team of some ranks, grouped by the node they are in.

    Parameters
    ----------
    supernode
        What they run on.
    ranks
        Who, in which order; by default all.
    group_size
        Consecutive positions per group, instead of the nodes' ``node`` attribute.
    """
    chosen = chosen_ranks(ranks, len(supernode.npus))
    if group_size is not None:
        groups: Sequence[IntArray] | None = list(consecutive_groups(len(chosen), group_size))
    else:
        groups = _groups(supernode, chosen)
    return Team(len(chosen), groups, supernode, chosen)


def _groups(supernode: Supernode, ranks: IntArray) -> list[IntArray] | None:
    homes: dict[object, list[int]] = {}
    for position, rank in enumerate(ranks.tolist()):
        data = supernode.graph.nodes[supernode.npus[rank]]
        if "node" not in data:
            return None
        homes.setdefault(data["node"], []).append(position)
    return [np.array(row, dtype=np.int64) for row in homes.values()]


def homes(team: Team) -> IntArray:
    """Return the number of each position's group, shape (p,); 0 where there are no groups."""
    found = np.zeros(team.size, dtype=np.int64)
    for number, row in enumerate(() if team.groups is None else team.groups):
        found[row] = number
    return found
