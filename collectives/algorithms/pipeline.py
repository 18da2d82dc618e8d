"""Pipelines: data in segments, every edge of a tree at work on another segment.

A broadcast over a tree of height h in m segments takes h + m - 1 steps, a reduce as many, and an
all-reduce, in which segments come down while others go up, 2h + m - 1. A step costs α + c·S/(mB),
where c is how many segments the busiest port carries, so the best m is near √((h-1)·c·S/(αB)).

References
----------
Chan, Heimlich, Purkayastha and van de Geijn, Collective communication: theory, practice, and
experience, CCPE 19 (2007) 1749-1783; Sanders, Speck and Träff, Parallel Computing 35 (2009)
581-594.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np

from collectives.algorithms.compose import Steps, merged
from collectives.algorithms.trees import (
    binary_tree,
    chain,
    depths,
    double_binary_tree,
    rooted_at,
)
from collectives.collective import collective
from collectives.cost import endpoint_of
from collectives.schedule import (
    IntArray,
    Schedule,
    ScheduleError,
    Step,
    Team,
    Transfers,
    as_team,
)
from topology.routing import Pairs
from topology.supernode import Supernode

UNSIZED = 16
"""Segments where the size, or the machine, is not known."""

_MOST_SEGMENTS = 4096


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of a pipeline; each carries its segments one after the other.

    Attributes
    ----------
    src, dst
        Positions, shape (k,).
    start
        Step of the first segment, shape (k,).
    first
        Chunk of the first segment, shape (k,).
    adds
        Whether the receiver adds, shape (k,).
    """

    src: IntArray
    dst: IntArray
    start: IntArray
    first: IntArray
    adds: IntArray


def downwards(parent: IntArray, start: int, first: int) -> Edges:
    """Return the edges of a broadcast over a tree.

    Parameters
    ----------
    parent
        The tree.
    start
        Step in which the root starts.
    first
        The tree's first chunk.
    """
    below = np.flatnonzero(parent >= 0)
    level = depths(parent)[below]
    none = np.zeros(len(below), dtype=np.int64)
    return Edges(parent[below], below, start + level - 1, none + first, none)


def upwards(parent: IntArray, first: int) -> Edges:
    """Return the edges of a reduce over a tree; it starts in step 0 at the deepest leaves."""
    below = np.flatnonzero(parent >= 0)
    depth = depths(parent)
    start = depth.max(initial=0) - depth[below]
    none = np.zeros(len(below), dtype=np.int64)
    return Edges(below, parent[below], start, none + first, none + 1)


