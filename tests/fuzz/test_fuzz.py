"""A short run of the long one, and what the long one has found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.cases import Case
from tests.fuzz.harness import case_of, fault_of, run, smallest, told


def test_some_hundred_inputs_have_no_fault() -> None:
    faults = [told(fault, 1) for fault in run(150, seed=1)]
    assert not faults, "\n".join(faults)


def test_a_number_is_one_case(tmp_path: Path) -> None:
    first, again = (case_of(3, 7, tmp_path) for _ in range(2))
    assert first.name == again.name
    assert len(first.parts) == len(again.parts)


@pytest.mark.parametrize(
    ("error", "is_fault"),
    [(TypeError("a is wrong"), False), (TypeError("'<' not supported"), True), (KeyError(1), True)],
)
def test_a_fault_is_any_error_that_names_nothing(error: Exception, is_fault: bool) -> None:
    def take(_: object) -> None:
        raise error

    found = fault_of(Case("it", (("a", 1), ("b", 2)), take))
    assert (found is not None) is is_fault
    if found is not None:
        assert smallest(found).case.parts == ()
        assert "--first" in told(found, 1)
