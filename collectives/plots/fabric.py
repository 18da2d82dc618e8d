"""Draw a machine with its links coloured by what a collective does to them."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectives.analysis.answer import Analysis
from collectives.plots.words import asked, first_capital
from topology.drawing import MOST_GLYPHS, DrawStyle, draw


def plot_fabric(
    analysis: Analysis,
    ax: Axes | None = None,
    *,
    style: str | DrawStyle = "light",
    most: int = MOST_GLYPHS,
) -> tuple[Figure, Axes]:
    """Draw the machine of an analysis by `topology.draw`, and return the figure and its axes.

    Parameters
    ----------
    analysis
        What ran where; the title says what limits it, the worst bundle is named.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.
    most
        How many glyphs there is room for.
    """
    return draw(
        analysis.supernode,
        ax,
        utilisation=analysis.utilisation,
        title=first_capital(analysis.bottleneck.sentence),
        note=asked(analysis),
        style=style,
        most=most,
    )
