"""Send tokens once to every node: along the rail, then inside the node, and back."""

from __future__ import annotations

import numpy as np

from collectives.algorithms.grid import grid_steps
from collectives.model.collective import collective
from collectives.model.schedule import IntArray, Schedule, ScheduleError, Step
from collectives.workloads.moe_traffic import Copies
from topology.fabric import FloatArray
from topology.routing import Pairs


def token_schedule(copies: Copies, phase: str, groups: IntArray) -> Schedule:
    """Return dispatch or combine with every token once to a node: two steps.

    Dispatch sends a token along its rail once to each node where it has experts, and from there
    once to each rank that has any. Combine goes back the same way: partial sums meet inside the
    node, at the rank on the rail of the token's home, which sends one sum home. The size S is
    `MoELayer.logical_bytes`.

    Parameters
    ----------
    copies
        How many copies go where.
    phase
        "dispatch" or "combine".
    groups
        Positions of each node as rows, shape (m, g), rail j being column j.

    Raises
    ------
    ScheduleError
        If the groups are not the nodes of the copies.
    """
    m, g = groups.shape
    home = copies.home[groups]
    if m * g != len(copies.home) or (home != home[:, :1]).any() or len(set(home[:, 0])) != m:
        raise ScheduleError("moe: the groups are not the nodes the tokens were routed for")
    share = copies.layer.token_bytes(phase) / copies.layer.logical_bytes(phase)
    along, inside = _rail_pairs(copies, groups, share), _node_pairs(copies, groups, share)
    words = ("along the rail", "in the node")
    if phase == "dispatch":
        grid, said, loads = groups, words, (along, inside)
    else:
        grid, said, loads = groups.T, words[::-1], (_back(inside), _back(along))
    moves = grid_steps(grid, said)
    flows = [load for load, width in zip(loads, grid.shape, strict=True) if width > 1]
    steps = tuple(
        Step(move.transfers, flow, 1, move.phase) for move, flow in zip(moves, flows, strict=True)
    )
    note = "a token crosses to a node once; what moves is counted after removing duplicates"
    p = m * g
    return Schedule("node-deduplicated", collective("all_to_all"), p, p * p, steps, (note,))


def _rail_pairs(copies: Copies, groups: IntArray, share: float) -> Pairs:
    """Return traffic from each rank to the one at its place on each other node."""
    m = len(groups)
    origin = np.repeat(groups.reshape(-1), m)  # (node, place, other node)
    landing = np.tile(groups.T, (m, 1)).reshape(-1)
    node = copies.home[landing]
    amount = copies.per_node[origin, node] * share
    return _without_self(origin, landing, amount)


def _node_pairs(copies: Copies, groups: IntArray, share: float) -> Pairs:
    """Return traffic from the rank where tokens land to the others of its node."""
    m, g = groups.shape
    # Tokens of all ranks at place j land at place j: add their copies up by place of origin.
    by_place = copies.per_rank[groups].sum(axis=0)  # (place, rank)
    landing = np.repeat(groups.reshape(-1), g)
    target = np.repeat(groups, g, axis=0).reshape(-1)
    place = np.tile(np.repeat(np.arange(g), g), m)
    return _without_self(landing, target, by_place[place, target] * share)


def _without_self(src: IntArray, dst: IntArray, amount: FloatArray) -> Pairs:
    moves = (src != dst) & (amount > 0)
    return Pairs(src[moves], dst[moves], amount[moves])


def _back(pairs: Pairs) -> Pairs:
    return Pairs(pairs.dst, pairs.src, pairs.amount)
