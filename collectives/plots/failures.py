"""Plot what is left when parts fail: one, two, four of each sort."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectives.analysis.analyze import Analysis, analyze
from collectives.plots.frame import framed, head
from collectives.plots.words import asked
from topology import units
from topology.drawing.style import LINE_STYLES, MARKERS, DrawStyle, draw_style
from topology.errors import SupernodeError, shown
from topology.naming import natural_sort
from topology.supernode import Supernode

_COUNTS = (1, 2, 4)


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
        Time without failures over time with them, 0 to 1; 0 where ranks are cut off.
    """

    part: str
    there: int
    dead: tuple[int, ...]
    left: tuple[float, ...]

    @property
    def first(self) -> float:
        """Return what is left after one failure."""
        return self.left[1]


def failure_curves(analysis: Analysis, counts: Iterable[int] = _COUNTS) -> tuple[Failures, ...]:
    """Return what is left of a collective's speed as switches and links fail, worst sort first.

    Parameters
    ----------
    analysis
        Without failures: machine, collective, size, algorithm and ranks.
    counts
        How many parts of a sort fail at once.

    Notes
    -----
    Parts fail in the order of their ids, so several failures fall in the same plane or node,
    which is worse than failures spread at random. Links fail in both directions.
    """
    machine = analysis.supernode
    steps = sorted({int(count) for count in counts})
    if not steps or steps[0] < 1:
        raise SupernodeError(f"counts is {shown(list(counts))}; it must be whole numbers above 0")
    found = []
    for part, members in _parts(machine, analysis).items():
        chosen = [count for count in steps if count < len(members) or count == 1]
        left = [1.0, *(_left(analysis, members[:count]) for count in chosen)]
        found.append(Failures(part, len(members), (0, *chosen), tuple(left)))
    return tuple(sorted(found, key=lambda item: (round(item.left[-1], 9), item.part)))


_Part = str | tuple[str, str]


def _parts(machine: Supernode, analysis: Analysis) -> dict[str, list[_Part]]:
    """Return the switches and the links in use, by sort."""
    fabric = machine.fabric
    used = analysis.utilisation > 0
    heights = {
        word: (float(machine.graph.nodes[node].get("tier", 0)), kind != "npu")
        for node, word, kind in zip(fabric.nodes, fabric.labels, fabric.kind, strict=True)
    }
    found: dict[str, list[_Part]] = {}
    busy = set(fabric.tail[used].tolist()) | set(fabric.head[used].tolist())
    names = {fabric.nodes[i]: fabric.labels[i] for i in busy if fabric.kind[i] in ("switch", "nic")}
    for node in natural_sort(names):
        word = names[node]
        bare = fabric.kind[fabric.index[node]] == "nic" or word.lower().endswith("switch")
        found.setdefault(word if bare else f"{word} switch", []).append(node)
    for cls in fabric.classes:
        words = sorted((cls.tail, cls.head), key=heights.__getitem__)
        links: list[_Part] = [fabric.arcs[arc] for arc in cls.arcs.tolist() if used[arc]]
        if cls.tail == cls.head:
            links = [link for link in links if natural_sort(link)[0] == link[0]]
        if links:
            found.setdefault(f"{'–'.join(words)} link", links)
    return found


def _left(analysis: Analysis, dead: Sequence[_Part]) -> float:
    """Return the time without failures over the time with them; 0 where ranks are cut off."""
    nodes = [part for part in dead if isinstance(part, str)]
    links = [part for part in dead if not isinstance(part, str)]
    try:
        hurt = analysis.supernode.without(nodes=nodes, links=links)
        found = analyze(
            hurt,
            analysis.collective.name,
            analysis.size,
            algorithm=analysis.schedule,
            routing="ecmp",
            ranks=analysis.ranks,
            rate=analysis.plan.rate,
        )
    except SupernodeError:
        return 0.0
    return analysis.time / found.time if found.time > 0 else 1.0


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
    looks = draw_style(style)
    curves = failure_curves(analysis, counts)
    rows = -(-len(curves) // 2)
    bottom = 0.14 + 0.035 * rows
    figure, ax = framed(looks, ax, (10.0, 6.2), (0.085, bottom, 0.885, 0.86 - bottom))
    for k, curve in enumerate(curves):
        ax.plot(
            curve.dead, 100 * np.array(curve.left), color=looks.series[k % len(looks.series)],
            linestyle=LINE_STYLES[k % len(LINE_STYLES)], marker=MARKERS[k % len(MARKERS)],
            markersize=6, linewidth=1.8, zorder=3 + k,
            label=f"{curve.part}, 1 of {curve.there:,}: {units.format_percent(curve.first)} left",
        )  # fmt: skip
    most = max((curve.dead[-1] for curve in curves), default=1)
    ax.set_xlim(0, most * 1.02)
    ax.set_xticks(range(most + 1))
    ax.set_ylim(0, 105)
    ax.set_xlabel("parts of one sort that failed, in the order of their ids")
    ax.set_ylabel("speed left, % of that without failures")
    ax.grid(visible=True, color=looks.grid, linewidth=0.6)
    if curves:
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.08 / (0.86 - bottom)), ncols=2,
            frameon=False, fontsize=looks.font - 1, labelcolor=looks.ink,
        )  # fmt: skip
    head(ax, looks, _conclusion(curves), asked(analysis))
    return figure, ax


def _conclusion(curves: Sequence[Failures]) -> str:
    if not curves:
        return "No switch and no link is in use"
    worst = min(curves, key=lambda curve: curve.first)
    if worst.first == 0.0:
        return f"One dead {worst.part} cuts ranks off"
    return (
        f"One dead {worst.part} leaves {units.format_percent(worst.first)} of the speed, "
        "the most that any one of these parts costs"
    )
