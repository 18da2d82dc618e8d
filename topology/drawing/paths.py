"""Run a line for every bundle between the glyphs it joins. Nothing here draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from topology.drawing.bundles import Bundle
from topology.drawing.coordinates import Arrangement
from topology.drawing.layout import LEFT, RIGHT, Box
from topology.drawing.spots import CENTRE, Coordinate, grid_spot

Point = tuple[float, float]
Line = tuple[Point, ...]

_SPREAD = 0.7  # of a glyph's width that lines may leave from
_STUB = 0.5  # of the way to the next place
_POINTS = 13
_ALL_NEIGHBOURS = 3
_NEAR = 1.2  # inches
_RAY = 1e-6
_PAST = 0.3  # inches a stub shows at most


def run_lines(arrangement: Arrangement, bundles: Sequence[Bundle]) -> tuple[tuple[Line, ...], ...]:
    """Return the lines of every bundle in inches: none inside a glyph, two stubs for a wrap.

    Parameters
    ----------
    arrangement
        Where the glyphs stand.
    bundles
        What joins them.
    """
    if arrangement.shape == "tiers":
        return _between_tiers(arrangement, bundles)
    if arrangement.shape == "grid":
        rings = ring_axes(arrangement, bundles)
        return tuple(_on_grid(arrangement, item, rings) for item in bundles)
    return tuple(_on_circle(arrangement, item) for item in bundles)


def _straight(arrangement: Arrangement, item: Bundle) -> tuple[Line, ...]:
    if item.low == item.high:
        return ()
    a, b = arrangement.boxes[item.low], arrangement.boxes[item.high]
    return (((a.x, a.y), (b.x, b.y)),)


def _on_circle(arrangement: Arrangement, item: Bundle) -> tuple[Line, ...]:
    """Return a chord; within a group of neighbours, a curve towards the middle."""
    lines = _straight(arrangement, item)
    if not lines or not arrangement.notes:
        return lines
    (start, end) = lines[0]
    length = math.dist(start, end)
    rows = {arrangement.glyphs[item.low].row, arrangement.glyphs[item.high].row}
    arms = [np.array(point) - CENTRE for point in (start, end)]
    same_ray = abs(float(arms[0][0] * arms[1][1] - arms[0][1] * arms[1][0])) < _RAY
    if length > _NEAR or len(rows) > 1 or same_ray:
        return lines
    middle = ((start[0] + end[0]) / 2 - CENTRE[0], (start[1] + end[1]) / 2 - CENTRE[1])
    left = -(end[1] - start[1]) * middle[0] + (end[0] - start[0]) * middle[1]
    if left > 0:
        start, end = end, start
    return (bow(start, end, 0.18 + 0.15 * length),)


def _between_tiers(
    arrangement: Arrangement, bundles: Sequence[Bundle]
) -> tuple[tuple[Line, ...], ...]:
    """Spread the ends along the edges of the boxes, in the order of the other ends."""
    glyphs, boxes = arrangement.glyphs, arrangement.boxes
    spots: dict[tuple[int, str], Point] = {}
    for side, far, edge in (("low", "high", "top"), ("high", "low", "bottom")):
        at_glyph: dict[int, list[int]] = {}
        for k, item in enumerate(bundles):
            if glyphs[item.low].row != glyphs[item.high].row:
                at_glyph.setdefault(getattr(item, side), []).append(k)
        for glyph, members in at_glyph.items():
            others = [boxes[getattr(bundles[k], far)].x for k in members]
            places = _ends(boxes[glyph], members, others)
            spots |= {(k, side): (x, getattr(boxes[glyph], edge)) for k, x in places}
    lines: list[tuple[Line, ...]] = []
    for k, item in enumerate(bundles):
        if (k, "low") in spots:
            lines.append(((spots[k, "low"], spots[k, "high"]),))
        elif item.low == item.high:
            lines.append(())
        else:
            lines.append((_over(boxes[item.low], boxes[item.high]),))
    return tuple(lines)


def _ends(box: Box, members: Sequence[int], others: Sequence[float]) -> list[tuple[int, float]]:
    if box.width > (RIGHT - LEFT) / 2:
        return list(zip(members, others, strict=True))
    order = sorted(range(len(members)), key=lambda i: (others[i], members[i]))
    room = _SPREAD * box.width
    step = room / max(1, len(members))
    first = box.x - room / 2 + step / 2
    return [(members[i], first + k * step) for k, i in enumerate(order)]


def _over(first: Box, second: Box) -> Line:
    """Return an arc over two boxes of one row."""
    rise = min(0.4, 0.1 + 0.06 * abs(second.x - first.x))
    return bow((first.x, first.top), (second.x, second.top), rise)


def bow(start: Point, end: Point, rise: float) -> Line:
    """Return a curve between two points that bulges to the left of the way by ``rise``."""
    a, b = np.array(start), np.array(end)
    way = b - a
    length = math.hypot(*way) or 1.0
    normal = np.array([-way[1], way[0]]) / length
    t = np.linspace(0, 1, _POINTS)[:, None]
    points = a + t * way + 4 * t * (1 - t) * rise * normal
    return tuple((float(x), float(y)) for x, y in points)


def _on_grid(arrangement: Arrangement, item: Bundle, rings: Sequence[int]) -> tuple[Line, ...]:
    """Return a straight line to the next place, stubs for a way round, a curve over others."""
    ends = arrangement.coords[item.low], arrangement.coords[item.high]
    straight = _straight(arrangement, item)
    if not straight or ends[0] is None or ends[1] is None:
        return straight
    gaps = [abs(a - b) for a, b in zip(ends[0], ends[1], strict=True)]
    round_ends = [axis for axis in rings if gaps[axis] == arrangement.sizes[axis] - 1]
    if round_ends:
        boxes = arrangement.boxes[item.low], arrangement.boxes[item.high]
        return _stubs((ends[0], ends[1]), round_ends[0], arrangement.sizes, boxes)
    if sum(gaps) <= 1 and not _passes_over(arrangement, item):
        return straight
    start, end = straight[0]
    across, up = end[0] - start[0], end[1] - start[1]
    upright = abs(across) < abs(up)
    if up > 0 if upright else across < 0:
        start, end = end, start
    return (bow(start, end, 0.1 + 0.09 * math.hypot(across, up)),)


def _passes_over(arrangement: Arrangement, item: Bundle) -> bool:
    """Return whether the straight line would run over another glyph of the grid."""
    spots = np.array([(box.x, box.y) for box in arrangement.boxes])
    way = spots[item.high] - spots[item.low]
    length, off = math.hypot(*way), spots - spots[item.low]
    along = off @ way / length**2
    aside = np.abs(off @ [-way[1], way[0]]) / length
    near = aside < [box.height / 2 for box in arrangement.boxes]
    near &= [coord is not None for coord in arrangement.coords]
    near[[item.low, item.high]] = False
    return bool((near & (along > 0) & (along < 1)).any())


def ring_axes(arrangement: Arrangement, bundles: Sequence[Bundle]) -> tuple[int, ...]:
    """Return the dimensions that may go round: no places are linked but neighbours and ends.

    Three places in a row are all neighbours of each other, and are not called a ring.
    """
    coords, sizes = arrangement.coords, arrangement.sizes
    gaps: list[set[int]] = [set() for _ in sizes]
    for item in bundles:
        first, second = coords[item.low], coords[item.high]
        if first is None or second is None:
            continue
        changed = [axis for axis, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
        if len(changed) == 1:
            gaps[changed[0]].add(abs(first[changed[0]] - second[changed[0]]))
    return tuple(
        axis
        for axis, (size, found) in enumerate(zip(sizes, gaps, strict=True))
        if size > _ALL_NEIGHBOURS and not found & set(range(2, size - 1))
    )


def _stubs(
    ends: tuple[Coordinate, Coordinate], axis: int, sizes: Coordinate, boxes: tuple[Box, Box]
) -> tuple[Line, ...]:
    """Return a short line out of each end, away from its neighbour inside the grid."""
    lines = []
    for place, box in zip(ends, boxes, strict=True):
        inward = 1 if place[axis] == 0 else -1
        other = (*place[:axis], place[axis] + inward, *place[axis + 1 :])
        way = np.subtract(grid_spot(place, sizes), grid_spot(other, sizes))
        length = math.hypot(*way)
        halves = zip((box.width / 2, box.height / 2), np.abs(way).tolist(), strict=True)
        edge = min(half * length / step for half, step in halves if step > 1e-9)
        x, y = (way / length * min(_STUB * length, edge + _PAST)).tolist()
        lines.append(((box.x, box.y), (box.x + x, box.y + y)))
    return tuple(lines)
