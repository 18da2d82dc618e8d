"""Spanning trees from every rank, as hops: what an all-gather sends down.

An all-gather sends shard pieces down the trees of their root; a reduce-scatter runs them upwards
in reverse; an all-reduce is one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import lcm
from typing import Self

import numpy as np

from collectives.algorithms.compose import Steps, finer, reverse
from collectives.model.collective import collective
from collectives.model.schedule import IntArray, Schedule, Transfers
from collectives.synthesis.arrangement import Arrangement
from collectives.synthesis.trees import Tree
from topology.fabric import FloatArray
from topology.routing import Pairs


@dataclass(frozen=True, eq=False)
class Edges:
    """Tree edges, the nearest to the root first.

    Attributes
    ----------
    tree
        Which tree, shape (k,).
    tail, head
        Cells, or positions, shape (k,).
    level
        Edges between the root and each, shape (k,).
    below
        Edges between each and the deepest leaf below it, shape (k,).
    before
        The edge into the tail of each, -1 at the root, shape (k,).
    """

    tree: IntArray
    tail: IntArray
    head: IntArray
    level: IntArray
    below: IntArray
    before: IntArray


def edges_of(trees: Sequence[Tree]) -> Edges:
    """Return every edge of some trees."""
    parent, depth = (np.stack([getattr(t, name) for t in trees]) for name in ("parent", "depth"))
    tree, head = np.nonzero(parent >= 0)
    order = np.lexsort((tree, depth[tree, head]))
    tree, head = tree[order], head[order]
    tail = parent[tree, head]
    height = np.zeros_like(parent)
    for level in range(int(depth.max(initial=0)), 0, -1):  # leaves first
        t, v = np.nonzero((depth == level) & (parent >= 0))
        np.maximum.at(height, (t, parent[t, v]), height[t, v] + 1)
    into = np.full(parent.shape, -1)
    into[tree, head] = np.arange(len(tree))
    return Edges(tree, tail, head, depth[tree, head] - 1, height[tree, head], into[tree, tail])


@dataclass(frozen=True, eq=False)
class Grove:
    """As many spanning trees from every rank, each on its own: no symmetry is used.

    Attributes
    ----------
    size
        How many ranks there are.
    trees
        All, those of rank 0 first; each carries an equal piece of a shard.
    """

    size: int
    trees: tuple[Tree, ...]

    phase = "gather down the trees"

    @property
    def pieces(self) -> int:
        """Return the number of trees of a rank."""
        return len(self.trees) * self.shifts // self.size

    @property
    def depth(self) -> int:
        """Return the hops of the longest path from root to leaf."""
        return max((int(tree.depth.max()) for tree in self.trees), default=0)

    @property
    def shifts(self) -> int:
        """Return how many trees each tree stands for: itself."""
        return 1

    @cached_property
    def edges(self) -> Edges:
        """Return every edge of every tree, the nearest to the root first."""
        return edges_of(self.trees)

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """Return the positions that edges join."""
        return self.edges.tail, self.edges.head

    @property
    def level(self) -> IntArray:
        """Return how many edges are above each."""
        return self.edges.level

    @property
    def below(self) -> IntArray:
        """Return how many edges are below each."""
        return self.edges.below

    @property
    def before(self) -> IntArray:
        """Return the edge above each, -1 at the root."""
        return self.edges.before

    @cached_property
    def link(self) -> IntArray:
        """Return a number for the link each edge uses."""
        return self.edges.tail * self.size + self.edges.head

    def traffic(self, hops: IntArray | None = None, segments: int = 1) -> Pairs:
        """Return what positions send each other over some edges, or all, as a fraction of S."""
        link, count = np.unique(self.link if hops is None else self.link[hops], return_counts=True)
        return self._traffic_of(link, count / (self.size * self.pieces * segments))

    def _traffic_of(self, link: IntArray, share: FloatArray) -> Pairs:
        return Pairs(link // self.size, link % self.size, share)

    def transfers(self, hops: IntArray, segment: int = 0, segments: int = 1) -> Transfers:
        """Return what moves when some edges are used, downwards."""
        edges = self.edges
        return Transfers(edges.tail[hops], edges.head[hops], edges.tree[hops] * segments + segment)

    def finer(self, copies: int) -> Self:
        """Return the trees with every piece cut into ``copies`` that take the same way."""
        return replace(self, trees=tuple(tree for tree in self.trees for _ in range(copies)))


@dataclass(frozen=True, eq=False)
class Forest(Grove):
    """As many spanning trees from every rank: those of the origin, and their shifts.

    Attributes
    ----------
    trees
        Trees from the origin, over cells of the grid.
    grid
        The ranks' arrangement.
    """

    grid: Arrangement

    @property
    def shifts(self) -> int:
        """Return how many trees each tree stands for."""
        return self.size

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """Return the positions that edges join, unshifted."""
        return self.grid.position[self.edges.tail], self.grid.position[self.edges.head]

    @cached_property
    def link(self) -> IntArray:
        """Return a number for the links each edge uses in all its shifts."""
        return self.grid.difference(self.edges.head, self.edges.tail)

    def _traffic_of(self, link: IntArray, share: FloatArray) -> Pairs:
        key = (link.tobytes(), share.tobytes())
        if key not in self._traffics:
            cells = np.tile(np.arange(self.size), len(link))
            heads = self.grid.shifted(cells, np.repeat(link, self.size))
            ends = self.grid.position[cells], self.grid.position[heads]
            self._traffics[key] = Pairs(*ends, np.repeat(share, self.size))
        return self._traffics[key]

    @cached_property
    def _traffics(self) -> dict[tuple[bytes, bytes], Pairs]:
        return {}

    def transfers(self, hops: IntArray, segment: int = 0, segments: int = 1) -> Transfers:
        """Return what moves when every root's shift of some edges is used, downwards."""
        each = len(self.trees) * segments
        roots = np.arange(self.size)
        by = np.repeat(roots, len(hops))
        tail, head = (
            self.grid.position[self.grid.shifted(np.tile(cells[hops], self.size), by)]
            for cells in (self.edges.tail, self.edges.head)
        )
        piece = self.edges.tree[hops] * segments + segment
        chunk = np.repeat(self.grid.position[roots] * each, len(hops)) + np.tile(piece, self.size)
        return Transfers(tail, head, chunk)


def gathering(forest: Grove, steps: Steps, segments: int) -> Schedule:
    """Return the all-gather down a forest from its steps."""
    chunks = forest.size * forest.pieces * segments
    return Schedule("forest", collective("all_gather"), forest.size, chunks, steps)


def reducing(kind: str, up: Schedule, down: Schedule) -> Schedule:
    """Return a reduce-scatter, or an all-reduce, from all-gathers: ``up`` is run backwards."""
    back = reverse(up.steps, "reduce up the trees")
    if kind == "reduce_scatter":
        return replace(up, collective=collective(kind), steps=back)
    chunks = lcm(up.chunks, down.chunks)
    overlaps = up.overlaps and down.overlaps
    steps = (
        *finer(back, chunks // up.chunks, apart=overlaps),
        *finer(down.steps, chunks // down.chunks, apart=overlaps),
    )
    return Schedule("forest", collective(kind), up.ranks, chunks, steps, overlaps=overlaps)
