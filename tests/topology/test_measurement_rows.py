"""The published measurements: every row is whole, says where it is from and agrees with itself."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from topology import border
from topology.files import own_text
from topology.systems import system

Row = dict[str, str]

COLUMNS = (
    "run,machine,collective,size_B,ranks,stack,version,algorithm,protocol,launch,options,"
    "time_us,busbw_GBps,algbw_GBps,source,date,confidence,note"
)
CHOICES = {
    "stack": "nccl nccl+sharp rccl mscclpp msccl deepep hccl sgl-kernel-npu other",
    "launch": "process-per-gpu one-process pytorch graph unknown",
    "confidence": "measured estimate",
    "protocol": "LL LL128 Simple",
}
RING_SHARES = {  # busbw / algbw as nccl-tests counts it, on n ranks, in units of 1/n
    "all_reduce": lambda n: 2 * (n - 1),
    "all_gather": lambda n: n - 1,
    "reduce_scatter": lambda n: n - 1,
    "all_to_all": lambda n: n - 1,
    "broadcast": lambda n: n,
    "reduce": lambda n: n,
    "send_recv": lambda n: n,
}
WITHOUT_BUSBW = ("moe_dispatch", "moe_combine", "read", "write")
SHARED_BY_A_RUN = ("machine", "collective", "stack", "version", "date", "confidence")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(csv.DictReader(io.StringIO(own_text("measurements.csv"))))


def test_the_columns_are_these_and_every_line_has_them_all() -> None:
    lines = list(csv.reader(io.StringIO(own_text("measurements.csv"))))
    assert ",".join(lines[0]) == COLUMNS
    assert {len(line) for line in lines} == {len(lines[0])}


def test_every_row_is_complete(rows: list[Row]) -> None:
    for row in rows:
        for what in ("run", "machine", "collective", "ranks", "stack", "launch", "confidence"):
            assert row[what], row
        assert row["collective"] in (*RING_SHARES, *WITHOUT_BUSBW), row
        assert row["time_us"] or row["busbw_GBps"] or row["algbw_GBps"], row
        assert re.fullmatch(r"20\d\d(-\d\d(-\d\d)?)?", row["date"]), row
        assert all(value == value.strip() for value in row.values()), row


def test_words_are_from_the_lists(rows: list[Row]) -> None:
    for column, words in CHOICES.items():
        found = {row[column] for row in rows if row[column]}
        assert found <= set(words.split()), column


def test_sizes_and_ranks_are_whole_and_measured_values_positive(rows: list[Row]) -> None:
    for row in rows:
        assert int(row["ranks"]) >= 2, row
        assert not row["size_B"] or int(row["size_B"]) > 0, row
        assert row["size_B"] or row["collective"] in WITHOUT_BUSBW, row
        for what in ("time_us", "busbw_GBps", "algbw_GBps"):
            assert not row[what] or re.fullmatch(r"\d+(\.\d+)?", row[what]), row
        assert not row["time_us"] or float(row["time_us"]) > 0, row


def test_options_are_pairs(rows: list[Row]) -> None:
    for row in rows:
        pairs = row["options"].split(";") if row["options"] else []
        assert all(re.fullmatch(r"[^=;\s]+=[^=;]+", pair) for pair in pairs), row


def test_a_source_says_where_in_it(rows: list[Row]) -> None:
    """A repository has its commit and file, a thread its number, a paper or page its part."""
    place = re.compile(r"^\S+/\S+ [0-9a-f]{8}, \S+|#\d+, \S|^(?!\S+/\S+ ).+, \S")
    for row in rows:
        assert place.search(row["source"]), row


def test_no_row_twice(rows: list[Row]) -> None:
    keys = ("run", "size_B", "ranks", "algorithm", "protocol", "launch", "options", "time_us")
    counts = Counter(tuple(row[key] for key in keys) for row in rows)
    assert [key for key, count in counts.items() if count > 1] == []


def test_rows_of_a_run_share_what_makes_it_one(rows: list[Row]) -> None:
    for what in SHARED_BY_A_RUN:
        pairs = {(row["run"], row[what]) for row in rows}
        assert len(pairs) == len({run for run, _ in pairs}), what


def test_machines_are_of_the_catalogue_and_have_the_ranks(rows: list[Row]) -> None:
    """Unless the note has a part that says what is missing, after "machine:"."""
    most: Counter[str] = Counter()
    for row in rows:
        if not any(part.startswith("machine:") for part in row["note"].split("; ")):
            most[row["machine"]] = max(most[row["machine"]], int(row["ranks"]))
    for machine, ranks in most.items():
        name, parameters = border.named(machine, "dgx-h100:nodes=2")
        assert len(system(name, **parameters).npus) >= ranks, machine


def half_unit(printed: str) -> float:
    """Return half of the last digit's place: how far rounding may have moved the number."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


def pairs_to_compare(row: Row) -> Iterator[tuple[str, float, float]]:
    """Yield what is printed, what follows from the rest of the row, and how far that may be off."""
    factor = RING_SHARES[row["collective"]](int(row["ranks"])) / int(row["ranks"])
    if row["time_us"]:
        time = float(row["time_us"])
        rate, off = int(row["size_B"]) / time / 1e3, half_unit(row["time_us"]) / time
        yield row["algbw_GBps"], rate, rate * off
        yield row["busbw_GBps"], rate * factor, rate * factor * off
    elif row["algbw_GBps"]:
        rate = float(row["algbw_GBps"]) * factor
        yield row["busbw_GBps"], rate, half_unit(row["algbw_GBps"]) * factor


def test_bandwidths_follow_from_times_by_the_factors_of_nccl_tests(rows: list[Row]) -> None:
    """Within rounding, and half a percent for sources that average the two apart."""
    compared = 0
    for row in rows:
        if row["collective"] in WITHOUT_BUSBW:
            assert not row["busbw_GBps"], row
            continue
        for printed, expected, off in pairs_to_compare(row):
            if printed:
                slack = off + half_unit(printed) + 0.005 * expected
                assert abs(float(printed) - expected) <= slack, (row, expected)
                compared += 1
    assert compared > 1500
