"""Turn trees into schedules: lockstep with pipelining, or a timetable for every link.

An all-gather sends shard pieces down the trees of their root; a reduce-scatter runs them upwards
in reverse; an all-reduce is one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from collectives.algorithms.compose import reverse
from collectives.model.collective import collective
from collectives.model.schedule import IntArray, Schedule, Step, Transfers
from collectives.synthesis.arrangement import Arrangement
from collectives.synthesis.trees import Tree
from topology.routing import Pairs

_NAME = "forest"
_DOWN = "gather down the trees"


@dataclass(frozen=True, eq=False)
class Hops:
    """Tree edges that are used at once, each with all its shifts.

    Attributes
    ----------
    tree
        Which tree, shape (k,).
    tail, head
        Cells, shape (k,).
    """

    tree: IntArray
    tail: IntArray
    head: IntArray


@dataclass(frozen=True, eq=False)
class Forest:
    """As many spanning trees from every rank: those of the origin, and their shifts.

    Attributes
    ----------
    grid
        The ranks' arrangement.
    trees
        Trees from the origin; each carries an equal piece of a shard.
    """

    grid: Arrangement
    trees: tuple[Tree, ...]

    @property
    def size(self) -> int:
        """Return the number of ranks."""
        return self.grid.size

    @property
    def pieces(self) -> int:
        """Return the number of trees of a rank."""
        return len(self.trees)

    @property
    def depth(self) -> int:
        """Return the hops of the longest path from root to leaf."""
        return max((int(tree.depth.max()) for tree in self.trees), default=0)

    @cached_property
    def edges(self) -> Hops:
        """Return every edge of every tree, the nearest to the root first."""
        rows = [
            (np.full(self.grid.size - 1, i), tree.parent[1:], np.arange(1, self.grid.size))
            for i, tree in enumerate(self.trees)
        ]
        tree, tail, head = (np.concatenate(part) for part in zip(*rows, strict=True))
        order = np.lexsort((tree, self.depth_of(tree, head)))
        return Hops(tree[order], tail[order], head[order])

    def ends(self, hops: Hops) -> tuple[IntArray, IntArray]:
        """Return the positions that edges join."""
        return self.grid.position[hops.tail], self.grid.position[hops.head]

    def depth_of(self, tree: IntArray, cell: IntArray) -> IntArray:
        """Return the depth of cells in trees, elementwise."""
        table = np.stack([t.depth for t in self.trees])
        found: IntArray = table[tree, cell]
        return found

    def links(self, hops: Hops) -> IntArray:
        """Return a number for the links each edge uses in all its shifts."""
        return self.grid.difference(hops.head, hops.tail)

    @property
    def shifts(self) -> int:
        """Return how many trees each tree stands for."""
        return self.grid.size

    def finer(self, copies: int) -> Forest:
        """Return the forest with every piece cut into ``copies`` that take the same way."""
        return Forest(self.grid, tuple(tree for tree in self.trees for _ in range(copies)))

    @cached_property
    def heights(self) -> IntArray:
        """Return how far below each cell the deepest leaf is, in each tree."""
        return np.stack([_heights(tree.parent, tree.depth) for tree in self.trees])

    def traffic(self, hops: Hops, segments: int = 1) -> Pairs:
        """Return how much each position sends to each other when some edges are used."""
        move, count = np.unique(self.grid.difference(hops.head, hops.tail), return_counts=True)
        key = (move.tobytes(), count.tobytes(), segments)
        if key not in self._traffics:
            cells = np.tile(np.arange(self.grid.size), len(move))
            heads = self.grid.shifted(cells, np.repeat(move, self.grid.size))
            chunks = self.grid.size * len(self.trees) * segments
            amount = np.repeat(count / chunks, self.grid.size)
            self._traffics[key] = Pairs(
                self.grid.position[cells], self.grid.position[heads], amount
            )
        return self._traffics[key]

    @cached_property
    def _traffics(self) -> dict[tuple[bytes, bytes, int], Pairs]:
        return {}

    def transfers(self, hops: Hops, segment: int = 0, segments: int = 1) -> Transfers:
        """Return what moves when every root's shift of some edges is used, downwards."""
        size, each = self.grid.size, len(self.trees) * segments
        root = np.arange(size)[:, None]
        tail = self._shifted(hops.tail, root)
        head = self._shifted(hops.head, root)
        owner = self.grid.position[root]
        chunk = owner * each + (hops.tree * segments + segment)[None, :]
        return Transfers(
            self.grid.position[tail].reshape(-1),
            self.grid.position[head].reshape(-1),
            np.broadcast_to(chunk, tail.shape).reshape(-1),
        )

    def _shifted(self, cells: IntArray, roots: IntArray) -> IntArray:
        wide = np.broadcast_to(cells[None, :], (len(roots), len(cells)))
        by = np.broadcast_to(roots, wide.shape)
        return self.grid.shifted(wide.reshape(-1), by.reshape(-1)).reshape(wide.shape)


