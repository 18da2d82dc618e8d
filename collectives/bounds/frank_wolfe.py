"""Near the best all-to-all on fabrics too irregular for the exact program, to a certified gap.

Two steps. Spraying over shortest paths, as switches do, but with shares that shrink where links
are crowded, settles most fabrics with switches. What is left is closed by moving the flows to a
few receivers at a time towards paths that are shortest in the lengths exp(κ·load), for as far as
the smoothed worst load falls; κ follows the gap. Every set of loads met on the way is a routing,
and every set of lengths a proof, so the gap between the best of both is certain.

References
----------
Fleischer, Approximating fractional multicommodity flow independent of the number of commodities,
SIAM J. Discrete Math. 13 (2000) 505-520; Frank and Wolfe, Naval Res. Logist. Q. 3 (1956) 95-110;
Lacoste-Julien et al., Block-coordinate Frank-Wolfe, ICML 2013; Bienstock, Potential function
methods for approximately solving linear programming problems, 2002 (κ and the gap).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.sparse.csgraph import dijkstra

from collectives.bounds.split_nodes import Halves
from collectives.model.schedule import IntArray, Progress
from topology.errors import UnreachableError
from topology.fabric import BoolArray, FloatArray

_ROUNDS = 60
_ROWS = 256  # receivers whose distances are in memory at once
_PATIENCE = 12
_SHRINK = 0.2
_STEEPNESS = (30.0, 100.0, 400.0)
_EVERY = 6
_PASSES = 600
_WORK = 3e10
_SPRAYED = 60_000_000
_BATCHES = 25
_SHARPEN = 0.2
_SHARPER, _SHARPEST = 1.25, 1.5
_STALLED = 0.95
_BLUNT = 10.0
_BISECTIONS = 16


@dataclass(eq=False)
class Search:
    """The best routing and the best proof found so far.

    Attributes
    ----------
    laid
        The network in halves.
    amounts
        What each group of ranks sends to each, at rate 1, shape (k, k).
    gap
        Where to stop.
    reached
        Rate of the best routing.
    bound
        Rate that ``lengths`` prove not to be exceeded.
    lengths
        Of each arc, shape (a,).
    """

    laid: Halves
    amounts: FloatArray
    gap: float
    progress: Progress | None = None
    reached: float = 0.0
    bound: float = np.inf
    lengths: FloatArray = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def links(self) -> BoolArray:
        """Return which arcs have a capacity, shape (a,)."""
        return np.isfinite(self.laid.capacity)

    @cached_property
    def room(self) -> FloatArray:
        """Return the capacity of each arc, shape (a,); immense inside ranks."""
        return np.where(self.links, self.laid.capacity, 1e6 * self.laid.capacity[self.links].sum())

    @property
    def open(self) -> float:
        """Return the gap between routing and proof, as a fraction of the proof."""
        return 1 - self.reached / self.bound

    @property
    def done(self) -> bool:
        """Tell whether the gap is closed."""
        return self.open <= self.gap

    def route(self, loads: FloatArray) -> None:
        """Take note of a routing by its loads at rate 1, shape (a,)."""
        self.reached = max(self.reached, 1 / float((loads / self.room).max()))

    def prove(self, lengths: FloatArray) -> None:
        """Take note of lengths, shape (a,)."""
        laid, total = self.laid, 0.0
        for rows in np.array_split(np.arange(len(laid.senders)), 1 + len(laid.senders) // 512):
            far = laid.distances(lengths, rows)[:, laid.receivers]
            total += float(np.where(self.amounts[rows] > 0, self.amounts[rows] * far, 0.0).sum())
        offered = float((laid.capacity[self.links] * lengths[self.links]).sum())
        if total > 0 and offered / total < self.bound:
            self.bound, self.lengths = offered / total, lengths

    def prices(self, loads: FloatArray, steepness: float) -> FloatArray:
        """Return lengths that grow with the load: exp(κ · load / highest load) / capacity."""
        used = np.where(self.links, loads / self.room, 0.0)
        grown = np.exp(steepness * (used / used.max() - 1)) / self.room
        return np.where(self.links, grown / grown.sum(), 0.0)

    def prove_ports(self) -> None:
        """Take note of the tightest of the groups' own links."""
        laid = self.laid
        for ends, own, sums in (
            (laid.tail, laid.senders, self.amounts.sum(axis=1)),
            (laid.head, laid.receivers, self.amounts.sum(axis=0)),
        ):
            into = self.links & (np.arange(len(laid.tail)) < laid.links)
            offered = np.bincount(ends[into], laid.capacity[into], laid.nodes)[own]
            ratio = np.where(sums > 0, offered / np.where(sums > 0, sums, 1.0), np.inf)
            tight = own[ratio <= ratio.min() * (1 + 1e-9)]
            self.prove(np.where(into & np.isin(ends, tight), 1.0, 0.0))

    def say(self, what: str) -> None:
        """Report where the search stands."""
        if self.progress is not None:
            done = min(1.0, self.gap / self.open) if self.open > 0 else 1.0
            self.progress(f"{what}: gap {100 * self.open:.2f} %", done)


