"""Linear programs: against SciPy's own answer, and a reason of its own for each failure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import csr_array

from topology.solvers.linear import (
    InfeasibleError,
    UnboundedError,
    UnfinishedError,
    least_level,
    least_whole,
)


@settings(max_examples=25)
@given(st.integers(1, 4), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_the_level_is_what_the_whole_program_says(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    use, room = rng.random((rows, columns)), 1 + rng.random(rows)
    wanted = 1 + rng.random(1)
    found = least_level(csr_array(use), room, csr_array(np.ones((1, columns))), wanted)
    plain = linprog(
        [0.0] * columns + [1.0], np.hstack([use, -room[:, None]]), np.zeros(rows),
        np.array([[1.0] * columns + [0.0]]), wanted,
    )  # fmt: skip
    assert found.level == pytest.approx(plain.fun, rel=1e-9)
    assert found.reached == pytest.approx(found.level, rel=1e-6)
    assert found.price @ room == pytest.approx(1.0)
    cheapest = (found.price @ use).min() * wanted[0]  # the dual: no flow comes below it
    assert cheapest == pytest.approx(found.level, rel=1e-6)


def test_each_failure_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    one = csr_array(np.ones((1, 1)))
    with pytest.raises(InfeasibleError):
        least_level(one, np.ones(1), csr_array((1, 1)), np.ones(1))
    for status, error in ((1, UnfinishedError), (3, UnboundedError), (4, UnfinishedError)):
        answer = type("Answer", (), {"status": status, "message": "stopped"})()
        monkeypatch.setattr("scipy.optimize.linprog", lambda *_, answer=answer, **__: answer)
        with pytest.raises(error):
            least_level(one, np.ones(1), one, np.ones(1))


def test_whole_numbers() -> None:
    """The cheapest three of weights 2, 3 and 5 that come to 7 or more."""
    rules = [(csr_array([[2.0, 3.0, 5.0]]), np.array([7.0]), np.array([np.inf]))]
    limits = np.zeros(3), np.full(3, np.inf)
    found = least_whole(np.array([2.0, 2.9, 4.9]), rules, np.ones(3), limits)
    assert found is not None
    assert sorted(np.rint(found).tolist()) == [0, 1, 1]
    none = [(csr_array([[1.0, 0.0, 0.0]]), np.array([2.0]), np.array([1.0]))]
    assert least_whole(np.ones(3), none, np.ones(3), limits) is None
