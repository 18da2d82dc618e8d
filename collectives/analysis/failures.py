"""Say what every single failure costs a collective, by symmetry, and what several cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.analysis.answer import Analysis, answer
from collectives.analysis.question import LostRankError, Question, one_group
from collectives.analysis.selection import all_jobs, candidates
from collectives.model.collective import Collective
from collectives.model.schedule import Progress, ScheduleError
from collectives.stacks import deployed_like
from collectives.timing import Plan
from topology import units as quantities
from topology.approximation import Approximation
from topology.errors import RoutingError, UnreachableError
from topology.faults import FailureUnit, distinct_units, fail, failure_units
from topology.naming import natural_key
from topology.supernode import Supernode
from topology.text import Part, Printed, Table

_ALIKE = Approximation(
    "failures",
    "units count as one where machine and loads are alike, and this schedule or routing has its "
    "own order of the ranks",
)


@dataclass(frozen=True)
class Loss:
    """What is left of a collective's speed after some failures.

    Attributes
    ----------
    left
        Time without failures over time with them, 0 to 1 (above 1 where a detour is faster);
        0 where it cannot be carried out at all.
    why
        "" where it goes on, "loses ranks" or "cuts ranks off" where it cannot.
    algorithm
        What carries it out then.
    even
        Whether that is the same for every order of the ranks, so that symmetry keeps it.
    """

    left: float
    why: str = ""
    algorithm: str = ""
    even: bool = True


def loss(analysis: Analysis, units: FailureUnit | Iterable[FailureUnit]) -> Loss:
    """Return what is left when some units fail: by the same schedule where it still can be routed.

    Parameters
    ----------
    analysis
        Without failures; everything that was asked stays as it was.
    units
        What fails at the same time.
    """
    try:
        question = analysis.question.on(fail(analysis.supernode, units))
    except LostRankError:
        return Loss(0.0, "loses ranks")
    size = analysis.size
    try:
        plain = question.plan(analysis.schedule, question.ranks)
        again = deployed_like(plain, analysis.plan, question.routes)
    except (RoutingError, ScheduleError):  # its own paths or trees are gone; not every way round
        try:
            again = _another_way(question, size)
        except UnreachableError:
            return Loss(0.0, "cuts ranks off")
    time = again.time(size)
    left = analysis.time / time if time > 0 else 1.0
    return Loss(left, "", again.schedule.name, _is_even(again))


def _is_even(plan: Plan) -> bool:
    """Tell whether every step, and its routing, is the same for every order of the ranks."""
    everyone = np.arange(plan.schedule.ranks)
    demands = {id(step.traffic): step.traffic for step in plan.schedule.steps}.values()
    even = all(d.even and np.array_equal(np.sort(d.ends), everyone) for d in demands)
    return even and plan.router.alike


def _another_way(question: Question, size: float) -> Plan:
    """Return the fastest plan, by whatever algorithms."""
    free = replace(question, jobs=tuple(replace(job, algorithm="auto") for job in question.jobs))
    picks = [candidates(free, job).fastest(size * free.share(job)).candidate for job in free.jobs]
    return all_jobs(free, picks).plan(size)


@dataclass(frozen=True, eq=False, repr=False)
class FailureTable(Printed):
    """What each single failure of one kind leaves of a collective's speed.

    Attributes
    ----------
    before
        Without failures.
    kind
        What fails: "switch".
    rows
        A unit, how many others it stands for (itself too), and what is left, worst first.
    approximations
        In which ways this is not exact.
    """

    before: Analysis
    kind: str
    rows: tuple[tuple[FailureUnit, int, Loss], ...]
    approximations: tuple[Approximation, ...] = ()

    @property
    def worst(self) -> tuple[FailureUnit, int, Loss]:
        """Return the failure that costs the most."""
        return self.rows[0]

    def parts(self) -> list[Part]:
        """Return what people read, the answer first."""
        rows = [
            (unit.name, f"{count:,}", quantities.format_percent(found.left),
             found.why or found.algorithm)
            for unit, count, found in self.rows
        ]  # fmt: skip
        headers = ("one dead", "such units", "speed left", "by")
        notes = [f"approximate: {note}" for note in self.approximations]
        return [self.sentence, self.before.asked, Table("", headers, rows), *notes]

    @property
    def sentence(self) -> str:
        """Say what the worst single failure costs."""
        if not self.rows:
            return f"{self.before.supernode.title} has no {self.kind} that could fail"
        unit, count, found = self.worst
        many = f", one of {count:,} alike," if count > 1 else ""
        if found.why:
            return f"one dead {unit.name}{many} {found.why}"
        left = quantities.format_percent(found.left)
        return f"one dead {unit.name}{many} leaves {left} of the speed"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "kind": self.kind,
            "before": self.before.to_dict(),
            "approximations": [asdict(note) for note in self.approximations],
            "failures": [
                {"unit": unit.name, "stands_for": count, "left": found.left, "why": found.why,
                 "algorithm": found.algorithm}
                for unit, count, found in self.rows
            ],
        }  # fmt: skip


def failures(
    supernode: Supernode,
    kind: str | Collective,
    size: float | str = 64 * quantities.MiB,
    *,
    units: str = "switch",
    ranks: npt.ArrayLike | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> FailureTable:
    """Return what every single failure of a kind costs; units that symmetry exchanges count once.

    Parameters
    ----------
    supernode, kind, size, ranks, **choices
        As in `analyze`.
    units
        What fails: one of `topology.faults.unit_kinds`.
    progress
        Called with what is being done and the fraction done.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    question = one_group(supernode, kind, size, ranks=ranks, progress=progress, **choices)
    return failures_of(answer(question)[0], units)


def failures_of(before: Analysis, units: str) -> FailureTable:
    """Return what every single failure of a kind leaves of an analysis; see `failures`."""
    supernode, question = before.supernode, before.question
    each = [(unit, 1) for unit in failure_units(supernode, units)]
    rows = _rows(before, each if question.exact and not _is_even(before.plan)
                 else _distinct(before, units))  # fmt: skip
    alike = any(count > 1 and not left.even for _, count, left in rows)
    if alike and question.exact:
        rows, alike = _rows(before, each), False
    return FailureTable(before, units, rows, (_ALIKE,) if alike else ())


def _rows(
    before: Analysis, kinds: Sequence[tuple[FailureUnit, int]]
) -> tuple[tuple[FailureUnit, int, Loss], ...]:
    """Return what each failure leaves, worst first."""
    rows = []
    for done, (unit, count) in enumerate(kinds):
        before.question.progress(f"without {unit.name}", done / len(kinds))
        rows.append((unit, count, loss(before, unit)))
    return tuple(sorted(rows, key=lambda row: (round(row[2].left, 9), natural_key(row[0].name))))


def _distinct(before: Analysis, kind: str) -> list[tuple[FailureUnit, int]]:
    """Return a unit of each sort: alike in the machine, and in what it and all links carry."""
    fabric, busy = before.supernode.fabric, before.busy
    member = np.zeros(len(fabric.nodes), dtype=np.int64)
    member[fabric.npus[before.question.ranks]] = 1
    share = np.round(busy / max(float(busy.max(initial=0.0)), 1e-300), 9)
    load = np.unique(share, return_inverse=True)[1].reshape(-1)
    return distinct_units(before.supernode, kind, node_colour=member, arc_colour=load)
