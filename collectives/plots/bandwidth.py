"""Plot bus bandwidth against message size, with what nothing could beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from collectives.analysis.answer import Analysis
from collectives.analysis.crossovers import Crossover, changes_of_fastest
from collectives.analysis.selection import of_plan
from collectives.plots.frame import Plot, framed
from collectives.plots.words import routing
from topology import border, units
from topology.drawing.style import LINE_STYLES, MARKERS, DrawStyle
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.metrics.tiers import npu_bandwidths
from topology.text import counted

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
        Bytes/s that nothing can beat, whatever the size.
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
    points = _sizes(sizes)
    return tuple(_curve(analysis, points) for analysis in _listed(analyses))


def _listed(analyses: Analysis | Iterable[Analysis]) -> list[Analysis]:
    chosen = [analyses] if isinstance(analyses, Analysis) else list(analyses)
    if not chosen:
        raise SupernodeError("there is no analysis to plot; give one or more from analyze()")
    return chosen


def _sizes(sizes: npt.ArrayLike | None) -> FloatArray:
    points = border.numbers(SIZES if sizes is None else sizes, "sizes", SupernodeError)
    if points.ndim != 1 or len(points) < 2 or points[0] <= 0 or (np.diff(points) <= 0).any():
        raise SupernodeError("sizes must be two or more numbers of bytes, above 0 and increasing")
    return points


def _curve(analysis: Analysis, sizes: FloatArray) -> Curve:
    if not analysis.collective.moves:
        raise SupernodeError(f"{analysis.collective.title} moves no data: it has no bandwidth")
    times = np.array([analysis.plan.time(size) for size in sizes.tolist()])
    busbw = analysis.question.bus(1.0) * sizes / np.where(times > 0, times, np.inf)
    return Curve(
        machine=analysis.supernode.title,
        collective=analysis.collective.title,
        algorithm=analysis.algorithm,
        ranks=len(analysis.ranks),
        sizes=sizes,
        busbw=busbw,
        bound=analysis.question.bound.busbw,
        port=float(npu_bandwidths(analysis.supernode)[analysis.ranks].min()),
        half_size=_half(sizes, busbw),
    )


def _half(sizes: FloatArray, busbw: FloatArray) -> float:
    """Return the first size at half of the peak, between the points by straight lines in log."""
    goal = busbw.max() / 2
    above = int(np.argmax(busbw >= goal))
    if above == 0:
        return float(sizes[0])
    x = np.log(sizes[above - 1 : above + 1])
    y = busbw[above - 1 : above + 1]
    return float(np.exp(np.interp(goal, y, x)))


def crossovers(
    analyses: Analysis | Iterable[Analysis], sizes: npt.ArrayLike | None = None
) -> tuple[tuple[Crossover, float], ...]:
    """Return where the fastest algorithm changes, and the bus bandwidth there, smallest first.

    The parameters are those of `bandwidth_curves`. Compared are analyses of one collective on as
    many ranks of one machine.
    """
    groups: dict[tuple[str, str, int, float], list[Analysis]] = {}
    for one in _listed(analyses):
        factor = one.question.bus(1.0)
        key = (one.supernode.title, one.collective.name, len(one.ranks), factor)
        groups.setdefault(key, []).append(one)
    found = []
    for (*_, factor), members in groups.items():
        plans = [of_plan(one.plan) for one in members]
        changes = changes_of_fastest(plans, _sizes(sizes).tolist())
        found += [(change, factor * change.size / change.time) for change in changes]
    return tuple(sorted(found, key=lambda item: item[0].size))


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
    chosen = _listed(analyses)
    curves = bandwidth_curves(chosen, sizes)
    low, high = float(curves[0].sizes[0]), float(curves[0].sizes[-1])
    top = max(max(c.peak, c.port, c.bound if np.isfinite(c.bound) else 0) for c in curves)
    columns = _LEGEND_COLUMNS - (len({c.machine for c in curves}) > 1)  # names of machines are long
    plot = framed(
        style, ax, 8.7, 4.4, legend=-(-_legend_entries(curves) // columns),
        xlabel="message size S", ylabel="busbw, GB/s", ylim=(0, 1.06 * top / units.GB or 1.0),
    )  # fmt: skip
    looks = plot.style
    for k, (curve, name) in enumerate(zip(curves, _names(curves), strict=True)):
        plot.ax.plot(
            curve.sizes, curve.busbw / units.GB, color=looks.line(k)["color"], label=name,
            linestyle=_line_style(k, looks), marker=MARKERS[k % len(MARKERS)], markevery=4,
            markersize=4.5, linewidth=1.8, zorder=3,
        )  # fmt: skip
    _measured(plot, measured)
    _limits(plot, curves)
    _marks(plot, curves, crossovers(chosen, sizes))
    _size_axis(plot, low, high)
    plot.grid()
    plot.legend(columns)
    return plot.titled(
        bandwidth_conclusion(curves),
        f"{_joined(c.collective for c in curves)}, {_joined(f'{c.ranks:,}' for c in curves)} "
        f"ranks{_on(curves)}, {routing(chosen[0])}, {chosen[0].plan.rate} rate; "
        "ring: n½, half of the highest; cross: another algorithm becomes faster",
    )


def _measured(plot: Plot, measured: Iterable[tuple[float, float]]) -> None:
    points = border.numbers(measured, "measured", SupernodeError)
    if points.size and points.shape[1:] != (2,):
        border.refuse(measured, "measured", "pairs (bytes, bytes/s)", SupernodeError)
    if points.size:
        plot.ax.scatter(
            points[:, 0], points[:, 1] / units.GB, marker="*", s=60, color=plot.style.ink,
            label="measured", zorder=5,
        )  # fmt: skip


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
    parts = [(c.machine, c.collective, c.algorithm, counted(c.ranks, "rank")) for c in curves]
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


def _limits(plot: Plot, curves: Sequence[Curve]) -> None:
    """Draw every bound and port limit once, with its name and value at the left."""
    lines: dict[tuple[str, float], list[int]] = {}
    for k, curve in enumerate(curves):
        if np.isfinite(curve.bound):
            lines.setdefault(("bound", round(curve.bound, 3)), []).append(k)
        if curve.port > 0:
            lines.setdefault(("ports of an NPU", round(curve.port, 3)), []).append(k)
    for (word, rate), members in sorted(lines.items(), key=lambda item: item[0][1]):
        first = members[0]
        alone = len(lines) > 2 and len({curves[k].machine for k in members}) == 1
        whose = f", {curves[first].machine}" if alone else ""
        plot.ax.axhline(
            rate / units.GB, linewidth=1.2, zorder=2,
            color=plot.style.line(first)["color"] if alone else plot.style.faint,
            linestyle="dashed" if word == "bound" else "dotted",
            label=f"{word} {units.format_rate(rate)}{whose}",
        )  # fmt: skip


def _marks(plot: Plot, curves: Sequence[Curve], changes: Iterable[tuple[Crossover, float]]) -> None:
    look: dict[str, Any] = {"markersize": 9, "zorder": 4}
    for k, curve in enumerate(curves):
        plot.ax.plot(
            curve.half_size, curve.peak / 2 / units.GB, marker="o", markerfacecolor="none",
            markeredgewidth=1.4, gid="half", color=plot.style.line(k)["color"], **look,
        )  # fmt: skip
    for change, busbw in changes:
        plot.ax.plot(
            change.size, busbw / units.GB, marker="x", markeredgewidth=2, color=plot.style.ink,
            gid="crossover", **look,
        )  # fmt: skip


def _size_axis(plot: Plot, low: float, high: float) -> None:
    """Show sizes on a logarithmic axis, at powers of two."""
    first, last = int(np.ceil(np.log2(low))), int(np.floor(np.log2(high)))
    plot.ax.set_xscale("log", base=2)
    plot.ax.set(
        xlim=(low, high), xticks=2.0 ** np.arange(first, last + 1, max(1, (last - first) // 12))
    )
    plot.ax.xaxis.set_minor_locator(NullLocator())
    plot.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.format_size(value)))
