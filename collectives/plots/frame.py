"""Set up axes with room for a title, and size text and bars alike everywhere."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from topology.drawing.canvas import figure_of, new_figure, quiet_axes, write_title
from topology.drawing.style import DrawStyle

_OWN = "page"
_MARGIN = 0.15  # inches
Rectangle = tuple[float, float, float, float]


def framed(
    style: DrawStyle, ax: Axes | None, size: tuple[float, float], place: Rectangle
) -> tuple[Figure, Axes]:
    """Return a figure and quiet axes: those given, or new ones.

    Parameters
    ----------
    style
        How it looks.
    ax
        Where to draw; None for a new figure.
    size
        Inches of a new figure, across and up.
    place
        Left, bottom, width, height of the axes on it, 0 to 1.
    """
    if ax is None:
        ax = new_figure(style, *size).add_axes(place)
        ax.set_gid(_OWN)
    quiet_axes(ax, style)
    return figure_of(ax), ax


def head(ax: Axes, style: DrawStyle, conclusion: str, asked: str) -> None:
    """Write the conclusion and the question above axes, as wide as the page allows."""
    figure = figure_of(ax)
    box, wide = ax.get_position(), float(figure.get_figwidth())
    left = (_MARGIN / wide - box.x0) / box.width if ax.get_gid() == _OWN else 0.0
    room = (1 - box.x0 - left * box.width) * wide - _MARGIN
    write_title(ax, style, conclusion, asked, width=room, left=left)
