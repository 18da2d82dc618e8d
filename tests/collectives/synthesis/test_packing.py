"""Packed trees span, keep within the capacities, and exist whenever Edmonds' condition holds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectives.model.schedule import ScheduleError
from collectives.synthesis.packing import feasible, pack


@st.composite
def capacities(draw: st.DrawFn) -> np.ndarray:
    p = draw(st.integers(2, 5))
    cells = st.lists(st.integers(0, 3), min_size=p * p, max_size=p * p)
    capacity = np.array(draw(cells)).reshape(p, p)
    np.fill_diagonal(capacity, 0)
    return capacity


def most_by_brute_force(capacity: np.ndarray) -> int:
    """Edmonds: k trees from every root exist if k·|S| ≤ what leaves S, for every S but all."""
    p = len(capacity)
    best = 99
    for size in range(1, p):
        for inside in combinations(range(p), size):
            rest = [v for v in range(p) if v not in inside]
            best = min(best, int(capacity[np.ix_(inside, rest)].sum()) // size)
    return best


@given(capacities())
def test_feasible_is_the_cut_condition(capacity: np.ndarray):
    most = most_by_brute_force(capacity)
    assert feasible(capacity, most)
    assert not feasible(capacity, most + 1)


@given(capacities())
def test_as_many_trees_are_packed_as_cuts_allow(capacity: np.ndarray):
    most = most_by_brute_force(capacity)
    if most == 0:
        with pytest.raises(ScheduleError):
            pack(capacity, 1)
        return
    p = len(capacity)
    used = np.zeros_like(capacity)
    rooted = np.zeros(p, dtype=int)
    for batch in pack(capacity, most):
        rooted[batch.root] += batch.count
        assert batch.parent[batch.root] == -1
        for v in range(p):
            if v != batch.root:
                assert batch.depth[v] == batch.depth[batch.parent[v]] + 1
                used[batch.parent[v], v] += batch.count
    assert (used <= capacity).all()
    assert (rooted == most).all()
