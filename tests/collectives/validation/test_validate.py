"""Published measurements beside the model: what is kept of errors, and no bound is beaten."""

from __future__ import annotations

import csv
from math import exp, log

import pytest

import collectives
import topology
from collectives.stacks import size_class
from collectives.validation import Validation, measurements, validate
from collectives.validation.__main__ import error_rows
from topology import files


@pytest.fixture(scope="module")
def quick() -> Validation:
    """Return what is quick to answer: all stacks but NCCL, and NCCL on a node."""
    return validate(given=[one for one in measurements() if one.stack in ("rccl", "deepep", "hccl")
                           or one.run.startswith(("azure", "gke-a4-b200-ar-8"))])  # fmt: skip


def test_what_is_kept_of_errors_is_what_validation_finds(quick: Validation) -> None:
    kept = {tuple(row[:3]): row[3:5]
            for row in csv.reader(files.own_text("stack_errors.csv").splitlines())}  # fmt: skip
    found = list(csv.reader(error_rows(quick, "2026-11-24").splitlines()))
    assert found[0] == ["stack", "generation", "size_class", "measurements", "error", "source",
                        "date", "confidence", "note"]  # fmt: skip
    whole = [row for row in found[1:] if row[0] != "nccl"]
    assert len(whole) > 10
    for row in whole:
        assert kept[tuple(row[:3])][0] == row[3]
        assert float(kept[tuple(row[:3])][1]) == pytest.approx(float(row[4]), abs=2e-4)


def test_no_measurement_is_above_its_bound(quick: Validation) -> None:
    assert [row.measurement.name for row in quick.above_bound] == []


def test_means_leave_out_what_was_fitted_and_what_was_faulty(quick: Validation) -> None:
    for fitted in (False, True):
        for (stack, generation, sizes), (count, error) in quick.means(fitted=fitted).items():
            rows = [row for row in quick.rows
                    if (row.measurement.stack, row.generation) == (stack, generation)
                    and size_class(row.size) == sizes and row.measurement.healthy
                    and row.fitted == fitted]  # fmt: skip
            assert len(rows) == count
            ratios = [abs(log(row.time / row.seconds)) for row in rows]
            assert error == pytest.approx(exp(sum(ratios) / count) - 1)
    names = {row.measurement.name for row in quick.rows if row.fitted}
    assert names
    assert not names & {row.measurement.name for row in quick.rows if not row.fitted}


def test_large_calls_on_one_node_are_predicted_within_a_few_per_cent(quick: Validation) -> None:
    means = quick.means()
    assert means["rccl", "cdna3", "256 MiB and more"][1] < 0.05
    assert means["nccl", "hopper", "256 MiB and more"][1] < 0.05
    assert means["nccl", "ampere", "256 MiB and more"][1] < 0.05


def test_answers_say_the_error_that_is_known() -> None:
    found = collectives.analyze(topology.mi300x(), "all_reduce", "1 GiB", stack="rccl")
    assert found.error is not None
    assert found.error.measurements > 10
    assert "measurements on this generation" in str(found)
    plain = collectives.analyze(topology.mi300x(), "all_reduce", "1 GiB")
    assert plain.error is None
    assert "RCCL" in str(plain)
    data = plain.to_dict()
    assert data["stack"]["name"] == "rccl"
    assert data["bound"]["time_s"] <= data["ideal_s"] <= data["stack"]["time_s"]
