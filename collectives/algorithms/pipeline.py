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
from functools import partial
from itertools import pairwise

import numpy as np

from collectives.algorithms.compose import Steps
from collectives.algorithms.rails import rail_trees
from collectives.algorithms.registry import algorithm
from collectives.algorithms.rooted import check_root
from collectives.algorithms.segments import best_segments
from collectives.algorithms.trees import binary_tree, chain, depths, double_binary_tree
from collectives.model.collective import collective
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
)
from collectives.model.traffic import merged
from topology.routing import Pairs
from topology.text import counted

_MOST_DIFFERENT = 1024


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
    times, at = np.unique(
        np.concatenate([edges.start, edges.start + segments]), return_inverse=True
    )
    width = int(max(edges.src.max(initial=0), edges.dst.max(initial=0))) + 1
    pairs, pair = np.unique(edges.src * width + edges.dst, return_inverse=True)
    order = np.argsort(at, kind="stable")
    turns = np.split(order, np.searchsorted(at[order], np.arange(1, len(times))))
    count = np.zeros(len(pairs), dtype=np.int64)
    steps = []
    for (lo, hi), turn in zip(pairwise(times.tolist()), turns, strict=False):
        begin = turn < len(pair)  # the others are edges that have sent their last segment
        count += np.bincount(pair[turn[begin]], minlength=len(pairs))
        count -= np.bincount(pair[turn[~begin] - len(pair)], minlength=len(pairs))
        used = np.flatnonzero(count)
        traffic = Pairs(pairs[used] // width, pairs[used] % width, count[used] / chunks)
        steps.append(Step(_moving(edges, lo, segments), traffic, hi - lo, phase))
    return tuple(steps)


def _moving(edges: Edges, lo: int, segments: int) -> Callable[[int], Transfers]:
    def transfers(t: int) -> Transfers:
        busy = (edges.start <= lo) & (lo < edges.start + segments)
        chunk = edges.first[busy] - edges.start[busy] + lo + t
        adds = edges.adds[busy].astype(bool)
        return Transfers(edges.src[busy], edges.dst[busy], chunk, reduce=adds)

    return transfers


def full_flow(parts: Sequence[Edges]) -> Pairs:
    """Return the traffic of all edges at work at once, a segment each."""
    src, dst = (np.concatenate([getattr(part, name) for part in parts]) for name in ("src", "dst"))
    return merged([Pairs(src, dst, np.ones(len(src)))])


def tree_pipeline(
    kind: str,
    name: str,
    trees: Callable[[int], Sequence[IntArray]],
    team: Team | int,
    *,
    root: int = 0,
    segments: int | None = None,
) -> Schedule:
    """Broadcast down trees, reduce up them, or both, in m segments, an equal part of S on each.

    On a tree of height h: (h+m-1)(α + S/(mB)) on a chain, where h is p - 1, (h+m-1)(α + 2S/(mB))
    on a binary tree, and (2h+m-1)(α + 2S/(mB)) or (2h+m-1)(α + 3S/(mB)) for both ways. Two binary
    trees take (2h+m-1)(α + 2S/(mB)) for both ways: a rank is inside at most one, where it sends
    S/2 up and twice S/2 down, and a leaf of the other. So many segments take as long as a ring,
    in h = ⌈log2 p⌉ steps rather than p.

    Where ranks come in groups of g, there is a tree over the groups on each of the g rails with a
    chain inside each group, as in NCCL's Tree: B is the sum of a group's NICs.
    """
    made = as_team(team)
    rooted = check_root(root, made.size) if kind != "all_reduce" else None
    return _pipeline(name, kind, made, rail_trees(made, trees, rooted), segments, root)


def _one(tree: Callable[[int], IntArray]) -> Callable[[int], Sequence[IntArray]]:
    return lambda p: [tree(p)]


for _name, _tree in (("binary_tree", binary_tree), ("chain", chain)):
    for _kind in ("broadcast", "reduce", "all_reduce"):
        algorithm(_kind, _name)(partial(tree_pipeline, _kind, _name, _one(_tree)))

for _name in ("tree", "double_binary_tree"):  # its name in NCCL, and that of its shape
    algorithm("all_reduce", _name, candidate=_name == "tree")(
        partial(tree_pipeline, "all_reduce", _name, double_binary_tree)
    )


def _pipeline(
    name: str,
    kind: str,
    team: Team,
    trees: Sequence[IntArray],
    segments: int | None,
    root: int = 0,
) -> Schedule:
    """Return a broadcast, a reduce or an all-reduce over trees with an equal part of the data."""
    heights = [int(depths(tree).max()) for tree in trees]
    up, down = kind != "broadcast", kind != "reduce"
    different = (up + down) * max(heights)
    if different > _MOST_DIFFERENT:
        raise DoesNotFitError(
            f"{name}: a pipeline through {team.size} ranks has {different:,} different steps or "
            f"more; it is made for up to {_MOST_DIFFERENT:,}, use a tree or a ring"
        )

    def edges(m: int) -> list[Edges]:
        rising = [upwards(tree, i * m) for i, tree in enumerate(trees) if up]
        begins = [height if up else 0 for height in heights]
        rows = enumerate(zip(trees, begins, strict=True))
        return rising + [downwards(tree, begin, i * m) for i, (tree, begin) in rows if down]

    both, share = up and down, 1 / len(trees)
    fill = (2 if both else 1) * max(heights) - 1
    ramp = 0.5 if both else 1.0
    m = best_segments(team, fill, full_flow(edges(0)), segments, share=share, ramp=ramp)
    chunks = m * len(trees)
    steps = pipelined(edges(m), m, chunks, "up and down" if both else kind)
    sized = segments is None and team.volume is not None and team.step_time is not None
    note = counted(m, "segment")
    return Schedule(name, collective(kind), team.size, chunks, steps, (note,), root, sized=sized)
