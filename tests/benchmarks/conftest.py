"""Collect the ratios that the benchmarks of one run find, and print them as a table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest


@dataclass(frozen=True)
class Ratio:
    """One row: what was compared, what was found, and what is asked for."""

    what: str
    found: float
    asked: str
    unit: str = "x"


_ROWS = pytest.StashKey[list[Ratio]]()

Record = Callable[..., None]
Timed = Callable[..., float]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Add a row to the table: ``record("theirs / ours", ratio, ">= 100 x")``.

    Nothing is added where benchmarks are off, as every call is then made only once.
    """
    rows = request.config.stash[_ROWS]

    def add(what: str, found: float, asked: str = "", unit: str = "x") -> None:
        if request.config.getoption("benchmark_enable"):
            rows.append(Ratio(what, found, asked, unit))

    return add


@dataclass(frozen=True)
class Process:
    """What one command took: seconds, seconds of processors, and bytes of memory at the most."""

    seconds: float
    processor: float
    peak: float


# A small process of its own counts: a child forked from this one would start with its memory.
_COUNT = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
command = [sys.executable, "-m", "collectives", *sys.argv[1:]]
subprocess.run(command, capture_output=True, check=True)
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))
"""


@pytest.fixture
def run() -> Callable[..., Process]:
    """Run ``supernode`` with these words as a process, of another tree if one is given."""

    def run(words: Sequence[str], tree: Path | None = None) -> Process:
        command = [sys.executable, "-c", _COUNT, *words]
        said = subprocess.run(command, capture_output=True, check=True, text=True, cwd=tree).stdout
        return Process(*json.loads(said))

    return run


@pytest.fixture
def timed(benchmark: Any) -> Timed:
    """Benchmark a call and return the median of its seconds; once where benchmarks are off.

    The first call of a test is pytest-benchmark's own; further ones, the other sides of the
    comparison, are timed by hand in the same run.
    """
    used = []

    def run(call: Callable[[], object], *, rounds: int = 5) -> float:
        if not used:
            used.append(call)
            benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)
            if benchmark.enabled:
                return float(benchmark.stats.stats.median)
        rounds = rounds if benchmark.enabled else 1
        return median(_seconds(call) for _ in range(rounds))

    return run


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash[_ROWS]
    if not rows:
        return
    width = max(len(row.what) for row in rows)
    terminalreporter.section("ratios within this run")
    for row in rows:
        found = f"{row.found:,.3g} {row.unit}"
        asked = f"   asked: {row.asked}" if row.asked else ""
        terminalreporter.write_line(f"{row.what:<{width}}   {found:>12}{asked}")
