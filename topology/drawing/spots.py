"""Find places on the page for coordinates: grids, grids of grids, and circles."""

from __future__ import annotations

import math

from topology.drawing.layout import LEFT, RIGHT

Coordinate = tuple[int, ...]

CENTRE = ((LEFT + RIGHT) / 2, 3.4)
_GRID_BOTTOM, _GRID_TOP = 0.95, 5.95
_DEEP = 0.7  # places that the third dimension adds


def cell(sizes: Coordinate) -> tuple[float, float]:
    """Return how much room a vertex of a grid has, in inches."""
    across, up = _steps(sizes)
    if len(sizes) == 3:
        return 0.52 * across / max(1, sizes[0]) + 0.1, 0.4 * up / max(1, sizes[0]) + 0.08
    return across, up


def _steps(sizes: Coordinate) -> tuple[float, float]:
    wide, tall = _extent(sizes)
    return min(2.6, (RIGHT - LEFT) / wide), min(1.8, (_GRID_TOP - _GRID_BOTTOM) / tall)


def _extent(sizes: Coordinate) -> tuple[float, float]:
    """Return how many places a grid spans, across and up, on the page."""
    if len(sizes) == 3:
        return sizes[-1] + _DEEP, sizes[-2] + _DEEP
    return math.prod(sizes[::-1][::2]), math.prod(sizes[::-1][1::2])


def grid_spot(place: Coordinate, sizes: Coordinate) -> tuple[float, float]:
    """Return x and y in inches: the last dimension across, the one before down.

    A third dimension goes back and up, as in an oblique drawing; four and more are nested, grids
    of grids.
    """
    across, up = _steps(sizes)
    x = y = depth = 0.0
    if len(sizes) == 3:
        depth = (place[0] - (sizes[0] - 1) / 2) / sizes[0]
        sizes, place = sizes[1:], place[1:]
    for axis, (value, size) in enumerate(zip(place, sizes, strict=True)):
        if (len(sizes) - axis) % 2:
            x = x * size + value
        else:
            y = y * size + value
    wide, tall = _extent(sizes)
    x0 = (LEFT + RIGHT) / 2 - across * (wide - 1) / 2
    y0 = (_GRID_BOTTOM + _GRID_TOP) / 2 + up * (tall - 1) / 2
    return x0 + across * (x + 0.78 * depth), y0 - up * (y - 0.62 * depth)


def two_rings(place: Coordinate, sizes: Coordinate) -> tuple[float, float]:
    """Return x and y in inches of a place on one of two rings, one inside the other."""
    radius = 2.45 if place[0] == 0 else 1.3
    return turn(place[1] / sizes[1], radius)


def turn(share: float, radius: float) -> tuple[float, float]:
    """Return a place on a circle, a share of the way round from the top, clockwise."""
    angle = math.pi / 2 - 2 * math.pi * share
    return CENTRE[0] + radius * math.cos(angle), CENTRE[1] + radius * math.sin(angle)
