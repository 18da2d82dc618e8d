"""Turn trees into schedules: lockstep with pipelining, or a timetable for every link.

An all-gather sends shard pieces down the trees of their root; a reduce-scatter runs them upwards
in reverse; an all-reduce is one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collectives.collective import collective
from collectives.schedule import IntArray, Schedule, ScheduleError, Step, Transfers
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

    def depth_of(self, tree: IntArray, cell: IntArray) -> IntArray:
        """Return the depth of cells in trees, elementwise."""
        table = np.stack([t.depth for t in self.trees])
        found: IntArray = table[tree, cell]
        return found

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


def reversed_step(step: Step) -> Step:
    """Return a step that runs backwards and adds: the reduce-scatter of an all-gather."""
    last = step.repeat - 1

    def transfers(t: int) -> Transfers:
        down = step.transfers(last - t)
        return Transfers(down.dst, down.src, down.chunk, reduce=True)

    down = step.traffic
    if not isinstance(down, Pairs):
        raise ScheduleError("only steps between pairs can be reversed")
    up = Pairs(down.dst, down.src, down.amount)
    return Step(transfers, up, step.repeat, "reduce up the trees")


def lockstep(forest: Forest, segments: int) -> tuple[Step, ...]:
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


def timetable(forest: Forest, lag: int) -> list[Hops]:
    """Return slots in which every move is used at most once, in an order that never waits long.

    Parameters
    ----------
    forest
        Trees whose edges join neighbours.
    lag
        Slots between a chunk's arrival and its next hop, so that latency is hidden.
    """
    edges = forest.edges
    move = forest.grid.difference(edges.head, edges.tail)
    height = _heights(forest)[edges.tree, edges.head]
    size = forest.grid.size
    ready = np.full((len(forest.trees), size), np.iinfo(np.int64).max)
    ready[:, 0] = 0
    left = np.arange(len(move))
    slots: list[Hops] = []
    while len(left):
        now = len(slots)
        open_ = left[ready[edges.tree[left], edges.tail[left]] <= now]
        order = open_[np.lexsort((open_, -height[open_], move[open_]))]
        first = order[np.flatnonzero(np.diff(move[order], prepend=-1))]
        ready[edges.tree[first], edges.head[first]] = now + lag
        slots.append(Hops(edges.tree[first], edges.tail[first], edges.head[first]))
        left = np.setdiff1d(left, first, assume_unique=True)
    return slots


def _heights(forest: Forest) -> IntArray:
    """Return how far below each cell the deepest leaf is, in each tree."""
    heights = np.zeros((len(forest.trees), forest.grid.size), dtype=np.int64)
    for row, tree in zip(heights, forest.trees, strict=True):
        for cell in np.argsort(-tree.depth, kind="stable").tolist():
            if tree.parent[cell] >= 0:
                row[tree.parent[cell]] = max(row[tree.parent[cell]], row[cell] + 1)
    return heights


def slotted(forest: Forest, slots: Sequence[Hops]) -> tuple[Step, ...]:
    """Return a step for each slot of a timetable."""

    def step(hops: Hops) -> Step:
        return Step(lambda _: forest.transfers(hops), forest.traffic(hops), 1, _DOWN)

    return tuple(step(hops) for hops in slots)


def as_schedule(
    kind: str, forest: Forest, steps: tuple[Step, ...], segments: int, *, overlaps: bool
) -> Schedule:
    """Return the schedule of a collective from the steps of its all-gather."""
    p = forest.grid.size
    chunks = p * len(forest.trees) * segments
    back = tuple(reversed_step(step) for step in reversed(steps))
    chosen = {"all_gather": steps, "reduce_scatter": back, "all_reduce": (*back, *steps)}[kind]
    return Schedule(_NAME, collective(kind), p, chunks, chosen, overlaps=overlaps)
