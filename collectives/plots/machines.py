"""Plot machines side by side: every quantity against the largest, with its value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectives.analysis.comparison import Comparison
from collectives.plots.frame import framed
from topology.drawing.style import DrawStyle

_HATCHES = ("", "///", "...", "xx", "\\\\\\", "--")
_LIKE = (
    "NPUs", "BF16", "memory", "HBM", "bandwidth", "bisection", "power", "optic", "price",
)  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """One quantity of every machine.

    Attributes
    ----------
    title
        "bisection, one way".
    values
        In SI units; None where nobody says.
    texts
        The values as printed, with their units.
    shares
        Each value over the largest, 0 to 1; None where nobody says.
    """

    title: str
    values: tuple[float | None, ...]
    texts: tuple[str, ...]
    shares: tuple[float | None, ...]


def machine_measures(comparison: Comparison) -> tuple[Measure, ...]:
    """Return the quantities of the press table that at least two machines have.

    Where sources disagree, the first row of a quantity is taken.
    """
    found: dict[str, Measure] = {}
    for row in (*comparison.published, *comparison.computed):
        title = re.sub(r", another source.*", "", row.title)
        values = tuple(cell.value for cell in row.cells)
        known = [value for value in values if value is not None]
        wanted = any(word.lower() in title.lower() for word in _LIKE)
        if title in found or not wanted or len(known) < min(2, len(values)) or max(known) <= 0:
            continue
        most = max(known)
        shares = tuple(None if value is None else value / most for value in values)
        found[title] = Measure(title, values, tuple(cell.text for cell in row.cells), shares)
    return tuple(found.values())


def plot_machines(
    comparison: Comparison, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Plot the machines of a comparison as bars, each quantity against its largest.

    Parameters
    ----------
    comparison
        From `collectives.compare`.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    measures = machine_measures(comparison)
    names, rows = comparison.names, len(measures)
    plot = framed(
        style, ax, 6.0, 0.2 + 0.21 * (len(names) + 0.8) * max(1, rows), left=2.4, right=1.6,
        legend=1, xlim=(0, 100), ylim=(rows - 0.45, -0.55), xlabel="share of the largest, %",
    )  # fmt: skip
    each = 0.8 / len(names)
    for k, name in enumerate(names):
        places = [row + (k - (len(names) - 1) / 2) * each for row in range(rows)]
        shares = [100 * (measure.shares[k] or 0.0) for measure in measures]
        plot.ax.barh(
            places, shares, height=0.9 * each, color=plot.style.line(k)["color"], linewidth=0.4,
            hatch=_HATCHES[k % len(_HATCHES)], edgecolor=plot.style.paper, label=name, zorder=3,
        )  # fmt: skip
        for place, share, measure in zip(places, shares, measures, strict=True):
            plot.beside(share, place, measure.texts[k])
    titles = [measure.title for measure in measures]
    plot.ax.set_yticks(range(rows), titles, fontsize=plot.style.font - 1)
    plot.grid("x")
    plot.legend(min(4, len(names)), middle=0.4)
    asked = "each bar is a share of the largest; the value beside it is one direction, as published"
    return plot.titled(str(comparison.parts()[0]), asked)
