"""Set up axes with room for a title, and size text and bars alike everywhere."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from topology.drawing.canvas import figure_of, new_figure, quiet_axes, write_title
from topology.drawing.style import DrawStyle
from topology.fabric import FloatArray

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


def draw_cells(ax: Axes, values: FloatArray, style: DrawStyle, norm: Normalize) -> QuadMesh:
    """Colour a table of numbers, the first row on top, as vectors; NaN is left bare.

    Parameters
    ----------
    ax
        Where to draw; cell (i, j) is centred on x = j, y = i.
    values
        Shape (rows, columns).
    style
        Whose ramp to use.
    norm
        From values to 0 to 1.
    """
    rows, columns = values.shape
    mesh = ax.pcolormesh(
        np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, np.ma.masked_invalid(values),
        cmap=style.colormap, norm=norm, edgecolors="face", linewidth=0.2,
    )  # fmt: skip
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    return mesh


def vector_bar(bar: Colorbar) -> None:
    """Draw a colour bar as vectors, as the rest of the picture is."""
    if bar.solids is not None:
        bar.solids.set_rasterized(False)


def head(ax: Axes, style: DrawStyle, conclusion: str, asked: str) -> None:
    """Write the conclusion and the question above axes, as wide as the page allows."""
    figure = figure_of(ax)
    box, wide = ax.get_position(), float(figure.get_figwidth())
    left = (_MARGIN / wide - box.x0) / box.width if ax.get_gid() == _OWN else 0.0
    room = (1 - box.x0 - left * box.width) * wide - _MARGIN
    write_title(ax, style, conclusion, asked, width=room, left=left)
