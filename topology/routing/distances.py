"""Find how far every node is from every NPU: hops along shortest paths through the network.

Only forwarding nodes lie inside a path. A path that can stay off the NICs does: entering a NIC
counts for more than any number of hops, as software uses the scale-up network where it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topology.fabric import Fabric, IntArray
from topology.routing.quotient import Quotient, expand, quotient, twin_groups

CostArray = npt.NDArray[np.int32]

UNREACHABLE = np.iinfo(np.int32).max
_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances from groups of twins to NPUs; one column serves all twins of an NPU.

    Attributes
    ----------
    cost
        Cost of the shortest path from a row's nodes to a column's NPU, shape (rows, columns).
    row
        Row of each node of the fabric: right for every target but the node itself, shape (n,).
    column
        Column of each rank, shape (ranks,).
    """

    cost: CostArray
    row: IntArray
    column: IntArray

    def between(self, nodes: IntArray, ranks: IntArray, targets: IntArray) -> CostArray:
        """Return the cost from nodes to ranks (whose nodes are ``targets``), elementwise."""
        cost = self.cost[self.row[nodes], self.column[ranks]]
        return np.where(nodes == targets, 0, cost).astype(np.int32)


def split_representatives(groups: IntArray, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Set one of ``chosen`` apart in each group that holds any.

    Parameters
    ----------
    groups
        Group of each node.
    chosen
        Nodes, such as the NPUs.

    Returns
    -------
    split, representatives
        The finer groups, and the nodes set apart, one for each group with chosen nodes.
    """
    _, first = np.unique(groups[chosen], return_index=True)
    representatives = chosen[np.sort(first)]
    split = groups.copy()
    split[representatives] = int(groups.max()) + 1 + np.arange(len(representatives))
    return split, representatives


def npu_distances(fabric: Fabric) -> Distances:
    """Return the distances to every NPU of a fabric."""
    groups = twin_groups(fabric)
    split, representatives = split_representatives(groups, fabric.npus)
    q = quotient(fabric, split)
    targets = q.group[representatives]
    cost = distances(q, targets)
    column_of = np.full(int(groups.max()) + 1, -1)
    column_of[groups[representatives]] = np.arange(len(representatives))
    # A representative's twins stand for it: from outside they are as far from every target.
    rest = np.full(int(groups.max()) + 1, -1)
    others = np.setdiff1d(np.arange(len(fabric.nodes)), representatives)
    rest[groups[others]] = q.group[others]
    row = np.where(rest[groups] >= 0, rest[groups], q.group)
    return Distances(cost, row, column_of[groups[fabric.npus]])


def distances(q: Quotient, targets: IntArray) -> CostArray:
    """Return the cost of the shortest paths to some groups, shape (groups, targets).

    A breadth-first search from all targets at once, backwards, in order of cost.
    """
    groups = len(q.size)
    cost = np.full((groups, len(targets)), UNREACHABLE, dtype=np.int32)
    block = max(1, _CELLS // groups)
    for lo in range(0, len(targets), block):
        part = targets[lo : lo + block]
        cost[:, lo : lo + block] = _search(q, part)
    return cost


def _search(q: Quotient, targets: IntArray) -> CostArray:
    width = len(targets)
    cost = np.full(len(q.size) * width, UNREACHABLE, dtype=np.int32)
    owner = np.zeros(len(q.size) * width, dtype=np.int64)
    seeds = targets * width + np.arange(width)
    cost[seeds] = 0
    waiting = {0: [seeds]}
    tolls = np.unique(q.cost).tolist()
    while waiting:
        level = min(waiting)
        cells = _distinct(np.concatenate(waiting.pop(level)), owner)
        cells = cells[cost[cells] == level]
        node, column = np.divmod(cells, width)
        if level:
            inside = q.forwards[node]
            node, column = node[inside], column[inside]
        which, at = expand(q.in_start, node)
        arc = q.in_arc[at]
        before = q.tail[arc] * width + column[which]
        for toll in tolls:
            reached = level + toll
            chosen = before[(q.cost[arc] == toll) & (cost[before] > reached)]
            if len(chosen):
                cost[chosen] = reached
                waiting.setdefault(reached, []).append(chosen)
    return cost.reshape(len(q.size), width)


def _distinct(cells: IntArray, owner: IntArray) -> IntArray:
    """Return cells without repeats, without sorting; ``owner`` is scratch space."""
    turn = np.arange(len(cells))
    owner[cells] = turn
    kept: IntArray = cells[owner[cells] == turn]
    return kept
