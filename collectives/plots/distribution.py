"""Plot how evenly the links of each tier are used: sorted, with the highest and the mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectives.analysis.answer import Analysis
from collectives.plots.frame import framed
from collectives.plots.words import asked, first_capital
from topology import units
from topology.drawing.style import DrawStyle
from topology.fabric import ArcClass, FloatArray


@dataclass(frozen=True, eq=False)
class Distribution:
    """How busy the links of one class are.

    Attributes
    ----------
    name, medium
        "NPU→L1", "copper".
    values
        Utilisation of every link, the busiest first, shape (links,).
    """

    name: str
    medium: str
    values: FloatArray

    @property
    def highest(self) -> float:
        """Return the utilisation of the busiest link."""
        return float(self.values[0])

    @property
    def mean(self) -> float:
        """Return the mean utilisation."""
        return float(self.values.mean())

    @property
    def imbalance(self) -> float:
        """Return the highest over the mean: 1 where all links are used alike."""
        return self.highest / self.mean if self.mean > 0 else 1.0


def load_distribution(analysis: Analysis) -> tuple[Distribution, ...]:
    """Return the sorted utilisation of every class of directed links, the busiest first.

    Where both directions are used alike they are one: "NPU→L1 and back".
    """
    used = analysis.utilisation
    found: list[Distribution] = []
    for cls in analysis.supernode.fabric.classes:
        values = np.sort(used[cls.arcs])[::-1]
        back = next((k for k, item in enumerate(found) if _mirrors(item, cls, values)), None)
        name = cls.name if back is None else f"{found.pop(back).name} and back"
        found.append(Distribution(name, cls.medium, values))
    return tuple(sorted(found, key=lambda item: -round(item.highest, 9)))


def _mirrors(item: Distribution, cls: ArcClass, values: FloatArray) -> bool:
    """Return whether a distribution is that of the same links the other way round."""
    return (
        item.name == f"{cls.head}→{cls.tail}"
        and item.medium == cls.medium
        and len(item.values) == len(values)
        and bool(np.allclose(item.values, values, rtol=1e-9, atol=1e-12))
    )


def plot_distribution(
    analysis: Analysis, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Plot the sorted utilisation of every class of links in use.

    Parameters
    ----------
    analysis
        What ran where.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    found = [item for item in load_distribution(analysis) if item.highest > 0]
    plot = framed(
        style, ax, 8.8, 4.6, legend=len(found), xlim=(0, 100), ylim=(0, 105),
        xlabel="links of the class, busiest first, %", ylabel="utilisation, % of the transfer time",
    )  # fmt: skip
    for k, item in enumerate(found):
        share = 100 * np.arange(len(item.values) + 1) / len(item.values)
        plot.ax.step(
            share, 100 * np.append(item.values, item.values[-1]), where="post", zorder=3 + k,
            linewidth=max(1.4, 3.2 - 0.4 * k), label=_told(item), **plot.style.line(k),
        )  # fmt: skip
    plot.grid()
    if found:
        plot.legend()
    return plot.titled(_conclusion(analysis, found), asked(analysis))


def _told(item: Distribution) -> str:
    highest, mean = units.format_percent(item.highest), units.format_percent(item.mean)
    return (
        f"{item.name}, {len(item.values):,} {item.medium}: "
        f"highest {highest}, mean {mean}, highest / mean {item.imbalance:.3g}"
    )


def _conclusion(analysis: Analysis, found: list[Distribution]) -> str:
    if not found:
        return first_capital(analysis.bottleneck.sentence)
    worst = max(found, key=lambda item: round(item.imbalance, 9))
    if worst.imbalance < 1 + 1e-6:
        return "Every class of links is used evenly: the highest is the mean"
    return (
        f"{worst.name} is used least evenly: its busiest link is in use "
        f"{worst.imbalance:.3g} times as long as the mean"
    )
