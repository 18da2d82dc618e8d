"""Write on a drawing: names, counts, classes of links, the title, and what limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from topology import text, units
from topology.drawing.bundles import Bundle, BundleClass
from topology.drawing.canvas import Sheet, text_width, wrapped
from topology.drawing.coordinates import Arrangement
from topology.drawing.grouping import Glyph
from topology.drawing.layout import HEIGHT, LEFT, RIGHT, WIDTH, precedence, row_heights
from topology.drawing.view import (
    STRIP,
    Picture,
    captioned,
    middle_of,
    most_members,
    plural,
    shows_cells,
    sorts_of,
)
from topology.supernode import Supernode

_LINE = 0.165
_EDGE = 0.25
_STUBS = 2
_SHADES = 48
_LIST_TOP = 5.4  # inches; where lists in the margins begin if there are no rows


def write_all(sheet: Sheet, supernode: Supernode, picture: Picture) -> None:
    """Write what the glyphs are, what stands in the rows, what the links are, and what limits."""
    _count(sheet, picture)
    if picture.tiered:
        _caption(sheet, picture)
    else:
        _name_places(sheet, picture)
    _write_key(sheet, picture)
    _write_rows(sheet, picture)
    _write_classes(sheet, picture)
    _name_worst(sheet, supernode, picture)


def _name_places(sheet: Sheet, picture: Picture) -> None:
    """Write in every vertex what it is called, if all fit, and the names of the groups."""
    look: dict[str, Any] = {"ha": "center", "fontsize": 0.8 * sheet.style.font, "zorder": 5}
    size = look["fontsize"]
    for glyph, box in zip(picture.glyphs, picture.boxes, strict=True):
        name = glyph.label.partition("/")[2] or glyph.label
        fits = text_width(name, size) < box.width and size * 1.1 / 72 < box.height
        if len(glyph.members) == 1 and fits:
            sheet.write(box.x, box.y, name, **look)
    if picture.arrangement.coords:
        _name_twists(sheet, picture, size)
    for x, y, name in picture.arrangement.notes:
        sheet.write(x, y, name, **look)


def _write_key(sheet: Sheet, picture: Picture) -> None:
    """Say at the foot of the page what lines and colours mean."""
    y, style = _EDGE, sheet.style
    look: dict[str, Any] = {"fontsize": 0.85 * style.font, "color": style.faint}
    said = "width grows with capacity; solid is copper, dashed is optical"
    if picture.arrangement.shape == "grid" and any(len(lines) > 1 for lines in picture.lines):
        said += "; stubs at the edge go round to the other side"
    sheet.write(0.15, y, said, **look)
    if not picture.loaded:
        return
    left, wide = RIGHT + 0.25, 1.3
    edges = np.linspace(left, left + wide, _SHADES + 1)
    sheet.ax.pcolormesh(
        edges, [y - 0.06, y + 0.06], (np.arange(_SHADES)[None] + 0.5) / _SHADES,
        cmap=style.colormap, vmin=0, vmax=1, edgecolors="face", linewidth=0.2, zorder=5,
        rasterized=False,
    )  # fmt: skip
    sheet.ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    sheet.write(left + wide + 0.08, y, "0 to 100 % busy", **look)


def _write_rows(sheet: Sheet, picture: Picture) -> None:
    for row, y in _heights(picture).items():
        words: dict[str, list[Glyph]] = {}
        for glyph in sorted(picture.glyphs, key=precedence):
            if glyph.row == row:
                words.setdefault(glyph.word, []).append(glyph)
        said = (_row_text(word, members, sheet.style.font) for word, members in words.items())
        sheet.write(0.15, y, "\n".join(said), zorder=5, linespacing=1.35)


def _heights(picture: Picture) -> dict[int, float]:
    """Return y of the words for every row: at the row, or at the top where there are none."""
    if picture.tiered:
        return row_heights(picture.glyphs)
    rows = sorted({glyph.row for glyph in picture.glyphs})
    return {row: _LIST_TOP - 0.8 * row for row in rows}


def _row_text(word: str, members: Sequence[Glyph], size: float) -> str:
    each = {len(glyph.members) for glyph in members}
    total = sum(len(glyph.members) for glyph in members)
    said = wrapped(f"{total:,} {plural(word, members[0].kind, total)}", size, LEFT - 0.3)
    if each == {1} or len(members) == 1:
        return said
    unit, per = members[0].by, text.span(min(each), max(each), str)
    where = "each" if unit.endswith("devices") else f"{'in' if unit[0].isdigit() else 'a'} {unit}"
    return f"{said}\n  {per} {where}"


def _write_classes(sheet: Sheet, picture: Picture) -> None:
    """Say in the right margin what the links of each gap are, with a sample of the line."""
    style, heights = sheet.style, _heights(picture)
    blocks = [(_class_lines(cls, picture), cls) for cls in picture.classes]
    tall = [len(lines) * _LINE + 0.14 for lines, _ in blocks]
    wished = [(heights[cls.rows[0]] + heights[cls.rows[1]]) / 2 for _, cls in blocks]
    left = RIGHT + 0.25
    for (lines, cls), y in zip(blocks, _packed(wished, tall), strict=True):
        colour = style.shade(cls.utilisation) if picture.loaded else style.media[cls.medium]
        sheet.ax.plot(
            [left, left + 0.42], [y, y], color=colour, linewidth=3.0, zorder=5,
            linestyle=style.dashes[cls.medium],
        )  # fmt: skip
        weight = "bold" if picture.limits(cls.utilisation) else "normal"
        sheet.write(left + 0.55, y, lines[0], fontweight=weight)
        sheet.write(
            left + 0.55, y - _LINE / 2 - 0.01, "\n".join(lines[1:]), va="top", linespacing=1.2,
            fontsize=0.85 * style.font, color=style.faint,
        )  # fmt: skip


def _class_lines(cls: BundleClass, picture: Picture) -> list[str]:
    rate = text.span(*cls.each, units.format_rate)
    first = f"{cls.name}: {text.counted(cls.links, 'link')}", f"{cls.medium}, {rate} each"
    if picture.loaded:
        busy = units.format_percent(cls.utilisation)
        first = f"{cls.name}: {busy}", f"{cls.links:,} {cls.medium}, {rate} each"
    last = ["this limits"] if picture.limits(cls.utilisation) else []
    return [*first, f"{units.format_rate(cls.capacity)} one way in all", *last]


def _packed(wished: Sequence[float], tall: Sequence[float]) -> list[float]:
    """Return heights of text blocks near those wished, without overlap, top of each first line."""
    order = sorted(range(len(wished)), key=lambda i: (-wished[i], i))
    ceiling, placed = 6.05, {}
    for i in order:
        y = min(wished[i] + tall[i] / 2, ceiling)
        placed[i] = y
        ceiling = y - tall[i]
    floor = 1.2
    for i in reversed(order):
        placed[i] = floor = max(placed[i], floor + tall[i])
    return [placed[i] - _LINE / 2 for i in range(len(wished))]


def _caption(sheet: Sheet, picture: Picture) -> None:
    """Write what glyphs are called: inside those with room, and below the lowest."""
    look: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 0.8 * sheet.style.font}
    rows: dict[tuple[int, str], list[int]] = {}
    for i in sorted(captioned(picture)):
        rows.setdefault((picture.glyphs[i].row, picture.glyphs[i].word), []).append(i)
    for members in rows.values():
        room = min(picture.boxes[i].width for i in members)
        for i, words in _short(picture, members, look["fontsize"], room):
            sheet.write(picture.boxes[i].x, picture.boxes[i].top - 0.03, words, zorder=5, **look)
    lowest = _columns_row(picture)
    places = sorted(middle_of(picture, i) for i in lowest)
    alone = max((picture.boxes[i].width for i in lowest), default=0.0)
    room = 0.9 * min((b - a for a, b in pairwise(places)), default=alone)
    for i, words in _short(picture, lowest, look["fontsize"], room):
        x, y = middle_of(picture, i), picture.boxes[i].bottom - 0.05
        sheet.write(x, y, words, ground="none", zorder=2, **look)


def _columns_row(picture: Picture) -> list[int]:
    """Return the glyphs that carry the names of the columns, below them: the NPUs, or lowest."""
    glyphs = picture.glyphs
    npus = [glyph.row for glyph in glyphs if glyph.kind == "npu"]
    row = min(npus or (glyph.row for glyph in glyphs))
    first = min((g for g in glyphs if g.row == row), key=precedence)
    inside = captioned(picture)
    chosen = [
        i for i, g in enumerate(glyphs) if g.row == row and g.word == first.word and i not in inside
    ]
    return [] if not chosen or picture.boxes[chosen[0]].width > STRIP else chosen


def _short(
    picture: Picture, members: Sequence[int], size: float, room: float
) -> Iterable[tuple[int, str]]:
    """Return glyphs with what they are called, in as many words as there is room for, in inches."""
    labels = [picture.glyphs[i].label for i in members]
    if max((text_width(label, size) for label in labels), default=0.0) <= room:
        return zip(members, labels, strict=True)
    parts = [label.replace("/", " ").split() for label in labels]
    tails = [words[-1] for words in parts]
    if len(set(tails)) < len(tails):
        tails = ["/".join(words[1:]) or words[0] for words in parts]
    every = max(1, int(np.ceil(max(text_width(tail, size) for tail in tails) / room)))
    return zip(members[::every], tails[::every], strict=True)


def _count(sheet: Sheet, picture: Picture) -> None:
    """Write a number where there is no room for a cell for each device."""
    size = 0.8 * sheet.style.font
    for glyph, box, most in zip(picture.glyphs, picture.boxes, most_members(picture), strict=True):
        fits = text_width(f"{most:,}", size) < box.width
        if most > 1 and fits and not shows_cells(box, most):
            said = f"{len(glyph.members):,}"
            sheet.write(box.x, box.y, said, ha="center", zorder=5, fontsize=size)


def _name_worst(sheet: Sheet, supernode: Supernode, picture: Picture) -> None:
    """Point at the busiest bundle, if it is busier than its like."""
    style = sheet.style
    worst = [item for item in picture.worst if item.low != item.high]
    if not worst or not picture.loaded:
        return
    first = worst[0]
    alike = sum(sorts_of(item, picture) == sorts_of(first, picture) for item in picture.bundles)
    if len(worst) > alike / 2:
        return
    u, v = supernode.fabric.arcs[first.worst]
    more = f" and {len(worst) - 1} more" if len(worst) > 1 else ""
    words = f"{u} → {v}{more}: {units.format_percent(first.utilisation)}"
    if picture.tiered:
        half = text_width(words, style.font) / 2 + 0.1
        line = picture.lines[picture.bundles.index(first)][0]
        x, y = (np.array(line[0]) + np.array(line[-1])) / 2
        x = np.clip(x, LEFT + half, RIGHT - half)
    else:
        x, y = (RIGHT + WIDTH) / 2 + 0.05, 0.9
        words = wrapped(words, style.font, WIDTH - RIGHT - 0.6)
    sheet.write(float(x), float(y), words, ground=style.worst, ha="center", zorder=7, gid="worst")


def _name_twists(sheet: Sheet, picture: Picture, size: float) -> None:
    """Write at the stubs of links that go round where they come out, if not straight across."""
    for item, lines in zip(picture.bundles, picture.lines, strict=True):
        if len(lines) != _STUBS or not _twisted(picture.arrangement, item):
            continue
        for line, other in zip(lines, (item.high, item.low), strict=True):
            name = picture.glyphs[other].label.partition("/")[2]
            faint = sheet.style.faint
            sheet.write(
                *line[-1], name, ground="none", ha="center", fontsize=size, color=faint, zorder=6
            )


def _twisted(arrangement: Arrangement, item: Bundle) -> bool:
    """Return whether the two ends differ in several coordinates."""
    one, two = (arrangement.coords[end] or () for end in (item.low, item.high))
    return sum(a != b for a, b in zip(one, two, strict=False)) > 1
