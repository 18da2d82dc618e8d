"""Place glyphs on a page in inches: tiers upwards, places in columns. Nothing here draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology.drawing.grouping import Glyph

WIDTH, HEIGHT = 12.8, 7.2
"""Inches of a page."""
LEFT, RIGHT, BOTTOM, TOP = 1.55, 9.75, 0.95, 5.9
"""Where the glyphs stand: row names to the left, link classes to the right, title above."""

_TALL, _WIDEST = 0.46, 1.05
_FILL = 0.82


@dataclass(frozen=True)
class Box:
    """A rectangle on the page by its centre and size, in inches."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Return its lower edge."""
        return self.y - self.height / 2

    @property
    def top(self) -> float:
        """Return its upper edge."""
        return self.y + self.height / 2

    @property
    def left(self) -> float:
        """Return its left edge."""
        return self.x - self.width / 2


def place_tiers(glyphs: Sequence[Glyph]) -> tuple[Box, ...]:
    """Return a box for every glyph: its row by tier, its column by where it stands.

    Glyphs of one place share a column, so what is in one rack stands in one line; rows without
    places are spread evenly.
    """
    heights = row_heights(glyphs)
    boxes: dict[int, Box] = {}
    for row, y in heights.items():
        here = [i for i, glyph in enumerate(glyphs) if glyph.row == row]
        aligned = [i for i in here if glyphs[i].column is not None]
        free = [i for i in here if glyphs[i].column is None]
        boxes |= _aligned(glyphs, aligned, y)
        strips = [i for i in free if _whole(glyphs, i)]
        boxes |= _stacked(glyphs, strips, y)
        boxes |= _spread([i for i in free if i not in strips], y)
    return tuple(boxes[i] for i in range(len(glyphs)))


def row_heights(glyphs: Sequence[Glyph]) -> dict[int, float]:
    """Return y of every row in inches."""
    rows = sorted({glyph.row for glyph in glyphs})
    if len(rows) == 1:
        return {rows[0]: (BOTTOM + TOP) / 2}
    return dict(zip(rows, np.linspace(BOTTOM, TOP, len(rows)).tolist(), strict=True))


def _aligned(glyphs: Sequence[Glyph], here: Sequence[int], y: float) -> dict[int, Box]:
    if not here:
        return {}
    columns = columns_of(glyphs, glyphs[here[0]])
    wide = (RIGHT - LEFT) / columns
    ordered = sorted((glyphs[i] for i in here), key=precedence)
    words = list(dict.fromkeys(glyph.word for glyph in ordered))
    most = [max(len(glyphs[i].members) for i in here if glyphs[i].word == word) for word in words]
    shares = np.sqrt(most) / np.sqrt(most).sum()
    middles = dict(zip(words, (np.cumsum(shares) - shares / 2).tolist(), strict=True))
    share = dict(zip(words, shares.tolist(), strict=True))
    room = min(wide * _FILL, _WIDEST * len(words))
    gap = 0.12 if len(words) > 1 else 0.0
    boxes = {}
    for i in here:
        glyph = glyphs[i]
        x = column_middle(glyph.column or 0, columns) + room * (middles[glyph.word] - 0.5)
        boxes[i] = Box(x, y, room * share[glyph.word] * (1 - gap), _TALL)
    return boxes


def precedence(glyph: Glyph) -> tuple[int, str]:
    """Return a sort key: what carries the collective comes first."""
    return ({"npu": 0, "switch": 1, "nic": 2, "cpu": 3}.get(glyph.kind, 4), glyph.word)


def _whole(glyphs: Sequence[Glyph], i: int) -> bool:
    """Return whether a glyph is all there is of its sort, and more than one device."""
    glyph = glyphs[i]
    alike = sum(g.word == glyph.word and g.row == glyph.row for g in glyphs)
    return alike == 1 and len(glyph.members) > 1


def _stacked(glyphs: Sequence[Glyph], strips: Sequence[int], y: float) -> dict[int, Box]:
    """Return strips over the whole width, one above the other."""
    if not strips:
        return {}
    strips = sorted(strips, key=lambda i: precedence(glyphs[i]))
    tall = (_TALL + 0.1) / len(strips)
    middle, wide = (LEFT + RIGHT) / 2, (RIGHT - LEFT) * 0.98
    top = y + tall * (len(strips) - 1) / 2
    return {i: Box(middle, top - k * tall, wide, tall - 0.1) for k, i in enumerate(strips)}


def _spread(here: Sequence[int], y: float) -> dict[int, Box]:
    count = len(here)
    own = min((RIGHT - LEFT) / max(1, count) * _FILL, _WIDEST)
    return {i: Box(column_middle(k, count), y, own, _TALL) for k, i in enumerate(here)}


def columns_of(glyphs: Sequence[Glyph], glyph: Glyph) -> int:
    """Return how many columns there are for glyphs that are gathered like one of them."""
    return 1 + max(g.column for g in glyphs if g.by == glyph.by and g.column is not None)


def column_middle(column: int, columns: int) -> float:
    """Return x of the middle of a column in inches."""
    return LEFT + (column + 0.5) * (RIGHT - LEFT) / columns
