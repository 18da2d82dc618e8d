"""Algorithms in two and three levels: inside the node, then between nodes along rails.

With g ranks in each of m nodes, rail j joins the ranks at place j of every node.

References
----------
NCCL's PXN: Kobus et al., Doubling all2all performance with NCCL 2.12, NVIDIA technical blog, 2022.
The two-level all-reduce: Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005) 49-66, and the
hierarchical schemes that follow it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from collectives.algorithms.compose import Steps, in_parallel
from collectives.algorithms.grid import gather_along, reduce_along, scatter_along
from collectives.algorithms.neighbours import direct_lanes
from collectives.algorithms.registry import algorithm
from collectives.algorithms.tiers import tiers_of
from collectives.model.collective import collective
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
    require_groups,
)
from topology.routing import Uniform

_WORDS = ["in the node", "along the rails"]


@algorithm("all_reduce", "hierarchical")
def hierarchical_all_reduce(team: Team | int) -> Schedule:
    """All-reduce as rings in the node, rings along the rails, and rings in the node.

    Reduce-scatter in the node, all-reduce of S/g along each rail, all-gather in the node:
    2(g-1)/g · S/B_i + 2(m-1)/m · (S/g)/B_e + 2(g-1)α_i + 2(m-1)α_e.
    """
    return _two_level("hierarchical", "all_reduce", team, reduce_along)


@algorithm("reduce_scatter", "hierarchical")
def hierarchical_reduce_scatter(team: Team | int) -> Schedule:
    """Reduce-scatter as rings in the node, then along the rails; half the all-reduce."""
    return _two_level("hierarchical", "reduce_scatter", team, scatter_along)


@algorithm("all_gather", "hierarchical")
def hierarchical_all_gather(team: Team | int) -> Schedule:
    """All-gather as rings along the rails, then in the node; half the all-reduce."""
    return _two_level("hierarchical", "all_gather", team, gather_along)


@algorithm("all_reduce", "hierarchical_direct")
def hierarchical_direct_all_reduce(team: Team | int) -> Schedule:
    """All-reduce in two levels, each by direct exchange: four steps.

    The bandwidth terms of `hierarchical_all_reduce` with 2α_i + 2α_e.
    """
    return _two_level("hierarchical_direct", "all_reduce", team, reduce_along)


@algorithm("reduce_scatter", "hierarchical_direct")
def hierarchical_direct_reduce_scatter(team: Team | int) -> Schedule:
    """Reduce-scatter in two steps: direct in the node, then along the rails."""
    return _two_level("hierarchical_direct", "reduce_scatter", team, scatter_along)


@algorithm("all_gather", "hierarchical_direct")
def hierarchical_direct_all_gather(team: Team | int) -> Schedule:
    """All-gather in two steps: direct along the rails, then in the node."""
    return _two_level("hierarchical_direct", "all_gather", team, gather_along)


def _two_level(name: str, kind: str, team: Team | int, make: Callable[..., Steps]) -> Schedule:
    groups = require_groups(as_team(team), name)
    steps = make(groups.T, _WORDS, direct=name == "hierarchical_direct")
    return Schedule(name, collective(kind), groups.size, groups.size, steps)


@algorithm("all_reduce", "three_level")
def three_level_all_reduce(team: Team | int) -> Schedule:
    """All-reduce as rings in three tiers of the fabric, the innermost first and last.

    With g ranks in each of m nodes in each of n racks (or what the fabric's switches join):
    2(g-1)/g · S/B_1 + 2(m-1)/m · (S/g)/B_2 + 2(n-1)/n · (S/(gm))/B_3.
    """
    return _three_level("three_level", "all_reduce", team, reduce_along)


@algorithm("reduce_scatter", "three_level")
def three_level_reduce_scatter(team: Team | int) -> Schedule:
    """Reduce-scatter as rings in three tiers of the fabric, the innermost first."""
    return _three_level("three_level", "reduce_scatter", team, scatter_along)


@algorithm("all_gather", "three_level")
def three_level_all_gather(team: Team | int) -> Schedule:
    """All-gather as rings in three tiers of the fabric, the outermost first."""
    return _three_level("three_level", "all_gather", team, gather_along)


@algorithm("all_reduce", "three_level_direct")
def three_level_direct_all_reduce(team: Team | int) -> Schedule:
    """All-reduce in three tiers, each by direct exchange: six steps."""
    return _three_level("three_level_direct", "all_reduce", team, reduce_along)


@algorithm("all_reduce", "rotated")
def rotated_all_reduce(team: Team | int) -> Schedule:
    """All-reduce in tiers by direct exchange, every tier with links of its own at work at once.

    Where k tiers are full meshes (UB-Mesh: the node, and the nodes of the rack), k copies with
    a part of the data each go through them from the i-th on, round and round, and then together
    through the other tiers. The bytes of `three_level_direct`, but k times as many links.
    """
    return _rotated("all_reduce", as_team(team), reduce_along)


@algorithm("reduce_scatter", "rotated")
def rotated_reduce_scatter(team: Team | int) -> Schedule:
    """Reduce-scatter in tiers by direct exchange, all full meshes at work at once."""
    return _rotated("reduce_scatter", as_team(team), scatter_along)


@algorithm("all_gather", "rotated")
def rotated_all_gather(team: Team | int) -> Schedule:
    """All-gather in tiers by direct exchange, all full meshes at work at once."""
    return _rotated("all_gather", as_team(team), gather_along)


def _rotated(kind: str, team: Team, make: Callable[..., Steps]) -> Schedule:
    grid, words = tiers_of(team)
    lanes = direct_lanes(team, "rotated")
    meshes = [axis for axis in range(grid.ndim) if _is_mesh(lanes, np.moveaxis(grid, axis, -1))]
    if len(meshes) < 2:
        raise DoesNotFitError(
            f"rotated needs two tiers or more that are full meshes of direct links; these "
            f"{grid.size} ranks have {len(meshes)}: use 'three_level_direct'"
        )
    rest = [axis for axis in range(grid.ndim) if axis not in meshes]
    orders = [[*meshes[i:], *meshes[:i], *rest] for i in range(len(meshes))]
    copies = [
        make(grid.transpose(order), [words[axis] for axis in order], direct=True)
        for order in orders
    ]
    chunks = len(copies) * grid.size
    return Schedule(
        "rotated", collective(kind), grid.size, chunks, in_parallel(copies, grid.size, grid.size)
    )


def _is_mesh(lanes: sparse.csr_array, rows: IntArray) -> bool:
    """Tell whether each position of a row, the last axis, is linked to all others of it."""
    sent = Uniform(rows.reshape(-1, rows.shape[-1])).pairs()
    return len(sent.src) > 0 and bool((lanes[sent.src, sent.dst] > 0).all())


def _three_level(name: str, kind: str, team: Team | int, make: Callable[..., Steps]) -> Schedule:
    grid, words = tiers_of(as_team(team))
    if grid.ndim < 3:
        raise DoesNotFitError(
            f"{name} needs three tiers with equal numbers in each; these {grid.size} ranks have "
            f"{grid.ndim}: {' x '.join(map(str, grid.shape))}; use 'hierarchical'"
        )
    while grid.ndim > 3:  # more tiers than three: the outer ones count as one
        grid = grid.reshape(*grid.shape[:-2], -1)
    steps = make(grid, words[: grid.ndim], direct=name == "three_level_direct")
    return Schedule(name, collective(kind), grid.size, grid.size, steps)


@algorithm("all_to_all", "hierarchical")
def hierarchical_all_to_all(team: Team | int) -> Schedule:
    """All-to-all in two steps: to the neighbour on the right rail, then along that rail.

    Every rank first gives each neighbour what is meant for that neighbour's place on any node,
    S/g each; then sends S/m to every node along its own rail. Messages between nodes are g
    times larger and stay on their rail: (g-1)/g · S/B_i + (m-1)/m · S/B_e + 2α.
    """
    groups = require_groups(as_team(team), "hierarchical")
    m, g = groups.shape
    p = m * g
    place = _places(groups)

    def in_node(_: int) -> Transfers:
        src, rail = (
            np.repeat(groups, g).reshape(m, g, g),
            np.broadcast_to(groups[:, None], (m, g, g)),
        )
        src, via = src[src != rail], rail[src != rail]
        target = groups.T[place[via]]  # every rank at that place, shape (k, m)
        return Transfers(
            np.repeat(src, m), np.repeat(via, m), (src[:, None] * p + target).reshape(-1)
        )

    def along_rail(_: int) -> Transfers:
        via, last = _pairs(groups.T)
        origin = groups[_nodes(groups)[via]]  # the whole node of the sender, shape (k, g)
        return Transfers(
            np.repeat(via, g), np.repeat(last, g), (origin * p + last[:, None]).reshape(-1)
        )

    steps = []
    if g > 1:
        steps.append(Step(in_node, Uniform(groups, 1 / g), 1, "to the rail"))
    if m > 1:
        steps.append(Step(along_rail, Uniform(groups.T, 1 / m), 1, "along the rail"))
    return Schedule("hierarchical", collective("all_to_all"), p, p * p, tuple(steps))


def _places(groups: IntArray) -> IntArray:
    """Return each position's place in its node."""
    place = np.empty(groups.size, dtype=np.int64)
    place[groups] = np.arange(groups.shape[1])
    return place


def _nodes(groups: IntArray) -> IntArray:
    """Return each position's node."""
    node = np.empty(groups.size, dtype=np.int64)
    node[groups.T] = np.arange(groups.shape[0])
    return node


def _pairs(rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return every ordered pair of different positions of a row, over all rows."""
    count, width = rows.shape
    src = np.repeat(rows, width).reshape(count, width, width)
    dst = np.broadcast_to(rows[:, None], (count, width, width))
    apart = src != dst
    return src[apart], dst[apart]
