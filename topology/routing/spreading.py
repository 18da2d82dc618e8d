"""Spread a demand over shortest paths, level by level, and find what its transfers meet.

At every node the flow to a target splits over the next hops on shortest paths, in proportion to
their capacity; all targets of a block are spread at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from topology.errors import UnreachableError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray, distinct
from topology.routing.distances import UNREACHABLE, CostArray, Distances
from topology.routing.quotient import Quotient, expand

_CELLS = 2_000_000
_SAMPLE = 4
_KEPT_HOPS = 20_000_000


@dataclass(frozen=True, eq=False)
class Level:
    """The flows at one distance from their targets, and the hops they take next."""

    key: IntArray  # group * width + column, of each flow, sorted
    which: IntArray  # flow of each hop
    arc: IntArray  # merged arc of each hop
    flow: FloatArray  # what one arc of the fabric carries, of each hop
    following: IntArray  # key of the flow at the far end, of each hop


@dataclass(frozen=True, eq=False)
class _Targets:
    """Group, and column in the table of distances, of each target of a block."""

    group: IntArray
    column: IntArray


@dataclass(frozen=True, eq=False)
class Block:
    """Flows to some targets, routed together."""

    width: int
    target: IntArray  # group of each target
    weight: FloatArray  # how many equal targets each stands for
    source_key: IntArray  # where the demand enters
    levels: list[Level]

    @property
    def hops(self) -> int:
        """How many hops its flows take."""
        return sum(len(level.arc) for level in self.levels)


class Blocks:
    """The routed blocks of a demand: kept while they are small, routed again when not."""

    def __init__(self, route: Spread) -> None:
        self.route = route
        self._kept: list[Block] | None = None

    def __iter__(self) -> Iterator[Block]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Block] | None = []
        hops = 0
        for block in self.route:
            hops += block.hops
            if hops > _KEPT_HOPS:
                kept = None
            if kept is not None:
                kept.append(block)
            yield block
        self._kept = kept

    def forget(self) -> None:
        """Let go of what is kept; the blocks are routed again when asked for."""
        self._kept, self.route = None, replace(self.route)  # and of its tables


@dataclass(frozen=True, eq=False)
class Spread:
    """Route one demand on a quotient, some targets at a time.

    Attributes
    ----------
    fabric, q
        Where.
    table
        Returns the distances to some ranks.
    target_rank, weight
        One rank of each sort of target, and how many there are of it, shape (t,).
    sources
        Where the demand enters.
    """

    fabric: Fabric
    q: Quotient
    table: Callable[[IntArray], Distances] = field(repr=False)
    target_rank: IntArray
    weight: FloatArray
    sources: Sources

    @cached_property
    def distances(self) -> Distances:
        """Distances to the targets."""
        return self.table(self.target_rank)

    def work(self) -> float:
        """Return how many hops there are to route, at most or by a sample."""
        targets = len(self.target_rank)
        if targets * len(self.q.tail) <= _CELLS:
            return targets * len(self.q.tail)
        chosen = np.unique(np.linspace(0, targets - 1, _SAMPLE).astype(np.int64))
        part = replace(
            self, target_rank=self.target_rank[chosen], weight=self.weight[chosen]
        )  # fmt: skip
        return sum(block.hops for block in part) * targets / len(chosen)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield which targets are routed together."""
        block = max(1, _CELLS // len(self.q.size))
        for lo in range(0, len(self.target_rank), block):
            yield lo, min(lo + block, len(self.target_rank))

    def __iter__(self) -> Iterator[Block]:
        for lo, hi in self.spans():
            yield self._one(lo, hi)

    def _one(self, lo: int, hi: int) -> Block:
        q, width = self.q, hi - lo
        ranks = self.target_rank[lo:hi]
        target = q.group[self.fabric.npus[ranks]]
        group, column, amount = self.sources.into(ranks, target)
        keys = group * width + column
        to = _Targets(target, self.distances.column[ranks])
        cost = self._cost(group, column, to)
        if (cost == UNREACHABLE).any():
            at = int(np.flatnonzero(cost == UNREACHABLE)[0])
            raise _unreachable(self.fabric, q, int(group[at]), int(target[column[at]]))
        levels = []
        waiting = {int(c): [(keys[cost == c], amount[cost == c])] for c in distinct(cost)}
        while waiting:
            now = max(waiting)
            if now == 0:
                break
            level = self._spread(now, waiting.pop(now), to)
            levels.append(level[0])
            for cost_next, part in level[1]:
                waiting.setdefault(cost_next, []).append(part)
        return Block(width, target, self.weight[lo:hi], keys, levels)

    @cached_property
    def _row(self) -> IntArray:
        """Row of each group in the table of distances."""
        return self.distances.row[self.q.member]

    @cached_property
    def _leads_on(self) -> tuple[IntArray, IntArray | int]:
        """Of each arc that leads on, the row of its head and its cost: a number if all agree."""
        arcs = self.q.onward[1]
        cost = self.q.cost[arcs]
        same = len(cost) > 0 and bool((cost == cost[0]).all())
        return self._row[self.q.head[arcs]], int(cost[0]) if same else cost

    def _onward(
        self, now: int, group: IntArray, column: IntArray
    ) -> tuple[IntArray, IntArray, CostArray]:
        """Return the next hops of flows more than one hop away: flow, arc, and distance after.

        The head is never the target then, whose own row in the table is its twins'.
        """
        starts, onward = self.q.onward
        which, at = expand(starts, group)
        row, cost = self._leads_on
        after = self.distances.cost[row[at], column[which]]
        good = np.flatnonzero(after == now - (cost if isinstance(cost, int) else cost[at]))
        return which[good], onward[at[good]], after[good]

    def _cost(self, group: IntArray, column: IntArray, to: _Targets) -> CostArray:
        cost = self.distances.cost[self._row[group], to.column[column]]
        cost[group == to.group[column]] = 0  # a twin is farther from it than it is itself
        return cost

    def _spread(
        self,
        now: int,
        parts: list[tuple[IntArray, FloatArray]],
        to: _Targets,
    ) -> tuple[Level, list[tuple[int, tuple[IntArray, FloatArray]]]]:
        """Send the flows at one distance over their next hops."""
        q, width = self.q, len(to.group)
        key, inverse = np.unique(np.concatenate([k for k, _ in parts]), return_inverse=True)
        amount = np.bincount(inverse.reshape(-1), np.concatenate([a for _, a in parts]))
        group, column = np.divmod(key, width)
        if now == 1:  # the target is a neighbour; a hub has too many others to look at
            which, arc = np.arange(len(key)), q.arcs_between(group, to.group[column])
            after = np.zeros(len(key), dtype=np.int32)
        else:
            which, arc, after = self._onward(now, group, to.column[column])
        head, column = q.head[arc], column[which]
        share = q.capacity[arc] * q.fan_out[arc]
        total = np.bincount(which, share, minlength=len(key))
        flow = (amount / total)[which] * q.capacity[arc]
        following = head * width + column
        parts_next = []
        for cost in distinct(after).tolist():
            chosen = after == cost
            arriving = flow[chosen] * q.fan_in[arc[chosen]]
            parts_next.append((cost, (following[chosen], arriving)))
        return Level(key, which, arc, flow, following), parts_next


@dataclass(frozen=True, eq=False)
class Sources:
    """Where a demand enters: who sends to each target, in rows that targets may share.

    Attributes
    ----------
    row
        Row of each rank, shape (ranks,).
    starts
        Where each row begins, shape (rows + 1,).
    group, amount
        Who sends, and how much, by row, shape (k,).
    """

    row: IntArray
    starts: IntArray
    group: IntArray
    amount: FloatArray

    @property
    def key(self) -> bytes:
        """Return what the sources of two equal demands have in common."""
        columns = self.row, self.starts, self.group, self.amount
        return b"".join(column.tobytes() for column in columns)

    def into(self, ranks: IntArray, target: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """Return group, column and amount of what some ranks get, from others than themselves.

        Parameters
        ----------
        ranks, target
            The ranks, and the groups they are, shape (k,).
        """
        column, at = expand(self.starts, self.row[ranks])
        other = self.group[at] != target[column]
        at, column = at[other], column[other]
        return self.group[at], column, self.amount[at]


def worst_of(
    q: Quotient, block: Block, latency: FloatArray, busy: FloatArray, node_busy: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Return latency, busiest link, source and target of each transfer of a block.

    Parameters
    ----------
    q, block
        What was routed.
    latency, busy, node_busy
        Seconds of each merged arc and of each group, shapes (a,), (a,) and (g,).
    """
    levels = block.levels
    if not levels:
        none = np.zeros(0, dtype=np.int64)
        return none.astype(float), none.astype(float), none, none
    keys = np.concatenate([level.key for level in levels])
    offsets = np.cumsum([0, *(len(level.key) for level in levels)])
    order = np.argsort(keys)
    ordered = keys[order]
    longest, most = np.zeros(len(keys)), np.zeros(len(keys))
    for level, offset in zip(reversed(levels), reversed(offsets[:-1].tolist()), strict=True):
        group, column = np.divmod(level.following, block.width)
        arrived = group == block.target[column]
        slot = np.minimum(np.searchsorted(ordered, level.following), len(ordered) - 1)
        state = order[slot]
        on = np.where(arrived, 0.0, longest[state] + q.node_latency[group])
        held = np.where(arrived, 0.0, np.maximum(most[state], node_busy[group]))
        starts = np.flatnonzero(np.diff(level.which, prepend=-1))
        here = slice(offset, offset + len(level.key))
        longest[here] = np.maximum.reduceat(latency[level.arc] + on, starts)
        most[here] = np.maximum.reduceat(np.maximum(busy[level.arc], held), starts)
    at = order[np.searchsorted(ordered, distinct(block.source_key))]
    group, column = np.divmod(keys[at], block.width)
    return longest[at], most[at], q.member[group], q.member[block.target[column]]


def ends_of(q: Quotient, spread: Spread) -> tuple[IntArray, IntArray]:
    """Return a source and a target node for each transfer of `worst_of`, of all blocks."""
    src, dst = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for lo, hi in spread.spans():
        ranks = spread.target_rank[lo:hi]
        target = q.group[spread.fabric.npus[ranks]]
        group, column, _ = spread.sources.into(ranks, target)
        group, column = np.divmod(distinct(group * (hi - lo) + column), hi - lo)
        src.append(q.member[group])
        dst.append(q.member[target[column]])
    return np.concatenate(src), np.concatenate(dst)


def _unreachable(fabric: Fabric, q: Quotient, source: int, target: int) -> UnreachableError:
    u, v = fabric.nodes[int(q.member[source])], fabric.nodes[int(q.member[target])]
    return UnreachableError(
        f"{u} cannot reach {v}: no path through forwarding nodes; choose ranks= that are "
        "connected, or let the nodes between them forward (forwards=True)"
    )


def trace(fabric: Fabric, used: BoolArray, source: int, target: int) -> list[int]:
    """Follow used arcs from source to target by the highest latency; they form a DAG."""
    best = {target: (0.0, -1)}
    stack = [source]
    while stack:
        node = stack[-1]
        lo, hi = fabric.out_start[node], fabric.out_start[node + 1]
        arcs = [arc for arc in range(int(lo), int(hi)) if used[arc]]
        unknown = [int(fabric.head[arc]) for arc in arcs if int(fabric.head[arc]) not in best]
        if unknown and node not in best:
            stack += unknown
            continue
        stack.pop()
        if node not in best:
            best[node] = max(
                (_onward(fabric, arc, target) + best[int(fabric.head[arc])][0], arc) for arc in arcs
            )
    path = []
    while source != target:
        path.append(best[source][1])
        source = int(fabric.head[path[-1]])
    return path


def _onward(fabric: Fabric, arc: int, target: int) -> float:
    """Return the latency of an arc and of the node behind it."""
    head = int(fabric.head[arc])
    inside = 0.0 if head == target else float(fabric.node_latency[head])
    return float(fabric.latency[arc]) + inside


def split_paths(
    fabric: Fabric, flow: FloatArray, source: int, target: int
) -> Iterator[tuple[float, list[int]]]:
    """Yield the paths of one unit of flow without cycles, each with its share.

    Parameters
    ----------
    fabric
        What it is on.
    flow
        What each arc carries, shape (arcs,).
    source, target
        Nodes.
    """
    stack: list[tuple[int, float, list[int]]] = [(source, 1.0, [])]
    while stack:
        node, share, path = stack.pop()
        if node == target:
            yield share, path
            continue
        arcs = np.arange(fabric.out_start[node], fabric.out_start[node + 1])
        arcs = arcs[flow[arcs] > 0][::-1]
        parts = flow[arcs] / flow[arcs].sum()
        for arc, part in zip(arcs.tolist(), parts.tolist(), strict=True):
            stack.append((int(fabric.head[arc]), share * part, [*path, arc]))
