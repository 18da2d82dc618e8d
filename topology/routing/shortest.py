"""Follow shortest paths hop by hop, many pairs at once: every hop is chosen where it is taken."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from topology.errors import UnreachableError
from topology.fabric import IntArray
from topology.routing.distances import UNREACHABLE, CostArray, Distances
from topology.routing.ecmp import Ecmp
from topology.routing.paths import Heads, Onward, Walker
from topology.routing.policies import router
from topology.routing.quotient import expand


@dataclass(frozen=True, eq=False)
class Choice:
    """The next hops on shortest paths of some heads.

    Attributes
    ----------
    first, count
        Where the hops of each head begin, and how many it has, shape (k,).
    arc, lanes
        Arcs, in their order, and how many lanes each has, shape (hops,).
    """

    first: IntArray
    count: IntArray
    arc: IntArray
    lanes: IntArray


class ShortestWalker(Walker):
    """Paths of fewest hops, one for each pair, on a lane of its own; distances are ECMP's."""

    @cached_property
    def _table(self) -> Distances:
        known = router(self.fabric, "ecmp")
        return (known if isinstance(known, Ecmp) else Ecmp(self.fabric)).distances

    @abstractmethod
    def chosen(self, at: Heads, hops: Choice) -> tuple[IntArray, IntArray]:
        """Return which of the hops each head takes, and its lane, shapes (k,)."""

    def onward(self, at: Heads) -> Onward:
        """Return one lane of one hop for each head."""
        count = len(self.fabric.npus)
        key, inverse = np.unique(at.node * count + at.dst, return_inverse=True)
        starts, arcs = self._next_hops(*np.divmod(key, count))
        row, lanes = inverse.reshape(-1), self.fabric.lanes[arcs].astype(np.int64)
        hops = Choice(starts[row], starts[row + 1] - starts[row], arcs, lanes)
        entry, lane = self.chosen(at, hops)
        return Onward(np.arange(len(row)), arcs[entry], np.ones(len(row)), lane)

    def _cost(self, node: IntArray, rank: IntArray) -> CostArray:
        cost = self._table.cost[self._table.row[node], self._table.column[rank]]
        cost[node == self.fabric.npus[rank]] = 0
        return cost

    def _next_hops(self, node: IntArray, rank: IntArray) -> tuple[IntArray, IntArray]:
        """Return the arcs on shortest paths from nodes to ranks: where each one's begin, and all.

        Raises
        ------
        UnreachableError
            If there is no path.
        """
        fabric, now = self.fabric, self._cost(node, rank)
        if (now == UNREACHABLE).any():
            at = int(np.flatnonzero(now == UNREACHABLE)[0])
            u, v = fabric.nodes[node[at]], fabric.nodes[fabric.npus[rank[at]]]
            raise UnreachableError(f"{u} cannot reach {v}: no path through forwarding nodes")
        near = now == 1  # its target is a neighbour: a hub has too many others to look at
        far, beside = np.flatnonzero(~near), np.flatnonzero(near)
        row, arc = expand(fabric.out_start, node[far])
        row = far[row]
        head, target = fabric.head[arc], fabric.npus[rank]
        toll = np.where(fabric.is_nic[head], len(fabric.nodes) + 1, 1)
        good = self._cost(head, rank[row]) == now[row] - toll
        good &= fabric.forwards[head] | (head == target[row])
        row = np.concatenate([row[good], beside])
        arc = np.concatenate([arc[good], fabric.arcs_between(node[beside], target[beside])])
        order = np.lexsort((arc, row))
        starts = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(node)))))
        return starts, arc[order]
