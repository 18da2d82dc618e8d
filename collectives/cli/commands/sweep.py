"""``supernode sweep``: many analyses, as a table, CSV or JSON."""

from __future__ import annotations

from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from collectives.analysis.sweeps import SweepRecord, iter_sweep, size_range, to_csv, write_csv
from collectives.cli.commands.answer import Answer, Say, argument, command
from collectives.cli.commands.arguments import MODEL, STACK, SYSTEMS, model, split
from topology import border, units
from topology.errors import SupernodeError
from topology.text import Table, counted

_SHOWN = 40
_MOST_JOBS = 1024


def _counts(text: str) -> list[int | None]:
    """Return numbers of ranks, None for all."""
    return [None if w == "all" else border.counts(w, "--ranks")[0] for w in split(text)]


@command(
    "sweep",
    "many analyses: machines, collectives, algorithms, numbers of ranks, sizes",
    SYSTEMS,
    argument("--collectives", default="all-reduce,all-to-all", metavar="A,B", read=split),
    argument("--sizes", default="1KiB-1GiB", help="1KiB-1GiB, or a list: 1MiB,64MiB"),
    argument("--factor", type=float, default=4.0, help="from size to size in a range"),
    argument("--algorithms", default="auto", metavar="A,B", help="by default the best", read=split),
    argument(
        "--ranks", metavar="8,64,all", default="all", help="the first so many; by default all",
        read=_counts,
    ),
    argument("-o", "--output", metavar="FILE", help="CSV, written row by row"),
    argument(
        "--jobs", type=int, default=1, help="processes at the same time",
        read=lambda jobs: border.whole(jobs, "--jobs", most=_MOST_JOBS),
    ),
    *MODEL,
    *STACK,
)  # fmt: skip
def sweep_command(arguments: Namespace, say: Say) -> Answer:
    """Sweep; what is done when it is interrupted is in the output file."""
    machines, path = arguments.systems, arguments.output
    records: list[SweepRecord] = []
    with ExitStack() as stack:
        pool = file = None
        if arguments.jobs > 1:
            pool = stack.enter_context(ProcessPoolExecutor(arguments.jobs))
        if path is not None:
            write_csv([], path)
            file = stack.enter_context(Path(path).open("a", encoding="utf-8"))
        for batch in iter_sweep(
            machines, arguments.collectives, _sizes(arguments), algorithms=arguments.algorithms,
            ranks=arguments.ranks, executor=pool, progress=say, **model(arguments),
        ):  # fmt: skip
            records += batch
            if file is not None:
                _, rows = to_csv(batch).split("\n", 1)  # the header is there already
                file.write(rows)
                file.flush()
    order = {machine.title: at for at, machine in enumerate(machines)}
    records.sort(key=lambda r: (order[r.system], r.collective, r.ranks, r.size_B, r.algorithm))
    return _answer(records, path)


def _sizes(arguments: Namespace) -> list[float]:
    low, dash, high = arguments.sizes.partition("-")
    if dash:
        return size_range(low, high, factor=arguments.factor)
    if "factor" in arguments.given:
        raise SupernodeError("--factor is for a range of sizes, such as 1KiB-1GiB; leave it out")
    return [units.parse_size(text) for text in split(arguments.sizes)]


def _answer(records: list[SweepRecord], path: str | None) -> Answer:
    failed = sum(bool(record.error) for record in records)
    first = counted(len(records), "analysis", "analyses")
    first += f", {failed} of which {'does' if failed == 1 else 'do'} not fit" if failed else ""
    first += f", in {path}" if path else ""
    rows = [_row(record) for record in records[:_SHOWN]]
    headers = ("system", "collective", "algorithm", "ranks", "size", "time", "busbw", "bottleneck")
    rest = len(records) - len(rows)
    title = f"the first {len(rows)}; -o FILE has all" if rest else ""
    return Answer([first, Table(title, headers, rows)], {"records": records})


def _row(record: SweepRecord) -> tuple[str, ...]:
    size = units.format_size(record.size_B)
    asked = (record.system, record.collective, record.algorithm, str(record.ranks), size)
    if record.error:
        return (*asked, "", "", record.error)
    time, busbw = units.format_time(record.time_s), units.format_rate(record.busbw_Bps)
    return (*asked, time, busbw, record.bottleneck)
