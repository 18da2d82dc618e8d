"""Choose an algorithm by size: what each takes, where one overtakes another, and a tuner table.

References
----------
NVIDIA NCCL, src/graph/tuning.cc, for the idea of a table by size; Thakur, Rabenseifner and Gropp,
IJHPCA 19 (2005) 49-66, for switching algorithms by size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from collectives.algorithms import algorithm_names, candidate_names
from collectives.analysis import explain
from collectives.analysis.answer import Analysis, conclude
from collectives.analysis.crossovers import (
    Crossover,
    changes_of_choice,
    changes_of_fastest,
    size_grid,
)
from collectives.analysis.question import as_size, one_group
from collectives.analysis.selection import candidates
from collectives.model.collective import Collective, collective
from collectives.model.schedule import Progress, ScheduleError
from collectives.stacks import Stack
from topology import border, units
from topology.fabric import FloatArray
from topology.supernode import Supernode
from topology.text import Part, Printed, Table, counted
from topology.units import GiB, KiB

_SHOWN = 5
_COARSE = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class TunerTable(Printed):
    """The fastest algorithm by size, on one machine.

    Attributes
    ----------
    supernode, collective, ranks
        For whom; how many ranks.
    algorithms
        Every algorithm that fits.
    sizes
        Bytes, rising, shape (s,); 0 alone where no data moves.
    times
        Seconds, shape (algorithms, s).
    crossovers
        Where the fastest changes, smallest size first.
    refused
        Why the other algorithms do not fit, by name.
    first
        What is chosen at the smallest size.
    stack
        The stack that chooses, which need not be the fastest it has; None where that is chosen.
    ideal
        What perfect software takes, seconds, shape (s,), where a stack chooses.
    """

    supernode: Supernode
    collective: Collective
    ranks: int
    algorithms: tuple[str, ...]
    sizes: FloatArray
    times: FloatArray
    crossovers: tuple[Crossover, ...]
    refused: dict[str, str]
    first: str
    stack: Stack | None = None
    ideal: FloatArray | None = None

    def choose(self, size: float) -> str:
        """Return the algorithm chosen at a size in bytes; the ends of the table hold beyond."""
        passed = [change.above for change in self.crossovers if change.size <= size]
        return passed[-1] if passed else self.first

    @property
    def busbw(self) -> FloatArray:
        """Return bus bandwidths in bytes/s, shape (algorithms, s)."""
        factor = self.collective.factor(self.ranks)
        unlimited = np.full_like(self.times, np.inf)
        wanted = np.broadcast_to(factor * self.sizes, self.times.shape)
        return np.divide(wanted, self.times, out=unlimited, where=self.times > 0)

    def ranges(self) -> Iterator[tuple[float, float, str]]:
        """Yield (from, to, algorithm) in bytes, smallest first."""
        edges = [float(self.sizes[0]), *(c.size for c in self.crossovers), float(self.sizes[-1])]
        names = [self.first, *(c.above for c in self.crossovers)]
        for (lo, hi), name in zip(pairwise(edges), names, strict=True):
            yield lo, hi, name

    def series(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Return what a plot draws: sizes in bytes and busbw in bytes/s, by algorithm."""
        return {
            name: (self.sizes, row) for name, row in zip(self.algorithms, self.busbw, strict=True)
        }

    def parts(self) -> list[Part]:
        """Return what people read: the choice by size, then every algorithm's busbw."""
        said = [
            f"{name} from {units.format_size(round(lo))}" if at else name
            for at, (lo, _, name) in enumerate(self.ranges())
        ]
        who = f"{self.collective.title} on {counted(self.ranks, 'rank')} of {self.supernode.title}"
        chooses = f", {self.stack.title} chooses" if self.stack else ""
        first = f"{who}{chooses}: {', then '.join(said)}"
        if not self.collective.moves:
            times = [(a, units.format_time(t)) for a, (t,) in zip(self.algorithms, self.times,
                                                                  strict=True)]  # fmt: skip
            return [first, Table("", ("algorithm", "time"), times), *refused_part(self.refused)]
        rows = [
            (units.format_size(round(lo)), units.format_size(round(hi)), name)
            for lo, hi, name in self.ranges()
        ]
        shown = slice(None, None, max(1, len(self.sizes) // _SHOWN))
        bandwidth = [
            (name, *(units.format_rate(value) for value in row[shown]))
            for name, row in zip(self.algorithms, self.busbw, strict=True)
        ]
        headers = ("algorithm", *(units.format_size(round(s)) for s in self.sizes[shown]))
        parts: list[Part] = [
            first,
            Table("tuner table", ("from", "to", "chosen" if self.stack else "fastest"), rows),
            *self._against_choice(),
            Table("busbw", headers, bandwidth),
        ]
        return parts + refused_part(self.refused)

    def _against_choice(self) -> list[Part]:
        """Return what a stack chooses at each size beside what would be faster."""
        if self.ideal is None:
            return []
        rows = []
        for at, size in enumerate(self.sizes.tolist()):
            name, best = self.choose(size), int(np.argmin(self.times[:, at]))
            time = float(self.times[self.algorithms.index(name), at])
            gain = 1 - float(self.times[best, at]) / time
            faster = f"{self.algorithms[best]}, {units.format_percent(gain)} less"
            rows.append((
                units.format_size(round(size)), name, units.format_time(time),
                faster if gain > 0 else "", units.format_time(float(self.ideal[at])),
            ))  # fmt: skip
        headers = ("size", "chosen", "takes", "would be faster", "perfect software")
        return [Table("what would be faster", headers, rows)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {
            "system": self.supernode.name,
            "stack": self.stack.name if self.stack else None,
            "ideal_s": None if self.ideal is None else self.ideal.tolist(),
            "collective": self.collective.name,
            "ranks": self.ranks,
            "sizes_bytes": self.sizes.tolist(),
            "times_s": dict(zip(self.algorithms, self.times.tolist(), strict=True)),
            "busbw_Bps": dict(zip(self.algorithms, self.busbw.tolist(), strict=True)),
            "table": [
                {"from_bytes": lo, "to_bytes": hi, "algorithm": name}
                for lo, hi, name in self.ranges()
            ],
            "crossovers": [change.to_dict() for change in self.crossovers],
            "refused": self.refused,
        }


def refused_part(refused: dict[str, str]) -> list[Part]:
    """Return a table of the algorithms that do not fit, if there are any."""
    rows = list(refused.items())
    return [Table("do not fit these ranks", ("algorithm", "why"), rows)] if rows else []


def tune(
    supernode: Supernode,
    kind: str | Collective,
    *,
    low: float | str = KiB,
    high: float | str = GiB,
    algorithms: Iterable[str] | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> TunerTable:
    """Find the fastest algorithm for every size in a range.

    Parameters
    ----------
    supernode
        The machine.
    kind
        The collective.
    low, high
        Bytes, above 0, or strings with a unit.
    algorithms
        Names; by default those that ``algorithm="auto"`` tries.
    progress
        Called with what is being done and the fraction that is done.
    **choices
        ``ranks``, ``group_size``, ``routing``, ``rate``, ``alpha``, ``message`` as in `analyze`.

    Raises
    ------
    SupernodeError
        If no algorithm fits, or the range is empty.
    """
    lo, hi = (as_size(end) for end in (low, high))
    sizes = size_grid(lo, hi) if collective(kind).moves else np.zeros(1)
    question = one_group(supernode, kind, hi, progress=progress, **choices)
    found = candidates(question, names=algorithms, sizes=len(sizes)).routed(question.size)
    times = []
    for done, candidate in enumerate(found.fitting):
        question.progress(candidate.name, done / len(found.fitting))
        times.append([candidate.time(size) for size in sizes.tolist()])
    changes = (
        changes_of_choice(found, sizes.tolist()) if question.stack
        else changes_of_fastest(found.fitting, sizes.tolist())
    )  # fmt: skip
    ideal = None
    if question.stack:
        plain = candidates(question.run_by(None))
        ideal = np.array([plain.fastest(s).candidate.time(s) for s in sizes.tolist()])
    return TunerTable(
        supernode, collective(kind), len(question.ranks),
        tuple(candidate.name for candidate in found.fitting), sizes, np.array(times),
        tuple(changes), found.not_shown,
        found.fastest(float(sizes[0])).candidate.name, question.stack, ideal,
    )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class AlgorithmTable(Printed):
    """Every algorithm for one collective at one size, the fastest first.

    Attributes
    ----------
    analyses
        One for each algorithm that fits.
    crossovers
        Where the fastest changes, over the sizes around: `tune`.
    refused
        Why the other algorithms do not fit, by name.
    not_compared
        Which the crossovers leave out, as they take long to time at every size.
    """

    analyses: tuple[Analysis, ...]
    crossovers: tuple[Crossover, ...]
    refused: dict[str, str]
    not_compared: tuple[str, ...] = ()

    @property
    def best(self) -> Analysis:
        """Return the fastest."""
        return self.analyses[0]

    def parts(self) -> list[Part]:
        """Return what people read: the fastest, then a row for each."""
        best = self.best
        rows = [_algorithm_row(found) for found in self.analyses]
        headers = (
            "algorithm",
            "time",
            "steps",
            "busbw",
            "of bound",
            "limited by (share of transfer)",
        )
        changes = [
            (units.format_size(round(c.size)), c.below, c.above, units.format_time(c.time))
            for c in self.crossovers
        ]
        parts: list[Part] = [
            f"{best.algorithm} is the fastest of {len(rows)}: {best.bottleneck.sentence}",
            best.asked,
            Table("algorithms", headers, rows),
        ]
        kind = best.collective.name
        left = [a.algorithm for a in self.analyses if a.algorithm not in candidate_names(kind)]
        for what, names in (('"auto" leaves', left), ("the crossovers leave", self.not_compared)):
            if names:
                parts.append(f"{what} out {', '.join(names)}")
        if changes:
            columns = ("size", "below it", "from it on", "time there")
            parts.append(Table("crossovers of the fastest", columns, changes))
        return parts + refused_part(self.refused)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {
            "algorithms": [found.to_dict() for found in self.analyses],
            "crossovers": [change.to_dict() for change in self.crossovers],
            "refused": self.refused,
        }


def _algorithm_row(found: Analysis) -> tuple[str, ...]:
    return (
        found.algorithm,
        units.format_time(found.time),
        str(found.schedule.step_count),
        units.format_rate(found.busbw),
        units.format_percent(found.efficiency),
        explain.shortly(found.bottleneck),
    )


def analyze_all(
    supernode: Supernode,
    kind: str | Collective,
    size: float | str,
    *,
    algorithms: Iterable[str] | None = None,
    around: float = 2.0**10,
    progress: Progress | None = None,
    **choices: Any,
) -> AlgorithmTable:
    """Analyse a collective with every algorithm, and say where one overtakes another.

    Parameters
    ----------
    supernode, kind, size, **choices
        As in `analyze`.
    algorithms
        Names; by default all.
    around
        Crossovers are looked for from this many times less to this many times more than the
        size; 1 for none.
    progress
        Called with what is being done and the fraction that is done.

    Raises
    ------
    SupernodeError
        If no algorithm fits.
    """
    question = one_group(supernode, kind, size, progress=progress, **choices)
    amount = question.size
    known = algorithm_names(collective(kind).name) if algorithms is None else list(algorithms)
    found = candidates(question, names=known).routed(amount)
    rows = []
    for done, candidate in enumerate(found.fitting):
        question.progress(candidate.name, done / (len(found.fitting) + 1))
        said = explain.choice(candidate.name, (), (), auto=False)
        rows.append(conclude(question, candidate.plan(amount), amount, [said]))
    rows.sort(key=lambda one: one.time)
    question.progress("crossovers", len(found.fitting) / (len(found.fitting) + 1))
    changes: tuple[Crossover, ...] = ()
    wide = border.number(around, "around", least=1, error=ScheduleError)
    ends = max(amount / wide, 1 / border.MOST), min(amount * wide, border.MOST)
    left: tuple[str, ...] = ()
    if wide > 1 and amount > 0 and ends[0] < ends[1]:
        sizes = size_grid(*ends, _COARSE).tolist()
        quick = [c for c in found.fitting if c.tried and not c.takes_long(amount, len(sizes))]
        left = tuple(c.name for c in found.fitting if c not in quick)
        changes = tuple(changes_of_fastest(quick, sizes)) if quick else ()
    return AlgorithmTable(tuple(rows), changes, found.not_shown, left)
