"""Broadcast and reduce in levels: the root's node, between nodes, and inside each node.

References
----------
Hierarchical broadcast as in Open MPI's HAN: Luo et al., HAN: a hierarchical autotuned collective
communication framework, IEEE Cluster 2020; over every NIC of a node, as the columns of `columns`.
"""

from __future__ import annotations

from functools import partial
from math import lcm

import numpy as np

from collectives.algorithms.columns import columns_of, part_of, plain, worded
from collectives.algorithms.compose import Steps, mapped, reverse, together
from collectives.algorithms.registry import algorithm, find_algorithm
from collectives.algorithms.rooted import check_root
from collectives.algorithms.segments import in_segments
from collectives.model.collective import collective
from collectives.model.schedule import (
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
    traffic_of,
)


def hierarchical_broadcast(
    kind: str,
    name: str,
    team: Team | int,
    *,
    root: int = 0,
    inner: str = "ring",
    outer: str = "chain",
    segments: int | None = None,
) -> Schedule:
    """Give a part of S to each neighbour, broadcast each along its rail, gather inside every node.

    The root sends its g-1 neighbours S/(g-1) each, and these gather all; of the column that the
    root takes across itself, each neighbour has a part. By a chain and many segments that is the
    longest of S/B_i at the root, (g-1)/g · S/B_i in the other nodes, and S/(g·B_e) on the rails, of
    g gates; latencies are α + (g-1)α_i + (m-1)α_e by a ring and a chain, 4α directly. A reduce is
    the same backwards.

    Parameters
    ----------
    kind, name
        Of the collective, broadcast or reduce, and of the algorithm.
    team
        Who takes part, in groups, which may differ in size.
    root
        Who has it, or gets the sum.
    inner, outer
        Algorithms by name: of the all-gather in the node, and of the broadcast along the rails.
    segments
        How many; by default the best for the team's size S.
    """
    made = as_team(team)
    columns = columns_of(made, name)
    check_root(root, made.size)
    top = next(i for i, row in enumerate(columns.rows) if root in row)
    gates = columns.gates
    along = find_algorithm("broadcast", outer)(part_of(made, gates[:, 0]), root=top)  # type: ignore[call-arg]
    rows = [row[row != root] for row in columns.rows]
    inside = {
        len(row): plain("all_gather", inner, part_of(made, row)) for row in rows if len(row) > 1
    }
    own = max(1, len(rows[top]))
    each = own * lcm(along.chunks, *(one.chunks // one.ranks for one in inside.values()))
    total = gates.shape[1] * each
    parts = np.arange(total).reshape(-1, each)
    holder = np.repeat(gates, each, axis=1)  # of each chunk in each group
    mine = np.flatnonzero(holder[top] == root)
    if len(rows[top]):
        holder[top, mine] = np.repeat(rows[top], each // own)[mine % each]
    first = _step(np.full(total, root), holder[top], total)
    across = together([
        mapped(along.steps, gate, chunks.reshape(along.chunks, -1), total)
        for gate, chunks in zip(gates.T, parts, strict=True)
    ])  # fmt: skip
    gathers = [
        mapped(one.steps, row, _held(held, row, one.chunks // one.ranks), total)
        for held, row in zip(holder, rows, strict=True) if (one := inside.get(len(row)))
    ]  # fmt: skip
    steps = (*first, *worded(across, "along the rails"), *worded(together(gathers), "in the node"))
    if kind == "reduce":
        steps = reverse(steps, "reduce")
    whole = Schedule(name, collective(kind), made.size, total, steps, root=root)
    return in_segments(made, whole, segments)


def _held(holder: IntArray, row: IntArray, pieces: int) -> list[IntArray]:
    """Return the chunks of each piece of what each member of a group holds."""
    return [
        piece for member in row.tolist()
        for piece in np.flatnonzero(holder == member).reshape(pieces, -1)
    ]  # fmt: skip


def _step(src: IntArray, dst: IntArray, total: int) -> Steps:
    chunk = np.flatnonzero(src != dst)
    moved = Transfers(src[chunk], dst[chunk], chunk)
    traffic = traffic_of(moved, 1 / total)
    return (Step(lambda _: moved, traffic, 1, "in the root's node"),) if len(chunk) else ()


for _kind in ("broadcast", "reduce"):
    for _name, _inner, _outer in (
        ("hierarchical", "ring", "chain"),
        ("hierarchical_direct", "direct", "two_shot"),
    ):
        made = partial(hierarchical_broadcast, _kind, _name, inner=_inner, outer=_outer)
        algorithm(_kind, _name)(made)
