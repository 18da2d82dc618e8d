"""Draw a machine: tiers upwards, bundles by medium or by how busy they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from topology.drawing.bundles import Bundle
from topology.drawing.canvas import Sheet, page
from topology.drawing.grouping import MOST_GLYPHS
from topology.drawing.layout import LEFT, RIGHT, Box
from topology.drawing.style import DrawStyle, draw_style
from topology.drawing.view import Picture, captioned, describe, most_members, shows_cells, sorts_of
from topology.drawing.writing import write_all
from topology.supernode import Supernode

_CAPTION = 0.17
_THIN, _THICK = 0.6, 4.2
_INK = 0.32  # share of a gap that lines may cover


def draw(
    supernode: Supernode,
    ax: Axes | None = None,
    *,
    utilisation: object = None,
    title: str | None = None,
    note: str | None = None,
    style: str | DrawStyle = "light",
    most: int = MOST_GLYPHS,
) -> tuple[Figure, Axes]:
    """Draw a machine and return the figure and its axes.

    Parameters
    ----------
    supernode
        The machine.
    ax
        Where to draw; by default a new figure of 12.8 by 7.2 inches, which pyplot does not hold.
    utilisation
        How busy every arc of the fabric is, 0 to 1, shape (arcs,), such as
        ``Analysis.utilisation``. The links are coloured by it, and the worst bundle is named;
        by default they are coloured by medium.
    title, note
        The line above, in bold, and the one below it; by default what the machine is.
    style
        "light", "dark", "print", or a `DrawStyle`.
    most
        How many glyphs there is room for.

    Notes
    -----
    Devices that stand together are one glyph (see `gather`), links between two glyphs one line:
    its width grows with their capacity, copper is solid and optical dashed.
    """
    looks = draw_style(style)
    picture = describe(supernode, utilisation=utilisation, title=title, note=note, most=most)
    with page(looks, ax, picture.title, picture.note) as sheet:
        _draw_bundles(sheet, picture)
        _draw_glyphs(sheet, picture)
        write_all(sheet, supernode, picture)
    return sheet.figure, sheet.ax


def _draw_bundles(sheet: Sheet, picture: Picture) -> None:
    joins = [
        (item, lines) for item, lines in zip(picture.bundles, picture.lines, strict=True) if lines
    ]
    scale = _width_scale(picture, [item for item, _ in joins])
    for medium in sorted({item.medium for item, _ in joins}):
        each = [(item, line) for item, lines in joins if item.medium == medium for line in lines]
        lines = LineCollection(
            [line for _, line in each],
            colors=[_colour(item, picture, sheet.style) for item, _ in each],
            linewidths=[max(_THIN, scale * math.sqrt(item.capacity)) for item, _ in each],
            linestyles=[sheet.style.dashes[medium]],
            zorder=1,
            gid=f"bundles-{medium}",
        )
        sheet.ax.add_collection(lines, autolim=False)


def _width_scale(picture: Picture, joins: Sequence[Bundle]) -> float:
    """Return points per root of capacity: as thick as leaves the densest gap legible."""
    classes: dict[tuple[str, str, str], list[float]] = {}
    for item in joins:
        classes.setdefault(sorts_of(item, picture), []).append(item.capacity)
    room = (RIGHT - LEFT) * 72 * _INK
    thick = _THICK if picture.tiered else 0.6 * _THICK
    return min(
        (min(thick, room / len(each)) / math.sqrt(max(each)) for each in classes.values()),
        default=0.0,
    )


def _colour(item: Bundle, picture: Picture, style: DrawStyle) -> tuple[float, float, float, float]:
    if picture.loaded:
        return style.shade(item.utilisation)
    return to_rgba(style.media[item.medium], 0.75)


def _draw_glyphs(sheet: Sheet, picture: Picture) -> None:
    titled, room, style = captioned(picture), most_members(picture), sheet.style
    for kind in dict.fromkeys(glyph.kind for glyph in picture.glyphs):
        here = [i for i, glyph in enumerate(picture.glyphs) if glyph.kind == kind]
        colour = style.devices[kind]
        frames = [_rectangle(picture.boxes[i]) for i in here]
        fills = [to_rgba(colour, 0.3) if room[i] == 1 else to_rgba(style.paper) for i in here]
        cells = [
            cell
            for i in here
            for cell in _cells(
                picture.boxes[i], len(picture.glyphs[i].members), room[i],
                _CAPTION if i in titled else 0.0,
            )
        ]  # fmt: skip
        looks: list[tuple[list[Rectangle], dict[str, Any]]] = [
            (frames, {"facecolor": style.paper, "edgecolor": "none"}),
            (frames, {"facecolor": fills, "edgecolor": colour, "gid": f"glyphs-{kind}"}),
            (cells, {"facecolor": colour, "edgecolor": "none"}),
        ]
        for zorder, (patches, look) in enumerate(looks, start=2):
            drawn = PatchCollection(patches, linewidth=1.0, zorder=zorder, **look)
            sheet.ax.add_collection(drawn, autolim=False)


def _rectangle(box: Box) -> Rectangle:
    return Rectangle((box.left, box.bottom), box.width, box.height)


def _cells(box: Box, count: int, room: int, caption: float) -> list[Rectangle]:
    """Return a small square for each device of a glyph, at the size that fits the fullest."""
    if not shows_cells(box, room):
        return []
    pad = 0.04
    width, height = box.width - 2 * pad, box.height - caption - 2 * pad
    columns = _columns(room, width / height)
    rows = -(-room // columns)
    wide, tall = width / columns, height / rows
    left, top = box.left + pad, box.bottom + pad + height
    return [
        Rectangle(
            (left + (i % columns + 0.1) * wide, top - (i // columns + 0.9) * tall),
            0.8 * wide,
            0.8 * tall,
        )
        for i in range(count)
    ]


def _columns(count: int, aspect: float) -> int:
    """Return how many columns show a number of cells as near to squares, and full, as may be."""
    full = [c for c in range(1, count + 1) if count % c == 0]
    some = [c for c in range(1, count + 1) if c > count / 2]
    return min((*full, *some), key=lambda c: (_skew(c, count, aspect) + (count % c > 0), -c))


def _skew(columns: int, count: int, aspect: float) -> float:
    """Return how far from squares cells are, 0 for squares."""
    return abs(math.log(columns / -(-count // columns) / aspect))
