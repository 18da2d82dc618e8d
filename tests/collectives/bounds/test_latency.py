"""Latency bounds: closed forms, and no algorithm under any bound at any size."""

from __future__ import annotations

import math

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives.bounds import bound
from collectives.bounds.latency import spreading
from collectives.model.schedule import ScheduleError
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
