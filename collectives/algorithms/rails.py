"""Tours and trees of all ranks from group to group along rails: the channels of a cluster.

Channel c of a ring crosses from each group to the next on rail c + o, where o differs from one
crossing to the next, so that over all channels every NPU, and its NIC, is left once and entered
once. Channel c of a tree stays on rail c between groups.

References
----------
NVIDIA NCCL 2.30, src/graph/search.cc and rings.cc: one ring a NIC, in and out by different ones.
The trees are those of NCCL's Tree, a chain inside each node (src/graph/trees.cc).
Williams, Experimental designs balanced for the estimation of residual effects of treatments,
Australian Journal of Chemistry 2 (1949) 149-168, for the zigzag that uses all links of a mesh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from collectives.algorithms.networks import networks_of
from collectives.algorithms.trees import rooted_at
from collectives.model.schedule import DoesNotFitError, IntArray, Team
from topology.routing import ecmp

_REFERENCES = 16


class Rails(NamedTuple):
    """The members of each domain, those on one rail at the same place as far as can be.

    Attributes
    ----------
    rows
        Positions, a row for each domain.
    width
        At how many places, the first ones, every row has a member that reaches those of the others
        at its place.
    networks
        Which network between domains each position is on, -1 for none, shape (p,).
    """

    rows: list[IntArray]
    width: int
    networks: IntArray


def rail_tours(team: Team) -> list[IntArray]:
    """Return a tour of all positions for each channel, shape (p,) each.

    There are as many channels as the group with the fewest has members that reach others; a single
    one, in the order of the positions, where there are no groups, or their members are no nearer
    than others are.

    Parameters
    ----------
    team
        Who takes part.

    Raises
    ------
    DoesNotFitError
        If only one member of a group of several reaches other groups.
    """
    rails = rail_places(team)
    if rails is None:
        return [np.arange(team.size)]
    for row in rails.rows:
        if len(row) > 1 and (rails.networks[row] >= 0).sum() < 2:
            raise DoesNotFitError(
                f"a ring enters a group by one member and leaves it by another, and of the "
                f"{len(row)} members of one only one reaches others; use 'tree' or 'hierarchical'"
            )
    return list(_tours(rails.rows, _inside(team, rails)))


def rail_trees(
    team: Team, over: Callable[[int], Sequence[IntArray]], root: int | None = None
) -> list[IntArray]:
    """Return trees over groups for each rail, with a chain inside each group.

    Parameters
    ----------
    team
        Who takes part.
    over
        Returns trees of so many: of groups, or of all ranks where there are no groups.
    root
        Position of the root, for trees whose root is 0; None where any will do.
    """
    rails = rail_places(team)
    if rails is None:
        return [rooted_at(tree, root or 0) for tree in over(team.size)]
    rows = rails.rows
    first = 0 if root is None else next(i for i, row in enumerate(rows) if root in row)
    trees = [rooted_at(tree, first) for tree in over(len(rows))]
    found = []
    for channel in range(rails.width):
        gate = np.array([row[channel] for row in rows])
        chains = [np.roll(row, -channel) for row in rows]
        if root is not None:
            chains[first] = np.roll(chains[first], -int(np.argmax(chains[first] == root)))
        parent = np.full(team.size, -1)
        for chain in chains:
            parent[chain[1:]] = chain[:-1]
        for tree in trees:
            whole = parent.copy()
            below = np.flatnonzero(tree >= 0)
            whole[[chains[i][0] for i in below]] = gate[tree[below]]
            found.append(whole)
    return found


def rail_places(team: Team) -> Rails | None:
    """Return the members of each domain by rail.

    Two are on one rail if no other pair of their domains is fewer hops apart. None where there
    are no groups, or their members are no nearer than others are.

    Parameters
    ----------
    team
        Who takes part, in groups.
    """
    groups = domains(team)
    if len(groups) < 2 or max(map(len, groups)) == 1:
        return None
    networks = networks_of(team, groups)
    if team.supernode is None or team.ranks is None:
        return Rails(groups, min(map(len, groups)), networks)
    ranks = team.ranks
    order = sorted(range(len(groups)), key=lambda i: -len(groups[i]))
    rail: dict[int, IntArray] = {}
    for tried, i in enumerate(i for i in order if i not in rail):
        reference = groups[i]
        hops = ecmp(team.supernode).hops(ranks[reference])[ranks].astype(np.int64)
        rail[i] = np.arange(len(reference))
        found = dict(_aligned(groups, [j for j in order if j not in rail], hops))
        rail |= found
        in_order = all(np.array_equal(found[j], np.arange(len(groups[j]))) for j in found)
        if in_order or tried == _REFERENCES:
            break  # machines are built alike everywhere
    every = [rail.get(i, np.arange(len(row))) for i, row in enumerate(groups)]
    return _arranged(groups, every, networks)


def domains(team: Team) -> list[IntArray]:
    """Return a team's groups; those whose members are as near as those of one group are one.

    The trays of an NVL72 are one domain: their GPUs are on the same switches.

    Parameters
    ----------
    team
        Who takes part.
    """
    groups = [np.asarray(row) for row in (() if team.groups is None else team.groups)]
    if team.supernode is None or team.ranks is None:
        return groups
    ranks = team.ranks
    groups = [row[np.argsort(ranks[row])] for row in groups]
    found: list[IntArray] = []
    left = np.ones(team.size, dtype=bool)
    for row in groups:
        if not left[row].all():
            continue
        hops = ecmp(team.supernode).hops(ranks[row])[ranks]
        near = ((hops >= 0) & (hops <= hops[row].max())).all(axis=1)
        if near.sum() == len(row) or not left[near].all():
            return groups
        found.append(np.flatnonzero(near))
        left[near] = False
    return [row[np.argsort(ranks[row])] for row in found]


def _aligned(
    groups: Sequence[IntArray], left: Sequence[int], hops: IntArray
) -> Iterator[tuple[int, IntArray]]:
    """Yield the rail of each member of those groups that are nearer to some rails than to others.

    Parameters
    ----------
    groups
        Positions.
    left
        Which groups to look at.
    hops
        From each position to the one on each rail, shape (p, rails).
    """
    rails = hops.shape[1]
    far = np.where(hops < 0, hops.max() + 1, hops)
    for j in left:
        near = far[groups[j]]
        if (near != near[:, :1]).any():
            other = np.arange(rails) != np.arange(len(near))[:, None]
            yield j, linear_sum_assignment(near * rails * rails + other)[1]


def _arranged(groups: Sequence[IntArray], rails: Sequence[IntArray], networks: IntArray) -> Rails:
    """Return groups with the rails that most of them have first, and at the same places."""
    on = [networks[members] >= 0 for members in groups]
    every = np.concatenate(rails)
    often = np.bincount(every[np.concatenate(on)], minlength=int(every.max()) + 1)
    place = np.argsort(np.argsort(-often, kind="stable"))
    width = min(int(crosses.sum()) for crosses in on)
    rows = []
    for members, rail, crosses in zip(groups, rails, on, strict=True):
        at = place[rail]
        row = np.full(len(members), -1)
        fixed = (at < width) & crosses
        row[at[fixed]] = members[fixed]
        row[row < 0] = [*members[~fixed & crosses], *members[~crosses]]
        rows.append(row)
    # on networks that are apart, some places may have members that do not reach each other
    label = np.array([networks[row[:width]] for row in rows])
    joined = (label == label[0]).all(axis=0)
    if not joined.any():
        return Rails(rows, width, networks)
    first = np.argsort(~joined, kind="stable")
    rows = [np.concatenate([row[:width][first], row[width:]]) for row in rows]
    return Rails(rows, int(joined.sum()), networks)


def _inside(team: Team, rails: Rails) -> IntArray:
    """Return the places a channel goes through in a group, shape (channels,): a zigzag, or round.

    A zigzag, turned for every channel, uses each link of a full mesh once; where there is a
    switch, or some links only, neighbours stay neighbours.
    """
    steps = np.arange(rails.width)
    if team.supernode is not None and team.ranks is not None:
        fabric = team.supernode.fabric
        nodes = fabric.npus[team.ranks[rails.rows[0]]]
        linked = np.isin(fabric.tail, nodes) & np.isin(fabric.head, nodes)
        if linked.sum() == len(nodes) * (len(nodes) - 1):
            return np.where(steps % 2, (steps + 1) // 2, -(steps // 2))
    return -steps


def _tours(rows: Sequence[IntArray], path: IntArray) -> IntArray:
    channels, count = len(path), len(rows)
    turn = max(channels, 2)
    end = int(path[-1]) % turn if channels > 1 else 1
    leave = np.where(np.arange(count) % 2, end, 0)
    if count % 2:  # a third rail, so that no group is entered where it is left
        leave[-1] = next((o for o in range(turn) if o not in (0, end)), 0)
    enter = np.roll(leave, 1)
    if enter[0] == leave[0]:  # two rails only: the last crossing changes from one to the other
        enter[0] = end
    start = np.arange(channels)[:, None]
    parts = []
    for row, e, x in zip(rows, enter.tolist(), leave.tolist(), strict=True):
        way = next((s * path for s in (1, -1) if (e + s * path[-1] - x) % turn == 0), None)
        if way is None or len(row) != channels:
            parts.append(row[_between((start + e) % turn, (start + x) % turn, len(row))])
        else:
            parts.append(row[(start + e + way) % channels])
    return np.concatenate(parts, axis=1)


def _between(first: IntArray, last: IntArray, size: int) -> IntArray:
    """Return all places from the first to the last of each channel, shape (channels, size)."""
    order = (first + np.arange(size)) % size
    if size == 1:
        return order
    ends = last % size
    return np.concatenate([order[order != ends].reshape(len(order), -1), ends], axis=1)
