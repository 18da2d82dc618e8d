"""Direct algorithms take one step, or two, at the full rate of a uniform network."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from tests.strategies import rank_choices, sizes, stars
from topology import Supernode
from topology.units import GB, KiB, ns, us

A, O = 3 * us, 7 * ns  # noqa: E741 - the letters of the papers


@settings(max_examples=20)
@given(stars(), sizes)
def test_one_step_on_a_star(star: Supernode, size: float) -> None:
    """α + (p-1)·o + (p-1)/p S/B."""
    p, edge = len(star.npus), star.graph.edges["npu/0", "switch/0"]
    expected = A + (p - 1) * O + 2 * edge["latency"] + (p - 1) / p * size / edge["capacity"]
    for kind in ("reduce_scatter", "all_gather", "all_to_all"):
        found = collectives.analyze(star, kind, size, algorithm="direct", alpha=A, message=O)
        assert found.time == pytest.approx(expected, rel=1e-12)
    found = collectives.analyze(star, "all_reduce", size, algorithm="direct", alpha=A, message=O)
    assert found.time == pytest.approx(2 * expected, rel=1e-12)


@settings(max_examples=20)
@given(stars(), st.data())
def test_a_subset_is_a_smaller_star(star: Supernode, data: st.DataObject) -> None:
    ranks = data.draw(rank_choices(len(star.npus)))
    p, edge = len(ranks), star.graph.edges["npu/0", "switch/0"]
    found = collectives.analyze(
        star, "all_to_all", 8 * KiB, algorithm="direct", ranks=ranks, alpha=A, message=O
    )
    wire = (p - 1) / p * 8 * KiB / edge["capacity"]
    assert found.time == pytest.approx(A + (p - 1) * O + 2 * edge["latency"] + wire, rel=1e-12)
    assert found.ranks.tolist() == ranks


@pytest.mark.parametrize("p", [2, 3, 8, 13])
def test_on_a_clique_every_link_carries_its_pair(p: int) -> None:
    """S/(p·b): the two-shot all-reduce takes twice that."""
    graph = nx.complete_graph(p)
    nx.set_edge_attributes(graph, 5 * GB, "capacity")
    clique = topology.from_networkx(graph, npus=range(p))
    size = 3e6
    for kind, shots in (("all_gather", 1), ("reduce_scatter", 1), ("all_to_all", 1),
                        ("all_reduce", 2)):  # fmt: skip
        found = collectives.analyze(clique, kind, size, algorithm="direct", alpha=0, message=0)
        assert found.time == pytest.approx(shots * size / (p * 5 * GB), rel=1e-12)


def test_one_rank_has_nothing_to_do() -> None:
    star = topology.star(1, link=GB)
    for kind in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all"):
        found = collectives.analyze(star, kind, 1e6, algorithm="direct")
        assert found.time == 0
        assert "moves nothing" in str(found)
