"""``supernode sweep``: many analyses, as a table, CSV or JSON."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from collectives.analysis.sweeps import SweepRecord, iter_sweep, size_range, to_csv, write_csv
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_system, load_system
from collectives.cli.commands.options import add_model, model_choices
from collectives.cli.commands.progress import progress_bar
from topology import border, units
from topology.text import Table

NAME = "sweep"
HELP = "many analyses: machines, collectives, algorithms, numbers of ranks, sizes"

_SHOWN = 40
_MOST_JOBS = 1024


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser, many=True)
    parser.add_argument("--collectives", default="all-reduce,all-to-all", metavar="A,B")
    parser.add_argument("--sizes", default="1KiB-1GiB", help="1KiB-1GiB, or a list: 1MiB,64MiB")
    parser.add_argument("--factor", type=float, default=4.0, help="from size to size in a range")
    parser.add_argument("--algorithms", default="auto", metavar="A,B", help="by default the best")
    parser.add_argument("--ranks", metavar="8,64,all", help="the first so many; by default all")
    parser.add_argument("-o", "--output", metavar="FILE", help="CSV, written row by row")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    add_model(parser)


def run(arguments: Namespace) -> Answer:
    """Sweep; what is done when it is interrupted is in the output file."""
    border.whole(arguments.jobs, "--jobs", most=_MOST_JOBS)
    machines = [load_system(name) for name in arguments.systems]
    records: list[SweepRecord] = []
    with progress_bar() as say, _executor(arguments.jobs) as pool, _rows(arguments.output) as file:
        for batch in iter_sweep(
            machines,
            arguments.collectives.split(","),
            _sizes(arguments),
            algorithms=arguments.algorithms.split(","),
            ranks=_counts(arguments.ranks),
            executor=pool,
            progress=say,
            **model_choices(arguments),
        ):
            records += batch
            if file is not None:
                file.write(_lines(batch))
                file.flush()
    order = {machine.name: at for at, machine in enumerate(machines)}
    records.sort(key=lambda r: (order[r.system], r.collective, r.algorithm, r.ranks, r.size_B))
    return _answer(records, arguments.output)


def _sizes(arguments: Namespace) -> list[float]:
    low, dash, high = arguments.sizes.partition("-")
    if dash:
        return size_range(low, high, factor=arguments.factor)
    return [units.parse_size(text) for text in arguments.sizes.split(",")]


def _counts(text: str | None) -> list[int | None]:
    if text is None:
        return [None]
    words = text.split(",")
    return [None if word == "all" else border.counts(word, "--ranks")[0] for word in words]


@contextmanager
def _executor(jobs: int) -> Iterator[Executor | None]:
    if jobs == 1:
        yield None
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield pool


@contextmanager
def _rows(path: str | None) -> Iterator[TextIO | None]:
    """Yield the output file with its header written."""
    if path is None:
        yield None
        return
    write_csv([], path)
    with Path(path).open("a", encoding="utf-8") as file:
        yield file


def _lines(batch: list[SweepRecord]) -> str:
    """Return records as CSV without the header."""
    return to_csv(batch).split("\n", 1)[1]


def _answer(records: list[SweepRecord], path: str | None) -> Answer:
    failed = sum(bool(record.error) for record in records)
    first = f"{len(records)} analyses"
    first += f", {failed} of which do not fit" if failed else ""
    first += f", in {path}" if path else ""
    rows = [_row(record) for record in records[:_SHOWN]]
    headers = ("system", "collective", "algorithm", "ranks", "size", "time", "busbw", "bottleneck")
    rest = len(records) - len(rows)
    title = f"the first {len(rows)}; -o FILE has all" if rest else ""
    data = {"records": [asdict(record) for record in records]}
    return Answer([first, Table(title, headers, rows)], data)


def _row(record: SweepRecord) -> tuple[str, ...]:
    size = units.format_size(record.size_B)
    asked = (record.system, record.collective, record.algorithm, str(record.ranks), size)
    if record.error:
        return (*asked, "", "", record.error)
    time, busbw = units.format_time(record.time_s), units.format_rate(record.busbw_Bps)
    return (*asked, time, busbw, record.bottleneck)
