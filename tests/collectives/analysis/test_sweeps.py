"""Sweeps: the records of single analyses, in order, from any executor, and as CSV."""

from __future__ import annotations

import dataclasses
import math
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from collectives import analyze
from collectives.analysis.sweeps import (
    SweepInterrupted,
    SweepRecord,
    iter_sweep,
    read_csv,
    size_range,
    sweep,
    to_csv,
    write_csv,
)
from topology.errors import SupernodeError
from topology.units import GB, KiB, MiB

STAR = topology.star(8, link=25 * GB)
CM = topology.cloudmatrix384(1)
KINDS = ["all_to_all", "all-reduce"]
ALGORITHMS = ["direct", "hierarchical"]


def _sweep(**options: object) -> list[SweepRecord]:
    return sweep([STAR, CM], KINDS, [KiB, "1 MiB"], algorithms=ALGORITHMS, **options)  # type: ignore[arg-type]


def test_every_record_is_that_analysis() -> None:
    records = _sweep(ranks=[None, 4, [7, 2, 5]], alpha=1e-6)
    assert len(records) == 2 * 2 * 2 * 3 * 2
    machines = {STAR.name: STAR, CM.name: CM}
    for record in records:
        if record.error:
            assert math.isnan(record.time_s)
            continue
        ranks = {3: [7, 2, 5], 4: range(4)}.get(record.ranks)
        alone = analyze(
            machines[record.system], record.collective, record.size_B,
            algorithm=record.algorithm, ranks=ranks, alpha=1e-6,
        )  # fmt: skip
        assert record.time_s == alone.time
        assert record.busbw_Bps == alone.busbw
        assert record.bound_s == alone.bound.time
        assert record.bottleneck == alone.bottleneck.name
        assert record.steps == alone.schedule.step_count


def test_what_does_not_fit_is_a_record_with_the_reason() -> None:
    failed = [record for record in _sweep() if record.error]
    assert {(record.system, record.algorithm) for record in failed} == {("star-8", "hierarchical")}
    assert all("group" in record.error for record in failed)


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_any_executor_gives_the_same_records_in_the_same_order(name: str) -> None:
    makers = {
        "threads": lambda: ThreadPoolExecutor(2),
        "processes": lambda: ProcessPoolExecutor(1, mp_context=get_context("spawn")),
    }
    options = {"algorithms": ALGORITHMS, "ranks": [None, 4]}
    here = sweep([STAR], KINDS, [KiB], **options)  # type: ignore[arg-type]
    with makers[name]() as executor:
        there = sweep([STAR], KINDS, [KiB], executor=executor, **options)  # type: ignore[arg-type]
    assert _comparable(there) == _comparable(here)


def _comparable(records: list[SweepRecord]) -> list[list[object]]:
    """Return the fields, with a NaN that is equal to itself."""
    rows = [dataclasses.astuple(record) for record in records]
    return [["nan" if isinstance(v, float) and math.isnan(v) else v for v in row] for row in rows]


def test_names_stand_for_machines() -> None:
    records = sweep(["dgx-h100"], ["all_reduce"], [MiB], ranks=[2, 8])
    assert [record.ranks for record in records] == [2, 8]
    assert records[0].system == "dgx-h100-4-nodes"


def test_progress_runs_from_first_to_last() -> None:
    said: list[tuple[str, float]] = []
    _sweep(progress=lambda *what: said.append(what))
    assert [done for _, done in said] == [(i + 1) / 8 for i in range(8)]
    assert said[0][0] == "all-to-all direct on star-8"


def test_an_interrupt_keeps_what_is_done_and_cancels_the_rest() -> None:
    def stop(_: str, done: float) -> None:
        if done >= 3 / 8:
            raise KeyboardInterrupt

    with pytest.raises(SweepInterrupted, match="after 6 records") as caught:
        _sweep(progress=stop)
    assert _comparable(caught.value.records) == _comparable(_sweep()[:6])

    executor = _Counting()
    with pytest.raises(SweepInterrupted):
        _sweep(progress=stop, executor=executor)
    assert executor.cancelled == 8 - executor.begun


class _Counting(Executor):
    """Run three pieces of work, and leave the rest waiting."""

    def __init__(self) -> None:
        self.futures: list[Future[object]] = []
        self.begun = 0

    def submit(self, work, /, *arguments, **named):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        self.futures.append(future)
        if self.begun < 3:
            self.begun += 1
            future.set_result(work(*arguments, **named))
        return future

    @property
    def cancelled(self) -> int:
        return sum(future.cancelled() for future in self.futures)


def test_leaving_the_loop_cancels_the_rest() -> None:
    executor = _Counting()
    batches = iter_sweep([STAR], KINDS, [KiB], algorithms=ALGORITHMS, executor=executor)
    assert len(next(batches)) == 1
    batches.close()  # type: ignore[attr-defined]
    assert executor.cancelled == 4 - executor.begun


def test_csv_and_back(tmp_path: Path) -> None:
    records = [record for record in _sweep() if not record.error]
    path = tmp_path / "sweep.csv"
    write_csv(records, path)
    assert read_csv(path) == records
    header = path.read_text().splitlines()[0].split(",")
    assert header[:6] == ["system", "collective", "algorithm", "ranks", "size_B", "time_s"]
    assert len(to_csv(_sweep()).splitlines()) == 17


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        _sweep()[0].time_s = 0.0  # type: ignore[misc]


@given(low=st.integers(1, 2**20), octaves=st.integers(0, 20))
def test_size_range_doubles(low: int, octaves: int) -> None:
    found = size_range(low, low * 2.0**octaves)
    assert found == [low * 2.0**i for i in range(octaves + 1)]
    assert size_range("1 KiB", "5 KiB") == [1024, 2048, 4096]
    assert size_range(3, 3 * 4.0**octaves, factor=4) == [3 * 4.0**i for i in range(octaves + 1)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], KINDS, [1.0]), "no machines"),
        (([STAR], [], [1.0]), "no collectives"),
        (([STAR], KINDS, []), "no sizes"),
        ((["dgx-h10"], KINDS, [1.0]), "dgx-h100"),
        (([STAR], ["allreduce"], [1.0]), "did you mean"),
        (([STAR], KINDS, ["5"]), "no unit"),
    ],
)
def test_refusals_come_at_once(arguments: tuple[list, list, list], words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(SupernodeError, match=words):
        sweep(*arguments)


def test_more_refusals(tmp_path: Path) -> None:
    with pytest.raises(SupernodeError, match="rnig"):
        sweep([STAR], KINDS, [1.0], algorithms=["rnig"])
    with pytest.raises(SupernodeError, match="rising"):
        size_range(2.0, 1.0)
    with pytest.raises(SupernodeError, match="cannot be written"):
        write_csv([], tmp_path / "no" / "where.csv")
    with pytest.raises(SupernodeError, match="cannot be read"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SupernodeError, match="not the CSV of a sweep"):
        read_csv(tmp_path / "other.csv")
