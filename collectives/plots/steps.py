"""Plot the steps of a schedule over time, and which links each of them fills."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from collectives.analysis.answer import Analysis
from collectives.plots.frame import framed, head
from collectives.plots.latency import time_unit
from collectives.plots.words import asked
from topology import units
from topology.drawing.style import DrawStyle, draw_style

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
    looks = draw_style(style)
    bars = step_bars(analysis)
    known = [_ENDPOINT, *(cls.name for cls in analysis.supernode.fabric.classes)]
    rows = [row for row in dict.fromkeys(known) if any(bar.row == row for bar in bars)]
    tall = 2.3 + 0.36 * max(3, len(rows))
    figure, ax = framed(looks, ax, (11.0, tall), (0.16, 1.05 / tall, 0.80, 1 - 2.05 / tall))
    scale, unit = time_unit(analysis.time)
    delay = {bar.step: bar.seconds for bar in bars if bar.row == _ENDPOINT}
    for bar in bars:
        own = bar.row == _ENDPOINT
        start = bar.start + (0.0 if own else delay.get(bar.step, 0.0))
        colour = looks.parts["endpoint"] if own else looks.shade(bar.share)
        ax.barh(
            rows.index(bar.row), bar.seconds * scale, left=start * scale, height=0.68,
            color=colour, edgecolor=looks.ink, linewidth=0.4, zorder=3,
        )  # fmt: skip
    _boundaries(ax, analysis, looks, scale)
    ax.set_yticks(range(len(rows)), rows, fontsize=looks.font - 1)
    ax.set_ylim(len(rows) - 0.4, -1.3)
    ax.set_xlim(0, max(analysis.time * scale, 1e-12))
    ax.set_xlabel(f"time, {unit}")
    ax.legend(
        handles=[
            Patch(facecolor=looks.shade(share), edgecolor=looks.ink, linewidth=0.4,
                  label=f"busy {share:.0%} of the step".replace("%", " %"))
            for share in (0.25, 0.5, 1.0)
        ],
        loc="upper center", bbox_to_anchor=(0.5, -0.55 / (tall - 2.05)), ncols=3, frameon=False,
        fontsize=looks.font - 2, labelcolor=looks.ink,
    )  # fmt: skip
    head(ax, looks, _conclusion(analysis), asked(analysis))
    return figure, ax


def _boundaries(ax: Axes, analysis: Analysis, style: DrawStyle, scale: float) -> None:
    """Mark where steps begin, and name those there is room for."""
    start = 0.0
    for k, step in enumerate(analysis.cost.steps):
        ax.axvline(start * scale, color=style.faint, linewidth=0.8, zorder=2)
        whole = step.time * step.repeat
        share = whole / analysis.time if analysis.time > 0 else 0.0
        words = f"{step.phase or f'step {k + 1}'}" + (f" ×{step.repeat}" if step.repeat > 1 else "")
        letters = int(share * 105)
        if share > _TEXT_FROM:
            ax.text(
                (start + whole / 2) * scale, -0.85, words if len(words) < letters else f"{k + 1}",
                ha="center", va="center", fontsize=style.font - 2, color=style.ink,
            )  # fmt: skip
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
        f"{name[:1].upper() + name[1:]} takes {units.format_percent(share)} of "
        f"{units.format_time(analysis.time)}"
    )
