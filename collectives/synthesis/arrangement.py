"""Arrange ranks on a grid whose shifts may be symmetries of the machine.

If every shift of the grid maps the fabric to itself, one tree from one root stands for a tree
from every root: its shifts. Nothing here proves that they do; the forest that comes of it is
measured on the fabric, so a wrong guess costs bandwidth that shows, never a wrong answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from collectives.model.schedule import IntArray
from topology.supernode import Supernode


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Ranks on a grid with wrap-around.

    Attributes
    ----------
    dims
        Extent of each dimension.
    position
        Position of each cell in row-major order, shape (p,).
    """

    dims: tuple[int, ...]
    position: IntArray

    @property
    def size(self) -> int:
        """Return the number of ranks."""
        return len(self.position)

    def shifted(self, cells: IntArray, by: IntArray) -> IntArray:
        """Return cells (row-major numbers) shifted by other cells, elementwise."""
        return self._moved(cells, by, 1)

    def difference(self, cells: IntArray, others: IntArray) -> IntArray:
        """Return the shifts that take other cells to cells, elementwise."""
        return self._moved(cells, others, -1)

    def _moved(self, cells: IntArray, by: IntArray, sign: int) -> IntArray:
        a, b = np.unravel_index(cells, self.dims), np.unravel_index(by, self.dims)
        moved = [(x + sign * y) % d for x, y, d in zip(a, b, self.dims, strict=True)]
        return np.ravel_multi_index(moved, self.dims).astype(np.int64)


def arrangements(supernode: Supernode, ranks: IntArray) -> Iterator[Arrangement]:
    """Yield the grids worth trying: coordinates, node by slot, and one long cycle."""
    columns = [
        [supernode.graph.nodes[supernode.npus[r]].get(name) for r in ranks.tolist()]
        for name in ("coord", "node")
    ]
    coords, nodes = columns
    if all(isinstance(c, tuple) for c in coords) and len({len(c) for c in coords}) == 1:
        grid = _grid(np.array(coords, dtype=np.int64))
        if grid is not None:
            yield grid
    if all(node is not None for node in nodes):
        home = np.unique(np.array([str(node) for node in nodes]), return_inverse=True)[1]
        home = home.reshape(-1)
        place = np.array([int((home[:i] == h).sum()) for i, h in enumerate(home)])
        grid = _grid(np.stack([home, place], axis=1))
        if grid is not None:
            yield grid
    yield Arrangement((len(ranks),), np.arange(len(ranks)))


def _grid(coords: IntArray) -> Arrangement | None:
    """Return the grid of some coordinates, None if they do not fill one."""
    levels = [np.unique(column, return_inverse=True) for column in coords.T]
    dims = tuple(len(values) for values, _ in levels)
    if prod(dims) != len(coords):
        return None
    cell = np.ravel_multi_index([index.reshape(-1) for _, index in levels], dims)
    if len(np.unique(cell)) != len(cell):
        return None
    position = np.empty(len(cell), dtype=np.int64)
    position[cell] = np.arange(len(cell))
    return Arrangement(dims, position)
