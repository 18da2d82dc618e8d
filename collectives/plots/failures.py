"""Plot what is left when parts fail: one, two, four of each sort."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectives.analysis.answer import Analysis
from collectives.analysis.failures import failures_of, loss
from collectives.plots.frame import framed
from collectives.plots.words import asked
from topology import border, units
from topology.drawing.style import MARKERS, DrawStyle
from topology.errors import SupernodeError
from topology.faults import FailureUnit, failure_units, unit_sorts

_COUNTS = (1, 2, 4)
_KINDS = ("switch", "nic", "link")


@dataclass(frozen=True)
class Failures:
    """What a collective keeps of its speed when parts of one sort fail.

    Attributes
    ----------
    part
        "L2 switch", "L1–L2 link".
    there
        How many there are.
    dead
        How many failed, from 0.
    left
        Time without failures over time with them, 0 to 1; 0 where it cannot go on.
    why
        Why it cannot go on after one failure, if it cannot.
    """

    part: str
    there: int
    dead: tuple[int, ...]
    left: tuple[float, ...]
    why: str = ""

    @property
    def first(self) -> float:
        """Return what is left after one failure."""
        return self.left[1]


def failure_curves(analysis: Analysis, counts: Iterable[int] = _COUNTS) -> tuple[Failures, ...]:
    """Return what is left of a collective's speed as switches and links fail, worst sort first.

    Parameters
    ----------
    analysis
        Without failures: the question stays as it was asked.
    counts
        How many parts of a sort fail at once.

    Notes
    -----
    First fails the part whose failure costs most, as `failures` finds it; then parts in the order
    of their ids, so several failures often fall in the same plane or node, which is worse than
    failures spread at random. Links fail in both directions.
    """
    given = border.members(counts, "counts", SupernodeError)
    steps = sorted({border.whole(count, "counts", error=SupernodeError) for count in given})
    if not steps:
        raise SupernodeError("counts is empty; give whole numbers above 0")
    found, machine = [], analysis.supernode
    worst: dict[str, FailureUnit] = {}
    for kind in _KINDS:
        for unit, *_ in failures_of(analysis, kind).rows if failure_units(machine, kind) else ():
            worst.setdefault(unit.sort or kind, unit)
    for part, units_of in unit_sorts(machine, _KINDS, analysis.utilisation > 0).items():
        first = worst[part]
        members = (first, *(unit for unit in units_of if unit != first))
        chosen = [count for count in steps if count < len(members) or count == 1]
        losses = [loss(analysis, members[:count]) for count in chosen]
        left = (1.0, *(one.left for one in losses))
        found.append(Failures(part, len(members), (0, *chosen), left, losses[0].why))
    return tuple(sorted(found, key=lambda item: (round(item.left[-1], 9), item.part)))


def plot_failures(
    analysis: Analysis,
    ax: Axes | None = None,
    *,
    counts: Iterable[int] = _COUNTS,
    style: str | DrawStyle = "light",
) -> tuple[Figure, Axes]:
    """Plot how much speed a collective keeps when one, two, four parts of a sort fail.

    Parameters
    ----------
    analysis
        Without failures.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    counts
        How many parts of a sort fail at once.
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    curves = failure_curves(analysis, counts)
    most = max((curve.dead[-1] for curve in curves), default=1)
    plot = framed(
        style, ax, 8.8, 4.4, legend=-(-len(curves) // 2), xlim=(0, most * 1.02), ylim=(0, 105),
        xticks=range(most + 1), xlabel="parts of one sort that failed: the worst first, then by id",
        ylabel="speed left, % of that without failures",
    )  # fmt: skip
    for k, curve in enumerate(curves):
        plot.ax.plot(
            curve.dead, 100 * np.array(curve.left), marker=MARKERS[k % len(MARKERS)], markersize=6,
            linewidth=1.8, zorder=3 + k, **plot.style.line(k),
            label=f"{curve.part}, 1 of {curve.there:,}: {units.format_percent(curve.first)} left",
        )  # fmt: skip
    plot.grid()
    if curves:
        plot.legend(2)
    return plot.titled(_conclusion(curves), asked(analysis))


def _conclusion(curves: Sequence[Failures]) -> str:
    if not curves:
        return "No switch and no link is in use"
    worst = min(curves, key=lambda curve: curve.first)
    if worst.first == 0.0:
        return f"One dead {worst.part} {worst.why}"
    return (
        f"One dead {worst.part} leaves {units.format_percent(worst.first)} of the speed, "
        "the most that any one of these parts costs"
    )
