"""Hold UB-Mesh and the two Atlas models to the outline they follow."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import pytest

import topology
from tests.topology.systems.machines import whole
from topology import Builder, Supernode, metrics
from topology.errors import GraphError
from topology.placement import Floor, Place
from topology.systems import atlas_950, atlas_960, ub_mesh_pod, ub_mesh_rack
from topology.systems.cabling import connect_placed, whole_cable
from topology.units import GB

ATLAS = [(atlas_950, 64, (8, 8), 4, 56 * GB), (atlas_960, 88, (11, 8), 5, 50 * GB)]


def mesh_of(machine: Supernode, npus: tuple[str, ...]) -> set[tuple[str, str]]:
    return set(machine.graph.subgraph(npus).edges)


def test_a_rack_is_a_2d_full_mesh_with_a_port_to_each_backplane() -> None:
    machine = ub_mesh_rack()
    assert mesh_of(machine, machine.npus) == set(topology.nd_full_mesh((8, 8), link=GB).graph.edges)
    for npu in machine.npus:
        above = {v for v in machine.graph[npu] if not v.startswith("npu/")}
        assert above == {f"backplane/0/{p}" for p in range(4)}
    assert {data["capacity"] for *_, data in machine.graph.edges(data=True)} == {56 * GB}
    assert metrics.diameter(machine) == 2


def test_cables_of_a_rack_grow_with_the_boards_between() -> None:
    graph = ub_mesh_rack().graph
    assert graph["npu/0"]["npu/1"]["link"].type == "ub-x4-board"
    lengths = [graph["npu/0"][f"npu/{8 * board}"]["link"].length for board in range(1, 8)]
    assert lengths == sorted(set(lengths))
    assert {graph["npu/0"][f"npu/{8 * board}"]["link"].type for board in range(1, 8)} == {
        "ub-x4-passive"
    }


def test_a_pod_joins_the_racks_of_a_row_and_of_a_column() -> None:
    machine = whole("ub-mesh-pod")
    graph = machine.graph
    for rack in range(16):
        row, column = divmod(rack, 4)
        peers = {4 * row + j for j in range(4)} | {4 * i + column for i in range(4)}
        for plane in range(4):
            beside = {v for v in graph[f"backplane/{rack}/{plane}"] if v.startswith("backplane")}
            assert beside == {f"backplane/{peer}/{plane}" for peer in peers - {rack}}
    between = [data for u, v, data in graph.edges(data=True) if u[0] == v[0] == "b"]  # x32 = 8 x4
    assert {data["lanes"] for data in between} == {8}
    assert {data["link"].type for data in between} == {"ub-x4-active"}  # about 10 m, Table 2
    assert sum(data["lanes"] for data in between) * 4 / 2 == 16 * 6 / 2 * 128  # lanes of UB
    hops = nx.single_source_shortest_path_length(graph, machine.npus[0])
    assert max(hops[npu] for npu in machine.npus) == 4


def test_bisection_of_a_pod_between_rows() -> None:
    machine = whole("ub-mesh-pod")
    half = machine.npus[:512], machine.npus[512:]
    pairs_of_racks = 4 * 2 * 2
    assert metrics.bisection(machine, half) == pytest.approx(pairs_of_racks * 32 * 56 * GB)


@pytest.mark.parametrize("dims", ["1x1", (1, 3), (2, 2), "2x4"])
def test_smaller_pods(dims: object) -> None:
    machine = ub_mesh_pod(dims)  # type: ignore[arg-type]
    rows, columns = machine.parameters["racks"]
    assert len(machine.npus) == rows * columns * 64
    assert nx.is_strongly_connected(machine.graph)


@pytest.mark.parametrize("dims", [(4,), (6, 6), "4x", (0, 4), 16, (2, 2, 2)])
def test_no_such_pod(dims: object) -> None:
    with pytest.raises(GraphError, match="racks"):
        ub_mesh_pod(dims)  # type: ignore[arg-type]


@pytest.mark.parametrize(("build", "npus", "dims", "planes", "port"), ATLAS)
@pytest.mark.parametrize("racks", [1, 2, 3, 8])
def test_atlas_small(
    build: Callable[..., Supernode],
    npus: int,
    dims: tuple[int, int],
    planes: int,
    port: float,
    racks: int,
) -> None:
    machine = build(racks)
    graph = machine.graph
    assert len(machine.npus) == npus * racks
    one = mesh_of(machine, machine.npus[:npus])
    assert one == set(topology.nd_full_mesh(dims, link=GB).graph.edges)
    for u, v, data in graph.edges(data=True):
        if v.startswith("hrs/"):
            assert graph.nodes[u]["plane"] == graph.nodes[v]["plane"]
            assert data["link"].medium == "optical"
        else:
            assert data["link"].medium == "copper" or u.startswith("hrs/")
    for rack in range(racks):
        for plane in range(planes):
            name = f"backplane/{rack}/{plane}"
            up = sum(graph[name][v]["lanes"] for v in graph[name] if v.startswith("hrs/"))
            assert up == npus  # as many as come from below
    if racks == 2:
        half = machine.npus[:npus], machine.npus[npus:]
        assert metrics.bisection(machine, half) == pytest.approx(npus * planes * port)


@pytest.mark.parametrize(
    ("name", "racks", "hrs", "each"), [("atlas-950", 128, 256, 128), ("atlas-960", 176, 440, 176)]
)
def test_atlas_whole(name: str, racks: int, hrs: int, each: int) -> None:
    machine = whole(name)
    graph = machine.graph
    switches = [n for n in graph if n.startswith("hrs/")]
    assert len(switches) == hrs
    assert all(graph.out_degree(n) == racks == each for n in switches)
    homes = {graph.nodes[n]["rack"] for n in graph}
    assert homes == set(range({128: 160, 176: 220}[racks]))
    hops = nx.single_source_shortest_path_length(graph, machine.npus[0])
    assert max(hops[npu] for npu in machine.npus) == 4
    assert all(data["lanes"] == 1 for _, _, data in graph.edges(data=True))


@pytest.mark.parametrize(("build", "most"), [(atlas_950, 128), (atlas_960, 176)])
def test_atlas_refuses_other_sizes(build: Callable[..., Supernode], most: int) -> None:
    for racks in (0, most + 1, 1.5, True):
        with pytest.raises(GraphError, match=f"1 to {most}"):
            build(racks)


def test_what_is_a_guess_says_so() -> None:
    for machine in (atlas_950(1), atlas_960(1)):
        assert any("estimate" in said and "not published" in said for said in machine.sources)


def test_a_cable_that_no_type_reaches_is_told_with_its_ends() -> None:
    builder = Builder()
    builder.add_nodes(["a/0", "a/1"], kind="switch", tier=1)
    places = {"a/0": Place(0), "a/1": Place(40)}
    with pytest.raises(GraphError, match="link a/0 to a/1: no link type reaches"):
        connect_placed(builder, [("a/0", "a/1")], places, ["ub-x4-passive"], Floor())
    connect_placed(builder, [("a/0", "a/1")], places, ["ub-x4-passive", "ub-x4-optical"], Floor())


def test_cables_are_sold_in_half_metres() -> None:
    assert [whole_cable(metres) for metres in (0.5, 0.51, 1.0, 7.9)] == [0.5, 1.0, 1.0, 8.0]
