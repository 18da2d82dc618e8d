"""Plot who sends how much to whom, group by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from collectives.analysis.answer import Analysis
from collectives.plots.frame import colour_bar, draw_cells, framed
from collectives.plots.words import asked
from topology import units
from topology.drawing.style import DrawStyle
from topology.fabric import FloatArray, IntArray
from topology.naming import numbered
from topology.routing.in_network import InNetwork
from topology.supernode import Supernode

_MOST = 64
_ATTRIBUTES = ("node", "board", "cube", "group", "rack", "pod")


@dataclass(frozen=True, eq=False)
class Traffic:
    """Bytes from group to group over a whole collective.

    Attributes
    ----------
    by
        What a group is: "node", "8 ranks".
    labels
        Name of each group.
    sent
        Bytes from the row's group to the column's, shape (groups, groups).
    """

    by: str
    labels: tuple[str, ...]
    sent: FloatArray

    @property
    def inside(self) -> float:
        """Return the share of the bytes that stays within a group, 0 to 1."""
        total = float(self.sent.sum())
        return float(np.trace(self.sent)) / total if total > 0 else 0.0


def traffic_matrix(analysis: Analysis) -> Traffic:
    """Return bytes from group to group: nodes, or racks or blocks of ranks where they are many.

    Parameters
    ----------
    analysis
        What ran where. What switches add or copy counts as if the ranks sent it to each other.
    """
    by, labels, place = _groups(analysis.supernode, analysis.ranks)
    sent = np.zeros((len(labels), len(labels)))
    for step in analysis.schedule.steps:
        amount = analysis.size * step.repeat
        pairs = step.traffic.pairs()
        np.add.at(sent, (place[pairs.src], place[pairs.dst]), pairs.amount * amount)
    return Traffic(by, labels, sent)


def _groups(supernode: Supernode, ranks: IntArray) -> tuple[str, tuple[str, ...], IntArray]:
    """Return what a group is, the groups' names, and the group of every position, shape (p,)."""
    data = [supernode.graph.nodes[supernode.npus[rank]] for rank in ranks.tolist()]
    for name in _ATTRIBUTES:
        if all(name in row for row in data):
            names, group = numbered(str(row[name]) for row in data)
            if 1 < len(names) <= _MOST:
                return name, names, group
    each = -(-len(data) // _MOST)
    group = np.arange(len(data)) // each
    labels = tuple(str(ranks[k * each]) for k in range(int(group[-1]) + 1))
    return ("rank" if each == 1 else f"{each} ranks from"), labels, group


def plot_traffic(
    analysis: Analysis, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Plot the bytes from group to group as a matrix, on a log scale of colour.

    Parameters
    ----------
    analysis
        What ran where.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    found = traffic_matrix(analysis)
    plot = framed(
        style, ax, 6.2, 5.9, right=1.55, xlabel=f"to {found.by}", ylabel=f"from {found.by}"
    )
    values = np.ma.masked_less_equal(found.sent, 0.0)
    low, high = (float(values.min()), float(values.max())) if values.count() else (1.0, 1.0)
    low = min(low, high / 2)
    mesh = draw_cells(plot, np.where(found.sent > 0, found.sent, np.nan), LogNorm(low, high))
    step = max(1, -(-len(found.labels) // 24))
    ticks = list(range(0, len(found.labels), step))
    names = [found.labels[k] for k in ticks]
    across = max(1, -(-max(map(len, names)) * len(names) // 60))
    size = plot.style.font - 2
    plot.ax.set_xticks(ticks[::across], names[::across], fontsize=size)
    plot.ax.set_yticks(ticks, names, fontsize=size)
    axis = colour_bar(plot, mesh, (1.03, 0.0, 0.03, 1.0)).ax.yaxis
    axis.set_ticks(np.geomspace(low, high, 5).tolist())
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: units.format_size(_round(v))))
    said = f"{asked(analysis)}; bytes sent, log scale; blank: none"
    helped = any(isinstance(step.traffic, InNetwork) for step in analysis.schedule.steps)
    said += "; what switches add or copy counts for every pair" if helped else ""
    return plot.titled(_conclusion(found), said)


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def _conclusion(found: Traffic) -> str:
    total = float(found.sent.sum())
    if total == 0:
        return "Nothing is sent"
    unit = found.by.removesuffix(" from")
    size, inside = units.format_size(_round(total)), units.format_percent(found.inside)
    return f"{size} go from rank to rank; {inside} of it stays within its own {unit}"
