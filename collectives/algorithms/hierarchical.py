"""Two-level algorithms: inside the node, then between nodes along rails.

With g ranks in each of m nodes, rail j joins the ranks at place j of every node.

References
----------
NCCL's PXN: Kobus et al., Doubling all2all performance with NCCL 2.12, NVIDIA technical blog, 2022.
The two-level all-reduce: Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005) 49-66, and the
hierarchical schemes that follow it.
"""

from __future__ import annotations

import numpy as np

from collectives.collective import collective
from collectives.schedule import (
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
    permutation,
    require_groups,
)
from topology.routing import Pairs


def hierarchical_all_reduce(team: Team | int) -> Schedule:
    """All-reduce as rings in the node, rings along the rails, and rings in the node.

    Reduce-scatter in the node, all-reduce of S/g along each rail, all-gather in the node:
    2(g-1)/g · S/B_i + 2(m-1)/m · (S/g)/B_e + 2(g-1)α_i + 2(m-1)α_e.
    """
    groups = require_groups(as_team(team), "hierarchical")
    m, g = groups.shape
    steps = (
        *_node_ring(groups, reduce=True),
        *_rail_ring(groups, reduce=True),
        *_rail_ring(groups, reduce=False),
        *_node_ring(groups, reduce=False),
    )
    return Schedule("hierarchical", collective("all_reduce"), m * g, m * g, steps)


def hierarchical_direct_all_reduce(team: Team | int) -> Schedule:
    """All-reduce in two levels, each by direct exchange: four steps.

    The bandwidth terms of `hierarchical_all_reduce` with 2α_i + 2α_e.
    """
    groups = require_groups(as_team(team), "hierarchical_direct")
    m, g = groups.shape
    steps = (
        *_node_direct(groups, reduce=True),
        *_rail_direct(groups, reduce=True),
        *_rail_direct(groups, reduce=False),
        *_node_direct(groups, reduce=False),
    )
    return Schedule("hierarchical_direct", collective("all_reduce"), m * g, m * g, steps)


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
        steps.append(Step(in_node, _traffic(groups, 1 / g), 1, "to the rail"))
    if m > 1:
        steps.append(Step(along_rail, _traffic(groups.T, 1 / m), 1, "along the rail"))
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


def _traffic(rows: IntArray, fraction: float) -> Pairs:
    src, dst = _pairs(rows)
    return permutation(src, dst, fraction)


def _node_blocks(groups: IntArray, owner: IntArray) -> IntArray:
    """Return the blocks that positions stand for in their node: m each, shape (k, m).

    The vector has a block for each position; the g parts of a node's reduce-scatter are the
    rails, so a position stands for the blocks of its whole rail.
    """
    rails: IntArray = groups.T[_places(groups)[owner]]
    return rails


def _node_ring(groups: IntArray, *, reduce: bool) -> tuple[Step, ...]:
    m, g = groups.shape
    if g == 1:
        return ()
    src, dst = groups.reshape(-1), np.roll(groups, -1, axis=1).reshape(-1)

    def transfers(t: int) -> Transfers:
        owner = np.roll(groups, t + (1 if reduce else 0), axis=1).reshape(-1)
        blocks = _node_blocks(groups, owner)
        return Transfers(np.repeat(src, m), np.repeat(dst, m), blocks.reshape(-1), reduce=reduce)

    phase = ("reduce-scatter" if reduce else "all-gather") + " in the node"
    return (Step(transfers, permutation(src, dst, 1 / g), g - 1, phase),)


def _rail_ring(groups: IntArray, *, reduce: bool) -> tuple[Step, ...]:
    m, g = groups.shape
    if m == 1:
        return ()
    src, dst = groups.reshape(-1), np.roll(groups, -1, axis=0).reshape(-1)

    def transfers(t: int) -> Transfers:
        block = np.roll(groups, t + (1 if reduce else 0), axis=0).reshape(-1)
        return Transfers(src, dst, block, reduce=reduce)

    phase = ("reduce-scatter" if reduce else "all-gather") + " along the rails"
    return (Step(transfers, permutation(src, dst, 1 / (m * g)), m - 1, phase),)


def _node_direct(groups: IntArray, *, reduce: bool) -> tuple[Step, ...]:
    m, g = groups.shape
    if g == 1:
        return ()

    def transfers(_: int) -> Transfers:
        src, dst = _pairs(groups)
        blocks = _node_blocks(groups, dst if reduce else src)
        return Transfers(np.repeat(src, m), np.repeat(dst, m), blocks.reshape(-1), reduce=reduce)

    phase = ("reduce-scatter" if reduce else "all-gather") + " in the node"
    return (Step(transfers, _traffic(groups, 1 / g), 1, phase),)


def _rail_direct(groups: IntArray, *, reduce: bool) -> tuple[Step, ...]:
    m, g = groups.shape
    if m == 1:
        return ()

    def transfers(_: int) -> Transfers:
        src, dst = _pairs(groups.T)
        return Transfers(src, dst, dst if reduce else src, reduce=reduce)

    phase = ("reduce-scatter" if reduce else "all-gather") + " along the rails"
    return (Step(transfers, _traffic(groups.T, 1 / (m * g)), 1, phase),)
