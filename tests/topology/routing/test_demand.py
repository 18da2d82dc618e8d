"""A demand in any form is the same demand, and a wrong one is told where."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import topology
from tests.strategies import demands, networks
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import Pairs, Uniform, as_demand, check_ranks, ecmp
from topology.units import GB

STAR = topology.star(4, link=GB)


def _matrix(demand: Pairs, count: int) -> np.ndarray:
    found = np.zeros((count, count))
    np.add.at(found, (demand.src, demand.dst), demand.amount)
    np.fill_diagonal(found, 0)
    return found


@given(networks(), st.data())
def test_every_form_of_a_demand_loads_alike(machine: Supernode, data: st.DataObject) -> None:
    count = len(machine.npus)
    pairs = data.draw(demands(count))
    matrix = _matrix(pairs, count)
    route = ecmp(machine)
    expected = route.loads(pairs)
    ids = {(machine.npus[u], machine.npus[v]): matrix[u, v] for u, v in np.argwhere(matrix)}
    for form in (
        matrix,
        matrix.tolist(),
        sparse.csr_array(matrix),
        sparse.coo_matrix(matrix),
        ids,
    ):
        assert route.loads(form) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_demand_may_name_ranks_by_number_where_ids_are_not_numbers() -> None:
    route = ecmp(STAR)
    assert route.loads({(0, 1): 2.0}) == pytest.approx(route.loads({("npu/0", "npu/1"): 2.0}))
    found = as_demand(STAR.fabric, {(0, "npu/3"): 1})
    assert isinstance(found, Pairs)
    assert (found.src.tolist(), found.dst.tolist()) == ([0], [3])


def test_ids_that_are_numbers_are_ids() -> None:
    graph = topology.star(3, link=GB).graph
    machine = topology.from_networkx(graph, npus=["npu/2", "npu/0"])
    found = as_demand(machine.fabric, {("npu/2", "npu/0"): 1.0})
    assert isinstance(found, Pairs)
    assert found.src.tolist() == [0]


def test_none_is_one_unit_for_each_ordered_pair() -> None:
    found = as_demand(STAR.fabric)
    assert isinstance(found, Uniform)
    assert found.ranks.tolist() == [0, 1, 2, 3]
    assert ecmp(STAR).loads().sum() == 24


def test_what_a_rank_sends_itself_crosses_no_link() -> None:
    assert ecmp(STAR).loads({(1, 1): 5.0}).sum() == 0
    assert ecmp(STAR).loads(np.eye(4)).sum() == 0
    assert ecmp(STAR).loads({}).sum() == 0


@pytest.mark.parametrize("bad", [math.nan, -1.0, math.inf])
def test_bad_amounts_are_told_with_their_pair(bad: float) -> None:
    matrix = np.zeros((4, 4))
    matrix[1, 2] = bad
    for form in (matrix, sparse.csr_array(matrix), {(1, 2): bad}):
        with pytest.raises(RoutingError, match=r"1 to (rank )?2|NaN"):
            ecmp(STAR).loads(form)
    with pytest.raises(RoutingError, match="amount"):
        ecmp(STAR).loads(Uniform(np.arange(4), bad))


@pytest.mark.parametrize(
    "form",
    [
        np.zeros((3, 3)),
        np.zeros((4, 3)),
        sparse.csr_array((5, 5)),
        np.zeros(4),
        np.zeros((4, 4, 1)),
        [[1, 2], [3]],
        "uniform",
        3.0,
        pytest.param(object(), id="object"),
        {(0, 9): 1.0},
        {(0, -1): 1.0},
        {("npu/0", "npu/9"): 1.0},
        {("npu/0",): 1.0},
        {"npu/0": 1.0},
        {(0, 1): "much"},
        {(0, 1): None},
        Pairs(np.array([0]), np.array([7]), np.ones(1)),
        Pairs(np.array([0, 1]), np.array([1]), np.ones(1)),
        Uniform(np.array([0, 0, 1])),
        Uniform(np.array([0, 4])),
    ],
    ids=str,
)
def test_what_is_not_a_demand_is_refused(form: object) -> None:
    with pytest.raises(RoutingError, match=r"demand|rank"):
        ecmp(STAR).loads(form)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ranks", "told"),
    [
        ([0, 1, 1], "1 stands 2 times"),
        ([0, 4], "no rank 4"),
        ([-1, 0], "no rank -1"),
        ([], "one rank or more"),
        ([[0, 1]], "flat list"),
        ([0.5, 1], "whole number"),
        (["0", "1"], "whole number"),
        ([True, False], "whole number"),
        ([[0], [1, 2]], "flat list"),
        (None, "flat list"),
        (3, "flat list"),
    ],
)
def test_bad_ranks_are_told(ranks: object, told: str) -> None:
    with pytest.raises(RoutingError, match=told):
        check_ranks(ranks, 4)  # type: ignore[arg-type]


@given(st.permutations(range(6)), st.integers(1, 6))
def test_good_ranks_keep_their_order(order: list[int], count: int) -> None:
    assert check_ranks(order[:count], 6).tolist() == order[:count]
    assert check_ranks(range(count), 6).tolist() == list(range(count))
