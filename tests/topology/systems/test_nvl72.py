"""Hold the NVL72 racks and their SuperPOD link by link."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import pytest

import topology
from topology import Supernode, metrics
from topology.errors import GraphError
from topology.systems import gb200_nvl72, gb300_nvl72, nvl72_superpod, vera_rubin_nvl72
from topology.units import GB

RACKS = [(gb200_nvl72, 18), (gb300_nvl72, 18), (vera_rubin_nvl72, 36)]


@pytest.mark.parametrize(("build", "chips"), RACKS)
def test_one_link_from_each_gpu_to_each_chip(build: Callable[..., Supernode], chips: int) -> None:
    machine = build(cpus=False, nics=False)
    graph = machine.graph.to_undirected()
    assert graph.number_of_edges() == 72 * chips
    assert nx.is_bipartite(graph)
    assert {degree for node, degree in graph.degree(machine.npus)} == {chips}
    assert all(data["capacity"] == 50 * GB for _, _, data in machine.graph.edges(data=True))
    slots = [machine.graph.nodes[f"nvswitch/{j}"]["slot"] for j in range(chips)]
    assert [slots.count(tray) for tray in range(9)] == [chips // 9] * 9


@pytest.mark.parametrize(("build", "chips"), RACKS)
def test_bisection_and_loads(build: Callable[..., Supernode], chips: int) -> None:
    machine = build()
    assert metrics.bisection(machine) == pytest.approx(36 * chips * 50 * GB)
    loads = topology.routing.ecmp(build(cpus=False, nics=False)).loads()
    assert loads == pytest.approx(71 / chips)  # every link the same


def test_generations_differ_only_in_their_parts() -> None:
    one, other = gb200_nvl72().graph, gb300_nvl72().graph
    assert set(one.edges) == set(other.edges)
    changed = {(one.nodes[n]["device"], other.nodes[n]["device"]) for n in one}
    assert changed == {
        ("b200", "b300"), ("nvswitch4", "nvswitch4"), ("grace", "grace"),
        ("connectx7", "connectx8"),
    }  # fmt: skip


@pytest.mark.parametrize("racks", [1, 2, 3, 4, 8, 16])
def test_superpod_rails(racks: int) -> None:
    machine = nvl72_superpod(racks, cpus=False)
    graph = machine.graph
    nodes = dict(graph.nodes(data=True))
    for nic in (n for n, data in nodes.items() if data["kind"] == "nic"):
        i = int(nic.split("/")[1])
        leaf = next(v for v in graph[nic] if v.startswith("leaf/"))
        assert leaf == f"leaf/{i // 72}/{i % 4}"
        assert nodes[leaf]["plane"] == nodes[f"npu/{i}"]["slot"]
    leaves = [n for n in nodes if n.startswith("leaf/")]
    assert len(leaves) == 4 * racks
    for leaf in leaves:
        down = sum(graph[leaf][v]["lanes"] for v in graph[leaf] if v.startswith("nic/"))
        up = sum(graph[leaf][v]["lanes"] for v in graph[leaf] if v.startswith("spine/"))
        assert down == up == 18
    for spine in (n for n in nodes if n.startswith("spine/")):
        assert sum(data["lanes"] for data in graph[spine].values()) <= 64
        assert len(graph[spine]) == len(leaves)


def test_superpod_bisection_between_racks_is_the_nics() -> None:
    machine = nvl72_superpod(2, cpus=False)
    half = machine.npus[:72], machine.npus[72:]
    assert metrics.bisection(machine, half) == pytest.approx(72 * 50 * GB)


def test_no_nvlink_leaves_a_rack() -> None:
    machine = nvl72_superpod(2)
    graph = machine.graph
    for u, v, data in graph.edges(data=True):
        if data["link"].type == "nvlink5":
            assert graph.nodes[u]["rack"] == graph.nodes[v]["rack"]


def test_superpod_cables_follow_from_the_racks() -> None:
    graph = nvl72_superpod().graph
    near = graph["nic/504"]["leaf/7/0"]  # rack 7 stands next to the network racks
    far = graph["nic/0"]["leaf/0/0"]
    assert far["link"].length > near["link"].length
    assert far["latency"] > near["latency"]
    assert {data["link"].medium for _, _, data in graph.edges("spine/0", data=True)} == {"optical"}


@pytest.mark.parametrize("racks", [0, -1, 17, 2.5, True, "8"])
def test_superpod_refuses_other_counts(racks: object) -> None:
    with pytest.raises(GraphError, match="racks"):
        nvl72_superpod(racks)  # type: ignore[arg-type]
