"""Plot the steps of a schedule over time, and which links each of them fills."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from collectives.analysis.answer import Analysis
from collectives.plots.frame import Plot, framed
from collectives.plots.latency import time_unit
from collectives.plots.words import asked, first_capital
from topology import units
from topology.drawing.style import DrawStyle

_ENDPOINT = "endpoint software"
_TEXT_FROM = 0.06  # of the width


@dataclass(frozen=True)
class Bar:
    """What one class of links, or the endpoints, do in one step.

    Attributes
    ----------
    row
        The class, "NPU→L1", or "endpoint software".
    step
        Position of the step; its phase, and how often it is repeated.
    phase, repeat
        As in the step.
    start, seconds
        When the step begins, and how long this is busy in it, all repetitions together.
    share
        Of the step's time that the busiest link of the class is in use, 0 to 1.
    """

    row: str
    step: int
    phase: str
    repeat: int
    start: float
    seconds: float
    share: float


def step_bars(analysis: Analysis) -> tuple[Bar, ...]:
    """Return what is busy in every step, from the cost model: steps follow one another.

    One row stands for all links of a class: the busiest of them is shown.
    """
    fabric = analysis.supernode.fabric
    found = []
    start = 0.0
    for k, step in enumerate(analysis.cost.steps):
        whole = step.time * step.repeat
        endpoint = step.latency.endpoint * step.repeat
        rows = [(_ENDPOINT, endpoint)]
        rows += [
            (cls.name, float(step.busy[cls.arcs].max(initial=0.0)) * step.repeat)
            for cls in fabric.classes
        ]
        for row, seconds in rows:
            if seconds > 0 and whole > 0:
                share = seconds / whole
                found.append(Bar(row, k, step.phase, step.repeat, start, seconds, share))
        start += whole
    return tuple(found)


def plot_steps(
    analysis: Analysis, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Plot the steps as a Gantt chart: a row for each class of links in use.

    Parameters
    ----------
    analysis
        What ran where.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.

    Notes
    -----
    The times are the cost model's: a step begins when the one before has ended everywhere, and
    equal repetitions are drawn as one block. Within a step the endpoints come first.
    """
    bars = step_bars(analysis)
    known = [_ENDPOINT, *(cls.name for cls in analysis.supernode.fabric.classes)]
    rows = [row for row in dict.fromkeys(known) if any(bar.row == row for bar in bars)]
    scale, unit = time_unit(analysis.time)
    plot = framed(
        style, ax, 8.8, 0.25 + 0.36 * max(3, len(rows)), left=1.8, legend=1,
        ylim=(len(rows) - 0.4, -1.3), xlim=(0, max(analysis.time * scale, 1e-12)),
        xlabel=f"time, {unit}",
    )  # fmt: skip
    looks = plot.style
    delay = {bar.step: bar.seconds for bar in bars if bar.row == _ENDPOINT}
    for bar in bars:
        own = bar.row == _ENDPOINT
        start = bar.start + (0.0 if own else delay.get(bar.step, 0.0))
        plot.ax.barh(
            rows.index(bar.row), bar.seconds * scale, left=start * scale, height=0.68, zorder=3,
            color=looks.parts["endpoint"] if own else looks.shade(bar.share),
            edgecolor=looks.ink, linewidth=0.4,
        )  # fmt: skip
    _boundaries(plot, analysis, scale)
    plot.ax.set_yticks(range(len(rows)), rows, fontsize=looks.font - 1)
    samples = [
        Patch(facecolor=looks.shade(share), edgecolor=looks.ink, linewidth=0.4,
              label=f"busy {units.format_percent(share)} of the step")
        for share in (0.25, 0.5, 1.0)
    ]  # fmt: skip
    plot.legend(3, handles=samples)
    return plot.titled(_conclusion(analysis), asked(analysis))


def _boundaries(plot: Plot, analysis: Analysis, scale: float) -> None:
    """Mark where steps begin, and name those there is room for."""
    start = 0.0
    for k, step in enumerate(analysis.cost.steps):
        plot.ax.axvline(start * scale, color=plot.style.faint, linewidth=0.8, zorder=2)
        whole = step.time * step.repeat
        share = whole / analysis.time if analysis.time > 0 else 0.0
        words = (step.phase or f"step {k + 1}") + (f" ×{step.repeat}" if step.repeat > 1 else "")
        if share > _TEXT_FROM:
            said = words if len(words) < int(share * 105) else f"{k + 1}"
            x, size = (start + whole / 2) * scale, plot.style.font - 2
            plot.write(x, -0.85, said, ha="center", fontsize=size)
        start += whole


def _conclusion(analysis: Analysis) -> str:
    steps = analysis.cost.steps
    if not steps:
        return "One NPU has nothing to send"
    longest = max(steps, key=lambda step: step.time * step.repeat)
    share = longest.time * longest.repeat / max(analysis.time, 1e-30)
    if len(steps) == 1:
        count = f"{longest.repeat:,} equal steps" if longest.repeat > 1 else "One step"
        return f"{count}, {units.format_time(analysis.time)} in all"
    name = longest.phase or f"step {steps.index(longest) + 1}"
    return (
        f"{first_capital(name)} takes {units.format_percent(share)} of "
        f"{units.format_time(analysis.time)}"
    )