def pipelined(parts: Sequence[Edges], segments: int, chunks: int, phase: str) -> Steps:
    """Return the steps of a pipeline, those with the same busy edges as one with repetitions.

    Parameters
    ----------
    parts
        The edges.
    segments
        How many chunks each edge carries.
    chunks
        How many chunks there are in all.
    phase
        A word for tables.
    """
    names = ("src", "dst", "start", "first", "adds")
    edges = Edges(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    times = np.unique(np.concatenate([edges.start, edges.start + segments])).tolist()
    return tuple(_window(edges, lo, hi, segments, chunks, phase) for lo, hi in pairwise(times))


def _window(edges: Edges, lo: int, hi: int, segments: int, chunks: int, phase: str) -> Step:
    busy = (edges.start <= lo) & (lo < edges.start + segments)
    src, dst, adds = edges.src[busy], edges.dst[busy], edges.adds[busy].astype(bool)
    offset = edges.first[busy] - edges.start[busy]

    def transfers(t: int) -> Transfers:
        return Transfers(src, dst, offset + lo + t, reduce=adds)

    traffic = merged([Pairs(src, dst, np.full(len(src), 1 / chunks))])
    return Step(transfers, traffic, hi - lo, phase)


def best_segments(team: Team, fill: int, load: float, segments: int | None = None) -> int:
    """Return how many segments make (fill + m)(α + load·S/(mB)) smallest.

    Parameters
    ----------
    team
        Who; its size S, machine and α say what is best, and without them it is `UNSIZED`.
    fill
        Steps that are needed besides one for each segment.
    load
        Bytes through the busiest port per byte of S, all segments together.
    segments
        What the caller asked for, if anything.
    """
    if segments is not None:
        if isinstance(segments, bool) or not isinstance(segments, int) or segments < 1:
            raise ScheduleError(f"segments is {segments!r}; it must be a whole number, 1 or more")
        return segments
    if team.volume is None or team.supernode is None or team.ranks is None:
        return UNSIZED
    endpoint = endpoint_of(team.supernode, team.ranks, team.alpha, None)
    alpha = endpoint.alpha + endpoint.message
    if alpha <= 0:
        return _MOST_SEGMENTS
    serial = load * team.volume / _slowest_rate(team.supernode, team.ranks)
    best = sqrt(max(fill, 0) * serial / alpha)
    near = [max(1, min(_MOST_SEGMENTS, int(best) + i)) for i in (0, 1)]
    return min(near, key=lambda m: (fill + m) * (alpha + serial / m))


def _slowest_rate(supernode: Supernode, ranks: IntArray) -> float:
    """Return what the slowest rank's links carry together, bytes/s."""
    fabric = supernode.fabric
    out = np.bincount(fabric.tail, fabric.capacity, minlength=len(fabric.nodes))
    return float(out[fabric.npus[ranks]].min())


def chain_broadcast(team: Team | int, *, root: int = 0, segments: int | None = None) -> Schedule:
    """Broadcast down a chain in m segments: (p-2+m)(α + S/(mB))."""
    return _broadcast("chain", as_team(team), chain, root, segments, 1.0)


def binary_tree_broadcast(
    team: Team | int, *, root: int = 0, segments: int | None = None
) -> Schedule:
    """Broadcast down a binary tree in m segments: (h+m-1)(α + 2S/(mB))."""
    return _broadcast("binary_tree", as_team(team), binary_tree, root, segments, 2.0)


def _broadcast(
    name: str,
    team: Team,
    make: Callable[[int], IntArray],
    root: int,
    segments: int | None,
    load: float,
) -> Schedule:
    tree = rooted_at(make(team.size), root)
    m = best_segments(team, int(depths(tree).max()) - 1, load, segments)
    steps = pipelined([downwards(tree, 0, 0)], m, m, "broadcast")
    return Schedule(name, collective("broadcast"), team.size, m, steps, _said(m), root)


def chain_reduce(team: Team | int, *, root: int = 0, segments: int | None = None) -> Schedule:
    """Reduce up a chain in m segments: (p-2+m)(α + S/(mB))."""
    return _reduce("chain", as_team(team), chain, root, segments, 1.0)


def binary_tree_reduce(team: Team | int, *, root: int = 0, segments: int | None = None) -> Schedule:
    """Reduce up a binary tree in m segments: (h+m-1)(α + 2S/(mB))."""
    return _reduce("binary_tree", as_team(team), binary_tree, root, segments, 2.0)


def _reduce(
    name: str,
    team: Team,
    make: Callable[[int], IntArray],
    root: int,
    segments: int | None,
    load: float,
) -> Schedule:
    tree = rooted_at(make(team.size), root)
    m = best_segments(team, int(depths(tree).max()) - 1, load, segments)
    steps = pipelined([upwards(tree, 0)], m, m, "reduce")
    return Schedule(name, collective("reduce"), team.size, m, steps, _said(m), root)


def chain_all_reduce(team: Team | int, *, segments: int | None = None) -> Schedule:
    """All-reduce up and down a chain in m segments: (2(p-1)+m-1)(α + 2S/(mB)).

    The inner ranks send a segment up and one down in each step.
    """
    return _all_reduce("chain", as_team(team), [chain], segments, 2.0)


def binary_tree_all_reduce(team: Team | int, *, segments: int | None = None) -> Schedule:
    """All-reduce up and down a binary tree in m segments: (2h+m-1)(α + 3S/(mB))."""
    return _all_reduce("binary_tree", as_team(team), [binary_tree], segments, 3.0)


def double_binary_tree_all_reduce(team: Team | int, *, segments: int | None = None) -> Schedule:
    """All-reduce over NCCL's two trees, half the data each: (2h+m-1)(α + 2S/(mB)).

    A rank is inside at most one tree, where it sends S/2 up and twice S/2 down; in the other it
    is a leaf and sends S/2. The time tends to 2 S/B with many segments, as a ring's does, but in
    h = ⌈log2 p⌉ steps rather than p.
    """
    made = as_team(team)
    trees = [lambda p, i=i: double_binary_tree(p)[i] for i in (0, 1)]
    return _all_reduce("double_binary_tree", made, trees, segments, 2.0)


def _all_reduce(
    name: str,
    team: Team,
    makes: Sequence[Callable[[int], IntArray]],
    segments: int | None,
    load: float,
) -> Schedule:
    trees = [make(team.size) for make in makes]
    heights = [int(depths(tree).max()) for tree in trees]
    m = best_segments(team, 2 * max(heights) - 1, load, segments)
    edges = []
    for i, (tree, height) in enumerate(zip(trees, heights, strict=True)):
        edges += [upwards(tree, i * m), downwards(tree, height, i * m)]
    chunks = m * len(trees)
    steps = pipelined(edges, m, chunks, "up and down")
    return Schedule(name, collective("all_reduce"), team.size, chunks, steps, _said(m))


def _said(segments: int) -> tuple[str, ...]:
    return (f"{segments} segment{'s' if segments > 1 else ''}",)
