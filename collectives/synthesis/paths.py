"""The paths that the pieces of an all-to-all's blocks take, as hops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collectives.model.schedule import IntArray, Transfers
from collectives.synthesis.concurrent_flow import decompose
from collectives.synthesis.overlay import OverlayLinks
from topology.fabric import FloatArray
from topology.routing import Pairs


@dataclass(frozen=True, eq=False)
class Paths:
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
    level
        Hops before it, shape (h,).
    below
        Hops after it, shape (h,).
    """

    size: int
    pieces: int
    tail: IntArray
    head: IntArray
    chunk: IntArray
    level: IntArray
    below: IntArray

    phase = "along the paths"
    shifts = 1

    def __len__(self) -> int:
        return len(self.tail)

    @property
    def longest(self) -> int:
        """Return the most hops of a piece."""
        return int(self.level.max(initial=-1)) + 1

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """Return the positions that each hop joins."""
        return self.tail, self.head

    @cached_property
    def link(self) -> IntArray:
        """Return a number for the overlay link of each hop, shape (h,)."""
        return self.tail * self.size + self.head

    @cached_property
    def before(self) -> IntArray:
        """Return the hop of the same piece before each, -1 for the first, shape (h,)."""
        order = np.lexsort((self.level, self.chunk))
        found = np.full(len(self), -1)
        same = self.chunk[order[1:]] == self.chunk[order[:-1]]
        found[order[1:][same]] = order[:-1][same]
        return found

    def traffic(self, hops: IntArray | None = None, segments: int = 1) -> Pairs:
        """Return what positions send each other in some hops, or all, as a fraction of S."""
        link, count = np.unique(self.link if hops is None else self.link[hops], return_counts=True)
        share: FloatArray = count / (self.size * self.pieces * segments)
        return Pairs(link // self.size, link % self.size, share)

    def transfers(self, hops: IntArray, segment: int = 0, segments: int = 1) -> Transfers:
        """Return what moves in some hops, of one of the segments of every piece."""
        chunk = self.chunk[hops] * segments + segment
        return Transfers(self.tail[hops], self.head[hops], chunk)

    def finer(self, copies: int) -> Paths:
        """Return the paths with every piece cut into ``copies`` that take the same one."""
        columns = (self.tail, self.head, self.chunk, self.level, self.below)
        tail, head, chunk, level, below = (np.repeat(column, copies) for column in columns)
        chunk = chunk * copies + np.tile(np.arange(copies), len(self))
        return Paths(self.size, self.pieces * copies, tail, head, chunk, level, below)


def paths_of(overlay: OverlayLinks, flow: IntArray, pieces: int) -> Paths:
    """Return the paths of all pieces, taken from whole flows.

    Parameters
    ----------
    overlay
        What paths are made of.
    flow
        Pieces of each origin over each overlay link, shape (origins, e).
    pieces
        Pieces of a block.
    """
    rows = [
        (link, origin, target, number % pieces, level, len(path) - 1 - level)
        for origin in overlay.origins.tolist()
        for number, (target, path) in enumerate(decompose(overlay, flow[origin], pieces, origin))
        for level, link in enumerate(path)
    ]
    link, *ends, piece, level, below = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    cells = (overlay.tail[link], overlay.head[link], *ends)
    return _everywhere(overlay, pieces, cells, (piece, level, below))


def _everywhere(
    overlay: OverlayLinks, pieces: int, cells: tuple[IntArray, ...], rest: tuple[IntArray, ...]
) -> Paths:
    """Return paths by position: with a grid, those of the origin and all their shifts."""
    p, grid = overlay.size, overlay.grid
    if grid is not None:
        by = np.repeat(np.arange(p), len(cells[0]))
        cells = tuple(grid.position[grid.shifted(np.tile(cell, p), by)] for cell in cells)
        rest = tuple(np.tile(part, p) for part in rest)
    (tail, head, origin, target), (piece, level, below) = cells, rest
    return Paths(p, pieces, tail, head, (origin * p + target) * pieces + piece, level, below)
