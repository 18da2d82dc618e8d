"""Run many analyses, here or on any executor, into a table of plain records."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field, fields
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from collectives.algorithms import find_algorithm
from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.answer import Analysis
from collectives.analysis.question import MOST_SIZES, as_sizes
from collectives.model.collective import collective
from collectives.model.schedule import Progress, ScheduleError
from topology import border, files
from topology.errors import SupernodeError
from topology.supernode import Supernode
from topology.systems import system
from topology.text import counted

Ranks: TypeAlias = "int | Sequence[int] | None"

_WORDS = ("system", "collective", "algorithm", "bottleneck", "limited_by", "error")
_COUNTS = ("ranks", "steps")


@dataclass(frozen=True)
class SweepRecord:
    """One analysis, in SI units.

    Attributes
    ----------
    system, collective, algorithm, ranks
        What ran where; with "auto", the algorithm that was chosen.
    size_B
        S in bytes.
    time_s, algbw_Bps, busbw_Bps
        The estimate.
    bound_s, bound_over_estimate
        What nothing could beat, and how near the estimate is.
    steps
        Steps of the schedule.
    bottleneck, limited_by
        The busiest class of links, and whether bandwidth or latency takes more of the time.
    error
        Why there is no estimate (its figures are NaN); empty if there is one.
    """

    system: str
    collective: str
    algorithm: str
    ranks: int
    size_B: float  # noqa: N815 - a unit, and the header of a column
    time_s: float = float("nan")
    algbw_Bps: float = float("nan")  # noqa: N815
    busbw_Bps: float = float("nan")  # noqa: N815
    bound_s: float = float("nan")
    bound_over_estimate: float = float("nan")
    steps: int = 0
    bottleneck: str = ""
    limited_by: str = ""
    error: str = ""


class SweepInterrupted(KeyboardInterrupt):
    """A sweep that was interrupted.

    Attributes
    ----------
    records
        What was done by then.
    """

    def __init__(self, records: Sequence[SweepRecord]) -> None:
        super().__init__(f"interrupted after {counted(len(records), 'record')}")
        self.records = list(records)


@dataclass(frozen=True, eq=False)
class _Task:
    """What is planned once: one algorithm on one set of ranks, at every size."""

    machine: Supernode | str
    kind: str
    algorithm: str
    ranks: Ranks
    sizes: tuple[float, ...]
    choices: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return the task in words."""
        name = self.machine if isinstance(self.machine, str) else self.machine.name
        return f"{collective(self.kind).title} {self.algorithm} on {name}"


@lru_cache(maxsize=8)
def _machine(name: str) -> Supernode:
    return system(name)


def _run(task: _Task) -> list[SweepRecord]:
    """Return a record for each size; what does not fit becomes records with the error."""
    machine = _machine(task.machine) if isinstance(task.machine, str) else task.machine
    ranks = range(task.ranks) if isinstance(task.ranks, int) else task.ranks
    count = len(machine.npus) if ranks is None else len(ranks)
    try:
        found = analyze_sizes(
            machine, task.kind, task.sizes, algorithm=task.algorithm, ranks=ranks, **task.choices
        )
    except SupernodeError as error:
        blank = (machine.title, collective(task.kind).name, task.algorithm, count)
        return [SweepRecord(*blank, size, error=str(error)) for size in task.sizes]
    return [_record(one) for one in found]


def _record(found: Analysis) -> SweepRecord:
    limit = found.bottleneck
    return SweepRecord(
        system=found.supernode.title,
        collective=found.collective.name,
        algorithm=found.algorithm,
        ranks=len(found.ranks),
        size_B=found.size,
        time_s=found.time,
        algbw_Bps=found.algbw,
        busbw_Bps=found.busbw,
        bound_s=found.bound.time,
        bound_over_estimate=found.efficiency,
        steps=found.schedule.step_count,
        bottleneck=limit.name,
        limited_by=limit.kind,
    )


