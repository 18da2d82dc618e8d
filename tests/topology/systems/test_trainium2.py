"""Hold Trainium2's tori."""

from __future__ import annotations

import pytest

import topology
from topology import metrics
from topology.systems import trainium2, trainium2_ultraserver
from topology.units import GB


def test_an_instance_is_a_4_by_4_torus() -> None:
    machine = trainium2()
    assert set(machine.graph.edges) == set(topology.torus((4, 4), link=GB).graph.edges)
    assert {data["capacity"] for *_, data in machine.graph.edges(data=True)} == {128 * GB}
    assert metrics.diameter(machine) == 4


def test_an_ultraserver_is_a_torus_with_a_thinner_dimension() -> None:
    machine = trainium2_ultraserver()
    graph = machine.graph
    assert set(graph.edges) == set(topology.torus((4, 4, 4), link=GB).graph.edges)
    for u, v, data in graph.edges(data=True):
        inside = graph.nodes[u]["node"] == graph.nodes[v]["node"]
        assert data["capacity"] == (128 * GB if inside else 64 * GB)
        assert data["link"].type == ("neuronlink3" if inside else "neuronlink3-ring")
    assert metrics.diameter(machine) == 6


def test_rings_between_racks_are_longer() -> None:
    graph = trainium2_ultraserver().graph
    same, across = graph["npu/0"]["npu/16"], graph["npu/16"]["npu/32"]
    assert graph.nodes["npu/0"]["rack"] == graph.nodes["npu/16"]["rack"]
    assert graph.nodes["npu/16"]["rack"] != graph.nodes["npu/32"]["rack"]
    assert same["link"].length < across["link"].length


def test_all_to_all_is_limited_by_the_thin_dimension() -> None:
    """A ring of 4 in a torus of 64 carries 64 * 4 / 8 pairs a link, whatever its rate."""
    machine = trainium2_ultraserver()
    fabric = machine.fabric
    loads = topology.routing.ecmp(machine).loads()
    thin = fabric.capacity == 64 * GB
    worst = (loads / fabric.capacity).argmax()
    assert thin[worst]
    assert loads.sum() == pytest.approx(64 * 63 * metrics.mean_distance(machine))
