"""Plot where the time goes, hop by hop along the critical path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from collectives.analysis.answer import Analysis
from collectives.plots.frame import Plot, framed
from collectives.plots.words import asked, first_capital
from collectives.timing import Latency, StepCost
from topology import units
from topology.drawing.style import DrawStyle

_MOST_ROWS = 28
_EARLY, _LATE = 0.3, 0.75  # of the time
_INSTANT = 1e-9  # seconds on the axis where nothing takes any
_HATCHES = {
    "endpoint": "", "serialisation": "", "switches": "///", "propagation": "...",
    "transceivers": "xx", "fec": "\\\\\\", "waiting": "--",
}  # fmt: skip


@dataclass(frozen=True)
class Wait:
    """One part of the critical path.

    Attributes
    ----------
    label
        Where: "npu/0 → l1/0/3", "l1/0/3".
    part
        What: a field of `Latency`.
    start, seconds
        When it begins, and how long it takes, all repetitions together.
    """

    label: str
    part: str
    start: float
    seconds: float


def critical_waits(analysis: Analysis) -> tuple[Wait, ...]:
    """Return the critical path part by part, in order; the seconds add up to the time.

    Every distinct step gives its endpoint software, each link and switch of its slowest path,
    and its bytes; a step that repeats is shown once, with the seconds of all repetitions. Where
    that is too many rows, the parts of all steps are put together.
    """
    rows: list[tuple[str, str, float]] = []
    steps = analysis.cost.steps
    for k, step in enumerate(steps):
        rows += _step_rows(analysis, k, step, named=len(steps) > 1)
    if len(rows) > _MOST_ROWS:
        rows = [row for k, step in enumerate(steps) for row in _whole_rows(k, step)]
    if len(rows) > _MOST_ROWS:
        rows = [(_SAID.get(p, p), p, v) for p, v in _parts(analysis.cost.latency) if v > 0]
    starts = np.cumsum([0.0, *(seconds for _, _, seconds in rows)])
    return tuple(
        Wait(label, part, float(start), seconds)
        for (label, part, seconds), start in zip(rows, starts, strict=False)
    )


def _parts(latency: Latency) -> list[tuple[str, float]]:
    return [(part.name, float(getattr(latency, part.name))) for part in fields(latency)]


def _prefix(k: int, step: StepCost) -> str:
    times = f" ×{step.repeat}" if step.repeat > 1 else ""
    return f"{step.phase or f'step {k + 1}'}{times}: "


def _whole_rows(k: int, step: StepCost) -> list[tuple[str, str, float]]:
    """Return the parts of a step, all hops together."""
    parts = _parts(step.latency.times(step.repeat))
    return [(_prefix(k, step) + _SAID.get(part, part), part, v) for part, v in parts if v > 0]


def _step_rows(
    analysis: Analysis, k: int, step: StepCost, *, named: bool
) -> list[tuple[str, str, float]]:
    prefix = _prefix(k, step) if named or step.repeat > 1 else ""
    whole = dict(_parts(step.latency.times(step.repeat)))
    rows = [(_SAID["endpoint"], "endpoint", whole.pop("endpoint"))]
    rows += [(label, part, t * step.repeat) for label, part, t in _hops(analysis, k)]
    for part, seconds in whole.items():
        rest = seconds - sum(t for _, p, t in rows if p == part)
        if rest > 1e-9 * step.time * step.repeat:
            rows.append((_SAID.get(part, part), part, rest))
    return [(prefix + label, part, seconds) for label, part, seconds in rows if seconds > 0]


_SAID = {
    "endpoint": "endpoint software",
    "fec": "FEC",
    "serialisation": "bytes through the busiest link",
    "waiting": "waiting for chunks",
}


def _hops(analysis: Analysis, k: int) -> list[tuple[str, str, float]]:
    """Return each link and switch on the slowest path of a step, for one repetition."""
    fabric = analysis.supernode.fabric
    path = analysis.plan.critical_path(k, analysis.size)
    found = []
    for at, arc in enumerate(path):
        u, v = fabric.arcs[arc]
        link = fabric.links[fabric.link[arc]]
        rest = float(fabric.latency[arc]) - link.transceivers - link.fec
        name = f"{u} → {v}"
        found += [
            (name, "propagation", max(0.0, rest)),
            (name, "transceivers", link.transceivers),
            (name, "fec", link.fec),
        ]
        if at + 1 < len(path):
            found.append((v, "switches", float(fabric.node_latency[fabric.head[arc]])))
    return found


def plot_latency(
    analysis: Analysis, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Plot the critical path as a waterfall: each link, switch and step after the one before.

    Parameters
    ----------
    analysis
        What ran where.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    waits = critical_waits(analysis)
    labels = list(dict.fromkeys(wait.label for wait in waits))
    scale, unit = time_unit(analysis.time)
    total = analysis.time or _INSTANT
    plot = framed(
        style, ax, 6.4, 0.25 + 0.26 * max(4, len(labels)), left=3.6, right=1.0, legend=1,
        ylim=(len(labels) - 0.4, -0.6), xlim=(0, total * scale * 1.02), xlabel=f"time, {unit}",
    )  # fmt: skip
    looks = {part: _look(plot.style, part) for part in plot.style.parts}
    for wait in waits:
        plot.ax.barh(
            labels.index(wait.label), wait.seconds * scale, left=wait.start * scale, height=0.72,
            linewidth=0.4, zorder=3, **looks[wait.part],
        )  # fmt: skip
    for row, label in enumerate(labels):
        _say_seconds(plot, row, [w for w in waits if w.label == label], total, scale)
    plot.ax.set_yticks(range(len(labels)), labels, fontsize=plot.style.font - 2)
    used = [part for part in looks if any(wait.part == part for wait in waits)]
    plot.legend(len(used), middle=0.3, handles=[Patch(label=p, **looks[p]) for p in used])
    plot.grid("x")
    return plot.titled(_conclusion(analysis), asked(analysis))


def _look(style: DrawStyle, part: str) -> dict[str, Any]:
    return {"facecolor": style.parts[part], "hatch": _HATCHES[part], "edgecolor": style.paper}


def _say_seconds(plot: Plot, row: int, waits: Sequence[Wait], total: float, scale: float) -> None:
    """Write how long the waits of a row take, where there is room: after them, or before."""
    seconds = sum(wait.seconds for wait in waits)
    begin, end = waits[0].start / total, (waits[-1].start + waits[-1].seconds) / total
    left = end > _LATE
    x = begin if left and begin >= _EARLY else end
    said = f"{units.format_time(seconds)}, {units.format_percent(seconds / total)}"
    plot.beside(x * total * scale, row, said, gap=-4 if left else 4, ground="none", zorder=5)


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the scale and name of a unit in which a time is 1 or more."""
    for scale, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * scale >= 1:
            return scale, unit
    return 1e9, "ns"


def _conclusion(analysis: Analysis) -> str:
    if not analysis.time:
        return first_capital(analysis.bottleneck.sentence)
    parts, total = sorted(_parts(analysis.latency), key=lambda item: -item[1]), analysis.time
    first, second = parts[0], parts[1]
    words = {"serialisation": "moving the bytes", "endpoint": "endpoint software", "fec": "FEC"}
    one, two = (words.get(part, part) for part, _ in (first, second))
    verb = "take" if one.endswith("s") and one != "moving the bytes" else "takes"
    return (
        f"{first_capital(one)} {verb} {units.format_percent(first[1] / total)} of "
        f"{units.format_time(total)}, {two} {units.format_percent(second[1] / total)}"
    )
