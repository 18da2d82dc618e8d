"""Tell which members of groups reach other groups: whose NIC is alive, and on which network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from collectives.model.schedule import IntArray, Team
from topology.fabric import Fabric


def networks_of(team: Team, groups: Sequence[IntArray]) -> IntArray:
    """Return the number of the network between groups that each position is on, -1 for none.

    A network is what passes on what others send, from members of two groups or more, or links
    straight between such members; two that share a member count as one. Where the machine is not
    known, or some group is on no network, all are on one.

    Parameters
    ----------
    team
        Who takes part.
    groups
        Positions of each.
    """
    if team.supernode is None or team.ranks is None:
        return np.zeros(team.size, dtype=np.int64)
    fabric = team.supernode.fabric
    home = np.full(len(fabric.nodes), -1)
    at = fabric.npus[team.ranks]
    for number, row in enumerate(groups):
        home[at[row]] = number
    part = _passing(fabric)
    ends = np.stack([fabric.tail, fabric.head], axis=1)
    attached = np.concatenate([ends, ends[:, ::-1], np.stack([at, at], axis=1)])
    attached = attached[(home[attached[:, 0]] >= 0) & (part[attached[:, 1]] >= 0)]
    member, touched = attached[:, 0], part[attached[:, 1]]
    lowest, highest = np.full(len(part), len(part)), np.full(len(part), -1)
    np.minimum.at(lowest, touched, home[member])
    np.maximum.at(highest, touched, home[member])
    between = (lowest < highest)[touched]  # else it stays in one group
    straight = ends[(home[ends] >= 0).all(axis=1) & (home[ends[:, 0]] != home[ends[:, 1]])]
    a = np.concatenate([member[between], straight[:, 0]])
    b = np.concatenate([touched[between] + len(part), straight[:, 1]])
    size = 2 * len(part)
    joined = sparse.coo_array((np.ones(len(a)), (a, b)), shape=(size, size))
    label = connected_components(joined, directed=False)[1][at]
    found = np.where(np.isin(at, np.concatenate([a, straight[:, 1]])), label, -1).astype(np.int64)
    alone = any((found[row] < 0).all() for row in groups)
    return np.zeros(team.size, dtype=np.int64) if alone else found


def _passing(fabric: Fabric) -> IntArray:
    """Return the number of the connected part of each node that forwards, -1 for the others."""
    inside = fabric.forwards[fabric.tail] & fabric.forwards[fabric.head]
    count = len(fabric.nodes)
    ends = fabric.tail[inside], fabric.head[inside]
    joined = sparse.coo_array((np.ones(int(inside.sum())), ends), shape=(count, count))
    part = connected_components(joined, directed=False)[1].astype(np.int64)
    return np.where(fabric.forwards, part, -1)
