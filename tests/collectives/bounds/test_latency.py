"""Latency bounds: closed forms, and no algorithm under any bound at any size."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives.bounds import bound, latency
from collectives.bounds.latency import _laid, _nearest, spreading
from collectives.bounds.network import network
from collectives.model.schedule import ScheduleError
from collectives.timing import Endpoint
from tests.strategies import networks, rank_choices
from topology import Supernode
from topology.routing import ecmp
from topology.units import GB, KiB, MiB, ns, us

KINDS = ("all_gather", "all_reduce", "all_to_all", "reduce_scatter", "broadcast", "reduce",
         "gather", "scatter", "barrier")  # fmt: skip


def _timed(graph: nx.Graph) -> Supernode:
    nx.set_edge_attributes(graph, {e: {"capacity": 1 * GB, "latency": 100 * ns}
                                   for e in graph.edges})  # fmt: skip
    return topology.from_networkx(graph, npus=sorted(graph))


@pytest.mark.parametrize(
    ("graph", "hops", "far"),
    [(nx.cycle_graph(9), 4, 4), (nx.path_graph(6), 5, 5), (nx.complete_graph(5), 1, 1),
     (nx.hypercube_graph(4), 4, 4), (nx.star_graph(4), 2, 1)],
    ids=["ring", "path", "K5", "Q4", "star"],
)  # fmt: skip
def test_data_has_to_cross_the_diameter(graph: nx.Graph, hops: int, far: int) -> None:
    """One α and a link's latency for every hop; from a root, to the farthest rank."""
    built = _timed(graph)
    for kind, most in (("all_gather", hops), ("all_to_all", hops), ("broadcast", far)):
        found = bound(built, kind, alpha=1 * us, message=0.0)
        assert found.latency == pytest.approx(1 * us + most * 100 * ns, rel=1e-12)
    assert bound(built, "all_gather").latency == pytest.approx(hops * 100 * ns, rel=1e-12)


@pytest.mark.parametrize("known", [3, 5, 17, 100, 256])
@pytest.mark.parametrize("way", [0.0, 0.5, 1.0, 2.5, 40.0])
def test_spreading_is_the_postal_model(known: int, way: float) -> None:
    """The first turn at which Σ_j C(⌊t - j·λ⌋, j) ranks know (Bar-Noy and Kipnis, 1994)."""
    for moment in sorted(j * way + k for j in range(1, 40) for k in range(j, 300)):
        count = sum(math.comb(math.floor(moment - j * way + 1e-9), j)
                    for j in range(60) if moment >= j * way - 1e-9)  # fmt: skip
        if count >= known:
            assert spreading(known, way, 1.0) == pytest.approx(moment)
            return
    pytest.fail("never known")


def test_with_no_way_those_who_know_double() -> None:
    assert spreading(1024, 0.0, 1 * us) == pytest.approx(10 * us)
    assert spreading(256, 1e3, 1 * us) == pytest.approx(1e3 + 255 * us)


@settings(max_examples=15)
@given(networks(), st.data())
def test_network_latency_against_the_slowest_path(built: Supernode, data: st.DataObject) -> None:
    """ECMP's slowest paths are no faster than the bound's fastest."""
    chosen = data.draw(rank_choices(len(built.npus)))
    found = bound(built, "all_to_all", chosen, alpha=0.0, message=0.0)
    reach = ecmp(built).latencies()[chosen][:, chosen]
    assert found.latency <= reach.max() * (1 + 1e-12)


