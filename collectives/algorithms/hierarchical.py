"""Algorithms in two and three levels: inside the node, then between nodes along rails.

With g ranks in each of m nodes, rail j joins the ranks at place j of every node.

References
----------
NCCL's PXN: Kobus et al., Doubling all2all performance with NCCL 2.12, NVIDIA technical blog, 2022.
The two-level all-reduce: Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005) 49-66, and the
hierarchical schemes that follow it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from collectives.algorithms.compose import in_parallel
from collectives.algorithms.grid import along, grid_steps
from collectives.algorithms.halves import Half, Part, halves
from collectives.algorithms.neighbours import direct_lanes
from collectives.algorithms.registry import algorithm
from collectives.algorithms.tiers import tiers_of
from collectives.model.collective import collective
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Schedule,
    Team,
    as_team,
    require_groups,
)
from topology.routing import Uniform

_WORDS = ["in the node", "along the rails"]


def _levels(grid: IntArray, words: Sequence[str], *, direct: bool = False) -> Half:
    return lambda reduce: Part(along(grid, words, reduce=reduce, direct=direct), grid.size)


@halves("hierarchical")
def hierarchical(team: Team) -> Half:
    """Run rings in the node and rings along the rails.

    An all-reduce is a reduce-scatter in the node, an all-reduce of S/g along each rail and an
    all-gather in the node: 2(g-1)/g · S/B_i + 2(m-1)/m · (S/g)/B_e + 2(g-1)α_i + 2(m-1)α_e; its
    halves take half of it.
    """
    return _levels(require_groups(team, "hierarchical").T, _WORDS)


@halves("hierarchical_direct")
def hierarchical_direct(team: Team) -> Half:
    """Exchange directly in the node and directly along the rails, a step each.

    The bandwidth terms of `hierarchical` with 2α_i + 2α_e.
    """
    return _levels(require_groups(team, "hierarchical_direct").T, _WORDS, direct=True)


@halves("three_level")
def three_level(team: Team) -> Half:
    """Run rings in three tiers of the fabric: a reduce-scatter in the innermost first.

    With g ranks in each of m nodes in each of n racks (or what the fabric's switches join), an
    all-reduce takes 2(g-1)/g · S/B_1 + 2(m-1)/m · (S/g)/B_2 + 2(n-1)/n · (S/(gm))/B_3.
    """
    return _levels(*_three_tiers(team, "three_level"))


@halves("three_level_direct", "all_reduce")
def three_level_direct(team: Team) -> Half:
    """All-reduce in three tiers, each by direct exchange: six steps."""
    return _levels(*_three_tiers(team, "three_level_direct"), direct=True)


def _three_tiers(team: Team, name: str) -> tuple[IntArray, list[str]]:
    grid, words = tiers_of(team)
    if grid.ndim < 3:
        raise DoesNotFitError(
            f"{name} needs three tiers with equal numbers in each; these {grid.size} ranks have "
            f"{grid.ndim}: {' x '.join(map(str, grid.shape))}; use 'hierarchical'"
        )
    while grid.ndim > 3:  # more tiers than three: the outer ones count as one
        grid = grid.reshape(*grid.shape[:-2], -1)
    return grid, words[: grid.ndim]


@halves("rotated")
def rotated(team: Team) -> Half:
    """Exchange directly in tiers, every tier with links of its own at work at once.

    Where k tiers are full meshes (UB-Mesh: the node, and the nodes of the rack), k copies with
    a part of the data each go through them from the i-th on, round and round, and then together
    through the other tiers. The bytes of `three_level_direct`, but k times as many links.
    """
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
    turned = [(grid.transpose(order), [words[axis] for axis in order]) for order in orders]

    def half(*, reduce: bool) -> Part:
        copies = [along(*each, reduce=reduce, direct=True) for each in turned]
        return Part(in_parallel(copies, grid.size, grid.size), len(copies) * grid.size)

    return half


def _is_mesh(lanes: sparse.csr_array, rows: IntArray) -> bool:
    """Tell whether each position of a row, the last axis, is linked to all others of it."""
    sent = Uniform(rows.reshape(-1, rows.shape[-1])).pairs()
    return len(sent.src) > 0 and bool((lanes[sent.src, sent.dst] > 0).all())


@algorithm("all_to_all", "hierarchical")
def hierarchical_all_to_all(team: Team | int) -> Schedule:
    """All-to-all in two steps: to the neighbour on the right rail, then along that rail.

    Every rank first gives each neighbour what is meant for that neighbour's place on any node,
    S/g each; then sends S/m to every node along its own rail. Messages between nodes are g
    times larger and stay on their rail: (g-1)/g · S/B_i + (m-1)/m · S/B_e + 2α.
    """
    rails = require_groups(as_team(team), "hierarchical").T
    steps = grid_steps(rails, ["to the rail", "along the rail"])
    return Schedule("hierarchical", collective("all_to_all"), rails.size, rails.size**2, steps)
