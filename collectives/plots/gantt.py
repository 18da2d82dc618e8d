"""Plot a simulation over time: what every rank is at, and how full the links are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from collectives.analysis.simulation import Simulation
from collectives.plots.frame import Plot, framed
from collectives.plots.latency import time_unit
from collectives.timing.trace import Record
from topology import units
from topology.drawing.style import DrawStyle
from topology.fabric import FloatArray
from topology.text import counted

_MOST_ROWS = 32
_MOST_SPANS = 12_000  # in all: a longer simulation shows fewer ranks
_FEWEST_ROWS = 4
_LETTER = 0.075  # inches of a row's name
_TEXT_FROM = 0.06  # of the width
_SOON, _SAME = 0.02, 5e-4  # of the time
_PARTS = {
    "endpoint": "endpoint software",
    "serialisation": "its messages move",
    "propagation": "waits for what is on its way",
}


@dataclass(frozen=True)
class Span:
    """What a rank is at for some time.

    Attributes
    ----------
    job, rank
        Which job, and which of its ranks.
    phase
        Of the step.
    part
        "endpoint" software, "serialisation" while its messages move, or "propagation" while it
        waits for the rest.
    start, end
        Seconds.
    """

    job: int
    rank: int
    phase: str
    part: str
    start: float
    end: float


def gantt_spans(simulation: Simulation, rows: int = _MOST_ROWS) -> tuple[Span, ...]:
    """Return what ranks are at over time, turn by turn; of many ranks, as many as there is room.

    Parameters
    ----------
    simulation
        What ran.
    rows
        How many ranks at most, of all jobs.
    """
    trace, program = simulation.trace, simulation.program
    shown = []
    for at, job in enumerate(simulation.jobs):
        room = max(1, rows // len(simulation.jobs))
        chosen = np.unique(
            np.linspace(0, len(job.ranks) - 1, min(room, len(job.ranks))).astype(int)
        )
        actors = program.actors_of(at)[chosen]
        shown.append([*zip(job.ranks[chosen].tolist(), actors.tolist(), strict=True)])
    found = []
    list(trace.moves())  # refuses where messages were not kept
    for record in trace.records:
        part = int(program.part[record.turn])
        phase = simulation.jobs[part].schedule.steps[int(program.step[record.turn])].phase
        begin, sent = _own(simulation, record)
        for again in range(record.repeat):
            turn, later = record.turn + again, again * record.period
            done = trace.done(turn)
            ready = np.zeros(program.actors)
            for needed in program.needs[turn]:
                np.fmax(ready, trace.done(needed), out=ready)
            for rank, actor in shown[part]:
                edges = [ready[actor], begin[actor] + later, sent[actor] + later, done[actor]]
                if np.isnan(edges[1]):  # it sends nothing
                    edges[1] = edges[2] = edges[0]
                edges = np.maximum.accumulate(edges).tolist()
                for name, start, end in zip(_PARTS, edges, edges[1:], strict=False):
                    if end > start:
                        found.append(Span(part, rank, phase, name, start, end))
    return tuple(found)


def _own(simulation: Simulation, record: Record) -> tuple[FloatArray, FloatArray]:
    """Return when each actor's own messages begin to move and have left, NaN where none do."""
    on, actors = simulation.program.at(record.turn), simulation.program.actors
    begin, sent = np.full((2, actors), np.nan)
    np.fmin.at(begin, on.senders[1], record.start[on.senders[0]])
    np.fmax.at(sent, on.senders[1], record.sent[on.senders[0]])
    return begin, sent