class Spray:
    """Flows on shortest paths by hops, split at every node by weights of the arcs."""

    def __init__(self, laid: Halves, amounts: FloatArray) -> None:
        self.laid = laid
        count, nodes = len(laid.receivers), laid.nodes
        self.cells = count * nodes
        hops = _to(laid, np.ones(len(laid.tail)), np.arange(count))[0]
        near, far = hops[:, laid.head], hops[:, laid.tail]
        column, arc = np.nonzero(np.isfinite(far) & (far == near + 1))
        level = hops[column, laid.tail[arc]].astype(np.int64)
        order = np.argsort(-level, kind="stable")
        column, arc, level = column[order], arc[order], level[order]
        starts = np.flatnonzero(np.diff(level, prepend=level[:1] + 1))
        entering = np.zeros((count, nodes))
        entering[:, laid.senders] = amounts.T
        self.entering = entering.reshape(-1)
        used = self._used(column * nodes + laid.tail[arc], column * nodes + laid.head[arc],
                          [*starts.tolist(), len(level)])  # fmt: skip
        self.column, self.arc = column[used], arc[used]
        self.source = self.column * nodes + laid.tail[self.arc]
        self.target = self.column * nodes + laid.head[self.arc]
        starts = np.flatnonzero(np.diff(level[used], prepend=level[:1] + 1))
        self.levels = [*starts.tolist(), len(self.arc)]

    def _used(self, source: IntArray, target: IntArray, levels: list[int]) -> BoolArray:
        """Return which hops carry anything."""
        there = self.entering > 0
        used = np.zeros(len(source), dtype=bool)
        for lo, hi in pairwise(levels):
            used[lo:hi] = there[source[lo:hi]]
            there[target[lo:hi][used[lo:hi]]] = True
        return used

    def flows(self, weight: FloatArray) -> FloatArray:
        """Return what each hop carries for weights of the arcs, shape (a,)."""
        given = weight[self.arc]
        total = np.bincount(self.source, given, self.cells)
        share = given / total[self.source]
        waiting, flow = self.entering.copy(), np.empty(len(share))
        for lo, hi in pairwise(self.levels):
            flow[lo:hi] = waiting[self.source[lo:hi]] * share[lo:hi]
            waiting += np.bincount(self.target[lo:hi], flow[lo:hi], self.cells)
        return flow

    def loads(self, flow: FloatArray) -> FloatArray:
        """Return the load of each arc, shape (a,)."""
        return np.bincount(self.arc, flow, len(self.laid.tail)).astype(float)


def _to(laid: Halves, length: FloatArray, columns: IntArray) -> tuple[FloatArray, IntArray]:
    """Return the distance from every half to some receivers, and the next half on the way."""
    turned = laid.graph(length).T.tocsr()
    far, following = dijkstra(turned, indices=laid.receivers[columns], return_predecessors=True)
    return far, following.astype(np.int64)


