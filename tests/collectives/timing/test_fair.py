"""Max-min fair rates: against water filling in fractions, and by what fairness means."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from collectives.model.schedule import ScheduleError
from collectives.timing.fair import fair_rates
from tests import reference

_SHARES = st.sampled_from([0, 0, 0, 0.25, 0.5, 1])
_LIMITS = st.sampled_from([np.inf, np.inf, 0.5, 3.0])


@st.composite
def shared(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw shares of up to 6 flows on up to 5 resources, capacities, and limits."""
    rows, flows = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    cells = st.lists(_SHARES, min_size=flows, max_size=flows)
    use = np.array(draw(st.lists(cells, min_size=rows, max_size=rows)), dtype=float)
    capacity = draw(st.lists(st.integers(0, 6), min_size=rows, max_size=rows))
    limit = draw(st.lists(_LIMITS, min_size=flows, max_size=flows))
    use[0, use.sum(axis=0) == 0] = 1.0
    return use, np.array(capacity, dtype=float), np.array(limit)


@given(shared())
def test_rates_are_those_of_water_filling(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    use, capacity, limit = case
    shares = [{r: Fraction(x) for r, x in enumerate(flow) if x} for flow in use.T.tolist()]
    limits = [None if x == np.inf else Fraction(x) for x in limit.tolist()]
    wanted = reference.water_filling(shares, [Fraction(c) for c in capacity.tolist()], limits)
    found = fair_rates(use, capacity, limit=limit)
    np.testing.assert_allclose(found, [float(x) for x in wanted], rtol=1e-12, atol=1e-13)


@given(shared(), st.data())
def test_a_column_may_stand_for_many_equal_flows(
    case: tuple[np.ndarray, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    use, capacity, limit = case
    sizes = st.lists(st.integers(1, 4), min_size=use.shape[1], max_size=use.shape[1])
    count = np.array(data.draw(sizes))
    each = np.repeat(np.arange(use.shape[1]), count)
    merged = fair_rates(use, capacity, count, limit)
    apart = fair_rates(use[:, each], capacity, limit=limit[each])
    np.testing.assert_allclose(merged[each], apart, rtol=1e-12, atol=1e-13)


def test_no_flow_of_many_can_gain_but_by_taking_from_a_slower_one() -> None:
    """Each flow has a full resource on which none is faster: a proof of fairness at any size."""
    rng = np.random.default_rng(5)
    use = sparse.csc_array(sparse.random_array((300, 20_000), density=0.01, rng=rng))
    use = use[:, np.diff(use.indptr) > 0]
    capacity = rng.uniform(1, 2, 300)
    rate = fair_rates(use, capacity)
    load = use @ rate
    assert (load <= capacity * (1 + 1e-12)).all()
    rows, flow = use.indices, np.repeat(np.arange(use.shape[1]), np.diff(use.indptr))
    fastest = np.zeros(300)
    np.maximum.at(fastest, rows, rate[flow])
    holds = (load[rows] >= capacity[rows] * (1 - 1e-12)) & (rate[flow] >= fastest[rows])
    assert np.logical_or.reduceat(holds, use.indptr[:-1]).all()


def test_what_is_not_limited_is_not_limited() -> None:
    use = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    found = fair_rates(use, np.array([2.0, np.inf]), limit=np.array([np.inf, np.inf, 0.5]))
    np.testing.assert_array_equal(found, [1.5, np.inf, 0.5])


@pytest.mark.parametrize(
    ("use", "capacity", "more"),
    [
        ([[1.0, -0.5]], [1.0], {}),
        ([[1.0]], [1.0, 2.0], {}),
        ([[1.0]], [-1.0], {}),
        ([[1.0]], [float("nan")], {}),
        ([[1.0]], [1.0], {"count": np.array([0.0])}),
        ([[1.0]], [1.0], {"limit": np.array([-1.0])}),
    ],
)
def test_what_cannot_be_shared_is_refused(
    use: list[list[float]], capacity: list[float], more: dict[str, np.ndarray]
) -> None:
    with pytest.raises(ScheduleError, match="fair rates"):
        fair_rates(use, np.array(capacity), **more)
