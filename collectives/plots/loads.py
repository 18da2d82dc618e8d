"""Map how busy the links are: a row per node, a column per plane, a panel per tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from collectives.analysis.answer import Analysis
from collectives.plots.frame import colour_bar, draw_cells
from collectives.plots.words import asked, first_capital
from topology import units
from topology.drawing.canvas import Sheet, page, text_width, wrapped
from topology.drawing.coordinates import coordinates
from topology.drawing.layout import HEIGHT
from topology.drawing.style import DrawStyle, draw_style
from topology.fabric import Fabric, FloatArray, IntArray
from topology.naming import numbered
from topology.text import span

_ROWS = ("node", "rack", "group", "pod")
_COLUMNS = ("plane", "rail")
_MOST = 64


@dataclass(frozen=True, eq=False)
class LoadPanel:
    """The links of one tier as a table: the busiest link of every node and plane.

    Attributes
    ----------
    name
        "NPU–L1".
    medium
        "copper" or "optical".
    rows, columns
        What the two axes are called.
    row_labels, column_labels
        The names along them.
    values
        Utilisation of the busiest link, either way, 0 to 1, shape (rows, columns); NaN where
        there is no link.
    """

    name: str
    medium: str
    rows: str
    columns: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    values: FloatArray

    @property
    def peak(self) -> float:
        """Return the highest utilisation."""
        return float(np.nanmax(self.values))


def load_panels(analysis: Analysis) -> tuple[LoadPanel, ...]:
    """Return a table of utilisation for every tier of links, from the NPUs upwards.

    Parameters
    ----------
    analysis
        What ran where.

    Notes
    -----
    A link's row is the node (or rack, or group) of its end nearer to the NPUs, its column the
    plane of either end. Where the ends have no such attribute, the ends themselves are the rows
    and columns, gathered in natural order where they are many.
    """
    ends = _Ends.of(analysis)
    fabric = ends.fabric
    arcs_of: dict[tuple[str, str], list[IntArray]] = {}
    for cls in fabric.classes:
        words = sorted((cls.tail, cls.head), key=ends.height.__getitem__)
        arcs_of.setdefault(("–".join(words), cls.medium), []).append(cls.arcs)
    sorts = sorted(arcs_of, key=lambda key: [*map(ends.height.__getitem__, key[0].split("–"))])
    panels: list[LoadPanel] = []
    for name, medium in sorts:
        arcs = np.concatenate(arcs_of[name, medium])
        lattice = _lattice_panels(analysis, name, medium, arcs)
        panels += lattice or [_panel(ends, name, medium, arcs, analysis.utilisation)]
    return tuple(panels)


def _lattice_panels(analysis: Analysis, name: str, medium: str, arcs: IntArray) -> list[LoadPanel]:
    """Return a panel for each dimension of a grid: the busiest link from each place along it."""
    fabric = analysis.supernode.fabric
    tail, head = fabric.tail[arcs], fabric.head[arcs]
    members = np.union1d(tail, head)
    first, _, second = name.partition("–")
    table = coordinates(analysis.supernode, members) if first == second else None
    if table is None or table.shape[1] < 2:
        return []
    sizes = table.max(axis=0) + 1
    if np.prod(sizes) > _MOST * _MOST:
        return []
    place = np.zeros((len(fabric.nodes), table.shape[1]), dtype=np.int64)
    place[members] = table
    changed = (place[tail] != place[head]).argmax(axis=1)
    row = np.ravel_multi_index(tuple(place[tail][:, :-1].T), tuple(sizes[:-1]))
    labels = tuple("/".join(map(str, spot)) for spot in np.ndindex(*sizes[:-1].tolist()))
    columns = tuple(map(str, range(int(sizes[-1]))))
    along = f"coordinate {'/'.join(map(str, range(len(sizes) - 1)))}"
    panels = []
    for axis in np.unique(changed).tolist():
        chosen = changed == axis
        spots = row[chosen], place[tail[chosen], -1]
        values = _busiest(spots, (labels, columns), analysis.utilisation[arcs[chosen]])
        title, across = f"{name}, dimension {axis}", f"coordinate {len(sizes) - 1}"
        panels.append(LoadPanel(title, medium, along, across, labels, columns, values))
    return panels


def _busiest(
    spots: tuple[IntArray, IntArray], labels: tuple[Sequence[str], Sequence[str]], used: FloatArray
) -> FloatArray:
    """Return the highest use at each row and column, NaN where there is none."""
    values = np.full(tuple(map(len, labels)), -1.0)
    np.maximum.at(values, spots, used)
    return np.where(values < 0, np.nan, values)


@dataclass(frozen=True, eq=False)
class _Ends:
    """What the nodes of a fabric are, and how high their sorts stand."""

    fabric: Fabric
    data: Sequence[Mapping[str, Any]]
    height: Mapping[str, tuple[float, int, str]]

    @classmethod
    def of(cls, analysis: Analysis) -> _Ends:
        fabric = analysis.supernode.fabric
        data = [analysis.supernode.graph.nodes[node] for node in fabric.nodes]
        height = {
            word: (float(row.get("tier", 0)), int(kind != "npu"), word)
            for word, kind, row in zip(fabric.labels, fabric.kind, data, strict=True)
        }
        return cls(fabric, data, height)

    def known(
        self, sides: Sequence[IntArray], attributes: Sequence[str]
    ) -> tuple[str, list[str]] | None:
        """Return the first attribute that all nodes of a side have, and their values, or None."""
        for ends in sides:
            nodes = set(ends.tolist())
            for name in attributes:
                if all(name in self.data[i] for i in nodes):
                    return name, [str(self.data[i][name]) for i in ends.tolist()]
        return None


def _panel(ends: _Ends, name: str, medium: str, arcs: IntArray, used: FloatArray) -> LoadPanel:
    fabric = ends.fabric
    tail, head = fabric.tail[arcs], fabric.head[arcs]
    first = name.partition("–")[0]
    swap = np.array([fabric.labels[i] != first for i in tail.tolist()], dtype=bool)
    low, high = np.where(swap, head, tail), np.where(swap, tail, head)
    rows, row_of, columns, column_of = _axes(ends, low, high)
    row_labels, row_code = numbered(row_of)
    column_labels, column_code = numbered(column_of)
    values = _busiest((row_code, column_code), (row_labels, column_labels), used[arcs])
    return LoadPanel(name, medium, rows, columns, row_labels, column_labels, values)


def _axes(ends: _Ends, low: IntArray, high: IntArray) -> tuple[str, list[str], str, list[str]]:
    """Return what the two axes are called, and where along them every link lies."""
    columns = ends.known((high, low), _COLUMNS)
    bare = low if columns is None or ends.known((high,), _COLUMNS) else high
    rows, row_of = ends.known((low, high), _ROWS) or _gathered(ends.fabric, bare)
    if columns is not None:
        return rows, row_of, *columns
    near, word = (ends.fabric.labels[int(side[0])] for side in (low, high))
    named = "neighbour" if near == word == rows else f"{word} of the {rows}"
    return rows, row_of, named, _ordinals(row_of, high)


def _ordinals(row_of: Sequence[str], far: IntArray) -> list[str]:
    """Return for every link which of its row's far ends it goes to: the 0th, the 1st, ..."""
    members: dict[str, set[int]] = {}
    for row, end in zip(row_of, far.tolist(), strict=True):
        members.setdefault(row, set()).add(end)
    place = {row: {end: k for k, end in enumerate(sorted(of))} for row, of in members.items()}
    return [str(place[row][end]) for row, end in zip(row_of, far.tolist(), strict=True)]


