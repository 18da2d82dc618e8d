"""Lay the ways of an all-to-all's pieces out in steps: in lockstep, or as a timetable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collectives.model.collective import collective
from collectives.model.schedule import IntArray, Schedule, Step, Transfers
from collectives.synthesis.concurrent_flow import ways
from collectives.synthesis.overlay import Roads
from topology.fabric import FloatArray
from topology.routing import Pairs

_NAME = "relayed"
_PHASE = "along the ways"


@dataclass(frozen=True, eq=False)
class Ways:
    """The hops of every piece of every block of an all-to-all.

    Attributes
    ----------
    size
        How many ranks, p.
    pieces
        Equal pieces that every block is cut in.
    tail, head
        Positions at the ends of each hop, shape (h,).
    chunk
        The piece it moves: (origin * p + target) * pieces + piece, shape (h,).
    depth
        Hops before it, shape (h,).
    left
        Hops after it, shape (h,).
    """

    size: int
    pieces: int
    tail: IntArray
    head: IntArray
    chunk: IntArray
    depth: IntArray
    left: IntArray

    def __len__(self) -> int:
        return len(self.tail)

    @property
    def longest(self) -> int:
        """Return the most hops of a piece."""
        return int(self.depth.max(initial=-1)) + 1

    @cached_property
    def link(self) -> IntArray:
        """Return a number for the road of each hop, shape (h,)."""
        return self.tail * self.size + self.head

    @cached_property
    def traffic(self) -> Pairs:
        """Return how much each position sends to each other in all, as a fraction of S."""
        return self.traffic_of(np.arange(len(self)))

    def traffic_of(self, hops: IntArray, segments: int = 1) -> Pairs:
        """Return how much each position sends to each other in some hops, as a fraction of S."""
        link, count = np.unique(self.link[hops], return_counts=True)
        share: FloatArray = count / (self.size * self.pieces * segments)
        return Pairs(link // self.size, link % self.size, share)

    def transfers(self, hops: IntArray, segment: int = 0, segments: int = 1) -> Transfers:
        """Return what moves in some hops, of one of the segments of every piece."""
        chunk = self.chunk[hops] * segments + segment
        return Transfers(self.tail[hops], self.head[hops], chunk)

    def finer(self, copies: int) -> Ways:
        """Return the ways with every piece cut into ``copies`` that take the same way."""
        columns = (self.tail, self.head, self.chunk, self.depth, self.left)
        tail, head, chunk, depth, left = (np.repeat(column, copies) for column in columns)
        chunk = chunk * copies + np.tile(np.arange(copies), len(self))
        return Ways(self.size, self.pieces * copies, tail, head, chunk, depth, left)


def ways_of(roads: Roads, flow: IntArray, pieces: int) -> Ways:
    """Return the ways of all pieces, taken from whole flows.

    Parameters
    ----------
    roads
        What ways are made of.
    flow
        Pieces of each origin over each road, shape (origins, e).
    pieces
        Pieces of a block.
    """
    rows = [
        (road, origin, target, number % pieces, depth, len(way) - 1 - depth)
        for origin in roads.origins.tolist()
        for number, (target, way) in enumerate(ways(roads, flow[origin], pieces, origin))
        for depth, road in enumerate(way)
    ]
    road, *ends, piece, depth, left = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    cells = (roads.tail[road], roads.head[road], *ends)
    return _everywhere(roads, pieces, cells, (piece, depth, left))


def _everywhere(
    roads: Roads, pieces: int, cells: tuple[IntArray, ...], rest: tuple[IntArray, ...]
) -> Ways:
    """Return ways by position: with a grid, those of the origin and all their shifts."""
    p, grid = roads.size, roads.grid
    if grid is not None:
        by = np.repeat(np.arange(p), len(cells[0]))
        cells = tuple(grid.position[grid.shifted(np.tile(cell, p), by)] for cell in cells)
        rest = tuple(np.tile(part, p) for part in rest)
    (tail, head, origin, target), (piece, depth, left) = cells, rest
    return Ways(p, pieces, tail, head, (origin * p + target) * pieces + piece, depth, left)


def lockstep(ways: Ways, segments: int) -> tuple[Step, ...]:
    """Return pipelined steps: in step t, segment s of every piece makes its hop t - s.

    Parameters
    ----------
    ways
        Whose hops to make.
    segments
        Equal parts of every piece; ``segments`` + longest way - 1 steps.
    """
    longest = ways.longest
    at = [np.flatnonzero(ways.depth == depth) for depth in range(longest)]

    def step(first: int, repeat: int) -> Step:
        live = [depth for depth in range(longest) if 0 <= first - depth < segments]

        def transfers(t: int) -> Transfers:
            parts = [ways.transfers(at[depth], first + t - depth, segments) for depth in live]
            ends = ([getattr(part, name) for part in parts] for name in ("src", "dst", "chunk"))
            return Transfers(*(np.concatenate(columns) for columns in ends))

        used = np.concatenate([at[depth] for depth in live])
        return Step(transfers, ways.traffic_of(used, segments), repeat, _PHASE)

    steady = segments - longest + 1
    if steady < 1:
        return tuple(step(t, 1) for t in range(segments + longest - 1))
    fill = [step(t, 1) for t in range(longest - 1)]
    drain = [step(segments + t, 1) for t in range(longest - 1)]
    return (*fill, step(longest - 1, steady), *drain)


def timetable(ways: Ways, lag: int, lasting: IntArray) -> tuple[Step, ...]:
    """Return steps that use every link once at most, in an order in which links seldom wait.

    Of the pieces that wait for a link, the one with the most hops to go is next.

    Parameters
    ----------
    ways
        Ways over links.
    lag
        Slots between a piece's arrival and its next hop, so that latency is hidden.
    lasting
        Slots that each hop's link takes for a piece, shape (h,).
    """
    link = np.unique(ways.link, return_inverse=True)[1].reshape(-1)
    order = np.lexsort((ways.chunk, -ways.left, link))
    free = np.zeros(int(link.max(initial=0)) + 1, dtype=np.int64)
    ready = np.where(ways.depth == 0, 0, np.iinfo(np.int64).max)
    follower = _followers(ways)
    steps: list[Step] = []
    now = 0
    while len(order):
        can = (ready[order] <= now) & (free[link[order]] <= now)
        open_ = order[can]
        first = open_[np.flatnonzero(np.diff(link[open_], prepend=-1))]
        done = now + lasting[first]
        free[link[first]] = done
        after = follower[first]
        ready[after[after >= 0]] = (done + lag - 1)[after >= 0]
        if len(first):
            steps.append(_slot(ways, first))
            ready[first] = -1
            order = order[ready[order] >= 0]
        now += 1
    return tuple(steps)


def _slot(ways: Ways, hops: IntArray) -> Step:
    return Step(lambda _: ways.transfers(hops), ways.traffic_of(hops), 1, _PHASE)


def _followers(ways: Ways) -> IntArray:
    """Return the next hop of the same piece, -1 after the last, shape (h,)."""
    order = np.lexsort((ways.depth, ways.chunk))
    following = np.full(len(ways), -1)
    same = ways.chunk[order[1:]] == ways.chunk[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    return following


def as_schedule(
    ways: Ways, steps: tuple[Step, ...], segments: int, notes: tuple[str, ...], *, overlaps: bool
) -> Schedule:
    """Return the schedule of an all-to-all from its steps."""
    p = ways.size
    chunks = p * p * ways.pieces * segments
    return Schedule(_NAME, collective("all_to_all"), p, chunks, steps, notes, overlaps=overlaps)
