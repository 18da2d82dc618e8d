"""Plot machines side by side: every quantity against the largest, with its value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectives.analysis.comparison import Comparison
from collectives.plots.frame import framed, head
from topology.drawing.style import DrawStyle, draw_style

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
    looks = draw_style(style)
    measures = machine_measures(comparison)
    count = len(comparison.names)
    tall = 2.1 + 0.21 * (count + 0.8) * max(1, len(measures))
    figure, ax = framed(looks, ax, (10.0, tall), (0.24, 1.0 / tall, 0.60, 1 - 1.9 / tall))
    each = 0.8 / count
    for k, name in enumerate(comparison.names):
        places = [row + (k - (count - 1) / 2) * each for row in range(len(measures))]
        shares = [100 * (measure.shares[k] or 0.0) for measure in measures]
        ax.barh(
            places, shares, height=0.9 * each, color=looks.series[k % len(looks.series)],
            hatch=_HATCHES[k % len(_HATCHES)], edgecolor=looks.paper, linewidth=0.4, label=name,
            zorder=3,
        )  # fmt: skip
        for place, share, measure in zip(places, shares, measures, strict=True):
            ax.annotate(
                measure.texts[k], (share, place), (3, 0), textcoords="offset points",
                va="center", fontsize=looks.font - 2, color=looks.ink,
            )  # fmt: skip
    ax.set_yticks(range(len(measures)), [m.title for m in measures], fontsize=looks.font - 1)
    ax.set_ylim(len(measures) - 0.45, -0.55)
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of the largest, %")
    ax.grid(visible=True, axis="x", color=looks.grid, linewidth=0.6)
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.4, -0.5 / (tall - 1.9)), ncols=min(4, count),
        frameon=False, fontsize=looks.font - 1, labelcolor=looks.ink,
    )  # fmt: skip
    asked = "each bar is a share of the largest; the value beside it is one direction, as published"
    head(ax, looks, str(comparison.parts()[0]), asked)
    return figure, ax