def _gathered(fabric: Fabric, ends: IntArray) -> tuple[str, list[str]]:
    """Return a row for each end, or for several in a row where they are many."""
    word = fabric.labels[int(ends[0])]
    known = np.unique(ends)
    each = -(-len(known) // _MOST)
    if each == 1:
        return word, [_tail(fabric.nodes[i]) for i in ends.tolist()]
    at = np.searchsorted(known, ends) // each
    return f"{each} {word}s from", [_tail(fabric.nodes[known[k * each]]) for k in at.tolist()]


def _tail(node: str) -> str:
    _, slash, rest = node.partition("/")
    return rest if slash else node


def plot_loads(
    analysis: Analysis, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Plot how busy the links are, 0 to 100 % on one scale, and return the figure and its axes.

    Parameters
    ----------
    analysis
        What ran where.
    ax
        Where to draw; by default a new figure, which pyplot does not hold. The panels are put
        inside these axes, which are returned.
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    every = load_panels(analysis)
    panels = [panel for panel in every if panel.peak > 0] or list(every)
    idle = [panel.name for panel in every if panel not in panels]
    said = asked(analysis) + (f"; idle: {', '.join(idle)}" if idle else "")
    with page(draw_style(style), ax, first_capital(analysis.bottleneck.sentence), said) as sheet:
        _fill(sheet, panels)
    return sheet.figure, sheet.ax


def _fill(sheet: Sheet, panels: Sequence[LoadPanel]) -> None:
    """Put the panels side by side, as wide as they have columns, and the scale beside them."""
    shares = np.clip([len(panel.column_labels) for panel in panels], 3.0, 18.0)
    left, right, bottom, top, gap = 0.7, 11.7, 0.68, 5.75, 0.7
    widths = (right - left - gap * (len(panels) - 1)) * shares / shares.sum()
    starts = left + np.cumsum(widths + gap) - widths - gap
    for panel, start, width in zip(panels, starts.tolist(), widths.tolist(), strict=True):
        place = (start, bottom, width, top - bottom)
        inner = sheet.ax.inset_axes(place, transform=sheet.ax.transData)
        _heat(Sheet(inner, sheet.style), panel, inches=width)
    place = (0.945, bottom / HEIGHT, 0.012, (top - bottom) / HEIGHT)
    bar = colour_bar(sheet, ScalarMappable(Normalize(0, 100), sheet.style.colormap), place)
    size = sheet.style.font - 1
    bar.set_label("busiest link, % of the transfer time", color=sheet.style.ink, fontsize=size)


def _heat(sheet: Sheet, panel: LoadPanel, *, inches: float) -> None:
    ax, style = sheet.ax, sheet.style
    draw_cells(sheet, 100 * panel.values, Normalize(0, 100))
    sheet.quieten()
    for spine in ax.spines.values():
        spine.set_visible(True)
    _ticks(ax, panel.column_labels, inches, style.font - 2, across=True)
    _ticks(ax, panel.row_labels, 5.0, style.font - 2, across=False)
    ax.set_xlabel(panel.columns, fontsize=style.font - 1)
    ax.set_ylabel(panel.rows, fontsize=style.font - 1, labelpad=1)
    busy = span(float(np.nanmin(panel.values)), panel.peak, units.format_percent)
    said = f"{wrapped(panel.name, style.font, inches)}\n{panel.medium}\n{busy}"
    ax.set_title(said, fontsize=style.font, color=style.ink)
    _mark(ax, panel, style)


def _mark(ax: Axes, panel: LoadPanel, style: DrawStyle) -> None:
    """Cross out what is not there, so that a dead link does not look like an idle one."""
    gone = np.argwhere(np.isnan(panel.values))
    if 0 < len(gone) < panel.values.size / 2:
        ax.scatter(
            gone[:, 1], gone[:, 0], marker="x", s=14, linewidths=0.9, color=style.faint,
            gid="absent", clip_on=True,
        )  # fmt: skip


def _ticks(ax: Axes, labels: Sequence[str], inches: float, size: float, *, across: bool) -> None:
    """Name as many rows or columns as there is room for."""
    each = inches / max(1, len(labels))
    needed = max(text_width(label, size) + 0.05 for label in labels) if across else size * 1.5 / 72
    step = max(1, int(np.ceil(needed / each)))
    places = list(range(0, len(labels), step))
    axis = ax.xaxis if across else ax.yaxis
    axis.set_ticks(places, [labels[i] for i in places], fontsize=size)
