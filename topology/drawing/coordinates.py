"""Arrange machines without tiers by their own coordinates: grids, rings, circles of groups.

A torus, mesh, hypercube or HyperX stands on the grid of its coordinates; a ring, a full mesh or
a dragonfly on a circle. What only hangs on a vertex (the NPUs of a router, a CPU) stands beside
it. Nothing here draws.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topology import border
from topology.drawing.grouping import DRAWN_WHOLE, MOST_GLYPHS, Glyph, gather
from topology.drawing.layout import Box, place_tiers
from topology.drawing.spots import CENTRE, Coordinate, cell, grid_spot, turn, two_rings
from topology.fabric import BoolArray, Fabric, IntArray
from topology.naming import numbered
from topology.supernode import Supernode

_SLACK = 1.2  # a grid may have a few more glyphs than the page has room for in tiers
_RADIUS, _LEAF_GAP, _NAMES = 2.1, 0.48, 2.98
_GROUP_GAP = 1.5  # of a place on the circle
_RING_FROM = 5
_NUMBER = re.compile(r"\d+")
_FAMILIES = ("group", "rack", "node", "board", "cube")


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Where glyphs stand, and what the place means.

    Attributes
    ----------
    glyphs, boxes
        What stands where.
    shape
        "tiers", "grid" or "circle".
    coords
        Coordinates of each glyph of a grid; None where it only hangs on another.
    sizes
        How many places the grid has in every dimension.
    notes
        Names of places that hold several glyphs: x, y, text.
    """

    glyphs: tuple[Glyph, ...]
    boxes: tuple[Box, ...]
    shape: str
    coords: tuple[Coordinate | None, ...] = ()
    sizes: Coordinate = ()
    notes: tuple[tuple[float, float, str], ...] = ()


def arrange(supernode: Supernode, most: int = MOST_GLYPHS) -> Arrangement:
    """Return where everything stands: by its own coordinates if it has any, else in tiers."""
    most = border.whole(most, "most")
    own = arrange_by_coordinates(supernode, most)
    if own is not None:
        return own
    glyphs = gather(supernode, most)
    return Arrangement(glyphs, place_tiers(glyphs), "tiers")


def arrange_by_coordinates(supernode: Supernode, most: int) -> Arrangement | None:
    """Return the coordinate layout of a machine whose vertices link to their like, or None.

    Parameters
    ----------
    supernode
        The machine.
    most
        How many glyphs there is room for.
    """
    fabric = supernode.fabric
    vertices = _vertices(supernode)
    if not vertices.any():
        return None
    host = _hosts(fabric, vertices)
    if host is None:
        return None
    members = np.flatnonzero(vertices)
    table = coordinates(supernode, members)
    if table is not None and "group" not in supernode.graph.nodes[fabric.nodes[members[0]]]:
        return _on_grid(supernode, members, table, host, most)
    return _on_circle(supernode, members, host, most)


def _vertices(supernode: Supernode) -> BoolArray:
    """Return which NPUs or forwarding nodes are linked to their like, shape (nodes,)."""
    fabric, graph = supernode.fabric, supernode.graph
    tier = np.array([float(graph.nodes[node].get("tier", 0)) for node in fabric.nodes])
    able = fabric.forwards | fabric.is_npu
    peer = (tier[fabric.tail] == tier[fabric.head]) & able[fabric.tail] & able[fabric.head]
    found = np.zeros(len(fabric.nodes), dtype=bool)
    found[fabric.tail[peer]] = True
    found[fabric.head[peer]] = True
    return found


def _hosts(fabric: Fabric, vertices: BoolArray) -> IntArray | None:
    """Return the vertex each node hangs on; None if a node that forwards hangs on one."""
    if (fabric.forwards & ~vertices).any():
        return None
    count = len(fabric.nodes)
    host = np.where(vertices, np.arange(count), -1)
    while (host < 0).any():
        fresh = (host[fabric.tail] < 0) & (host[fabric.head] >= 0)
        if not fresh.any():
            return None
        nearest = np.full(count, count)
        np.minimum.at(nearest, fabric.tail[fresh], host[fabric.head[fresh]])
        host = np.where((host < 0) & (nearest < count), nearest, host)
    return host


