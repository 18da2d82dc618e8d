"""Route on explicit paths: a policy says which paths a batch of pairs takes, and gets the rest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.demand import Demand, Pairs, Uniform
from topology.routing.flow import Router, Slowest
from topology.routing.pair_flow import PairFlow
from topology.routing.quotient import expand
from topology.routing.streams import Streams
from topology.routing.turns import Turns

HopArray = npt.NDArray[np.int32]

_BATCH = 2**18  # pairs whose paths are found together
_MOST_PAIRS = 20_000_000  # 4,472 ranks
_MOST_HOPS = 150_000_000  # of all paths together: some 4 GB


@dataclass(frozen=True, eq=False)
class Ways:
    """Paths of pairs, several to a pair, in the order of the pairs.

    Attributes
    ----------
    pair
        Which pair takes each path, sorted, shape (paths,).
    share
        What part of the pair's traffic takes it, shape (paths,).
    starts
        Where the arcs of each path begin, shape (paths + 1,).
    arcs
        The arcs of one path after the other, shape (hops,).
    lane
        Which lane of its arc each hop takes, shape (hops,); None if it spreads over all.
    """

    pair: IntArray
    share: FloatArray
    starts: IntArray
    arcs: HopArray
    lane: HopArray | None = None

    @cached_property
    def lengths(self) -> IntArray:
        """Hops of each path, shape (paths,)."""
        return np.diff(self.starts)

    def of(self, pair: int) -> range:
        """Return the paths of a pair."""
        return range(*np.searchsorted(self.pair, [pair, pair + 1]).tolist())

    def way(self, path: int) -> list[int]:
        """Return the arcs of a path."""
        arcs: list[int] = self.arcs[self.starts[path] : self.starts[path + 1]].tolist()
        return arcs


def ways_of(paths: Iterable[tuple[int, float, Sequence[int] | IntArray]]) -> Ways:
    """Return paths listed one by one: pair, share and arcs of each, in the order of the pairs."""
    found = list(paths)
    arcs = [np.asarray(arcs, dtype=np.int32) for _, _, arcs in found]
    return Ways(
        np.array([pair for pair, _, _ in found], dtype=np.int64),
        np.array([share for _, share, _ in found], dtype=float),
        np.cumsum([0, *map(len, arcs)]),
        np.concatenate([np.zeros(0, dtype=np.int32), *arcs]),
    )


def join_ways(parts: Sequence[tuple[int, Ways]]) -> Ways:
    """Return the paths of batches of pairs as one: the first pair of each batch, and its paths."""
    lanes = [way.lane for _, way in parts if way.lane is not None]
    ends = np.cumsum([0, *(len(way.arcs) for _, way in parts)])
    starts = [way.starts[:-1] + end for end, (_, way) in zip(ends[:-1], parts, strict=True)]
    return Ways(
        np.concatenate([first + way.pair for first, way in parts]),
        np.concatenate([way.share for _, way in parts]),
        np.append(np.concatenate(starts), ends[-1]),
        np.concatenate([way.arcs for _, way in parts]),
        np.concatenate(lanes) if len(lanes) == len(parts) else None,
    )


@dataclass(frozen=True, eq=False, repr=False)
class PathFlow(PairFlow):
    """A demand on explicit paths.

    Attributes
    ----------
    fabric, loads
        As in `RoutedFlow`.
    pairs
        Pairs of different ranks.
    ways
        Their paths.
    """

    fabric: Fabric
    loads: FloatArray
    pairs: Pairs
    ways: Ways
    _router: PathRouter

    @cached_property
    def _amount(self) -> FloatArray:
        """What each hop carries, shape (hops,)."""
        ways = self.ways
        return np.repeat(self.pairs.amount[ways.pair] * ways.share, ways.lengths)

    @cached_property
    def _crowding(self) -> tuple[FloatArray, FloatArray | None]:
        """By how much the fullest lane of each arc, and the lane of each hop, exceeds the mean."""
        arcs, lane = self.ways.arcs, self.ways.lane
        if lane is None:
            return np.ones(len(self.loads)), None
        lanes = self.fabric.lanes.astype(np.int64)
        first = np.cumsum(lanes) - lanes
        carried = np.bincount(first[arcs] + lane, self._amount, int(lanes.sum()))
        mean = np.where(self.loads > 0, self.loads / lanes, 1.0)
        most = np.maximum.reduceat(carried, first) if len(first) else np.zeros(0)
        return np.where(self.loads > 0, most / mean, 1.0), carried[first[arcs] + lane] / mean[arcs]

    def busy(self, capacity: FloatArray | None = None) -> FloatArray:
        """Return seconds each arc is busy: its fullest lane, where paths choose lanes."""
        return super().busy(capacity) * self._crowding[0]

    def slowest(self, capacity: FloatArray | None = None) -> Slowest:
        """Return what each pair meets on its paths, on its own lanes."""
        crowding = self._crowding[1]
        if crowding is None:
            return super().slowest(capacity)
        busy = super().busy(capacity)
        return self._met(busy[self.ways.arcs] * crowding, self.node_busy())

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what each pair meets on its paths; of an arc its fullest lane."""
        return self._met(busy[self.ways.arcs], node_busy)

    def _met(self, held: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what each pair meets where its hops are held for so long, shape (hops,)."""
        latency, most = np.zeros(0), np.zeros(0)
        if len(self.pairs.src):
            passed = node_busy[self.fabric.head[self.ways.arcs]]
            passed[self.ways.starts[1:] - 1] = 0.0
            first = np.flatnonzero(np.diff(self.ways.pair, prepend=-1))
            latency = np.maximum.reduceat(self._latency, first)
            worst = np.maximum.reduceat(np.maximum(held, passed), self.ways.starts[:-1])
            most = np.maximum.reduceat(worst, first)
        return self.slowest_of(latency, most)

    @cached_property
    def _latency(self) -> FloatArray:
        """Seconds of each path, shape (paths,)."""
        fabric, arcs, starts = self.fabric, self.ways.arcs, self.ways.starts
        between = fabric.node_latency[fabric.head[arcs]]
        between[starts[1:] - 1] = 0.0
        found: FloatArray = np.add.reduceat(fabric.latency[arcs] + between, starts[:-1])
        return found

    def path(self, at: int) -> list[int]:
        """Return the arcs of the path of a pair with the highest latency."""
        return self.ways.way(max(self.ways.of(at), key=lambda path: self._latency[path]))

    def ways_of(self, at: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths of a pair, each with its share."""
        for path in self.ways.of(at):
            yield float(self.ways.share[path]), self.ways.way(path)

    def streams(self) -> Streams:
        """Return every pair as a stream, on its own lanes where paths choose lanes."""
        ways, lanes = self.ways, self.fabric.lanes.astype(np.int64)
        first = np.cumsum(lanes) - lanes
        at = ways.arcs if ways.lane is None else first[ways.arcs] + ways.lane
        width = len(lanes) if ways.lane is None else int(lanes.sum())
        cells = np.repeat(ways.share, ways.lengths), (at, np.repeat(ways.pair, ways.lengths))
        return self.pair_streams(sparse.csc_array(cells, shape=(width, len(self.pairs.src))))

    def turns(self) -> Turns:
        """Return which hop follows which: the next of its path."""
        follows = np.ones(len(self.ways.arcs), dtype=bool)
        follows[self.ways.starts[1:] - 1] = False
        before = np.flatnonzero(follows)
        return Turns(self.ways.arcs.astype(np.int64), before, before + 1)


class PathRouter(Router):
    """A policy on explicit paths; a new one says which in `ways`."""

    alike = False  # numbers and ids of the ranks may count

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        del exact  # nothing is left out here
        self.fabric = fabric

    @abstractmethod
    def ways(self, src: IntArray, dst: IntArray) -> Ways:
        """Return the paths of pairs of different ranks, shape (k,); at least one for each."""

    def spread(self, demand: Uniform | Pairs) -> PathFlow:
        """Return a demand among ranks on its paths, pair by pair."""
        pairs = listed(demand, self.title)
        parts, hops, loads = [], 0, np.zeros(len(self.fabric.tail))
        for lo, hi in pairwise([*range(0, len(pairs.src), _BATCH), len(pairs.src)]):
            ways = self.ways(pairs.src[lo:hi], pairs.dst[lo:hi])
            amount = np.repeat(pairs.amount[lo:hi][ways.pair] * ways.share, ways.lengths)
            loads += np.bincount(ways.arcs, amount, len(loads))
            parts.append((lo, ways))
            hops += len(ways.arcs)
            _afford(hops / hi * len(pairs.src), "hops of paths", _MOST_HOPS, self.title)
        return PathFlow(self.fabric, loads, pairs, join_ways(parts or [(0, ways_of([]))]), self)


def listed(demand: Demand, title: str) -> Pairs:
    """Return the pairs of a demand that send something to another; refuse too many.

    Parameters
    ----------
    demand
        What is sent.
    title
        Which policy asks, for the message.
    """
    if isinstance(demand, Uniform):
        sets, width = demand.rows.shape
        _afford(sets * width * (width - 1), "pairs", _MOST_PAIRS, title)
    pairs = demand.pairs()
    there = (pairs.src != pairs.dst) & (pairs.amount > 0)
    return pairs if there.all() else Pairs(pairs.src[there], pairs.dst[there], pairs.amount[there])


def _afford(count: float, what: str, most: int, title: str) -> None:
    """Raise `RoutingError` if there are too many to list."""
    if count > most:
        raise RoutingError(
            f"{title}: the traffic has some {count:,.0f} {what}, and {most:,} are listed at most; "
            "choose fewer ranks=, or routing='ecmp', which needs no list"
        )


@dataclass(frozen=True, eq=False)
class Heads:
    """Where paths that are being built have come to.

    Attributes
    ----------
    pair
        Which pair each is for, shape (k,).
    src, dst
        Its ranks, shape (k,).
    node
        The node it has come to, shape (k,).
    step
        How many hops it has taken.
    """

    pair: IntArray
    src: IntArray
    dst: IntArray
    node: IntArray
    step: int


@dataclass(frozen=True, eq=False)
class Onward:
    """The next hops of heads: one for each, or several that share what it carries.

    Attributes
    ----------
    which
        Which head takes each hop, sorted; every head takes one, shape (hops,).
    arc
        Its arc, shape (hops,).
    share
        Its part of what the head carries, shape (hops,).
    lane
        Its lane, shape (hops,); None if it spreads over all.
    """

    which: IntArray
    arc: IntArray
    share: FloatArray
    lane: IntArray | None = None


class Walker(PathRouter):
    """A policy on explicit paths that grow hop by hop; a new one says how in `onward`."""

    @abstractmethod
    def onward(self, at: Heads) -> Onward:
        """Return the next hops of paths that have not arrived.

        Raises
        ------
        RoutingError
            If one cannot go on.
        """

    def ways(self, src: IntArray, dst: IntArray) -> Ways:
        """Return the paths of pairs, followed together hop by hop."""
        fabric = self.fabric
        at = Heads(np.arange(len(src)), src, dst, fabric.npus[src], 0)
        share, trail = np.ones(len(src)), np.zeros((0, len(src)), dtype=np.int32)
        done = []
        while len(at.pair):
            hop = self.onward(at)
            taken = [hop.arc] if hop.lane is None else [hop.arc, hop.lane]
            trail = np.concatenate([trail[:, hop.which], np.array(taken, dtype=np.int32)])
            share, pair = share[hop.which] * hop.share, at.pair[hop.which]
            node = fabric.head[hop.arc]
            there = node == fabric.npus[dst[pair]]
            done.append((len(taken), pair[there], share[there], trail[:, there]))
            share, trail, pair = share[~there], trail[:, ~there], pair[~there]
            at = Heads(pair, src[pair], dst[pair], node[~there], at.step + 1)
        return _compiled(done)


def _compiled(done: list[tuple[int, IntArray, FloatArray, HopArray]]) -> Ways:
    """Return the paths that have arrived after each step, in the order of their pairs.

    Each is given as rows of arcs, or of arcs and lanes in turn: how many rows a hop has, then
    pair, share and rows of each path.
    """
    rows = done[0][0]
    pair, share = np.concatenate([one[1] for one in done]), np.concatenate([one[2] for one in done])
    lengths = np.concatenate([np.full(len(one[1]), len(one[3]) // rows) for one in done])
    order = np.argsort(pair, kind="stable")
    _, entry = expand(np.concatenate(([0], np.cumsum(lengths))), order)
    arcs, *lane = (
        np.concatenate([one[3][row::rows].T.reshape(-1) for one in done])[entry]
        for row in range(rows)
    )
    starts = np.concatenate(([0], np.cumsum(lengths[order])))
    return Ways(pair[order], share[order], starts, arcs, lane[0] if lane else None)
