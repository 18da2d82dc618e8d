"""Draw a machine: tiers upwards, bundles by medium or by how busy they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from topology import units
from topology.drawing.bundles import (
    Bundle,
    BundleClass,
    bundle,
    bundle_classes,
    check_utilisation,
)
from topology.drawing.canvas import page, shrink_texts, text_width, wrapped
from topology.drawing.grouping import MOST_GLYPHS, Glyph, gather
from topology.drawing.layout import (
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Box,
    column_middle,
    place_tiers,
    precedence,
    row_heights,
)
from topology.drawing.style import DrawStyle, draw_style
from topology.supernode import Supernode

_CELLS = 128  # a glyph of more devices shows a number instead
_STRIP = 2.0  # inches
_CAPTION = 0.17
_EQUAL = 1 - 1e-9
_THIN, _THICK = 0.6, 4.2
_INK = 0.32  # share of a gap that lines may cover
_LINE = 0.165
_EDGE = 0.25


@dataclass(frozen=True, eq=False)
class Picture:
    """What a drawing of a machine shows, before it is drawn.

    Attributes
    ----------
    glyphs, boxes
        What stands where.
    bundles, classes
        What joins them.
    loaded
        Whether the links are coloured by utilisation.
    title, note
        The two lines above.
    """

    glyphs: tuple[Glyph, ...]
    boxes: tuple[Box, ...]
    bundles: tuple[Bundle, ...]
    classes: tuple[BundleClass, ...]
    loaded: bool
    title: str
    note: str

    @property
    def peak(self) -> float:
        """Return the utilisation of the busiest link."""
        return max((item.utilisation for item in self.bundles), default=0.0)

    @property
    def worst(self) -> tuple[Bundle, ...]:
        """Return the bundles that hold a link as busy as the busiest."""
        return tuple(item for item in self.bundles if 0 < self.peak * _EQUAL <= item.utilisation)


def describe(
    supernode: Supernode,
    *,
    utilisation: object = None,
    title: str | None = None,
    note: str | None = None,
    most: int = MOST_GLYPHS,
) -> Picture:
    """Return what a drawing shows; the arguments are those of `draw`."""
    fabric = supernode.fabric
    used = check_utilisation(fabric, utilisation)
    glyphs = gather(supernode, most)
    bundles = bundle(fabric, glyphs, used)
    classes = bundle_classes(fabric, glyphs, bundles)
    return Picture(
        glyphs=glyphs,
        boxes=place_tiers(glyphs),
        bundles=bundles,
        classes=classes,
        loaded=utilisation is not None,
        title=title or _title(supernode, classes),
        note=note if note is not None else _note(supernode),
    )


def _title(supernode: Supernode, classes: Sequence[BundleClass]) -> str:
    optical = sum(cls.links for cls in classes if cls.medium == "optical")
    copper = sum(cls.links for cls in classes if cls.medium == "copper")
    counts = [f"{n:,} {word}" for n, word in ((copper, "copper"), (optical, "optical")) if n]
    joined = f"joined by {' and '.join(counts)} links" if counts else "without links"
    fabric = supernode.fabric
    words = {fabric.labels[i] for i in fabric.npus.tolist()}
    ranks = _plural(words.pop() if len(words) == 1 else "rank", "npu", len(supernode.npus))
    return f"{supernode.name}: {len(supernode.npus):,} {ranks} {joined}"


def _note(supernode: Supernode) -> str:
    history = "; ".join(supernode.history)
    return history or "as built; capacities are one direction, line rate"


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
    figure, ax = page(looks, WIDTH, HEIGHT, ax)
    small, before = looks.font, len(ax.texts)
    _draw_bundles(ax, picture, looks)
    _draw_glyphs(ax, picture, looks, small)
    _write_rows(ax, picture, looks, small)
    _write_classes(ax, picture, looks, small)
    _write_head(ax, picture, looks, small)
    _name_worst(ax, supernode, picture, looks, small)
    shrink_texts(ax, list(ax.texts)[before:], WIDTH, HEIGHT)
    return figure, ax


def _draw_bundles(ax: Axes, picture: Picture, style: DrawStyle) -> None:
    joins = [item for item in picture.bundles if item.low != item.high]
    if not joins:
        return
    ends = _attachments(picture, joins)
    scale = _width_scale(picture, joins)
    for medium in ("copper", "optical"):
        chosen = [i for i, item in enumerate(joins) if item.medium == medium]
        if not chosen:
            continue
        lines = LineCollection(
            [ends[i] for i in chosen],
            colors=[_colour(joins[i], picture, style) for i in chosen],
            linewidths=[max(_THIN, scale * float(np.sqrt(joins[i].capacity))) for i in chosen],
            linestyles=[style.dashes[medium]],
            zorder=1,
            gid=f"bundles-{medium}",
        )
        ax.add_collection(lines, autolim=False)


def _width_scale(picture: Picture, joins: Sequence[Bundle]) -> float:
    """Return points per root of capacity: as thick as leaves the densest gap legible."""
    classes: dict[tuple[str, str, str], list[float]] = {}
    for item in joins:
        classes.setdefault(_sorts_of(item, picture), []).append(item.capacity)
    room = (RIGHT - LEFT) * 72 * _INK
    return min(
        min(_THICK, room / len(capacities)) / float(np.sqrt(max(capacities)))
        for capacities in classes.values()
    )


def _colour(item: Bundle, picture: Picture, style: DrawStyle) -> tuple[float, float, float, float]:
    if picture.loaded:
        return style.shade(item.utilisation)
    red, green, blue, _ = to_rgba(style.media[item.medium])
    return (red, green, blue, 0.75)


def _attachments(picture: Picture, joins: Sequence[Bundle]) -> list[list[tuple[float, float]]]:
    """Return the line of every bundle: ends spread along the edges of the boxes they join."""
    boxes = picture.boxes
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for k, item in enumerate(joins):
        above.setdefault(item.low, []).append(k)
        below.setdefault(item.high, []).append(k)
    lower, upper = {}, {}
    for glyph, members in above.items():
        for k, x in _spread_ends(boxes[glyph], members, [boxes[joins[k].high].x for k in members]):
            lower[k] = (x, boxes[glyph].top)
    for glyph, members in below.items():
        for k, x in _spread_ends(boxes[glyph], members, [boxes[joins[k].low].x for k in members]):
            upper[k] = (x, boxes[glyph].bottom)
    lines = []
    for k, item in enumerate(joins):
        if picture.glyphs[item.low].row == picture.glyphs[item.high].row:
            lines.append(_bow(boxes[item.low], boxes[item.high]))
        else:
            lines.append([lower[k], upper[k]])
    return lines


def _spread_ends(
    box: Box, members: Sequence[int], others: Sequence[float]
) -> list[tuple[int, float]]:
    order = sorted(range(len(members)), key=lambda i: (others[i], members[i]))
    if box.width > (RIGHT - LEFT) / 2:
        return [(k, x) for k, x in zip(members, others, strict=True)]
    room = 0.7 * box.width
    step = room / max(1, len(members))
    first = box.x - room / 2 + step / 2
    return [(members[i], first + k * step) for k, i in enumerate(order)]


def _bow(first: Box, second: Box) -> list[tuple[float, float]]:
    """Return an arc over two boxes of one row."""
    t = np.linspace(0, np.pi, 17)
    middle, half = (first.x + second.x) / 2, (second.x - first.x) / 2
    rise = min(0.55, 0.08 + 0.09 * abs(half))
    x = middle - half * np.cos(t)
    y = first.top + rise * np.sin(t)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _draw_glyphs(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    captioned = _captioned(picture)
    room = _most_members(picture)
    for kind in dict.fromkeys(glyph.kind for glyph in picture.glyphs):
        here = [i for i, glyph in enumerate(picture.glyphs) if glyph.kind == kind]
        colour = style.devices[kind]
        single = {i for i in here if room[i] == 1}
        frames = [_rectangle(picture.boxes[i]) for i in here]
        fills = [to_rgba(colour, 0.3) if i in single else to_rgba(style.paper) for i in here]
        backs = PatchCollection(frames, facecolor=style.paper, edgecolor="none", zorder=2)
        fronts = PatchCollection(
            frames, facecolor=fills, edgecolor=colour, linewidth=1.0, zorder=3,
            gid=f"glyphs-{kind}",
        )  # fmt: skip
        cells = [
            cell
            for i in here
            if i not in single
            for cell in _cells(
                picture.boxes[i], len(picture.glyphs[i].members), room[i],
                _CAPTION if i in captioned else 0.0,
            )
        ]  # fmt: skip
        inner = PatchCollection(cells, facecolor=colour, edgecolor="none", zorder=4)
        for drawn in (backs, fronts, inner):
            ax.add_collection(drawn, autolim=False)
    _count(ax, picture, style, small, room)
    _caption(ax, picture, style, small, captioned)


def _most_members(picture: Picture) -> list[int]:
    """Return for each glyph how many devices the fullest of its like holds."""
    most: dict[tuple[int, str], int] = {}
    for glyph in picture.glyphs:
        key = (glyph.row, glyph.word)
        most[key] = max(most.get(key, 0), len(glyph.members))
    return [most[glyph.row, glyph.word] for glyph in picture.glyphs]


def _rectangle(box: Box) -> Rectangle:
    return Rectangle((box.left, box.bottom), box.width, box.height)


def _cells(box: Box, count: int, room: int, caption: float) -> list[Rectangle]:
    """Return a small square for each device of a glyph, at the size that fits the fullest."""
    if room > _CELLS and box.width < _STRIP:
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
    best = [c for c in range(1, count + 1) if count % c == 0 or c > count / 2]
    return min(best, key=lambda c: (abs(np.log(c / -(-count // c) / aspect)), -c))


def _captioned(picture: Picture) -> set[int]:
    """Return the glyphs with a caption inside: all in rows that are spread evenly, not lowest."""
    lowest = min(glyph.row for glyph in picture.glyphs)
    return {
        i
        for i, (glyph, box) in enumerate(zip(picture.glyphs, picture.boxes, strict=True))
        if glyph.column is None and glyph.row > lowest and 0.2 < box.width < _STRIP
    }


def _count(ax: Axes, picture: Picture, style: DrawStyle, small: float, room: list[int]) -> None:
    """Write a number where there is no room for a cell for each device."""
    for glyph, box, most in zip(picture.glyphs, picture.boxes, room, strict=True):
        if most > _CELLS and box.width < _STRIP:
            ax.text(
                box.x, box.y, f"{len(glyph.members):,}", ha="center", va="center", zorder=5,
                fontsize=0.8 * small, color=style.ink,
            )  # fmt: skip


def _caption(
    ax: Axes, picture: Picture, style: DrawStyle, small: float, captioned: set[int]
) -> None:
    size = 0.8 * small
    rows: dict[tuple[int, str], list[int]] = {}
    for i in sorted(captioned):
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
            _middle(picture, i), box.bottom - 0.05, words, ha="center", va="top", fontsize=size,
            color=style.ink, zorder=5,
        )  # fmt: skip


def _columns_row(picture: Picture) -> list[int]:
    """Return the glyphs that carry the names of the columns, below them: the NPUs, or lowest."""
    glyphs = picture.glyphs
    npus = [glyph.row for glyph in glyphs if glyph.kind == "npu"]
    row = min(npus or (glyph.row for glyph in glyphs))
    first = min((g for g in glyphs if g.row == row), key=precedence)
    chosen = [i for i, g in enumerate(glyphs) if g.row == row and g.word == first.word]
    return [] if picture.boxes[chosen[0]].width > _STRIP else chosen


def _middle(picture: Picture, i: int) -> float:
    """Return x of a glyph's column, or of the glyph if it is in none."""
    column = picture.glyphs[i].column
    if column is None:
        return picture.boxes[i].x
    columns = 1 + max(g.column for g in picture.glyphs if g.column is not None)
    return column_middle(column, columns)


