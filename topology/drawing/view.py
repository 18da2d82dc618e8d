"""Say what a drawing of a machine shows, before any of it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from topology.drawing.bundles import Bundle, BundleClass, bundle, bundle_classes, check_utilisation
from topology.drawing.coordinates import Arrangement, arrange
from topology.drawing.grouping import MOST_GLYPHS, Glyph
from topology.drawing.layout import Box, column_middle, columns_of
from topology.drawing.paths import Line, run_lines
from topology.supernode import Supernode

STRIP = 2.0
"""A glyph wider than this, in inches, spans the page."""
CELLS = 128
"""A glyph of more devices shows a number instead of cells."""
EQUAL = 1 - 1e-9
_CELL = 0.0015  # square inches


@dataclass(frozen=True, eq=False)
class Picture:
    """What a drawing of a machine shows, before it is drawn.

    Attributes
    ----------
    arrangement
        What stands where.
    bundles, classes
        What joins them.
    lines
        The lines of every bundle, in inches.
    loaded
        Whether the links are coloured by utilisation.
    title, note
        The two lines above.
    """

    arrangement: Arrangement
    bundles: tuple[Bundle, ...]
    lines: tuple[tuple[Line, ...], ...]
    classes: tuple[BundleClass, ...]
    loaded: bool
    title: str
    note: str

    @property
    def glyphs(self) -> tuple[Glyph, ...]:
        """Return what stands there."""
        return self.arrangement.glyphs

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Return where, in inches."""
        return self.arrangement.boxes

    @property
    def tiered(self) -> bool:
        """Return whether the glyphs stand in tiers."""
        return self.arrangement.shape == "tiers"

    @property
    def peak(self) -> float:
        """Return the utilisation of the busiest link."""
        return max((item.utilisation for item in self.bundles), default=0.0)

    def limits(self, utilisation: float) -> bool:
        """Return whether links so busy are the busiest, by which links are coloured."""
        return self.loaded and 0 < self.peak * EQUAL <= utilisation

    @property
    def worst(self) -> tuple[Bundle, ...]:
        """Return the bundles that hold a link as busy as the busiest."""
        return tuple(item for item in self.bundles if self.limits(item.utilisation))


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
    arrangement = arrange(supernode, most)
    bundles = bundle(fabric, arrangement.glyphs, used)
    classes = bundle_classes(arrangement.glyphs, bundles)
    return Picture(
        arrangement=arrangement,
        bundles=bundles,
        lines=run_lines(arrangement, bundles),
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
    ranks = plural(words.pop() if len(words) == 1 else "rank", "npu", len(supernode.npus))
    return f"{supernode.name}: {len(supernode.npus):,} {ranks} {joined}"


def _note(supernode: Supernode) -> str:
    history = "; ".join(supernode.history)
    return history or "as built; capacities are one direction, line rate"


def shows_cells(box: Box, most: int) -> bool:
    """Return whether a glyph has room for a cell for each of its devices."""
    tight = box.height * box.width / max(1, most) < _CELL
    return most > 1 and (box.width > STRIP or (most <= CELLS and not tight))


def plural(word: str, kind: str, count: int) -> str:
    """Return what some devices are called: "NPUs", "L2 switches", "leaf switch"."""
    if kind == "switch" and not word.lower().endswith("switch"):
        word = f"{word} switch"
    ending = "es" if word.endswith("ch") else "s"
    return word if count == 1 else word + ending


def sorts_of(item: Bundle, picture: Picture) -> tuple[str, str, str]:
    """Return the sorts of device a bundle joins, and its medium."""
    return (picture.glyphs[item.low].word, picture.glyphs[item.high].word, item.medium)


def most_members(picture: Picture) -> list[int]:
    """Return for each glyph how many devices the fullest of its like holds."""
    most: dict[tuple[int, str], int] = {}
    for glyph in picture.glyphs:
        key = (glyph.row, glyph.word)
        most[key] = max(most.get(key, 0), len(glyph.members))
    return [most[glyph.row, glyph.word] for glyph in picture.glyphs]


def captioned(picture: Picture) -> set[int]:
    """Return the glyphs with a caption inside: all in rows that are spread evenly, not lowest."""
    if not picture.tiered:
        return set()
    lowest = min(glyph.row for glyph in picture.glyphs)
    return {
        i
        for i, (glyph, box) in enumerate(zip(picture.glyphs, picture.boxes, strict=True))
        if glyph.column is None and glyph.row > lowest and 0.2 < box.width < STRIP
    }


def middle_of(picture: Picture, i: int) -> float:
    """Return x of a glyph's column, or of the glyph if it is in none."""
    column = picture.glyphs[i].column
    if column is None:
        return picture.boxes[i].x
    return column_middle(column, columns_of(picture.glyphs, picture.glyphs[i]))
