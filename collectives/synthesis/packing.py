"""Pack spanning trees into any graph whose capacities allow them, by max-flow tests.

Every rank roots the same number of trees, and no link is used by more trees than its capacity in
whole trees. A tree grows by one edge at a time; how many copies of it may take an edge without
making the rest impossible is the slack of one max-flow.

References
----------
Edmonds, Edge-disjoint branchings, 1973. Bérczi and Frank, Packing arborescences, EGRES 2009.
Zhao et al., ForestColl, arXiv:2402.06787, whose batches of equal trees are used here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from collectives.model.schedule import IntArray, ScheduleError
from topology.solvers.maxflow import flow_value

_OUTSIDE = -2
_TRIES = 4


@dataclass(eq=False)
class Batch:
    """Equal trees on their way: root, how many, and the parent of every rank reached.

    Attributes
    ----------
    root
        Where they start.
    count
        How many equal trees.
    parent
        Parent of each rank, shape (p,): -1 at the root, -2 where the trees have not come yet.
    depth
        Hops from the root of each rank reached, shape (p,).
    """

    root: int
    count: int
    parent: IntArray
    depth: IntArray

    @property
    def inside(self) -> IntArray:
        """Return the ranks reached."""
        return np.flatnonzero(self.parent != _OUTSIDE)

    def split(self, count: int) -> Batch:
        """Take ``count`` trees off into a batch of their own."""
        self.count -= count
        return Batch(self.root, count, self.parent.copy(), self.depth.copy())


@dataclass(eq=False)
class Packing:
    """The state of a packing: what is left of the capacities, and the trees under way.

    Attributes
    ----------
    capacity
        Whole trees that each ordered pair of ranks still has room for, shape (p, p).
    waiting
        Batches that do not reach every rank yet.
    """

    capacity: IntArray
    waiting: list[Batch] = field(default_factory=list)

    def slack(self, batch: Batch, x: int, y: int) -> int:
        """Return how many trees of a batch may take the edge x to y."""
        most = min(batch.count, int(self.capacity[x, y]))
        others = [other for other in self.waiting if other is not batch]
        held = sum(other.count for other in others)
        if not held or not most:
            return most
        return min(most, self._flow(others, x, y) - held)

    def _flow(self, others: list[Batch], x: int, y: int) -> int:
        """Return the max-flow from x to y where each other batch leads from x to its ranks."""
        p = len(self.capacity)
        tails, heads = np.nonzero(self.capacity)
        ends = [(tails, heads, self.capacity[tails, heads])]
        node = p
        for other in others:
            inside, count = other.inside, other.count
            if len(inside) == 1:
                if inside[0] != x:
                    ends.append((np.array([x]), inside, np.array([count])))
                continue
            ends.append((np.array([x]), np.array([node]), np.array([count])))
            ends.append((np.full(len(inside), node), inside, np.full(len(inside), count)))
            node += 1
        tail, head, weight = (np.concatenate(part) for part in zip(*ends, strict=True))
        return flow_value(node, tail, head, weight, x, y)

    def grow(self, batch: Batch) -> None:
        """Add one edge to a batch; what cannot take it is set aside as a batch of its own."""
        x, y, most = self._best_edge(batch)
        if most < batch.count:
            self.waiting.append(batch.split(batch.count - most))
        self.capacity[x, y] -= most
        batch.parent[y] = x
        batch.depth[y] = batch.depth[x] + 1

    def _best_edge(self, batch: Batch) -> tuple[int, int, int]:
        """Return the edge, near the root, that most trees of a batch may take."""
        inside = batch.parent != _OUTSIDE
        tails, heads = np.nonzero(self.capacity * (inside[:, None] & ~inside[None, :]))
        order = np.lexsort((heads, tails, -self.capacity[tails, heads], batch.depth[tails]))
        best = (0, 0, 0)
        tried = 0
        for x, y in zip(tails[order].tolist(), heads[order].tolist(), strict=True):
            most = self.slack(batch, x, y)
            if most > best[2]:
                best = (x, y, most)
            tried += most > 0
            if best[2] == batch.count or tried >= max(1, _TRIES):
                break
        if best[2] == 0:
            raise ScheduleError("the capacities do not hold the trees asked for")
        return best


def feasible(capacity: IntArray, trees: int) -> bool:
    """Tell whether every rank can root as many trees: Edmonds' cut condition, by max-flow.

    Parameters
    ----------
    capacity
        Whole trees each ordered pair of ranks has room for, shape (p, p).
    trees
        How many each rank roots.
    """
    p = len(capacity)
    tails, heads = np.nonzero(capacity)
    source = (np.full(p, p), np.arange(p), np.full(p, trees))
    tail, head = np.append(tails, source[0]), np.append(heads, source[1])
    weight = np.append(capacity[tails, heads], source[2])
    return all(flow_value(p + 1, tail, head, weight, p, v) >= p * trees for v in range(p))


def pack(capacity: IntArray, trees: int) -> list[Batch]:
    """Return spanning trees, the same number from every rank, as batches of equal ones.

    Parameters
    ----------
    capacity
        Whole trees each ordered pair of ranks has room for, shape (p, p).
    trees
        How many each rank roots.

    Raises
    ------
    ScheduleError
        If the capacities do not hold them.
    """
    p = len(capacity)
    packing = Packing(capacity.copy())
    for root in range(p):
        parent = np.full(p, _OUTSIDE)
        parent[root] = -1
        packing.waiting.append(Batch(root, trees, parent, np.zeros(p, dtype=np.int64)))
    done = []
    while packing.waiting:
        batch = packing.waiting[0]
        while (batch.parent == _OUTSIDE).any():
            packing.grow(batch)
        packing.waiting.remove(batch)
        done.append(batch)
    return done
