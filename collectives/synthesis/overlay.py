"""Find the overlay that an all-to-all may be relayed over, and what each of its links loads.

An overlay link is one message from a rank to another. Where every node is a rank, they are the
fabric's links; elsewhere any two ranks with a path between them have one, and it loads what ECMP
loads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collectives.model.schedule import IntArray
from collectives.synthesis.arrangement import Arrangement, arrangements
from collectives.synthesis.steady import busy_of
from topology.fabric import FloatArray
from topology.routing import Ecmp, Pairs
from topology.supernode import Supernode

_DIGITS = 12


@dataclass(frozen=True, eq=False)
class OverlayLinks:
    """Overlay links between ranks, with what a byte on each costs.

    Attributes
    ----------
    size
        How many ranks, p.
    tail, head
        Ends of each overlay link, shape (e,): positions, or cells of ``grid``.
    busy
        Seconds per byte that each link or switch is busy, shape (r, e). With a grid: if every
        shift of the overlay link carries a byte.
    neighbours
        Whether every one is a link of the fabric.
    grid
        Where given, only the origin's paths are looked for; the other ranks take their shifts.
    """

    size: int
    tail: IntArray
    head: IntArray
    busy: FloatArray
    neighbours: bool
    grid: Arrangement | None = None

    @property
    def origins(self) -> IntArray:
        """Return the ranks whose paths are to be found."""
        return np.arange(self.size if self.grid is None else 1)


def every_overlay_link(routing: Ecmp, ranks: IntArray) -> OverlayLinks:
    """Return every overlay link between some ranks.

    Parameters
    ----------
    routing
        Routing on the fabric.
    ranks
        Who takes part, shape (p,).
    """
    if is_direct(routing, ranks):
        return _links(routing, ranks)
    tail, head = _reachable(routing, ranks)
    each = zip(ranks[tail][:, None], ranks[head][:, None], strict=True)
    busy = np.array([busy_of(routing, Pairs(u, v, np.ones(1))) for u, v in each])
    return OverlayLinks(len(ranks), tail, head, _distinct(busy), neighbours=False)


def regular_overlays(
    supernode: Supernode, routing: Ecmp, ranks: IntArray
) -> Iterator[OverlayLinks]:
    """Yield the overlay links of the grids worth trying; a guess at a symmetry, to be measured.

    Parameters
    ----------
    supernode
        The machine.
    routing
        Routing on its fabric.
    ranks
        Who takes part, shape (p,).
    """
    direct = is_direct(routing, ranks)
    hops = routing.hops()
    for grid in arrangements(supernode, ranks):
        cells = np.arange(grid.size)
        at = ranks[grid.position]
        shifts, rows = [], []
        for shift in cells[1:].tolist():
            target = at[grid.shifted(cells, np.full(grid.size, shift))]
            far = hops[at, target]
            if (far < 1).any() or (direct and (far > 1).any()):
                continue
            shifts.append(shift)
            rows.append(busy_of(routing, Pairs(at, target, np.ones(len(at)))))
        if shifts:
            yield _of_shifts(grid, np.array(shifts), np.array(rows), direct=direct)


def _of_shifts(
    grid: Arrangement, shifts: IntArray, rows: FloatArray, *, direct: bool
) -> OverlayLinks:
    cells = np.arange(grid.size)
    tail, by = np.tile(cells, len(shifts)), np.repeat(shifts, grid.size)
    busy = np.repeat(_distinct(rows), grid.size, axis=1)
    return OverlayLinks(grid.size, tail, grid.shifted(tail, by), busy, direct, grid)


def is_direct(routing: Ecmp, ranks: IntArray) -> bool:
    """Return whether all that can be sent over are links between these ranks."""
    fabric = routing.fabric
    member = np.zeros(len(fabric.nodes), dtype=bool)
    member[fabric.npus[ranks]] = True
    return bool(
        (member | ~fabric.forwards).all() and (member[fabric.tail] & member[fabric.head]).any()
    )


def _links(routing: Ecmp, ranks: IntArray) -> OverlayLinks:
    fabric = routing.fabric
    place = np.full(len(fabric.nodes), -1)
    place[fabric.npus[ranks]] = np.arange(len(ranks))
    tail, head = place[fabric.tail], place[fabric.head]
    arcs = np.flatnonzero((tail >= 0) & (head >= 0))
    busy = np.diag(1 / fabric.capacity[arcs])
    return OverlayLinks(len(ranks), tail[arcs], head[arcs], busy, neighbours=True)


def _reachable(routing: Ecmp, ranks: IntArray) -> tuple[IntArray, IntArray]:
    tail, head = np.nonzero(routing.hops()[np.ix_(ranks, ranks)] > 0)
    return tail.astype(np.int64), head.astype(np.int64)


def _distinct(rows: FloatArray) -> FloatArray:
    """Return what is busy for each row, without what is never busy or busy alike, transposed."""
    if not rows.size:
        return rows.reshape(0, 0)
    scale = float(rows.max())
    kept = np.unique(np.round(rows.T / scale, _DIGITS), axis=0, return_index=True)[1]
    kinds = rows.T[np.sort(kept)]
    return np.ascontiguousarray(kinds[kinds.any(axis=1)])