def coordinates(supernode: Supernode, members: IntArray) -> IntArray | None:
    """Return places of some nodes on a grid, 0, 1, ... along each dimension, or None.

    They are the attribute ``coord``, or the numbers in the ids (``(0, 3)``, ``npu/0/3``), if most
    links change one coordinate only. The shape is (members, dimensions).
    """
    fabric, graph = supernode.fabric, supernode.graph
    names = [fabric.nodes[i] for i in members.tolist()]
    found = [graph.nodes[name].get("coord") for name in names]
    least = 1 / 2  # of the links change one coordinate; a twisted torus has others
    if any(coord is None for coord in found):
        least = 1 - 1e-9
        found = [tuple(map(int, _NUMBER.findall(name))) for name in names]
    coords = [_as_coordinate(coord) for coord in found]
    lengths = {len(coord) for coord in coords}
    if len(lengths) != 1 or lengths == {0} or len(set(coords)) < len(coords):
        return None
    table = np.full((len(fabric.nodes), lengths.pop()), -1, dtype=np.int64)
    table[members] = coords
    inside = np.isin(fabric.tail, members) & np.isin(fabric.head, members)
    steps = np.abs(table[fabric.tail[inside]] - table[fabric.head[inside]])
    ranked = np.array([np.unique(c, return_inverse=True)[1] for c in table[members].T]).T
    if table.shape[1] == 1:
        return ranked if (steps == 1).all() else None
    sizes = ranked.max(axis=0) + 1  # every dimension is used, and the grid is not mostly empty
    full = sizes.min() > 1 and math.prod(sizes.tolist()) <= 4 * len(ranked)
    return ranked if full and ((steps > 0).sum(axis=1) == 1).mean() >= least else None


def _as_coordinate(coord: object) -> Coordinate:
    if not isinstance(coord, Sequence) or isinstance(coord, str):
        return ()
    return tuple(int(value) for value in coord if isinstance(value, int | np.integer))