@dataclass(frozen=True, eq=False)
class Grove:
    """As many spanning trees from every rank, each on its own: no symmetry is used.

    Attributes
    ----------
    parents
        Parent of each rank in each tree, shape (p * k, p): trees of rank 0 first; -1 at the root.
    depths
        Hops from the root, shape (p * k, p).
    """

    parents: IntArray
    depths: IntArray

    @property
    def size(self) -> int:
        """Return the number of ranks."""
        return int(self.parents.shape[1])

    @property
    def pieces(self) -> int:
        """Return the number of trees of a rank."""
        return len(self.parents) // self.size

    @property
    def depth(self) -> int:
        """Return the hops of the longest path from root to leaf."""
        return int(self.depths.max(initial=0))

    @cached_property
    def edges(self) -> Hops:
        """Return every edge of every tree, the nearest to the root first."""
        tree, head = np.nonzero(self.parents >= 0)
        order = np.lexsort((tree, self.depths[tree, head]))
        return Hops(tree[order], self.parents[tree, head][order], head[order])

    def ends(self, hops: Hops) -> tuple[IntArray, IntArray]:
        """Return the positions that edges join."""
        return hops.tail, hops.head

    def depth_of(self, tree: IntArray, cell: IntArray) -> IntArray:
        """Return the depth of ranks in trees, elementwise."""
        found: IntArray = self.depths[tree, cell]
        return found

    def links(self, hops: Hops) -> IntArray:
        """Return a number for the link each edge uses."""
        return hops.tail * self.size + hops.head

    def traffic(self, hops: Hops, segments: int = 1) -> Pairs:
        """Return how much each position sends to each other when some edges are used."""
        link, count = np.unique(self.links(hops), return_counts=True)
        tail, head = np.divmod(link, self.size)
        return Pairs(tail, head, count / (len(self.parents) * segments))

    def transfers(self, hops: Hops, segment: int = 0, segments: int = 1) -> Transfers:
        """Return what moves when some edges are used, downwards."""
        return Transfers(hops.tail, hops.head, hops.tree * segments + segment)

    @property
    def shifts(self) -> int:
        """Return how many trees each tree stands for: itself."""
        return 1

    def finer(self, copies: int) -> Grove:
        """Return the grove with every piece cut into ``copies`` that take the same way."""
        rows = (np.repeat(table, copies, axis=0) for table in (self.parents, self.depths))
        return Grove(*rows)

    @cached_property
    def heights(self) -> IntArray:
        """Return how far below each rank the deepest leaf is, in each tree."""
        return np.stack([_heights(*rows) for rows in zip(self.parents, self.depths, strict=True)])


Trees: TypeAlias = Forest | Grove


