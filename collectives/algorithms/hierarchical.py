"""Algorithms in two and three levels: inside the node, then between nodes along rails.

With g ranks in each of m nodes, rail j joins the ranks at place j of every node.

References
----------
The two-level all-reduce: Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005) 49-66, and the
hierarchical schemes that follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import sparse

from collectives.algorithms.columns import Tier, column_steps, columns_of
from collectives.algorithms.levels import Levels, levels_schedule, levels_steps
from collectives.algorithms.neighbours import direct_lanes
from collectives.algorithms.rails import rail_places
from collectives.algorithms.registry import algorithm
from collectives.algorithms.segments import in_segments
from collectives.algorithms.tiers import tiers_of
from collectives.model.collective import collective
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Schedule,
    Team,
    require_groups,
)
from topology.routing import Uniform
from topology.solvers.linear import least_level

_MOST_FIRST = 256  # in a tier without a mesh of its own that some of the data begins in
_MOST_COPIES = 16
_NEAR = 1.01
_WORDS = ["in the node", "along the rails"]


def hierarchical(
    kind: str,
    name: str,
    team: Team,
    *,
    inner: str = "ring",
    outer: str = "ring",
    segments: int | None = None,
) -> Schedule:
    """Run an algorithm in the node and another along the rails, segment after segment.

    An all-reduce is a reduce-scatter in the node, an all-reduce of S/g along each rail and an
    all-gather in the node. By rings and one segment that is 2(g-1)/g · S/B_i + 2(m-1)/m ·
    (S/g)/B_e + 2(g-1)α_i + 2(m-1)α_e, directly the same with 2α_i + 2α_e; its halves take half of
    it. Of many segments the node has one while the rails have another: the longer of the two
    terms in S.

    Parameters
    ----------
    kind, name
        Of the collective and of the algorithm.
    team
        Who takes part, in equal groups.
    inner, outer
        Algorithms by name: of the reduce-scatter and all-gather in the node, and of the collective
        along the rails.
    segments
        How many; by default the best for the team's size S.
    """
    columns = columns_of(team, name)
    if columns.regular:
        levels = Levels(columns.gates.T, _WORDS, [inner, outer])
        return levels_schedule(kind, name, team, [levels], segments)
    whole = np.zeros(team.size, dtype=np.int64)
    tiers = [Tier(whole, inner, _WORDS[0]), Tier(whole, outer, _WORDS[1])]
    steps, chunks = column_steps(kind, name, team, tiers, columns)
    return in_segments(team, Schedule(name, collective(kind), team.size, chunks, steps), segments)


def helped_all_reduce(
    name: str, team: Team, *, inner: str, outer: str, segments: int | None = None
) -> Schedule:
    """Run a `hierarchical` all-reduce in which switches add and copy at one of the two levels.

    Raises
    ------
    DoesNotFitError
        If that level has one rank only.
    """
    schedule = hierarchical("all_reduce", name, team, inner=inner, outer=outer, segments=segments)
    if team.size > 1 and not schedule.helped:
        raise DoesNotFitError(
            f"{name} has switches add up at one of two levels, and these {team.size} ranks have "
            "one rank at that level; use 'hierarchical'"
        )
    return schedule


def _places(team: Team, name: str) -> IntArray:
    """Return the members of each domain by rail, shape (m, g); of each group if there are none."""
    rails = rail_places(team)
    return require_groups(replace(team, groups=rails.rows if rails else team.groups), name)


def three_level(
    kind: str,
    name: str,
    team: Team,
    *,
    algorithms: Sequence[str] = ("ring", "ring", "ring"),
    segments: int | None = None,
) -> Schedule:
    """Run algorithms in three tiers of the fabric: a reduce-scatter in the innermost first.

    With g ranks in each of m nodes in each of n racks (or what the fabric's switches join), an
    all-reduce takes 2(g-1)/g · S/B_1 + 2(m-1)/m · (S/g)/B_2 + 2(n-1)/n · (S/(gm))/B_3 in one
    segment, and the longest of the three terms in many.

    Parameters
    ----------
    kind, name, team, segments
        As in `hierarchical`.
    algorithms
        Of the three tiers, by name.
    """
    grid, words = tiers_of(team)
    if grid.ndim < 3:
        raise DoesNotFitError(
            f"{name} needs three tiers with equal numbers in each; these {grid.size} ranks have "
            f"{grid.ndim}: {' x '.join(map(str, grid.shape))}; use 'hierarchical'"
        )
    while grid.ndim > 3:  # more tiers than three: the outer ones count as one
        grid = grid.reshape(*grid.shape[:-2], -1)
    return levels_schedule(kind, name, team, [Levels(grid, words, algorithms)], segments)


def rotated(kind: str, name: str, team: Team, *, segments: int | None = None) -> Schedule:
    """Exchange directly in tiers, every tier with links of its own at work at once.

    Copies with a part of the data each go through the tiers in another order: from the i-th on,
    round and round. Where full meshes make up k tiers (UB-Mesh: the node, and the nodes of the
    rack), these begin; how much of the data begins in each tier, others too, is the linear
    program that keeps the links least busy, in whole copies.

    Parameters
    ----------
    kind, name, team, segments
        As in `hierarchical`.
    """
    grid, words = tiers_of(team)
    lanes = direct_lanes(team, name)
    meshes = [axis for axis in range(grid.ndim) if _is_mesh(lanes, np.moveaxis(grid, axis, -1))]
    if len(meshes) < 2:
        raise DoesNotFitError(
            f"{name} needs two tiers or more that are full meshes of direct links; these "
            f"{grid.size} ranks have {len(meshes)}: use 'three_level_direct'"
        )
    rest = [axis for axis in range(grid.ndim) if axis not in meshes]
    orders = [[*meshes[i:], *meshes[:i], *rest] for i in range(len(meshes))]
    outer = [[axis, *meshes, *(o for o in rest if o != axis)] for axis in rest]
    orders += [order for order in outer if grid.shape[order[0]] <= _MOST_FIRST]
    turned = [
        Levels(grid.transpose(o), [words[axis] for axis in o], ["direct"] * grid.ndim)
        for o in orders
    ]
    flat = grid.transpose([*meshes, *rest]).reshape(-1, *(grid.shape[axis] for axis in rest))
    together = " and ".join(words[axis] for axis in meshes)
    turned.append(Levels(flat, [together, *(words[axis] for axis in rest)], ["direct"] * flat.ndim))
    counts = _counts(kind, team, turned, len(meshes))
    used = [i for i, count in enumerate(counts) if count]
    return levels_schedule(
        kind, name, team, [turned[i] for i in used], segments, counts=[counts[i] for i in used]
    )


def _counts(kind: str, team: Team, turned: Sequence[Levels], meshes: int) -> list[int]:
    """Return how many equal copies of the data take each order, so that links are least busy."""
    if team.step_time is None:
        return [int(i < meshes) for i in range(len(turned))]
    alone = [levels_steps(kind, team, [levels])[0] for levels in turned]
    busy = np.stack(
        [sum(step.repeat * team.step_time(step.traffic).busy for step in steps) for steps in alone],
        axis=1,
    )
    busy = np.unique(busy[busy.any(axis=1)], axis=0) / busy.max()
    every = sparse.csr_array(np.ones((1, len(turned))))
    share = least_level(sparse.csr_array(busy), np.ones(len(busy)), every, np.ones(1)).flow
    tried = []
    for total in range(meshes, _MOST_COPIES + 1):
        count = np.floor(share * total + 1e-9).astype(int)
        left = np.argsort(count - share * total, kind="stable")[: total - int(count.sum())]
        count[left] += 1
        tried.append((float((busy @ count).max()) / total, total, count.tolist()))
    least = min(tried)[0]
    return next(count for level, _, count in tried if level <= least * _NEAR)


def _is_mesh(lanes: sparse.csr_array, rows: IntArray) -> bool:
    """Tell whether each position of a row, the last axis, is linked to all others of it."""
    sent = Uniform(rows.reshape(-1, rows.shape[-1])).pairs()
    return len(sent.src) > 0 and bool((lanes[sent.src, sent.dst] > 0).all())


for _kind in ("reduce_scatter", "all_gather", "all_reduce"):
    for _name, _made in (
        ("hierarchical", hierarchical),
        ("hierarchical_direct", partial(hierarchical, inner="direct", outer="direct")),
        ("three_level", three_level),
        ("three_level_direct", partial(three_level, algorithms=("direct", "direct", "direct"))),
        ("rotated", rotated),
    ):
        algorithm(_kind, _name)(partial(_made, _kind, _name))

# As NCCL names them: NVSwitches add and copy in the node, or switches do between nodes.
for _name, _inner, _outer in (
    ("nvls_tree", "nvls", "tree"),
    ("collnet_direct", "direct", "sharp"),
    ("collnet_chain", "ring", "sharp"),
):
    algorithm("all_reduce", _name)(partial(helped_all_reduce, _name, inner=_inner, outer=_outer))