def _on_grid(
    supernode: Supernode, members: IntArray, table: IntArray, host: IntArray, most: int
) -> Arrangement:
    words = _leaf_words(supernode.fabric, host)
    block = table
    if len(host) > DRAWN_WHOLE:
        block = _blocks(table, int(_SLACK * most) // (1 + len(words)))
    places, code = np.unique(block, axis=0, return_inverse=True)
    sizes = tuple((places.max(axis=0) + 1).tolist())
    glyphs, codes = _gathered(
        supernode, members, code.ravel(), host, blocks=len(places) < len(members)
    )
    ring = len(sizes) == 2 and sizes[0] == 2 and sizes[1] >= _RING_FROM and not words
    room = (0.42, 0.3) if ring else cell(sizes)
    wide, tall = min(0.6, 0.62 * room[0]), min(0.32, (0.3 if words else 0.5) * room[1])

    def spot(vertex: int, layer: int) -> tuple[float, float]:
        x, y = (two_rings if ring else grid_spot)(tuple(places[vertex].tolist()), sizes)
        return x, y - 1.12 * tall * layer

    at = [
        tuple(places[k].tolist()) if glyph.row == 0 else None
        for glyph, k in zip(glyphs, codes, strict=True)
    ]
    shape = "circle" if ring else "grid"
    return Arrangement(tuple(glyphs), _hung(codes, spot, wide, tall), shape, tuple(at), sizes)


def _blocks(table: IntArray, most: int) -> IntArray:
    """Return coordinates of blocks: the longest dimension is cut coarser until few are left."""
    sizes = (table.max(axis=0) + 1).tolist()
    each = [1] * len(sizes)
    while True:
        block: IntArray = table // np.array(each)
        counts = [-(-size // length) for size, length in zip(sizes, each, strict=True)]
        if len(np.unique(block, axis=0)) <= most or max(counts) == 1:
            return block
        axis = int(np.argmax(counts))
        each[axis] = next(n for n in range(each[axis] + 1, sizes[axis] + 1) if sizes[axis] % n == 0)


def _leaf_words(fabric: Fabric, host: IntArray) -> list[str]:
    hung = np.flatnonzero(host != np.arange(len(host)))
    return sorted({fabric.labels[i] for i in hung.tolist()})


def _gathered(
    supernode: Supernode, members: IntArray, code: IntArray, host: IntArray, *, blocks: bool
) -> tuple[list[Glyph], list[int]]:
    """Return a glyph for each code, in row 1 those of what hangs on it, and the codes of all."""
    fabric = supernode.fabric
    place = np.full(len(host), -1, dtype=np.int64)
    place[members] = code
    place = place[host]
    glyphs, codes = [], []
    is_vertex = host == np.arange(len(host))
    for k in range(int(code.max()) + 1):
        here = np.flatnonzero(place == k)
        sorts: dict[tuple[bool, str], list[int]] = {}
        for i in here.tolist():
            sorts.setdefault((not is_vertex[i], fabric.labels[i]), []).append(i)
        for (leaf, word), ids in sorted(sorts.items()):
            label = fabric.nodes[ids[0]] if len(ids) == 1 else str(k)
            by = "device" if len(ids) == 1 else ("router" if leaf and not blocks else "block")
            array = np.array(ids, dtype=np.int64)
            glyphs.append(Glyph(label, word, fabric.kind[ids[0]], int(leaf), None, array, by))
            codes.append(k)
    return glyphs, codes


def _hung(
    codes: Iterable[int], spot: Callable[[int, int], tuple[float, float]], wide: float, tall: float
) -> tuple[Box, ...]:
    """Return boxes at the spots of vertex and layer: each vertex, and what hangs on it in turn."""
    layers: Counter[int] = Counter()
    boxes = []
    for vertex in codes:
        boxes.append(Box(*spot(vertex, layers[vertex]), wide, tall))
        layers[vertex] += 1
    return tuple(boxes)


def _on_circle(supernode: Supernode, members: IntArray, host: IntArray, most: int) -> Arrangement:
    fabric = supernode.fabric
    family, names = _families(supernode, members)
    order = np.lexsort((members, family))
    members, family = members[order], family[order]
    words = _leaf_words(fabric, host)
    room = max(2, int(_SLACK * most) // (1 + len(words)))
    code = np.arange(len(members))
    blocks = len(host) > DRAWN_WHOLE and len(members) > room
    if blocks:
        count = int(family.max()) + 1
        code = family if 1 < count <= room else code // -(-len(members) // room)
        names = names if 1 < count <= room else ()
        family = np.arange(int(code.max()) + 1) * (len(names) > 0)
    glyphs, codes = _gathered(supernode, members, code, host, blocks=blocks)
    shares = _circle_spots(family)
    boxes = _circle_boxes(codes, shares)
    return Arrangement(tuple(glyphs), boxes, "circle", notes=_names(family, names, shares))


def _names(
    family: IntArray, names: Sequence[str], shares: Sequence[float]
) -> tuple[tuple[float, float, str], ...]:
    """Return where the name of each group goes, outside the circle."""
    if len(names) < 2:
        return ()
    found = []
    for k, name in enumerate(names):
        middle = float(np.mean([share for share, f in zip(shares, family, strict=True) if f == k]))
        x, y = turn(middle, _NAMES)
        found.append((CENTRE[0] + 1.08 * (x - CENTRE[0]), y, name))
    return tuple(found)


def _families(supernode: Supernode, members: IntArray) -> tuple[IntArray, tuple[str, ...]]:
    """Return a number for the group each vertex is in, and the groups' names."""
    data: list[Mapping[str, object]] = [
        supernode.graph.nodes[supernode.fabric.nodes[i]] for i in members.tolist()
    ]
    for attribute in _FAMILIES:
        if all(attribute in row for row in data):
            names, family = numbered(str(row[attribute]) for row in data)
            if 1 < len(names) < len(members):
                return family, tuple(f"{attribute} {name}" for name in names)
    return np.zeros(len(members), dtype=np.int64), ()


def _circle_spots(family: IntArray) -> list[float]:
    """Return how far round the circle each vertex stands, with a gap between groups."""
    breaks = np.concatenate(([0], np.cumsum(np.diff(family) != 0)))
    if breaks[-1] == len(family) - 1:
        breaks = np.zeros_like(breaks)  # every group is one glyph: no gaps
    gaps = int(breaks[-1]) + 1 if breaks[-1] else 0
    whole = len(family) + _GROUP_GAP * gaps
    shares = (np.arange(len(family)) + _GROUP_GAP * breaks) / whole
    return [float(share) for share in shares]


def _circle_boxes(codes: Sequence[int], shares: Sequence[float]) -> tuple[Box, ...]:
    hangs = len(codes) > len(shares)
    radius = _RADIUS if hangs else _RADIUS + 0.35
    apart = np.diff([*shares, 1 + shares[0]]).min() if len(shares) > 1 else 1.0
    each = 2 * radius * math.sin(math.pi * min(0.5, float(apart)))
    most = 0.92 * _LEAF_GAP if hangs else 0.62

    def spot(vertex: int, layer: int) -> tuple[float, float]:
        return turn(shares[vertex], radius + layer * _LEAF_GAP)

    return _hung(codes, spot, min(most, 0.8 * each), min(0.3, 0.58 * each))