def plot_gantt(
    simulation: Simulation, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Plot a simulation as a Gantt chart: a row for each rank, or for some of many.

    Parameters
    ----------
    simulation
        What ran.
    ax
        Where to draw; by default a new figure, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.

    Raises
    ------
    ScheduleError
        If the simulation was too long to keep every message of.
    """
    turns = max(1, len(simulation.program.pattern))
    fits = max(_FEWEST_ROWS, _MOST_SPANS // (turns * len(_PARTS)))
    lanes = _lanes(simulation)
    spans = gantt_spans(simulation, max(1, min(_MOST_ROWS // max(1, len(lanes)), fits)))
    ranks = sorted({(span.job, span.rank) for span in spans})
    rows = [(job, rank, phase) for job, rank in ranks for phase in lanes or [""]]
    named = len(simulation.jobs) == 1 and not lanes and any(span.phase for span in spans)
    scale, unit = time_unit(simulation.time)
    names = _names(simulation, rows)
    left = max(1.5, _LETTER * max(map(len, names), default=0))
    plot = framed(
        style, ax, 8.8, 0.4 + 0.2 * max(8, len(rows)), left=left, legend=1,
        ylim=(max(1, len(rows)) - 0.4, -1.4 if named else -0.6),
        xlim=(0, max(simulation.time * scale, 1e-12)),
        xlabel=f"time, {unit}",
    )  # fmt: skip
    looks = plot.style
    for part in _PARTS:
        for at, row in enumerate(rows):
            bars = [
                (span.start * scale, (span.end - span.start) * scale)
                for span in spans
                if _row(span, lanes) == row and span.part == part
            ]
            plot.ax.broken_barh(
                bars, (at - 0.36, 0.72), facecolors=looks.parts[part], linewidth=0, zorder=3
            )
    if named:
        _phases(plot, spans, simulation.time, scale)
    plot.ax.set_yticks(range(len(rows)), names, fontsize=looks.font - 2)
    handles = [Patch(facecolor=looks.parts[part], label=words) for part, words in _PARTS.items()]
    plot.legend(len(handles), handles=handles)
    return plot.titled(gantt_conclusion(simulation), _asked(simulation))


def _lanes(simulation: Simulation) -> list[str]:
    """Return the phases that have a row each: those of a schedule whose steps overlap."""
    if len(simulation.jobs) > 1 or simulation.jobs[0].schedule.lockstep:
        return []
    return list(dict.fromkeys(step.phase for step in simulation.jobs[0].schedule.steps))


def _row(span: Span, lanes: list[str]) -> tuple[int, int, str]:
    return span.job, span.rank, span.phase if lanes else ""


def _names(simulation: Simulation, rows: list[tuple[int, int, str]]) -> list[str]:
    """Return what each row is called."""
    npus, several = simulation.supernode.npus, len(simulation.jobs) > 1
    titles = [f"{simulation.jobs[job].job.title}: " if several else "" for job, _, _ in rows]
    return [
        f"{title}{npus[rank]}{': ' * bool(phase)}{phase}"
        for title, (_, rank, phase) in zip(titles, rows, strict=True)
    ]


def _phases(plot: Plot, spans: tuple[Span, ...], time: float, scale: float) -> None:
    """Mark when the first rank comes to a phase, and name those there is room for."""
    starts: dict[str, float] = {}
    for span in spans:
        starts[span.phase] = min(starts.get(span.phase, span.start), span.start)
    order = sorted(starts, key=lambda phase: starts[phase])
    ends = [*(starts[phase] for phase in order[1:]), time]
    for phase, end in zip(order, ends, strict=True):
        plot.ax.axvline(starts[phase] * scale, color=plot.style.faint, linewidth=0.8, zorder=4)
        share = (end - starts[phase]) / time
        if phase and share > _TEXT_FROM and len(phase) < int(share * 105):
            middle = (starts[phase] + end) / 2 * scale
            plot.write(middle, -0.85, phase, ha="center", fontsize=plot.style.font - 2)


def gantt_conclusion(simulation: Simulation) -> str:
    """Return how long it takes, and how far apart the ranks are done."""
    finish = np.concatenate([job.finish for job in simulation.jobs])
    if simulation.time <= 0:
        return "Nothing is sent"
    early = 1 - float(finish.min()) / simulation.time
    said = f"Done after {units.format_time(simulation.time)}"
    if len(simulation.jobs) > 1:
        worst = max(simulation.jobs, key=lambda job: job.slowdown)
        return f"{said}; {worst.job.title} takes {worst.slowdown:.3g}× as long as alone"
    if early < _SAME:
        return f"{said}, all ranks at once"
    if early < _SOON:
        return f"{said}, all ranks within {units.format_percent(early)} of it"
    return f"{said}; the first rank {units.format_percent(early)} of it earlier"


def _asked(simulation: Simulation) -> str:
    jobs = [f"{job.job.asked(job.job.bytes)} by {job.schedule.name}" for job in simulation.jobs]
    ranks = counted(len(simulation.question.ranks), "rank")
    router = simulation.question.router.title
    return f"{', with '.join(jobs)}, {ranks} of {simulation.supernode.title}, routing {router}"
