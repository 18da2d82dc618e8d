"""Set up the axes of every plot alike: margins, title, grid, legend, colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from topology.drawing.canvas import Place, Sheet, lines_of, wrapped
from topology.drawing.style import DrawStyle, draw_style
from topology.fabric import FloatArray

_MARGIN = 0.15  # inches
_ABOVE, _BELOW, _LINE = 1.0, 0.75, 0.21
_DROP = 0.52  # inches from the axes to the legend
_PAD = 4.0  # points between the lines of the title, and above the axes


@dataclass(frozen=True)
class Plot(Sheet):
    """Axes of a plot; `own` if the figure holds nothing else."""

    own: bool = False

    def grid(self, axis: Literal["both", "x", "y"] = "both") -> None:
        """Draw lines that help, behind all else."""
        self.ax.grid(visible=True, axis=axis, color=self.style.grid, linewidth=0.6)
        self.ax.set_axisbelow(True)

    def legend(
        self, columns: int = 1, *, middle: float = 0.5, handles: Sequence[Artist] | None = None
    ) -> None:
        """Put the legend below the axes, centred at a share of their width."""
        drop = ScaledTranslation(0.0, -_DROP, self.figure.dpi_scale_trans)
        self.ax.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(middle, 0.0), ncols=columns,
            bbox_transform=self.ax.transAxes + drop, borderaxespad=0.0, frameon=False,
            fontsize=self.style.font - 1, labelcolor=self.style.ink,
        )  # fmt: skip

    def titled(self, conclusion: str, asked: str) -> tuple[Figure, Axes]:
        """Write the conclusion and the question above, and return the figure and the axes."""
        box, wide = self.ax.get_position(), float(self.figure.get_figwidth())
        left = (_MARGIN / wide - box.x0) / box.width if self.own else 0.0
        room = (1 - box.x0 - left * box.width) * wide - _MARGIN
        small, big = self.style.font, self.style.font + 3
        said = wrapped(asked, small, room)
        self.ax.annotate(
            said, (left, 1), (0, _PAD), xycoords="axes fraction", textcoords="offset points",
            va="bottom", fontsize=small, color=self.style.faint, gid="asked",
        )  # fmt: skip
        self.ax.set_title(
            wrapped(conclusion, big, room), loc="left", x=left, fontsize=big, fontweight="bold",
            color=self.style.ink, pad=lines_of(said) * small * 1.3 + 2 * _PAD,
        )  # fmt: skip
        return self.figure, self.ax


def framed(
    style: str | DrawStyle,
    ax: Axes | None,
    width: float,
    height: float,
    *,
    left: float = 0.85,
    right: float = 0.4,
    legend: int = 0,
    **settings: Any,
) -> Plot:
    """Return the axes of a plot: those given, or new ones.

    Parameters
    ----------
    style
        How it looks.
    ax
        Where to draw; None for a new figure.
    width, height
        Inches of new axes.
    left, right
        Inches beside them.
    legend
        How many lines the legend below them has.
    **settings
        Of the axes, as `Axes.set` takes them: limits and labels.
    """
    looks = draw_style(style)
    bottom = _BELOW + _LINE * legend
    wide, tall = left + width + right, bottom + height + _ABOVE
    place = (left / wide, bottom / tall, width / wide, height / tall)
    plot = Plot.new(looks, wide, tall, place) if ax is None else Plot(ax, looks)
    plot = replace(plot, own=ax is None)
    plot.quieten()
    plot.ax.set(**settings)
    return plot


def draw_cells(sheet: Sheet, values: FloatArray, norm: Normalize) -> QuadMesh:
    """Colour a table of numbers, the first row on top, as vectors; NaN is left bare.

    Parameters
    ----------
    sheet
        Where to draw; cell (i, j) is centred on x = j, y = i.
    values
        Shape (rows, columns).
    norm
        From values to 0 to 1.
    """
    rows, columns = values.shape
    mesh = sheet.ax.pcolormesh(
        np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, np.ma.masked_invalid(values),
        cmap=sheet.style.colormap, norm=norm, edgecolors="face", linewidth=0.2,
    )  # fmt: skip
    sheet.ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    return mesh


def colour_bar(sheet: Sheet, mapped: ScalarMappable, place: Place) -> Colorbar:
    """Draw a colour bar at a place of the axes, as vectors, as the rest of the picture is."""
    bar = sheet.figure.colorbar(mapped, cax=sheet.ax.inset_axes(place))
    if bar.solids is not None:
        bar.solids.set_rasterized(False)
    bar.ax.tick_params(colors=sheet.style.ink, labelsize=sheet.style.font - 2)
    return bar