MACHINES = (
    topology.cloudmatrix384(2), topology.dgx_h100(1), topology.system("dgx-1v"),
    topology.torus((3, 3), link=50 * GB),
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("built", MACHINES, ids=lambda built: built.name)
def test_no_algorithm_beats_its_bound(built: Supernode, kind: str) -> None:
    """Every algorithm that fits, from an empty message to one where only bandwidth counts."""
    fitting = 0
    for name in collectives.algorithm_names(kind):
        try:
            found = collectives.analyze(built, kind, 0, algorithm=name)
        except ScheduleError:
            continue
        fitting += 1
        limit, plan = found.bound, found.plan
        for size in (0.0, 4 * KiB, 1 * MiB, 1e10):
            assert plan.cost(size).time >= limit.at(size).time * (1 - 1e-9), (name, size)
    assert fitting or kind in ("gather", "scatter", "barrier", "broadcast", "reduce")


def test_the_bound_at_a_size_is_the_larger_of_both() -> None:
    found = bound(topology.cloudmatrix384(), "all_to_all")
    assert found.at(0).time == found.latency > 0
    assert found.at(1e9).time == pytest.approx(1e9 / 393.0234986945e9, rel=1e-9)
    assert found.at(1e3).algbw == pytest.approx(1e3 / found.latency)
    assert "latency" in found.at(1e3).words
    assert math.isclose(float(found.at(1e9)), found.at(1e9).time)


def _uneven_star(slow: int) -> Supernode:
    """Return 8 NPUs on a switch, one of them 1 ms away, the others 1 ns."""
    graph = nx.Graph()
    graph.add_node("switch/0", kind="switch")
    for n in range(8):
        late = 1e-3 if n == slow else 1 * ns
        graph.add_edge(f"npu/{n}", "switch/0", capacity=50 * GB, latency=late)
    return topology.from_networkx(graph, npus=[f"npu/{n}" for n in range(8)])


@pytest.mark.parametrize("slow", [0, 3])
@pytest.mark.parametrize("kind", ["broadcast", "all_gather", "scatter", "all_to_all"])
def test_the_nearest_pair_need_not_hold_the_root(slow: int, kind: str) -> None:
    """The root is far from all, and the others near one another: once over, then 1 ns a step."""
    machine = _uneven_star(slow)
    for name in collectives.algorithm_names(kind):
        try:
            found = collectives.analyze(machine, kind, 0, algorithm=name, alpha=0.0, message=1e-4)
        except ScheduleError:
            continue
        limit = bound(machine, kind, alpha=0.0, message=1e-4)
        assert found.time >= limit.latency * (1 - 1e-9), name


@settings(max_examples=15)
@given(networks(), st.data())
def test_the_nearest_pair_is_the_nearest_of_all(machine: Supernode, data: st.DataObject) -> None:
    """By bits of the ranks' numbers, against every pair by Dijkstra."""
    ranks = data.draw(rank_choices(len(machine.npus)))
    net = network(machine.fabric, np.array(ranks))
    laid, delay = _laid(machine.fabric, net, Endpoint(1e-6, 2e-6, "given"))
    every = laid.distances(delay, np.arange(len(laid.senders)))[:, laid.receivers]
    every[np.diag(laid.size == 1)] = np.inf
    assert _nearest(laid, delay) == pytest.approx(every.min(), rel=1e-12)


@pytest.mark.parametrize("kind", ["all_gather", "all_to_all", "barrier", "broadcast"])
def test_far_from_a_few_ranks_is_said(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampled, the bound is lower by no more than it says; and none, where nothing is lost."""
    for machine in (topology.torus((5, 7), link=50 * GB), topology.cloudmatrix384(3),
                    _timed(nx.path_graph(9))):  # fmt: skip
        with monkeypatch.context() as patch:
            whole = bound(machine, kind, alpha=0.0, message=0.0)
            patch.setattr(latency, "_CELLS", 0)
            some = bound(machine, kind, alpha=0.0, message=0.0)
        assert some.latency <= whole.latency * (1 + 1e-12)
        assert not whole.approximations
        for one in some.approximations:
            assert one.error is not None
            assert whole.latency <= some.latency * (1 + one.error) * (1 + 1e-12)
        if not some.approximations:
            assert some.latency == pytest.approx(whole.latency, rel=1e-12)
