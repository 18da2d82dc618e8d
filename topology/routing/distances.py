"""Find how far every node is from every NPU: hops along shortest paths through the network.

Only forwarding nodes lie inside a path. A path that can stay off the NICs does: entering a NIC
counts for more than any number of hops, as software uses the scale-up network where it reaches.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topology.fabric import Fabric, IntArray
from topology.routing.quotient import Quotient, quotient, twin_groups

CostArray = npt.NDArray[np.int32]
BitArray = npt.NDArray[np.uint64]

UNREACHABLE = np.iinfo(np.int32).max
_CELLS = 2_000_000


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

    A breadth-first search from all targets at once, backwards, in order of cost; which targets a
    group has met is kept in words of 64 bits, so that one operation serves 64 targets.
    """
    groups = len(q.size)
    cost = np.full((groups, len(targets)), UNREACHABLE, dtype=np.int32)
    block = 64 * max(1, _CELLS // max(1, len(q.tail)))
    for lo in range(0, len(targets), block):
        _search(q, targets[lo : lo + block], cost[:, lo : lo + block])
    return cost


def _search(q: Quotient, targets: IntArray, cost: CostArray) -> None:
    """Fill in the cost to some targets, shape (groups, targets)."""
    columns = np.arange(len(targets))
    seeds = np.zeros((len(q.size), -(-len(targets) // 64)), dtype=np.uint64)
    bits = np.uint64(1) << (columns % 64).astype(np.uint64)
    np.bitwise_or.at(seeds, (targets, columns // 64), bits)
    met = np.zeros_like(seeds)
    waiting = {0: seeds}
    tolls = np.unique(q.cost).tolist()
    while waiting:
        level = min(waiting)
        fresh = waiting.pop(level) & ~met
        met |= fresh
        _note(cost, fresh, level)
        if level:
            fresh[~q.forwards] = 0
        ends = np.asarray(fresh.any(axis=1))[q.head]
        for toll in tolls:
            arcs = np.flatnonzero(ends & (q.cost == toll))
            if len(arcs):
                starts = np.flatnonzero(np.diff(q.tail[arcs], prepend=-1))
                near = np.bitwise_or.reduceat(fresh[q.head[arcs]], starts, axis=0)
                after = waiting.setdefault(level + toll, np.zeros_like(met))
                after[q.tail[arcs[starts]]] |= near


def _note(cost: CostArray, fresh: BitArray, level: int) -> None:
    """Write a cost where bits are set."""
    rows = np.flatnonzero(fresh.any(axis=1))
    some = len(rows) * 2 < len(fresh)
    words = fresh[rows] if some else fresh
    if sys.byteorder == "big":
        words = words.byteswap()
    bits = np.unpackbits(words.view(np.uint8), axis=1, count=cost.shape[1], bitorder="little")
    part = cost[rows] if some else cost
    np.copyto(part, level, where=bits.view(np.bool_))
    if some:
        cost[rows] = part