def iter_sweep(
    machines: Iterable[Supernode | str],
    kinds: Iterable[str],
    sizes: Iterable[float | str],
    *,
    algorithms: Iterable[str] = ("auto",),
    ranks: Iterable[Ranks] = (None,),
    executor: Executor | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Iterator[list[SweepRecord]]:
    """Yield the records of one algorithm on one set of ranks after the other, as they are done.

    Leaving the loop, an interrupt, and an exception from ``progress`` all cancel what has not
    begun. See `sweep` for the parameters.
    """
    tasks = _tasks(machines, kinds, sizes, algorithms, ranks, choices)
    for _, records in _results(tasks, executor, progress):
        yield records


def _results(
    tasks: Sequence[_Task], executor: Executor | None, progress: Progress | None
) -> Iterator[tuple[int, list[SweepRecord]]]:
    """Yield the place of each task and its records, as they are done."""
    for done, (at, records) in enumerate(_done(tasks, executor), start=1):
        yield at, records
        if progress is not None:
            progress(tasks[at].title, done / len(tasks))


def _done(
    tasks: Sequence[_Task], executor: Executor | None
) -> Iterator[tuple[int, list[SweepRecord]]]:
    if executor is None:
        for at, task in enumerate(tasks):
            yield at, _run(task)
        return
    futures: dict[Future[list[SweepRecord]], int] = {
        executor.submit(_run, task): at for at, task in enumerate(tasks)
    }
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _tasks(
    machines: Iterable[Supernode | str],
    kinds: Iterable[str],
    sizes: Iterable[float | str],
    algorithms: Iterable[str],
    ranks: Iterable[Ranks],
    choices: dict[str, Any],
) -> list[_Task]:
    """Return every task; raise at once for names that are not known and for empty lists."""
    amounts = tuple(as_sizes(sizes))
    where, what = list(machines), [collective(kind).name for kind in kinds]
    how, who = list(algorithms), [_ranks(chosen) for chosen in ranks]
    counts = {
        "machines": len(where), "collectives": len(what), "algorithms": len(how),
        "ranks": len(who), "sizes": len(amounts),
    }  # fmt: skip
    empty = [name for name, count in counts.items() if not count]
    if empty:
        raise ScheduleError(f"sweep: there are no {empty[0]}; give one or more")
    for machine in where:
        if isinstance(machine, str):
            _machine(machine)
    _check_algorithms(what, how)
    return [
        _Task(machine, kind, algorithm, chosen, amounts, choices)
        for machine in where
        for kind in what
        for algorithm in how
        for chosen in who
    ]


def _ranks(chosen: Ranks) -> Ranks:
    """Return a number of ranks, ranks in an order, or None for all."""
    if chosen is None:
        return None
    if border.is_whole(chosen):
        return border.whole(chosen, "sweep: a number of ranks", error=ScheduleError)
    return border.ordered(chosen, "sweep: ranks", ScheduleError)


def _check_algorithms(kinds: Sequence[str], algorithms: Sequence[str]) -> None:
    """Raise unless every algorithm is known for one of the collectives."""
    for algorithm in algorithms:
        errors: list[SupernodeError] = []
        for kind in kinds:
            try:
                if algorithm != "auto":
                    find_algorithm(kind, algorithm)
            except SupernodeError as error:
                errors.append(error)
        if len(errors) == len(kinds):
            raise errors[0]


def sweep(
    machines: Iterable[Supernode | str],
    kinds: Iterable[str],
    sizes: Iterable[float | str],
    *,
    algorithms: Iterable[str] = ("auto",),
    ranks: Iterable[Ranks] = (None,),
    executor: Executor | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> list[SweepRecord]:
    """Analyse every combination and return the records in the order asked.

    Parameters
    ----------
    machines
        Supernodes, or names for `topology.system`.
    kinds
        Collectives.
    sizes
        Bytes, or strings with a unit; see `size_range`.
    algorithms
        Names, "auto" for the fastest.
    ranks
        For each: None for all, a number for the first so many, or a list.
    executor
        Any `concurrent.futures.Executor`; by default all runs here. Every algorithm on every set
        of ranks is one piece of work, planned once for all sizes.
    progress
        Called with what is done and the fraction of the work that is.
    **choices
        ``group_size``, ``routing``, ``rate``, ``alpha``, ``message`` as in `analyze`.

    Raises
    ------
    SupernodeError
        At once, for a name that is not known or an empty list. A combination that does not fit
        becomes a record with its error.
    SweepInterrupted
        On Ctrl-C, with what was done.
    """
    tasks = _tasks(machines, kinds, sizes, algorithms, ranks, choices)
    batches: list[tuple[int, list[SweepRecord]]] = []
    try:
        batches.extend(_results(tasks, executor, progress))
    except KeyboardInterrupt as error:
        raise SweepInterrupted(_in_order(batches)) from error
    return _in_order(batches)


def _in_order(batches: Iterable[tuple[int, list[SweepRecord]]]) -> list[SweepRecord]:
    return [record for _, records in sorted(batches, key=lambda b: b[0]) for record in records]


def size_range(low: float | str, high: float | str, *, factor: float = 2.0) -> list[float]:
    """Return sizes in bytes from low, each ``factor`` times the one before, up to high.

    Raises
    ------
    ScheduleError
        If the range does not rise, or the factor is not above 1.
    """
    lo, hi = (border.size(size, "a size of the range", ScheduleError) for size in (low, high))
    ratio = border.number(factor, "factor", above=1, error=ScheduleError)
    if not 0 < lo <= hi:
        raise ScheduleError(f"sizes from {lo:g} to {hi:g} B: they must be above 0 and rising")
    steps = np.log(hi / lo) / np.log(ratio) + 1e-9
    if steps >= MOST_SIZES:
        raise ScheduleError(
            f"sizes from {lo:g} to {hi:g} B, times {ratio!r}, are more than {MOST_SIZES:,}; "
            "give a larger factor"
        )
    return [lo * ratio**i for i in range(int(steps) + 1)]


def to_csv(records: Iterable[SweepRecord]) -> str:
    """Return records as CSV, a header with units first."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [column.name for column in fields(SweepRecord)]
    writer.writerow(names)
    writer.writerows([getattr(record, name) for name in names] for record in records)
    return file.getvalue()


def write_csv(records: Iterable[SweepRecord], path: str | Path) -> None:
    """Write records to a CSV file; raise `SupernodeError` if it cannot be written."""
    files.write_text(path, to_csv(records))


def read_csv(path: str | Path) -> list[SweepRecord]:
    """Return the records of a CSV file; raise `SupernodeError` if it is not one of a sweep."""
    try:
        rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))
        return [SweepRecord(**{name: _cell(name, row[name]) for name in row}) for row in rows]
    except OSError as error:
        raise SupernodeError(f"{path}: cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise SupernodeError(f"{path} is not the CSV of a sweep: {error}") from error


def _cell(name: str, text: str) -> Any:
    if name in _WORDS:
        return text
    return int(text) if name in _COUNTS else float(text)
