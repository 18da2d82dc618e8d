"""Hashed ECMP against the plain next hops, balls into bins, and the spray it is a draw of."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests import reference
from tests.strategies import supernodes
from topology import Supernode
from topology.errors import RoutingError, SupernodeError, UnreachableError
from topology.routing import Pairs, PathFlow, ecmp, router, worst_link
from topology.routing.hashed import Hashed
from topology.units import GB


def _expected_most(balls: int, bins: int) -> float:
    """Return the exact mean of the fullest bin: E[max] = Σ P(max > k)."""
    total = 0.0
    for most in range(balls):
        series = np.zeros(balls + 1)
        series[0] = 1.0
        one = [1 / math.factorial(j) if j <= most else 0.0 for j in range(balls + 1)]
        for _ in range(bins):
            series = np.convolve(series, one)[: balls + 1]
        total += 1 - series[balls] * math.factorial(balls) / bins**balls
    return total


def test_balls_in_bins_are_those_of_small_cases() -> None:
    assert _expected_most(2, 2) == pytest.approx(1.5)
    assert _expected_most(3, 3) == pytest.approx((1 * 6 + 2 * 18 + 3 * 3) / 27)


def _leaf_spine(each: int, spines: int, lanes: int = 1) -> tuple[Supernode, Pairs]:
    """Return two leaves of NPUs, and what NPUs of the first send to one each of the second."""
    graph = topology.Builder()
    npus = graph.add_nodes((f"npu/{i}" for i in range(2 * each)), kind="npu", tier=0)
    leaves = graph.add_nodes(["leaf/0", "leaf/1"], kind="switch", tier=1)
    tops = graph.add_nodes((f"spine/{i}" for i in range(spines)), kind="switch", tier=2)
    graph.connect(((npu, leaves[i // each]) for i, npu in enumerate(npus)), GB)
    graph.connect(((leaves[0], top) for top in tops), GB, lanes=lanes)
    graph.connect(((leaves[1], top) for top in tops), 99 * GB)
    senders = np.arange(each)
    return graph.build("leaf-spine", npus), Pairs(senders, senders + each, np.full(each, GB))


@pytest.mark.parametrize(("each", "spines", "lanes"), [(8, 8, 1), (12, 4, 1), (8, 2, 4), (6, 1, 3)])
def test_the_worst_link_is_the_fullest_bin(each: int, spines: int, lanes: int) -> None:
    """Flows over uplinks are balls in bins, and so are those over the lanes of a bundle."""
    machine, demand = _leaf_spine(each, spines, lanes)
    found = worst_link(machine, demand, seeds=400)
    error = found.std / 20
    assert abs(found.mean - _expected_most(each, spines * lanes)) < 4 * error
    low, high = found.interval(0.95)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.02)
    assert found.quantile(0) <= found.quantile(0.5) <= found.quantile(1) == found.busy.max()
    assert found.sprayed == pytest.approx(max(1.0, each / (spines * lanes)))
    assert (found.busy > found.sprayed - 1e-12).all()


@given(supernodes(), st.integers(0, 2**64 - 1), st.data())
def test_every_hop_is_on_a_shortest_path(
    machine: Supernode, seed: int, data: st.DataObject
) -> None:
    src = data.draw(st.integers(0, len(machine.npus) - 1))
    dst = data.draw(st.integers(0, len(machine.npus) - 1).filter(lambda r: r != src))
    ((share, arcs),) = router(machine, "hashed", seed=seed).route(
        Pairs(np.array([src]), np.array([dst]), np.ones(1))
    ).paths(src, dst)  # fmt: skip
    assert share == 1
    target, graph = machine.npus[dst], machine.graph
    distance = reference.distances_to(graph, target)
    for u, v in (machine.fabric.arcs[arc] for arc in arcs):
        assert v in reference.next_hops(graph, distance, u, target)


@pytest.mark.parametrize(
    "machine",
    [topology.clos(16, link=GB, radix=8), topology.cloudmatrix384(3),
     topology.torus((4, 4), link=GB)],
    ids=lambda machine: machine.name,
)  # fmt: skip
def test_the_mean_over_seeds_is_what_hops_drawn_by_lanes_carry(machine: Supernode) -> None:
    """Where capacity goes by lanes that is the spray; the error of a mean is its own."""
    draws = np.array([router(machine, "hashed", seed=s).loads() for s in range(150)])
    error = draws.std(axis=0, ddof=1) / math.sqrt(len(draws))
    off = np.abs(draws.mean(axis=0) - ecmp(machine).loads())
    assert (off <= 5 * error + 1e-9).all()


def test_a_pair_keeps_its_path_and_seeds_differ() -> None:
    machine = topology.clos(32, link=GB, radix=8, tiers=3)
    every = router(machine, "hashed:seed=5").route()
    again = Hashed(machine.fabric, seed=5).route(Pairs(np.array([3]), np.array([30]), np.ones(1)))
    assert list(every.paths(3, 30)) == list(again.paths(3, 30))
    drawn = {
        tuple(arcs)
        for seed in range(40)
        for _, arcs in router(machine, "hashed", seed=seed).route().paths(3, 30)
    }
    assert drawn == {tuple(arcs) for _, arcs in ecmp(machine).route().paths(3, 30)}


def test_a_pair_meets_its_own_lane() -> None:
    """A lane that two pairs share is busy twice as long as one of its own."""
    machine, demand = _leaf_spine(3, 1, 4)
    for seed in range(10):
        flow = router(machine, "hashed", seed=seed).route(demand)
        assert isinstance(flow, PathFlow)
        lanes = flow.ways.lane
        assert lanes is not None
        hops = list(zip(flow.ways.arcs.tolist(), lanes.tolist(), strict=True))
        assert all(lane < machine.fabric.lanes[arc] for arc, lane in hops)
        sent, fabric = Counter(hops), machine.fabric
        each = [
            sent[arc, lane] * GB * fabric.lanes[arc] / fabric.capacity[arc] for arc, lane in hops
        ]
        most = [max(each[4 * pair : 4 * pair + 4]) for pair in range(3)]
        assert flow.slowest().transfer == pytest.approx(most)
        assert flow.worst() == pytest.approx(max(most))


def test_a_route_that_is_not_there_and_seeds_that_are_none() -> None:
    parts = topology.star(2, link=GB), topology.star(2, link=GB)
    apart = topology.line(4, link=GB).without(links=[("npu/1", "npu/2")])
    with pytest.raises(UnreachableError, match=r"npu/0 cannot reach npu/2"):
        router(apart, "hashed").route()
    with pytest.raises(RoutingError, match="one seed or more"):
        worst_link(parts[0], seeds=[])
    with pytest.raises(SupernodeError, match="seeds is 0"):
        worst_link(parts[1], seeds=0)
    assert worst_link(parts[0], seeds=1).interval() == (-np.inf, np.inf)
