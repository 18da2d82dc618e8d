"""Plot who sends how much to whom, group by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from collectives.analysis.answer import Analysis
from collectives.plots.frame import draw_cells, framed, head, vector_bar
from collectives.plots.words import asked
from topology import units
from topology.drawing.canvas import figure_of
from topology.drawing.style import DrawStyle, draw_style
from topology.fabric import FloatArray, IntArray
from topology.naming import natural_sort
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
        What ran where. Where switches add or copy, what each rank hands to the network counts.
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
            values = [str(row[name]) for row in data]
            names = natural_sort(set(values))
            if 1 < len(names) <= _MOST:
                code = {value: i for i, value in enumerate(names)}
                group = np.array([code[value] for value in values], dtype=np.int64)
                return name, tuple(names), group
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
    looks = draw_style(style)
    found = traffic_matrix(analysis)
    figure, ax = framed(looks, ax, (8.6, 7.6), (0.1, 0.085, 0.72, 0.77))
    values = np.ma.masked_less_equal(found.sent, 0.0)
    low, high = (float(values.min()), float(values.max())) if values.count() else (1.0, 1.0)
    low = min(low, high / 2)
    norm = LogNorm(low, high)
    mesh = draw_cells(ax, np.where(found.sent > 0, found.sent, np.nan), looks, norm)
    step = max(1, -(-len(found.labels) // 24))
    ticks = list(range(0, len(found.labels), step))
    names = [found.labels[k] for k in ticks]
    across = max(1, -(-max(map(len, names)) * len(names) // 60))
    ax.set_xticks(ticks[::across], names[::across], fontsize=looks.font - 2)
    ax.set_yticks(ticks, names, fontsize=looks.font - 2)
    ax.set_xlabel(f"to {found.by}")
    ax.set_ylabel(f"from {found.by}")
    bar = figure_of(ax).colorbar(mesh, cax=ax.inset_axes((1.03, 0.0, 0.03, 1.0)))
    vector_bar(bar)
    bar.ax.yaxis.set_ticks(np.geomspace(low, high, 5).tolist())
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: units.format_size(_round(v))))
    bar.ax.tick_params(colors=looks.ink, labelsize=looks.font - 2)
    head(ax, looks, _conclusion(found), f"{asked(analysis)}; bytes sent, log scale; blank: none")
    return figure, ax


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def _conclusion(found: Traffic) -> str:
    total = float(found.sent.sum())
    if total == 0:
        return "Nothing is sent"
    unit = found.by.removesuffix(" from")
    return (
        f"{units.format_size(_round(total))} are sent; {units.format_percent(found.inside)} of "
        f"it stays within its own {unit}"
    )
