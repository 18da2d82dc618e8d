"""Make figures, write titles that fit, and save the same file for the same picture."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from topology import files
from topology.drawing.layout import HEIGHT, WIDTH
from topology.drawing.style import DrawStyle
from topology.errors import SupernodeError

FORMATS = ("png", "svg", "pdf")
"""What `save` writes."""

_UNDATED: Mapping[str, Mapping[str, None]] = MappingProxyType(
    {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
)
_WIDE = 0.6  # of the font size: how wide a letter of DejaVu Sans is on average
_POINTS = 72.0
Place = tuple[float, float, float, float]
_WHOLE: Place = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Sheet:
    """Axes and how what is put on them looks."""

    ax: Axes
    style: DrawStyle

    @classmethod
    def new(cls, style: DrawStyle, width: float, height: float, place: Place = _WHOLE) -> Self:
        """Return axes at a place, 0 to 1, of a new figure in inches; pyplot does not know it."""
        figure = Figure(figsize=(width, height), facecolor=style.paper, dpi=150)
        FigureCanvasAgg(figure)
        return cls(figure.add_axes(place), style)

    @property
    def figure(self) -> Figure:
        """Return the figure the axes stand on."""
        figure = self.ax.get_figure(root=True)
        if figure is None:
            raise SupernodeError("ax is not on a figure any more; make new axes")
        return figure

    def write(
        self, x: float, y: float, words: str, *, ground: str = "", gap: float = 0.0, **look: Any
    ) -> Text:
        """Write beside a place, centred in height, in ink, unless the look says else.

        Parameters
        ----------
        x, y
            The place, in the units of the axes.
        words
            What is written.
        ground
            Colour of a line around, on a ground of paper; "none" for the ground alone, and
            nothing for neither.
        gap
            Points between the place and the words, which stand to the left if it is negative.
        **look
            As in `Axes.text`.
        """
        usual = {
            "ha": "right" if gap < 0 else "left", "va": "center", "color": self.style.ink,
            "fontsize": self.style.font,
        }  # fmt: skip
        if ground:
            shape = f"round,pad={0.1 if ground == 'none' else 0.3}"
            look["bbox"] = {
                "boxstyle": shape, "facecolor": self.style.paper, "edgecolor": ground,
            }  # fmt: skip
        if gap:
            return self.ax.annotate(
                words, (x, y), (gap, 0), textcoords="offset points", **usual | look
            )
        return self.ax.text(x, y, words, **usual | look)

    def block(
        self, x: float, y: float, width: float, height: float, edge: str, **look: Any
    ) -> None:
        """Draw a rectangle of paper from its lower left corner; the look is that of a patch."""
        usual: dict[str, Any] = {"facecolor": self.style.paper, "edgecolor": edge, "zorder": 2}
        self.ax.add_patch(Rectangle((x, y), width, height, **usual | look))

    def beside(self, x: float, y: float, words: str, gap: float = 3.0, **look: Any) -> None:
        """Write a value, small, beside the end of its bar; see `write`."""
        self.write(x, y, words, gap=gap, fontsize=self.style.font - 2, **look)

    def quieten(self) -> None:
        """Colour the axes, and take away the box around them."""
        self.ax.set_facecolor(self.style.paper)
        for side, spine in self.ax.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(self.style.faint)
        self.ax.tick_params(colors=self.style.ink, labelsize=self.style.font - 1)
        for axis in (self.ax.xaxis, self.ax.yaxis):
            axis.label.set(color=self.style.ink, fontsize=self.style.font)


@contextmanager
def page(style: DrawStyle, ax: Axes | None, title: str, note: str) -> Iterator[Sheet]:
    """Yield axes whose units are inches of a page, under a title and a note.

    Parameters
    ----------
    style
        How it looks.
    ax
        Where to draw; None for a new figure. On axes that are smaller than the page, the text
        shrinks with it.
    title, note
        What the picture concludes, and what was asked.
    """
    sheet = Sheet.new(style, WIDTH, HEIGHT) if ax is None else Sheet(ax, style)
    sheet.ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    sheet.ax.set_axis_off()
    before = len(sheet.ax.texts)
    big, room = style.font + 3, WIDTH - 0.5
    said = wrapped(title, big, room)
    sheet.write(
        0.15, HEIGHT - 0.12, said, va="top", fontsize=big, fontweight="bold", gid="title",
        linespacing=1.15,
    )  # fmt: skip
    drop = 0.16 + lines_of(said) * big * 1.25 / _POINTS
    asked = wrapped(note, style.font, room)
    sheet.write(0.15, HEIGHT - drop, asked, va="top", color=style.faint, gid="note")
    yield sheet
    box, dpi = sheet.ax.get_window_extent(), float(sheet.figure.dpi)
    scale = min(1.0, float(box.width) / dpi / WIDTH, float(box.height) / dpi / HEIGHT)
    for text in list(sheet.ax.texts)[before:]:
        text.set_fontsize(float(text.get_fontsize()) * scale)


def text_width(text: str, size: float) -> float:
    """Return about how many inches a line of text takes at a size in points."""
    return len(text) * size * _WIDE / _POINTS


def wrapped(text: str, size: float, width: float) -> str:
    """Return text broken into lines that fit a width in inches at a size in points."""
    letters = max(8, int(width * _POINTS / (size * _WIDE)))
    return "\n".join(textwrap.wrap(text, letters, break_long_words=False)) or text


def lines_of(text: str) -> int:
    """Return how many lines a text has."""
    return text.count("\n") + 1


def save(figure: Figure, path: str | Path, *, dpi: float = 150.0) -> Path:
    """Write a figure as PNG, SVG or PDF; the same picture gives the same file.

    Parameters
    ----------
    figure
        What to write.
    path
        Ends in .png, .svg or .pdf.
    dpi
        Dots per inch of a PNG.

    Raises
    ------
    SupernodeError
        If the name ends in none of these, or the file cannot be written.
    """
    target = files.path(path)
    kind = check_format(target)
    look = mpl.rc_context({"svg.hashsalt": "supernode", "svg.fonttype": "path"})
    with files.opening(target, "written"), look:
        figure.savefig(
            target, dpi=dpi, format=kind, metadata=dict(_UNDATED[kind]),
            facecolor=figure.get_facecolor(),
        )  # fmt: skip
    return target


def check_format(path: str | Path) -> str:
    """Return the format a file name asks for; raise `SupernodeError` if it is not known."""
    kind = files.path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise SupernodeError(
            f"{str(path)!r} ends in {'.' + kind if kind else 'nothing'!r}; a picture is written "
            f"as one of {', '.join('.' + name for name in FORMATS)}"
        )
    return kind
