"""Write on a drawing: names, counts, classes of links, the title, and what limits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes

from topology import units
from topology.drawing.bundles import BundleClass
from topology.drawing.canvas import text_width, wrapped
from topology.drawing.grouping import Glyph
from topology.drawing.layout import HEIGHT, LEFT, RIGHT, WIDTH, precedence, row_heights
from topology.drawing.style import DrawStyle
from topology.drawing.view import (
    EQUAL,
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


def write_margins(ax: Axes, picture: Picture, style: DrawStyle) -> None:
    """Write the title, what stands in the rows, and what the links are."""
    _write_head(ax, picture, style, style.font)
    _write_rows(ax, picture, style, style.font)
    _write_classes(ax, picture, style, style.font)


def name_glyphs(ax: Axes, picture: Picture, style: DrawStyle) -> None:
    """Write what the glyphs are, as far as there is room."""
    _count(ax, picture, style, style.font)
    if picture.tiered:
        _caption(ax, picture, style, style.font)
    else:
        _name_places(ax, picture, style, 0.8 * style.font)


def _name_places(ax: Axes, picture: Picture, style: DrawStyle, size: float) -> None:
    """Write in every vertex what it is called, if all fit, and the names of the groups."""
    single = [i for i, glyph in enumerate(picture.glyphs) if len(glyph.members) == 1]
    for i in single:
        box, name = picture.boxes[i], picture.glyphs[i].label.partition("/")[2]
        name = name or picture.glyphs[i].label
        if text_width(name, size) < box.width and size * 1.1 / 72 < box.height:
            ax.text(
                box.x, box.y, name, ha="center", va="center", fontsize=size, color=style.ink,
                zorder=5,
            )  # fmt: skip
    if picture.arrangement.coords:
        _name_twists(ax, picture, style, size)
    for x, y, name in picture.arrangement.notes:
        ax.text(x, y, name, ha="center", va="center", fontsize=size, color=style.ink, zorder=5)


def _write_head(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    big = small + 3
    title = wrapped(picture.title, big, WIDTH - 0.5)
    ax.text(
        0.15, HEIGHT - 0.12, title, ha="left", va="top", fontsize=big, fontweight="bold",
        color=style.ink, gid="title", linespacing=1.15,
    )  # fmt: skip
    drop = 0.12 + (title.count("\n") + 1) * big * 1.25 / 72 + 0.04
    ax.text(
        0.15, HEIGHT - drop, wrapped(picture.note, small, WIDTH - 0.5), ha="left", va="top",
        fontsize=small, color=style.faint, gid="note",
    )  # fmt: skip
    _write_key(ax, picture, style, small)


def _write_key(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    y = _EDGE
    size = 0.85 * small
    said = "width grows with capacity; solid is copper, dashed is optical"
    if picture.arrangement.shape == "grid" and any(len(lines) > 1 for lines in picture.lines):
        said += "; stubs at the edge go round to the other side"
    ax.text(0.15, y, said, ha="left", va="center", fontsize=size, color=style.faint)
    if not picture.loaded:
        return
    left, wide = RIGHT + 0.25, 1.3
    edges = np.linspace(left, left + wide, _SHADES + 1)
    ramp = ax.pcolormesh(
        edges, [y - 0.06, y + 0.06], (np.arange(_SHADES)[None] + 0.5) / _SHADES,
        cmap=style.colormap, vmin=0, vmax=1, edgecolors="face", linewidth=0.2, zorder=5,
    )  # fmt: skip
    ramp.set_rasterized(False)
    ax.set_xlim(0, WIDTH)
    ax.set_ylim(0, HEIGHT)
    ax.text(
        left + wide + 0.08, y, "0 to 100 % busy", ha="left", va="center", fontsize=size,
        color=style.faint,
    )  # fmt: skip


def _write_rows(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    for row, y in _heights(picture).items():
        words: dict[str, list[Glyph]] = {}
        for glyph in picture.glyphs:
            if glyph.row == row:
                words.setdefault(glyph.word, []).append(glyph)
        ordered = sorted(words.items(), key=lambda item: precedence(item[1][0]))
        said = "\n".join(_row_text(word, members, small) for word, members in ordered)
        ax.text(
            0.15, y, said, ha="left", va="center", fontsize=small, color=style.ink, zorder=5,
            linespacing=1.35,
        )  # fmt: skip


def _heights(picture: Picture) -> dict[int, float]:
    """Return y of the words for every row: at the row, or at the top where there are none."""
    if picture.tiered:
        return row_heights(picture.glyphs)
    rows = sorted({glyph.row for glyph in picture.glyphs})
    return {row: _LIST_TOP - 0.8 * row for row in rows}


def _row_text(word: str, members: Sequence[Glyph], size: float) -> str:
    total = sum(len(glyph.members) for glyph in members)
    each = {len(glyph.members) for glyph in members}
    said = wrapped(f"{total:,} {plural(word, members[0].kind, total)}", size, LEFT - 0.3)
    if each == {1} or len(members) == 1:
        return said
    unit = members[0].by
    per = f"{max(each)}" if len(each) == 1 else f"{min(each)} to {max(each)}"
    if unit.endswith("devices"):
        return f"{said}\n  {per} each"
    return f"{said}\n  {per} {'in' if unit[0].isdigit() else 'a'} {unit}"


def _write_classes(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    """Say in the right margin what the links of each gap are, with a sample of the line."""
    heights = _heights(picture)
    blocks = [(_class_lines(cls, picture), cls) for cls in picture.classes]
    tall = [len(lines) * _LINE + 0.14 for lines, _ in blocks]
    wished = [(heights[cls.rows[0]] + heights[cls.rows[1]]) / 2 for _, cls in blocks]
    left = RIGHT + 0.25
    for (lines, cls), y in zip(blocks, _packed(wished, tall), strict=True):
        limits = picture.loaded and 0 < picture.peak * EQUAL <= cls.utilisation
        colour = style.shade(cls.utilisation) if picture.loaded else style.media[cls.medium]
        ax.plot(
            [left, left + 0.42], [y, y], color=colour, linewidth=3.0, zorder=5,
            linestyle=style.dashes[cls.medium],
        )  # fmt: skip
        ax.text(
            left + 0.55, y, lines[0], ha="left", va="center", fontsize=small, color=style.ink,
            fontweight="bold" if limits else "normal",
        )  # fmt: skip
        ax.text(
            left + 0.55, y - _LINE / 2 - 0.01, "\n".join(lines[1:]), ha="left", va="top",
            fontsize=0.85 * small, color=style.faint, linespacing=1.2,
        )  # fmt: skip


def _class_lines(cls: BundleClass, picture: Picture) -> list[str]:
    low, high = cls.each
    rate = units.format_rate(high) if low == high else (
        f"{units.format_rate(low)} to {units.format_rate(high)}"
    )  # fmt: skip
    lines = [f"{cls.name}: {cls.links:,} links", f"{cls.medium}, {rate} each"]
    lines.append(f"{units.format_rate(cls.capacity)} one way in all")
    if picture.loaded:
        limits = 0 < picture.peak * EQUAL <= cls.utilisation
        busy = units.format_percent(cls.utilisation)
        lines[0] = f"{cls.name}: {busy}"
        lines[1] = f"{cls.links:,} {cls.medium}, {rate} each"
        lines += ["this limits"] if limits else []
    return lines


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
        if placed[i] - tall[i] < floor:
            placed[i] = floor + tall[i]
        floor = max(floor, placed[i])
    return [placed[i] - _LINE / 2 for i in range(len(wished))]


def _caption(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    size = 0.8 * small
    rows: dict[tuple[int, str], list[int]] = {}
    for i in sorted(captioned(picture)):
        rows.setdefault((picture.glyphs[i].row, picture.glyphs[i].word), []).append(i)
    for members in rows.values():
        for i, words in zip(members, _short(picture, members, size, inside=True), strict=True):
            box = picture.boxes[i]
            ax.text(
                box.x, box.top - 0.03, words, ha="center", va="top", fontsize=size,
                color=style.ink, zorder=5,
            )  # fmt: skip
    lowest = _columns_row(picture)
    for i, words in zip(lowest, _short(picture, lowest, size), strict=True):
        box = picture.boxes[i]
        ax.text(
            middle_of(picture, i), box.bottom - 0.05, words, ha="center", va="top", fontsize=size,
            color=style.ink, zorder=2,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": style.paper, "edgecolor": "none"},
        )  # fmt: skip


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
    picture: Picture, members: Sequence[int], size: float, *, inside: bool = False
) -> list[str]:
    """Return what every glyph is called, in as many words as there is room for."""
    if not members:
        return []
    boxes = picture.boxes
    labels = [picture.glyphs[i].label for i in members]
    places = sorted(middle_of(picture, i) for i in members)
    apart = min((b - a for a, b in pairwise(places)), default=boxes[members[0]].width)
    step = min(boxes[i].width for i in members) if inside else 0.9 * apart
    if max(text_width(label, size) for label in labels) < step:
        return labels
    tails = [label.replace("/", " ").split()[-1] for label in labels]
    if len(set(tails)) < len(tails):
        tails = ["/".join(label.replace("/", " ").split()[1:]) or label for label in labels]
    needed = max(text_width(tail, size) for tail in tails)
    every = max(1, int(np.ceil(needed / step)))
    return [tail if k % every == 0 else "" for k, tail in enumerate(tails)]


def _count(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    """Write a number where there is no room for a cell for each device."""
    room = most_members(picture)
    for glyph, box, most in zip(picture.glyphs, picture.boxes, room, strict=True):
        fits = text_width(f"{most:,}", 0.8 * small) < box.width
        if most > 1 and fits and not shows_cells(box, most):
            ax.text(
                box.x, box.y, f"{len(glyph.members):,}", ha="center", va="center", zorder=5,
                fontsize=0.8 * small, color=style.ink,
            )  # fmt: skip


def name_worst(ax: Axes, supernode: Supernode, picture: Picture, style: DrawStyle) -> None:
    """Point at the busiest bundle, if it is busier than its like."""
    small = style.font
    worst = [item for item in picture.worst if item.low != item.high]
    if not worst or not picture.loaded:
        return
    first = worst[0]
    alike = [
        item for item in picture.bundles if sorts_of(item, picture) == sorts_of(first, picture)
    ]
    if len(worst) > len(alike) / 2:
        return
    u, v = supernode.fabric.arcs[first.worst]
    more = f" and {len(worst) - 1} more" if len(worst) > 1 else ""
    words = f"{u} → {v}{more}: {units.format_percent(first.utilisation)}"
    if picture.tiered:
        half = text_width(words, small) / 2 + 0.1
        line = picture.lines[picture.bundles.index(first)][0]
        x, y = (np.array(line[0]) + np.array(line[-1])) / 2
        x = min(max(float(x), LEFT + half), RIGHT - half)
    else:
        x, y, words = (RIGHT + WIDTH) / 2 + 0.05, 0.9, wrapped(words, small, WIDTH - RIGHT - 0.6)
    ax.text(
        x, y, words, ha="center", va="center", fontsize=small, color=style.ink, zorder=7,
        gid="worst",
        bbox={"boxstyle": "round,pad=0.3", "facecolor": style.paper, "edgecolor": style.worst},
    )  # fmt: skip


def _name_twists(ax: Axes, picture: Picture, style: DrawStyle, size: float) -> None:
    """Write at the stubs of links that go round where they come out, if not straight across."""
    arrangement = picture.arrangement
    for item, lines in zip(picture.bundles, picture.lines, strict=True):
        first, second = item.low, item.high
        if len(lines) != _STUBS or not _twisted(arrangement.coords, first, second):
            continue
        for line, other in zip(lines, (second, first), strict=True):
            name = picture.glyphs[other].label.partition("/")[2]
            ax.text(
                *line[-1], name, ha="center", va="center", fontsize=size, color=style.faint,
                zorder=6, bbox={"boxstyle": "round,pad=0.1", "fc": style.paper, "ec": "none"},
            )  # fmt: skip


def _twisted(coords: Sequence[tuple[int, ...] | None], first: int, second: int) -> bool:
    one, two = coords[first], coords[second]
    if one is None or two is None:
        return False
    return sum(a != b for a, b in zip(one, two, strict=True)) > 1