def lockstep(forest: Trees, segments: int) -> tuple[Step, ...]:
    """Return pipelined steps: in step t, segment s moves from depth t - s to the next.

    ``segments + depth - 1`` steps; those in the middle have the same pattern.
    """
    depth = forest.depth
    edges = forest.edges
    level = forest.depth_of(edges.tree, edges.head) - 1
    at = [Hops(*(part[level == d] for part in (edges.tree, edges.tail, edges.head)))
          for d in range(depth)]  # fmt: skip

    def step(first: int, repeat: int) -> Step:
        def transfers(t: int) -> Transfers:
            now = first + t
            parts = [
                forest.transfers(at[d], now - d, segments)
                for d in range(depth)
                if 0 <= now - d < segments
            ]
            return Transfers(
                np.concatenate([p.src for p in parts]),
                np.concatenate([p.dst for p in parts]),
                np.concatenate([p.chunk for p in parts]),
            )

        used = [at[d] for d in range(depth) if 0 <= first - d < segments]
        together = Hops(
            *(np.concatenate([getattr(h, n) for h in used]) for n in ("tree", "tail", "head"))
        )
        return Step(transfers, forest.traffic(together, segments), repeat, _DOWN)

    steady = segments - depth + 1
    if steady < 1:
        return tuple(step(t, 1) for t in range(segments + depth - 1))
    fill = [step(t, 1) for t in range(depth - 1)]
    drain = [step(segments + t, 1) for t in range(depth - 1)]
    return (*fill, step(depth - 1, steady), *drain)


def timetable(forest: Trees, lag: int, lasting: IntArray | None = None) -> list[Hops]:
    """Return slots in which every move is used at most once, in an order that never waits long.

    Parameters
    ----------
    forest
        Trees whose edges join neighbours.
    lag
        Slots between a chunk's arrival and its next hop, so that latency is hidden.
    lasting
        Slots that each edge's link takes for a chunk; by default 1.
    """
    edges = forest.edges
    takes = np.ones(len(edges.head), dtype=np.int64) if lasting is None else lasting
    link = forest.links(edges)
    height = forest.heights[edges.tree, edges.head]
    ready = np.full(forest.heights.shape, np.iinfo(np.int64).max)
    first_hop = forest.depth_of(edges.tree, edges.head) == 1
    ready[edges.tree[first_hop], edges.tail[first_hop]] = 0
    link = np.unique(link, return_inverse=True)[1].reshape(-1)
    free = np.zeros(int(link.max(initial=0)) + 1, dtype=np.int64)
    left = np.arange(len(link))
    slots: list[Hops] = []
    now = 0
    while len(left):
        can = (ready[edges.tree[left], edges.tail[left]] <= now) & (free[link[left]] <= now)
        open_ = left[can]
        order = open_[np.lexsort((open_, -height[open_], link[open_]))]
        first = order[np.flatnonzero(np.diff(link[order], prepend=-1))]
        ready[edges.tree[first], edges.head[first]] = now + takes[first] - 1 + lag
        free[link[first]] = now + takes[first]
        now += 1
        if len(first):
            slots.append(Hops(edges.tree[first], edges.tail[first], edges.head[first]))
        left = np.setdiff1d(left, first, assume_unique=True)
    return slots


def _heights(parent: IntArray, depth: IntArray) -> IntArray:
    height = np.zeros(len(parent), dtype=np.int64)
    for cell in np.argsort(-depth, kind="stable").tolist():
        if parent[cell] >= 0:
            height[parent[cell]] = max(height[parent[cell]], height[cell] + 1)
    return height


def slotted(forest: Trees, slots: Sequence[Hops]) -> tuple[Step, ...]:
    """Return a step for each slot of a timetable."""

    def step(hops: Hops) -> Step:
        return Step(lambda _: forest.transfers(hops), forest.traffic(hops), 1, _DOWN)

    return tuple(step(hops) for hops in slots)


def as_schedule(
    kind: str, forest: Trees, steps: tuple[Step, ...], segments: int, *, overlaps: bool
) -> Schedule:
    """Return the schedule of a collective from the steps of its all-gather."""
    p = forest.size
    chunks = p * forest.pieces * segments
    back = reverse(steps, "reduce up the trees")
    chosen = {"all_gather": steps, "reduce_scatter": back, "all_reduce": (*back, *steps)}[kind]
    return Schedule(_NAME, collective(kind), p, chunks, chosen, overlaps=overlaps)
