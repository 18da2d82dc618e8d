"""Find the tiers of a team: which ranks are in one node, which nodes in one rack, and so on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collectives.algorithms.team import homes
from collectives.model.schedule import IntArray, Team
from topology.fabric import BoolArray
from topology.routing import ecmp

_MOST_RANKS = 4096  # above this, hops between all pairs are too many
_ATTRIBUTES = {"node": "in the node", "rack": "in the rack"}


def tiers_of(team: Team) -> tuple[IntArray, list[str]]:
    """Return a team's positions as a grid, the innermost tier first, and a word for each axis.

    Ranks are in one tier if they share the attributes ``node`` or ``rack``, the team's groups,
    or a switch: if they are fewer hops apart than from others. Tiers that do not nest in
    equal parts are left out.

    Parameters
    ----------
    team
        Who takes part.
    """
    labels: list[IntArray] = []
    words: list[str] = []
    for label, word in [*_groups(team), *_attributes(team), *_hops(team)]:
        if not any(np.array_equal(_canonical(label), _canonical(known)) for known in labels):
            labels.append(label)
            words.append(word)
    order = sorted(range(len(labels)), key=lambda i: -len(np.unique(labels[i])))
    grid, used = _nest(team.size, [labels[i] for i in order])
    names = [words[order[i]] for i in used]
    return grid, [*names, "between the rest" if names else "between all"]


def _canonical(label: IntArray) -> IntArray:
    """Return labels numbered by first appearance."""
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.reshape(-1)]


def _groups(team: Team) -> list[tuple[IntArray, str]]:
    return [] if team.groups is None else [(homes(team), "in the node")]


def _attributes(team: Team) -> list[tuple[IntArray, str]]:
    if team.supernode is None or team.ranks is None:
        return []
    nodes, npus = team.supernode.graph.nodes, team.supernode.npus
    found = []
    for attribute, word in _ATTRIBUTES.items():
        values = [nodes[npus[rank]].get(attribute) for rank in team.ranks.tolist()]
        if None not in values:
            index = {value: i for i, value in enumerate(dict.fromkeys(values))}
            found.append((np.array([index[value] for value in values]), word))
    return found


def _hops(team: Team) -> list[tuple[IntArray, str]]:
    if team.supernode is None or team.ranks is None:
        return []
    router = ecmp(team.supernode)
    to_first = router.hops(team.ranks[:1])[team.ranks, 0]
    nearest = int(np.argmin(np.where(to_first > 0, to_first, np.iinfo(np.int32).max)))
    two = router.hops(team.ranks[[0, nearest]])[team.ranks]
    limits = [
        limit for limit in range(int(to_first[nearest]), int(to_first.max(initial=0)))
        if np.equal(*((two >= 0) & (two <= limit)).T).all()  # else these two see different tiers
    ]  # fmt: skip
    if not limits or len(team.supernode.npus) > _MOST_RANKS:
        return []
    hops = router.hops(team.ranks)[team.ranks]
    found = []
    for limit in limits:
        near: BoolArray = (hops >= 0) & (hops <= limit)
        label = np.argmax(near, axis=1)  # the first that is near
        if (near == (label[:, None] == label)).all():
            found.append((label, f"within {limit} hops"))
    return found


def _nest(size: int, labels: Sequence[IntArray]) -> tuple[IntArray, list[int]]:
    """Return the grid of the labels that nest in equal parts, and which these are.

    Parameters
    ----------
    size
        How many positions.
    labels
        A part's number for each position; the finest first.
    """
    grid = np.arange(size).reshape(1, size)  # places in a part, parts
    used = []
    for i, label in enumerate(labels):
        parts = label[grid.reshape(-1, grid.shape[-1])]
        if not (parts == parts[0]).all():
            continue  # cuts through a finer tier
        count = np.unique(parts[0], return_counts=True)[1]
        if len(count) == grid.shape[-1] or len(count) == 1 or len(set(count.tolist())) > 1:
            continue
        order = np.argsort(_canonical(parts[0]), kind="stable")
        sorted_grid = grid[..., order].reshape(*grid.shape[:-1], len(count), int(count[0]))
        grid = np.swapaxes(sorted_grid, -1, -2)
        used.append(i)
    return grid.reshape([n for n in grid.shape if n > 1] or [1]), used