def _short(
    picture: Picture, members: Sequence[int], size: float, *, inside: bool = False
) -> list[str]:
    """Return what every glyph is called, in as many words as there is room for."""
    if not members:
        return []
    boxes = picture.boxes
    labels = [picture.glyphs[i].label for i in members]
    places = sorted(_middle(picture, i) for i in members)
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


def _write_rows(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    heights = row_heights(picture.glyphs)
    for row, y in heights.items():
        words: dict[str, list[Glyph]] = {}
        for glyph in picture.glyphs:
            if glyph.row == row:
                words.setdefault(glyph.word, []).append(glyph)
        ordered = sorted(words.items(), key=lambda item: precedence(item[1][0]))
        said = "\n".join(_row_text(word, members) for word, members in ordered)
        ax.text(
            0.15, y, said, ha="left", va="center", fontsize=small, color=style.ink, zorder=5,
            linespacing=1.35,
        )  # fmt: skip


def _row_text(word: str, members: Sequence[Glyph]) -> str:
    total = sum(len(glyph.members) for glyph in members)
    each = {len(glyph.members) for glyph in members}
    said = f"{total:,} {_plural(word, members[0].kind, total)}"
    if each == {1} or len(members) == 1:
        return said
    unit = members[0].by
    per = f"{max(each)}" if len(each) == 1 else f"{min(each)} to {max(each)}"
    return f"{said}\n  {per} {'in' if unit[0].isdigit() else 'a'} {unit}"


def _plural(word: str, kind: str, count: int) -> str:
    if kind == "switch" and not word.lower().endswith("switch"):
        word = f"{word} switch"
    ending = "es" if word.endswith("ch") else "s"
    return word if count == 1 else word + ending


def _write_classes(ax: Axes, picture: Picture, style: DrawStyle, small: float) -> None:
    """Say in the right margin what the links of each gap are, with a sample of the line."""
    heights = row_heights(picture.glyphs)
    blocks = [(_class_lines(cls, picture), cls) for cls in picture.classes]
    tall = [len(lines) * _LINE + 0.14 for lines, _ in blocks]
    wished = [(heights[cls.rows[0]] + heights[cls.rows[1]]) / 2 for _, cls in blocks]
    left = RIGHT + 0.25
    for (lines, cls), y in zip(blocks, _packed(wished, tall), strict=True):
        limits = picture.loaded and 0 < picture.peak * _EQUAL <= cls.utilisation
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
        limits = 0 < picture.peak * _EQUAL <= cls.utilisation
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
    floor = 0.75
    for i in reversed(order):
        if placed[i] - tall[i] < floor:
            placed[i] = floor + tall[i]
        floor = max(floor, placed[i])
    return [placed[i] - _LINE / 2 for i in range(len(wished))]


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
    ax.text(0.15, y, said, ha="left", va="center", fontsize=size, color=style.faint)
    if not picture.loaded:
        return
    left, wide = RIGHT + 0.25, 1.3
    ramp = style.colormap(np.linspace(0, 1, 128))[np.newaxis]
    ax.imshow(ramp, extent=(left, left + wide, y - 0.06, y + 0.06), aspect="auto", zorder=5)
    ax.set_xlim(0, WIDTH)
    ax.set_ylim(0, HEIGHT)
    ax.text(
        left + wide + 0.08, y, "0 to 100 % busy", ha="left", va="center", fontsize=size,
        color=style.faint,
    )  # fmt: skip


def _name_worst(
    ax: Axes, supernode: Supernode, picture: Picture, style: DrawStyle, small: float
) -> None:
    """Point at the busiest bundle, if it is busier than its like."""
    worst = [item for item in picture.worst if item.low != item.high]
    if not worst or not picture.loaded:
        return
    first = worst[0]
    alike = [
        item for item in picture.bundles if _sorts_of(item, picture) == _sorts_of(first, picture)
    ]
    if len(worst) > len(alike) / 2:
        return
    joins = [item for item in picture.bundles if item.low != item.high]
    line = _attachments(picture, joins)[joins.index(first)]
    x = (line[0][0] + line[-1][0]) / 2
    y = line[len(line) // 2][1] if len(line) > 2 else (line[0][1] + line[1][1]) / 2
    u, v = supernode.fabric.arcs[first.worst]
    more = f" and {len(worst) - 1} more" if len(worst) > 1 else ""
    words = f"{u} → {v}{more}: {units.format_percent(first.utilisation)}"
    half = text_width(words, small) / 2 + 0.1
    x = min(max(x, LEFT + half), RIGHT - half)
    ax.text(
        x, y, words, ha="center", va="center", fontsize=small, color=style.ink, zorder=7,
        gid="worst",
        bbox={"boxstyle": "round,pad=0.3", "facecolor": style.paper, "edgecolor": style.worst},
    )  # fmt: skip


def _sorts_of(item: Bundle, picture: Picture) -> tuple[str, str, str]:
    return (picture.glyphs[item.low].word, picture.glyphs[item.high].word, item.medium)