def approximate(search: Search) -> None:
    """Improve routing and proof until the gap is closed or the work is not worth it.

    Raises
    ------
    UnreachableError
        If a rank cannot reach another it has something for.
    """
    laid, count = search.laid, len(search.laid.receivers)
    for rows in np.array_split(np.arange(count), 1 + count // _ROWS):
        far = _to(laid, np.ones(len(laid.tail)), rows)[0][:, laid.senders]
        if not np.isfinite(far[search.amounts.T[rows] > 0]).all():
            raise UnreachableError(
                "some ranks cannot reach one another through nodes that pass data on; "
                "choose ranks= that are connected"
            )
    search.prove_ports()
    batches = np.array_split(np.arange(count), min(count, _BATCHES))
    if count * len(laid.tail) <= _SPRAYED:
        parts = _spray(search, batches)
    else:
        start = 1 / search.room
        parts = [_tree(search, start, rows) for rows in batches]
        search.route(np.sum(parts, axis=0))
    if not search.done:
        _shift(search, batches, parts)


def _spray(search: Search, batches: list[IntArray]) -> list[FloatArray]:
    """Spray with ever better weights; return the best loads for each batch of receivers."""
    spray = Spray(search.laid, search.amounts)
    weight = search.room.copy()
    best, since, kept = np.inf, 0, np.zeros(0)
    for turn in range(_ROUNDS):
        flow = spray.flows(weight)
        used = spray.loads(flow) / search.room
        top = float(used.max())
        since = 0 if top < best * (1 - search.gap / 10) else since + 1
        if top < best:
            best, kept = top, flow
        search.route(used * search.room)
        if turn % _EVERY == 0 or search.done:
            for steepness in _STEEPNESS:
                search.prove(search.prices(used * search.room, steepness))
        search.say(f"spraying {turn + 1}")
        if search.done or since > _PATIENCE:
            break
        weight = weight * np.exp(-_SHRINK * (used / top) ** 2)
    owner = np.zeros(len(search.laid.receivers), dtype=np.int64)
    for batch, rows in enumerate(batches):
        owner[rows] = batch
    arcs = len(search.laid.tail)
    key = owner[spray.column] * arcs + spray.arc
    return list(np.bincount(key, kept, len(batches) * arcs).reshape(len(batches), arcs))


def _shift(search: Search, batches: list[IntArray], parts: list[FloatArray]) -> None:
    """Move the flows to one batch of receivers after another towards shorter paths."""
    each = len(search.laid.receivers) * len(search.laid.tail)
    passes = int(min(_PASSES, max(2, _WORK / (40 * each))))
    log = float(np.log(1 + int(search.links.sum())))
    sharp, last = _SHARPEN, np.inf
    for turn in range(passes):
        steepness = max(_BLUNT, sharp * log / max(search.open, search.gap))
        total = np.sum(parts, axis=0)
        for at, rows in enumerate(batches):
            change = _tree(search, search.prices(total, steepness), rows) - parts[at]
            step = _step(total / search.room, change / search.room, steepness)
            parts[at] = parts[at] + step * change
            total = total + step * change
        search.route(np.sum(parts, axis=0))
        search.prove(search.prices(total, steepness))
        search.say(f"pass {turn + 1}")
        if search.done:
            return
        if turn % _EVERY == _EVERY - 1:  # smoothed too much to come nearer, or too little to move
            sharp *= _SHARPER if search.open > _STALLED * last else 1.0
            sharp, last = (sharp if sharp < _SHARPEST else _SHARPEN), search.open


def _step(used: FloatArray, change: FloatArray, steepness: float) -> float:
    """Return how far to go, 0 to 1, for the smoothed worst load to be lowest."""
    low, high, sharp = 0.0, 1.0, steepness / float(used.max())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        grown = (used + middle * change) * sharp
        if np.exp(grown - grown.max()) @ change > 0:
            high = middle
        else:
            low = middle
    return low


def _tree(search: Search, length: FloatArray, columns: IntArray) -> FloatArray:
    """Return the loads of sending everything to some receivers along shortest paths."""
    laid, nodes = search.laid, search.laid.nodes
    _, following = _to(laid, length, columns)
    depth = _depths(following, laid.receivers[columns])
    waiting = np.zeros((len(columns), nodes))
    waiting[:, laid.senders] = search.amounts[:, columns].T
    flat = waiting.reshape(-1)
    keys, order = laid.by_ends
    loads = np.zeros(len(laid.tail))
    for level in range(int(depth.max()), 0, -1):
        row, node = np.nonzero(depth == level)
        amount = flat[row * nodes + node]
        row, node, amount = row[amount > 0], node[amount > 0], amount[amount > 0]
        after = following[row, node]
        flat += np.bincount(row * nodes + after, amount, len(flat))
        arc = order[np.searchsorted(keys, node * nodes + after)]
        loads += np.bincount(arc, amount, len(loads))
    return loads


def _depths(following: IntArray, roots: IntArray) -> IntArray:
    """Return how many hops each half is from its root along a tree, -1 where it is outside."""
    depth = np.full(following.shape, -1)
    depth[np.arange(len(roots)), roots] = 0
    inside = following >= 0
    place = np.maximum(following, 0)
    while True:
        ahead = np.where(inside, np.take_along_axis(depth, place, axis=1), -1)
        fresh = (depth < 0) & (ahead >= 0)
        if not fresh.any():
            return depth
        depth[fresh] = ahead[fresh] + 1
