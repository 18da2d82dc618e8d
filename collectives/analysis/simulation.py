"""What a simulation answers: times of every rank, links over time, and what the end waited for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from collectives.analysis.answer import Analysis, Rated
from collectives.analysis.bottleneck import LinkClass, link_classes, links_table
from collectives.analysis.question import Job, Question
from collectives.bounds import Bound
from collectives.model.schedule import IntArray, Schedule, ScheduleError
from collectives.timing.critical import critical_path
from collectives.timing.program import Program
from collectives.timing.trace import Leg, Trace
from topology import border, units
from topology.approximation import Approximation
from topology.fabric import FloatArray
from topology.supernode import Supernode
from topology.text import Part, Printed, Table

_SHOWN = 12
_SAME = 5e-4  # what a percentage with one digit would not show


@dataclass(frozen=True, eq=False, repr=False)
class JobRun(Printed):
    """What became of one of the jobs.

    Attributes
    ----------
    job, schedule, ranks
        What ran, how, and the rank at each position, shape (p,).
    finish
        Seconds at which each position was done, shape (p,).
    alone
        Seconds it takes with no other job on the machine.
    """

    job: Job
    schedule: Schedule
    ranks: IntArray
    finish: FloatArray
    alone: float

    @property
    def time(self) -> float:
        """Return seconds until all its ranks are done."""
        return float(self.finish.max(initial=0.0))

    @property
    def slowdown(self) -> float:
        """Return by how much longer it takes with the others: time / alone."""
        return self.time / self.alone if self.alone > 0 else 1.0

    def cells(self) -> tuple[str, ...]:
        """Return what a table says of it."""
        return (
            self.job.title, self.schedule.name, units.format_time(self.alone),
            units.format_time(self.time), f"{self.slowdown:.3g}×",
        )  # fmt: skip

    def parts(self) -> list[Part]:
        """Return what people read."""
        title, name, alone, time, slowdown = self.cells()
        return [f"{title} by {name}: {time} with the others, {alone} alone: {slowdown}"]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units."""
        return {
            "name": self.job.title, "collective": self.job.kind.name,
            "size_bytes": self.job.bytes, "algorithm": self.schedule.name,
            "ranks": self.ranks.tolist(), "time_s": self.time, "alone_s": self.alone,
            "slowdown": self.slowdown, "finish_s": self.finish.tolist(),
        }  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Rated):
    """What happens when collectives run, event by event.

    Attributes
    ----------
    question
        What was asked.
    jobs
        What became of each job.
    trace
        When every message started, left and arrived.
    assumptions
        What the numbers stand on.
    approximate
        In which ways the run itself is not exact.
    """

    question: Question
    jobs: tuple[JobRun, ...]
    trace: Trace
    assumptions: tuple[str, ...]
    approximate: tuple[Approximation, ...] = ()

    @cached_property
    def bound(self) -> Bound:
        """What nothing can beat; found when it is asked for, as that may take longer than a run."""
        return self.question.bound.at(self.size)

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """In which ways the run, or the bound, is not exact."""
        return tuple(dict.fromkeys((*self.approximate, *self.bound.approximations)))

    @property
    def supernode(self) -> Supernode:
        """Return the machine."""
        return self.question.supernode

    @property
    def program(self) -> Program:
        """Return what was carried out."""
        return self.trace.program

    @property
    def size(self) -> float:
        """Return S in bytes, of all jobs together."""
        return self.question.size

    @property
    def time(self) -> float:
        """Return seconds until every rank is done."""
        return max(job.time for job in self.jobs)

    @property
    def algorithm(self) -> str:
        """Return the algorithms' names."""
        return " + ".join(dict.fromkeys(job.schedule.name for job in self.jobs))

    @property
    def finish(self) -> FloatArray:
        """Return seconds at which each position of the first job was done, shape (p,)."""
        return self.jobs[0].finish

    def steps(self, job: int = 0) -> FloatArray:
        """Return seconds at which each position was done with each step, shape (p, steps).

        Repetitions count one by one.

        Parameters
        ----------
        job
            Position among the jobs.
        """
        at = border.whole(job, "job", least=0, most=len(self.jobs) - 1, error=ScheduleError)
        actors = self.program.actors_of(at)
        turns = np.flatnonzero(self.program.part == at).tolist()
        rows = [self.trace.done(turn)[actors] for turn in turns]
        return np.stack(rows, axis=1) if rows else np.zeros((len(actors), 0))

    @cached_property
    def carried(self) -> FloatArray:
        """Bytes over each arc, shape (arcs,)."""
        program = self.program
        turns = np.bincount(program.pattern, minlength=len(program.patterns))
        times = np.zeros(len(program.bytes))
        for pattern, count in zip(program.patterns, turns.tolist(), strict=False):
            times[pattern.first : pattern.first + pattern.size] = count
        return self._on_arcs(program.share @ (program.count * program.bytes * times))

    def _on_arcs(self, values: FloatArray) -> FloatArray:
        """Return what arcs carry of what each of their resources carries."""
        resources = self.program.resources
        arcs = len(self.program.fabric.tail)
        return np.bincount(resources.arc, values[resources.at], arcs).astype(float)

    @cached_property
    def utilisation(self) -> FloatArray:
        """Share of its capacity that each arc carries over the whole time, shape (arcs,)."""
        if self.time <= 0:
            return np.zeros(len(self.carried))
        found: FloatArray = self.carried / (self.question.rates * self.time)
        return found

    @cached_property
    def links(self) -> tuple[LinkClass, ...]:
        """Every class of links, the busiest first; in use as a share of the whole time."""
        busy = self.carried / self.question.rates
        return link_classes(self.supernode.fabric, busy, self.time)

    def timeline(self, tail: object, head: object) -> tuple[FloatArray, FloatArray]:
        """Return how full a link is over time: seconds, and its share in use from each on.

        Parameters
        ----------
        tail, head
            Ids of its ends.

        Raises
        ------
        SupernodeError
            If there is no such link, or messages were not kept.
        """
        arc = self.program.fabric.arc(str(tail), str(head))
        if self.trace.hops is not None:
            on, begin, end, part = self.trace.hops
            here = on == arc
            edges = np.concatenate([begin[here], end[here]])
            change = np.concatenate([part[here], -part[here]])
            at, which = np.unique(edges, return_inverse=True)
            busy = np.bincount(which.reshape(-1), change, minlength=len(at))
            return at, np.cumsum(busy)
        time, message, by = self.trace.rate_changes()
        program = self.program
        resources = program.resources
        rows = resources.at[resources.arc == arc]
        share = np.asarray(program.share[rows].sum(axis=0)).reshape(-1)
        used = share[message] > 0
        change = by[used] * (share * program.count)[message[used]]
        at, which = np.unique(time[used], return_inverse=True)
        level = np.cumsum(np.bincount(which.reshape(-1), change, minlength=len(at)))
        rate = float(self.question.rates[arc])
        return at, np.where(np.abs(level) < rate * 1e-9, 0.0, level / rate)

    @cached_property
    def critical_path(self) -> tuple[Leg, ...]:
        """The transfers that the end waited for, first to last."""
        return tuple(critical_path(self.trace))

    def _words(self, leg: Leg) -> tuple[str, ...]:
        npus = self.supernode.npus
        step = self.jobs[leg.part].schedule.steps[leg.step]
        return (
            step.phase or f"step {leg.step}", f"{npus[leg.src]} → {npus[leg.dst]}",
            units.format_time(leg.start - leg.ready), units.format_time(leg.sent - leg.start),
            units.format_time(leg.arrival - leg.sent), self._class_of(leg),
        )  # fmt: skip

    def _ends(self, leg: Leg) -> list[str]:
        """Return the links, or switches, of which any may have held a transfer back."""
        resources, fabric = self.program.resources, self.program.fabric
        arcs = resources.arc[resources.at == leg.resource]
        nodes = np.flatnonzero(resources.node_at == leg.resource)
        names = [" → ".join(fabric.arcs[arc]) for arc in arcs.tolist()]
        return names + [fabric.nodes[node] for node in nodes.tolist()]

    def _class_of(self, leg: Leg) -> str:
        """Return in words what held a transfer back: a class of links, and how full it was."""
        if leg.resource < 0:
            return ""
        resources, fabric = self.program.resources, self.program.fabric
        said = "what a rank sends or receives"
        for arc in resources.arc[resources.at == leg.resource][:1].tolist():
            said = f"{fabric.labels[fabric.tail[arc]]}→{fabric.labels[fabric.head[arc]]}"
        for node in np.flatnonzero(resources.node_at == leg.resource)[:1].tolist():
            said = f"forwarding of {fabric.labels[node]}"
        return f"{said}, {units.format_percent(leg.full)}"

    def parts(self) -> list[Part]:
        """Return what people read, the answer first."""
        limit = self.bound
        rates = [(name, units.format_rate(getattr(self, name))) for name in ("algbw", "busbw")]
        facts = [
            ("time", units.format_time(self.time)),
            *(rates if self.size > 0 else []),
            ("bound", f"{units.format_time(limit.time)}, by {limit.words}"),
            ("bound / time", units.format_percent(self.efficiency)),
        ]  # fmt: skip
        said: list[Part] = [self._first_line(), Table("", ("", ""), facts)]
        if len(self.jobs) > 1:
            headers = ("job", "algorithm", "alone", "together", "slowdown")
            said.append(Table("jobs", headers, [job.cells() for job in self.jobs]))
        notes = [*self.assumptions, *(f"approximate: {note}" for note in self.approximations)]
        return [
            *said, *self._path_table(), links_table(self.links),
            Table("assumptions", ("",), [(note,) for note in notes]),
        ]  # fmt: skip

    def _first_line(self) -> str:
        names = " with ".join(dict.fromkeys(run.job.asked(run.job.bytes) for run in self.jobs))
        finish = np.concatenate([job.finish for job in self.jobs])
        first = f"; the first rank is done after {units.format_time(float(finish.min()))}"
        spread = first if finish.min() < self.time * (1 - 1e-9) else ""
        where = f"on {self.supernode.title}, {self.algorithm}"
        return f"{names} {where} takes {units.format_time(self.time)}{spread}"

    def _path_table(self) -> list[Table]:
        """Return the critical path, equal legs in a row as one."""
        if not self.trace.kept:
            return []
        rows: list[tuple[int, tuple[str, ...]]] = []
        for leg in self.critical_path:
            words = self._words(leg)
            if rows and (rows[-1][1][0], rows[-1][1][2:]) == (words[0], words[2:]):
                rows[-1] = rows[-1][0] + 1, rows[-1][1]
            else:
                rows.append((1, words))
        headers = ("step", "times", "first", "endpoint", "moves", "arrives after", "fullest link")
        cells = [(row[0], f"{times:,}", *row[1:]) for times, row in rows]
        more = [("…", "", f"{len(cells) - _SHOWN:,} more", "", "", "", "")]
        shown = cells if len(cells) <= _SHOWN + 1 else [*cells[:_SHOWN], *more]
        return [Table("critical path", headers, shown)] if rows else []

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        kept = self.trace.kept
        return {
            "system": self.supernode.name,
            "history": list(self.supernode.history),
            "size_bytes": self.size,
            "algorithm": self.algorithm,
            "time_s": self.time,
            "algbw_Bps": self.algbw,
            "busbw_Bps": self.busbw,
            "bound": {"time_s": self.bound.time, "words": self.bound.words},
            "bound_over_time": self.efficiency,
            "jobs": [job.to_dict() for job in self.jobs],
            "critical_path": [
                {**asdict(leg), "fullest": self._ends(leg)} for leg in self.critical_path
            ] if kept else None,
            "links": [row.to_dict() for row in self.links],
            "utilisation": [
                {"link": list(ends), "share": share}
                for ends, share in zip(
                    self.program.fabric.arcs, self.utilisation.tolist(), strict=True
                )
            ],
            "assumptions": list(self.assumptions),
            "approximations": [asdict(note) for note in self.approximations],
        }  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class TwoWays(Printed):
    """The same question answered by the closed form and by simulation.

    Attributes
    ----------
    analysis, simulation
        The answers.
    """

    analysis: Analysis
    simulation: Simulation

    @property
    def ratio(self) -> float:
        """Return simulated time / time of the closed form; 1 where both are nothing."""
        estimate, simulated = self.analysis.time, self.simulation.time
        return simulated / estimate if estimate > 0 else 1.0

    def parts(self) -> list[Part]:
        """Return what people read: both times and by how much they differ, then each answer."""
        off = self.ratio - 1
        differ = "the same" if abs(off) < _SAME else (
            f"{units.format_percent(abs(off))} {'longer' if off > 0 else 'shorter'}"
        )  # fmt: skip
        said = (
            f"simulated {units.format_time(self.simulation.time)}, {differ}: closed form "
            f"{units.format_time(self.analysis.time)}"
        )
        return [said, *self.analysis.parts(), "Simulated:", *self.simulation.parts()]

    def to_dict(self) -> dict[str, Any]:
        """Return both as plain data."""
        return {
            **self.analysis.to_dict(), "simulation": self.simulation.to_dict(),
            "simulated_over_estimate": self.ratio,
        }  # fmt: skip
