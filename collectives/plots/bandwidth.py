"""Plot bus bandwidth against message size, with what nothing could beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from collectives.analysis.answer import Analysis
from collectives.plots.frame import framed, head
from collectives.plots.words import machine, routing
from topology import border, units
from topology.drawing.style import LINE_STYLES, MARKERS, DrawStyle, draw_style
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.supernode import Supernode

_LEGEND_COLUMNS = 3
_FINEST, _LARGEST = 10, 34
SIZES: tuple[float, ...] = tuple(2.0**k for k in range(_FINEST, _LARGEST + 1))
"""The sizes plotted by default: 1 KiB to 16 GiB."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Bus bandwidth of one algorithm on one machine, over the message size.

    Attributes
    ----------
    machine, collective, algorithm
        What it is of.
    ranks
        How many take part.
    sizes
        Bytes, shape (k,).
    busbw
        Bytes/s, shape (k,).
    bound
        Bytes/s that nothing can beat.
    port
        Bytes/s that the ports of one NPU carry, one direction.
    half_size
        Size at which half of the highest bus bandwidth is reached (n½), bytes.
    """

    machine: str
    collective: str
    algorithm: str
    ranks: int
    sizes: FloatArray
    busbw: FloatArray
    bound: float
    port: float
    half_size: float

    @property
    def peak(self) -> float:
        """Return the highest bus bandwidth."""
        return float(self.busbw.max())


@dataclass(frozen=True)
class Crossover:
    """The size from which another algorithm is the faster one on a machine.

    Attributes
    ----------
    size
        Bytes.
    busbw
        Bytes/s of both there.
    before, after
        Positions of the two curves.
    """

    size: float
    busbw: float
    before: int
    after: int


def bandwidth_curves(
    analyses: Analysis | Iterable[Analysis], sizes: npt.ArrayLike | None = None
) -> tuple[Curve, ...]:
    """Return bus bandwidth over message size for some analyses; nothing is routed again.

    Parameters
    ----------
    analyses
        One or several, of any machines and algorithms.
    sizes
        Bytes, increasing and above 0; by default 1 KiB to 16 GiB.
    """
    chosen = [analyses] if isinstance(analyses, Analysis) else list(analyses)
    if not chosen:
        raise SupernodeError("there is no analysis to plot; give one or more from analyze()")
    points = border.numbers(SIZES if sizes is None else sizes, "sizes", SupernodeError)
    if points.ndim != 1 or len(points) < 2 or points[0] <= 0 or (np.diff(points) <= 0).any():
        raise SupernodeError("sizes must be two or more numbers of bytes, above 0 and increasing")
    return tuple(_curve(analysis, points) for analysis in chosen)


def _curve(analysis: Analysis, sizes: FloatArray) -> Curve:
    factor = analysis.collective.factor(len(analysis.ranks))
    times = np.array([analysis.plan.time(size) for size in sizes.tolist()])
    busbw = factor * sizes / np.where(times > 0, times, np.inf)
    return Curve(
        machine=machine(analysis),
        collective=analysis.collective.title,
        algorithm=analysis.algorithm,
        ranks=len(analysis.ranks),
        sizes=sizes,
        busbw=busbw,
        bound=analysis.bound.busbw,
        port=port_rate(analysis.supernode, analysis.ranks.tolist()),
        half_size=_half(sizes, busbw),
    )


def port_rate(supernode: Supernode, ranks: Sequence[int]) -> float:
    """Return bytes/s that the narrowest rank's own links carry, one direction.

    Links to what passes nothing on (CPUs, NICs without a network) are not counted.
    """
    fabric = supernode.fabric
    is_rank = np.zeros(len(fabric.nodes), dtype=bool)
    is_rank[fabric.npus] = True
    leads = is_rank[fabric.head] | fabric.forwards[fabric.head]
    out = np.bincount(fabric.tail, weights=fabric.capacity * leads, minlength=len(fabric.nodes))
    return float(out[fabric.npus[list(ranks)]].min())


def _half(sizes: FloatArray, busbw: FloatArray) -> float:
    """Return the first size at half of the peak, between the points by straight lines in log."""
    goal = busbw.max() / 2
    above = int(np.argmax(busbw >= goal))
    if above == 0:
        return float(sizes[0])
    x = np.log(sizes[above - 1 : above + 1])
    y = busbw[above - 1 : above + 1]
    return float(np.exp(np.interp(goal, y, x)))


def crossovers(curves: Sequence[Curve]) -> tuple[Crossover, ...]:
    """Return where the fastest algorithm changes, on each machine and collective."""
    groups: dict[tuple[str, str], list[int]] = {}
    for i, curve in enumerate(curves):
        groups.setdefault((curve.machine, curve.collective), []).append(i)
    found = []
    for members in groups.values():
        table = np.array([curves[i].busbw for i in members])
        best = table.argmax(axis=0)
        for k in np.flatnonzero(np.diff(best)).tolist():
            before, after = int(best[k]), int(best[k + 1])
            found.append(_crossing(curves, members, table, k, before, after))
    return tuple(sorted(found, key=lambda item: (item.size, item.before, item.after)))


def _crossing(
    curves: Sequence[Curve], members: Sequence[int], table: FloatArray, k: int, a: int, b: int
) -> Crossover:
    x = np.log(curves[members[a]].sizes[k : k + 2])
    gap = table[a, k : k + 2] - table[b, k : k + 2]
    share = float(gap[0] / (gap[0] - gap[1])) if gap[0] != gap[1] else 0.0
    size = float(np.exp(x[0] + share * (x[1] - x[0])))
    busbw = float(table[a, k] + share * (table[a, k + 1] - table[a, k]))
    return Crossover(size, busbw, members[a], members[b])


def plot_bandwidth(
    analyses: Analysis | Iterable[Analysis],
    ax: Axes | None = None,
    *,
    sizes: npt.ArrayLike | None = None,
    measured: Iterable[tuple[float, float]] = (),
    style: str | DrawStyle = "light",
) -> tuple[Figure, Axes]:
    """Plot busbw over message size for some analyses, and return the figure and its axes.

    Parameters
    ----------
    analyses
        One or several; each is a line. Bounds are dashed, the ports of an NPU dotted; a ring
        marks n½, a cross where another algorithm becomes the faster one.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    sizes
        Bytes; by default 1 KiB to 16 GiB.
    measured
        Points to set beside the lines: (bytes, bytes/s of busbw).
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    looks = draw_style(style)
    chosen = [analyses] if isinstance(analyses, Analysis) else list(analyses)
    curves = bandwidth_curves(chosen, sizes)
    rows = -(-_legend_entries(curves) // _LEGEND_COLUMNS)
    bottom = 0.13 + 0.032 * rows
    figure, ax = framed(looks, ax, (10.0, 6.2), (0.085, bottom, 0.87, 0.855 - bottom))
    ax.set_xscale("log", base=2)
    for k, curve in enumerate(curves):
        ax.plot(
            curve.sizes, curve.busbw / units.GB, color=looks.series[k % len(looks.series)],
            linestyle=_line_style(k, looks),
            marker=MARKERS[k % len(MARKERS)], markevery=4, markersize=4.5, linewidth=1.8,
            label=_names(curves)[k], zorder=3,
        )  # fmt: skip
    points = border.numbers(measured, "measured", SupernodeError)
    if points.size and points.shape[1:] != (2,):
        border.refuse(measured, "measured", "pairs (bytes, bytes/s)", SupernodeError)
    points = points.reshape(-1, 2)
    if len(points):
        ax.scatter(
            points[:, 0], points[:, 1] / units.GB, marker="*", s=60, color=looks.ink,
            label="measured", zorder=5,
        )  # fmt: skip
    _limits(ax, curves, looks)
    _marks(ax, curves, looks)
    _frame(ax, curves, looks)
    first = chosen[0]
    head(
        ax, looks, bandwidth_conclusion(curves),
        f"{_joined(c.collective for c in curves)}, {_joined(f'{c.ranks:,}' for c in curves)} "
        f"ranks{_on(curves)}, {routing(first)}, {first.plan.rate} rate; "
        "ring: n½, half of the highest; cross: another algorithm becomes faster",
    )  # fmt: skip
    return figure, ax


def _on(curves: Sequence[Curve]) -> str:
    """Return the machine's name, if there is but one and no line says it."""
    return f" of {curves[0].machine}" if len({c.machine for c in curves}) == 1 else ""


def _line_style(k: int, style: DrawStyle) -> str | tuple[int, tuple[float, ...]]:
    """Return solid lines while the colours last; in print every line has its own."""
    turn = k if style.name == "print" else k // len(style.series)
    return LINE_STYLES[turn % len(LINE_STYLES)]


def _joined(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(words))


def _names(curves: Sequence[Curve]) -> list[str]:
    """Return what tells the lines apart: machine, collective, algorithm where they differ."""
    parts = [(c.machine, c.collective, c.algorithm, f"{c.ranks} ranks") for c in curves]
    varies = [len({row[k] for row in parts}) > 1 for k in range(4)]
    varies[2] = True
    varies[0] = varies[0] or len(curves) == 1
    return [", ".join(w for w, v in zip(row, varies, strict=True) if v) for row in parts]


def bandwidth_conclusion(curves: Sequence[Curve]) -> str:
    """Return what the picture concludes: who reaches most, and how soon."""
    best = max(curves, key=lambda c: c.peak)
    who = best.algorithm if len({c.machine for c in curves}) == 1 else (
        f"{best.machine} with {best.algorithm}"
    )  # fmt: skip
    share = units.format_percent(best.peak / best.bound) if 0 < best.bound < np.inf else ""
    beat = f", {share} of the bound" if share else ""
    return (
        f"{who} reaches {units.format_rate(best.peak)}{beat}; half of it needs "
        f"{units.format_size(float(f'{best.half_size:.3g}'))}"
    )


def _legend_entries(curves: Sequence[Curve]) -> int:
    limits = {round(c.bound, 3) for c in curves}, {round(c.port, 3) for c in curves}
    return len(curves) + 1 + sum(map(len, limits))


def _limits(ax: Axes, curves: Sequence[Curve], style: DrawStyle) -> None:
    """Draw every bound and port limit once, with its name and value at the left."""
    lines: dict[tuple[str, float], list[int]] = {}
    for k, curve in enumerate(curves):
        if np.isfinite(curve.bound):
            lines.setdefault(("bound", round(curve.bound, 3)), []).append(k)
        if curve.port > 0:
            lines.setdefault(("ports of an NPU", round(curve.port, 3)), []).append(k)
    for (word, rate), members in sorted(lines.items(), key=lambda item: item[0][1]):
        alone = len(lines) > 2 and len({curves[k].machine for k in members}) == 1
        colour = style.series[members[0] % len(style.series)] if alone else style.faint
        whose = f", {curves[members[0]].machine}" if alone else ""
        ax.axhline(
            rate / units.GB, color=colour, linewidth=1.2, zorder=2,
            linestyle="dashed" if word == "bound" else "dotted",
            label=f"{word} {units.format_rate(rate)}{whose}",
        )  # fmt: skip


def _marks(ax: Axes, curves: Sequence[Curve], style: DrawStyle) -> None:
    for k, curve in enumerate(curves):
        ax.plot(
            [curve.half_size], [curve.peak / 2 / units.GB], marker="o", markersize=9,
            markerfacecolor="none", markeredgewidth=1.4, zorder=4, gid="half",
            color=style.series[k % len(style.series)],
        )  # fmt: skip
    for item in crossovers(curves):
        ax.plot(
            [item.size], [item.busbw / units.GB], marker="x", markersize=9, markeredgewidth=2,
            color=style.ink, zorder=5, gid="crossover",
        )  # fmt: skip


def _frame(ax: Axes, curves: Sequence[Curve], style: DrawStyle) -> None:
    top = max(max(c.peak, c.port, c.bound if np.isfinite(c.bound) else 0) for c in curves)
    ax.set_ylim(0, 1.06 * top / units.GB or 1)
    low, high = curves[0].sizes[0], curves[0].sizes[-1]
    ax.set_xlim(low, high)
    first, last = int(np.ceil(np.log2(low))), int(np.floor(np.log2(high)))
    step = max(1, (last - first) // 12)
    ax.xaxis.set_ticks([2.0**k for k in range(first, last + 1, step)])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.format_size(value)))
    ax.set_xlabel("message size S")
    ax.set_ylabel("busbw, GB/s")
    ax.grid(visible=True, color=style.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=_LEGEND_COLUMNS, frameon=False,
        fontsize=style.font - 1, labelcolor=style.ink,
    )  # fmt: skip
