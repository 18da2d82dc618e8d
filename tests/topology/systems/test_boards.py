"""Hold the single nodes' wiring link by link."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import pytest

import collectives
import topology
from topology import Supernode
from topology.errors import RoutingError
from topology.systems import dgx_a100, hgx_b200
from topology.systems.board import wiring_of
from topology.units import GB


def lanes(machine: Supernode) -> nx.Graph:
    """Return the NPUs and switches, with lanes on the links."""
    kept = [n for n, data in machine.graph.nodes(data=True) if data["kind"] in ("npu", "switch")]
    return machine.graph.subgraph(kept).to_undirected()


def test_wiring_table() -> None:
    assert wiring_of("0-1:4 10-2:1") == {(0, 1): 4, (10, 2): 1}


def test_dgx_1v_is_the_hybrid_cube_mesh() -> None:
    graph = lanes(topology.dgx_1v())
    assert graph.number_of_edges() == 16
    assert all(degree == 6 for _, degree in graph.degree(weight="lanes"))
    assert all(degree == 4 for _, degree in graph.degree())
    double = nx.Graph((u, v) for u, v, n in graph.edges(data="lanes") if n == 2)
    assert nx.is_connected(double)
    assert all(degree == 2 for _, degree in double.degree())  # one cycle through all 8
    assert {tuple(sorted(edge)) for edge in double.edges} == {
        ("npu/0", "npu/3"), ("npu/2", "npu/3"), ("npu/1", "npu/2"), ("npu/1", "npu/5"),
        ("npu/5", "npu/6"), ("npu/6", "npu/7"), ("npu/4", "npu/7"), ("npu/0", "npu/4"),
    }  # fmt: skip


def test_dgx_1v_is_sccl_dgx1_under_other_numbers() -> None:
    """Microsoft's msccl-tools, topologies dgx1(): the links of its GPUs to those after them."""
    sccl = [
        [0, 2, 1, 1, 2, 0, 0, 0],
        [0, 0, 1, 2, 0, 1, 0, 0],
        [0, 0, 0, 2, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 2, 1, 1],
        [0, 0, 0, 0, 0, 0, 1, 2],
        [0, 0, 0, 0, 0, 0, 0, 2],
    ]
    theirs = {(i, j): n for i, row in enumerate(sccl) for j, n in enumerate(row) if n}
    number = (0, 2, 3, 1, 4, 6, 7, 5)
    ours = {}
    for u, v, n in lanes(topology.dgx_1v()).edges(data="lanes"):
        i, j = sorted(number[int(node.split("/")[1])] for node in (u, v))
        ours[i, j] = n
    assert ours == theirs


def test_dgx_1v_all_gather_bound_is_forestcolls() -> None:
    found = collectives.bound(topology.dgx_1v(), "all_gather")
    assert found.algbw == pytest.approx(8 / 7 * 150 * GB)
    assert found.algbw == pytest.approx(171.429 * GB, rel=1e-5)


def test_without_relay_some_gpus_cannot_reach_each_other() -> None:
    machine = topology.dgx_1v(relay=False)
    with pytest.raises(RoutingError):
        topology.routing.ecmp(machine).loads()


@pytest.mark.parametrize(
    ("machine", "lane", "count"),
    [
        (topology.mi300x(), 64 * GB, 1),
        (topology.atlas_900_a2(), 28 * GB, 1),
        (topology.gaudi3(), 25 * GB, 3),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_full_meshes(machine: Supernode, lane: float, count: int) -> None:
    graph = machine.graph
    assert nx.is_isomorphic(graph.to_undirected(), nx.complete_graph(8))
    for _, _, data in graph.edges(data=True):
        assert data["lanes"] == count
        assert data["capacity"] == pytest.approx(lane * count)


@pytest.mark.parametrize(("build", "chips", "each"), [(dgx_a100, 6, 2), (hgx_b200, 2, 9)])
def test_each_gpu_is_on_every_chip(build: Callable[[], Supernode], chips: int, each: int) -> None:
    graph = lanes(build())
    assert nx.is_isomorphic(graph, nx.complete_bipartite_graph(8, chips))
    assert {n for _, _, n in graph.edges(data="lanes")} == {each}


def test_nics_are_at_the_edge_and_can_be_left_out() -> None:
    for build in (dgx_a100, hgx_b200):
        nics = [n for n, kind in build().graph.nodes(data="kind") if kind == "nic"]
        assert len(nics) == 8
        assert not any(build().graph.nodes[nic]["forwards"] for nic in nics)
        assert "nic" not in dict(build(nics=False).graph.nodes(data="kind")).values()


def test_mi250_packages_and_budgets() -> None:
    graph = lanes(topology.mi250())
    assert all(degree == 7 for _, degree in graph.degree(weight="lanes"))
    inside = {(f"gcd/{2 * i}", f"gcd/{2 * i + 1}") for i in range(8)}
    for u, v, data in graph.edges(data=True):
        pair = tuple(sorted((u, v), key=lambda n: int(n.split("/")[1])))
        assert (data["link"].type == "xgmi2-package") == (pair in inside)
        assert data["lanes"] == 4 if pair in inside else data["lanes"] in (1, 2)
    for i in range(8):  # six links leave every package
        package = {f"gcd/{2 * i}", f"gcd/{2 * i + 1}"}
        assert sum(n for u, v, n in graph.edges(package, data="lanes")
                   if not {u, v} <= package) == 6  # fmt: skip


def test_mi250_row_by_row() -> None:
    """The first rows of RCCL's connection matrix; the other half is the same, 8 further on."""
    rows = [
        {1: 4, 2: 1, 4: 2}, {0: 4, 2: 1, 3: 1, 5: 1}, {0: 1, 1: 1, 3: 4, 6: 1}, {1: 1, 2: 4, 7: 2},
        {0: 2, 5: 4, 12: 1}, {1: 1, 4: 4, 13: 1, 14: 1}, {2: 1, 7: 4, 13: 1, 14: 1},
        {3: 2, 6: 4, 15: 1},
    ]  # fmt: skip
    graph = topology.mi250().graph
    for i, row in enumerate(rows):
        for flip in (0, 8):
            found = {
                int(v.split("/")[1]) ^ flip: d["lanes"] for v, d in graph[f"gcd/{i ^ flip}"].items()
            }
            assert found == row
