"""Make figures, write titles that fit, and save the same file for the same picture."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from topology import files
from topology.drawing.style import DrawStyle
from topology.errors import SupernodeError

FORMATS = ("png", "svg", "pdf")
"""What `save` writes."""

_UNDATED: Mapping[str, Mapping[str, None]] = MappingProxyType(
    {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
)
_WIDE = 0.6  # of the font size: how wide a letter of DejaVu Sans is on average
_POINTS = 72.0


def new_figure(style: DrawStyle, width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches; it is not known to pyplot."""
    figure = Figure(figsize=(width, height), facecolor=style.paper, dpi=150)
    FigureCanvasAgg(figure)
    return figure


def page(style: DrawStyle, width: float, height: float, ax: Axes | None) -> tuple[Figure, Axes]:
    """Return axes whose data units are inches of a page, on a new figure or the one given."""
    if ax is None:
        figure = new_figure(style, width, height)
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_axis_off()
    return figure_of(ax), ax


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes stand on."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise SupernodeError("ax is not on a figure any more; make new axes")
    return figure


def shrink_texts(ax: Axes, texts: Iterable[Text], width: float, height: float) -> None:
    """Shrink text that was sized for a page to axes that are smaller than the page.

    Parameters
    ----------
    ax
        The axes the texts stand on.
    texts
        What to shrink.
    width, height
        Of the page, inches.
    """
    box, dpi = ax.get_window_extent(), float(figure_of(ax).dpi)
    scale = min(1.0, float(box.width) / dpi / width, float(box.height) / dpi / height)
    for text in texts:
        text.set_fontsize(float(text.get_fontsize()) * scale)


def text_width(text: str, size: float) -> float:
    """Return about how many inches a line of text takes at a size in points."""
    return len(text) * size * _WIDE / _POINTS


def wrapped(text: str, size: float, width: float) -> str:
    """Return text broken into lines that fit a width in inches at a size in points."""
    letters = max(8, int(width * _POINTS / (size * _WIDE)))
    return "\n".join(textwrap.wrap(text, letters, break_long_words=False)) or text


def write_title(
    ax: Axes, style: DrawStyle, conclusion: str, asked: str, *, width: float, left: float = 0.0
) -> None:
    """Write what a picture concludes, and below it what was asked, above the axes.

    Parameters
    ----------
    ax
        Axes with a title on the left.
    style
        How it looks.
    conclusion, asked
        The two sentences.
    width
        Inches there are for them.
    left
        Where they begin, as a fraction of the axes.
    """
    small = style.font
    lines = wrapped(asked, small, width)
    drop = 4.0
    below = (lines.count("\n") + 1) * small * 1.3 + drop
    ax.annotate(
        lines, (left, 1), (0, drop), xycoords="axes fraction", textcoords="offset points",
        ha="left", va="bottom", fontsize=small, color=style.faint, gid="asked",
    )  # fmt: skip
    ax.set_title(
        wrapped(conclusion, small + 3, width), loc="left", x=left, fontsize=small + 3,
        fontweight="bold", color=style.ink, pad=below + drop,
    )  # fmt: skip


def quiet_axes(ax: Axes, style: DrawStyle) -> None:
    """Colour the axes, and take away the box around them."""
    ax.set_facecolor(style.paper)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(style.faint)
    ax.tick_params(colors=style.ink, labelsize=style.font - 1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_color(style.ink)
        axis.label.set_fontsize(style.font)


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
            target,
            dpi=dpi,
            format=kind,
            metadata=dict(_UNDATED[kind]),
            facecolor=figure.get_facecolor(),
        )
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
