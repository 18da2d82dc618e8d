"""Which ranks of a team are linked directly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from collectives.model.schedule import DoesNotFitError, IntArray, Team
from topology.fabric import FloatArray


@dataclass(frozen=True, eq=False)
class Links:
    """Links from position to position.

    Attributes
    ----------
    src, dst
        Positions, shape (k,).
    lanes
        Parallel links that each stands for, shape (k,).
    rate, latency
        Bytes/s of all its lanes, and seconds, shape (k,).
    """

    src: IntArray
    dst: IntArray
    lanes: IntArray
    rate: FloatArray
    latency: FloatArray

    def turned(self) -> Links:
        """Return them the other way round."""
        return replace(self, src=self.dst, dst=self.src)

    @property
    def mirrored(self) -> bool:
        """Whether every link has one the other way of the same rate."""
        there, back = np.lexsort((self.dst, self.src)), np.lexsort((self.src, self.dst))
        return all(
            np.array_equal(one[there], other[back])
            for one, other in ((self.src, self.dst), (self.dst, self.src), (self.rate, self.rate))
        )


def direct_links(team: Team, algorithm: str) -> Links:
    """Return the links from each position straight to others.

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
    among = np.flatnonzero((src >= 0) & (dst >= 0))
    src, dst = src[among], dst[among]
    alone = np.setdiff1d(np.arange(team.size), np.concatenate([src, dst]))
    if len(alone) and team.size > 1:
        name = fabric.nodes[fabric.npus[team.ranks[alone[0]]]]
        raise DoesNotFitError(
            f"{algorithm} needs NPUs that are linked directly, and {name} of "
            f"{team.supernode.name} is linked to none of the others; use an algorithm for switches"
        )
    lanes = fabric.lanes[among].astype(np.int64)
    return Links(src, dst, lanes, fabric.capacity[among], fabric.latency[among])


def direct_lanes(team: Team, algorithm: str) -> sparse.csr_array:
    """Return the parallel links from each position to each other, shape (p, p); see above."""
    links = direct_links(team, algorithm)
    return sparse.csr_array((links.lanes, (links.src, links.dst)), shape=(team.size, team.size))
