"""A supernode is frozen, edited into new ones, imported, copied, and never half-built."""

from __future__ import annotations

import copy
import math
import pickle

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import random_graphs, supernodes
from topology import Builder, LinkType, Supernode, SupernodeError
from topology.errors import GraphError
from topology.routing import ecmp
from topology.units import GB, ns


def _pair(**edge: object) -> nx.Graph:
    graph = nx.Graph()
    graph.add_edge("a", "b", **edge)
    return graph


def _same(one: Supernode, other: Supernode) -> bool:
    return (
        one.name == other.name
        and one.npus == other.npus
        and one.history == other.history
        and nx.utils.graphs_equal(one.graph, other.graph)
    )


def test_a_grid_of_nodes_is_numbered_in_blocks_and_over_and_over() -> None:
    builder = Builder()
    names = builder.add_grid(
        "l1", 2, 6, kind="npu", tier=0, per={"node": 6, "rack": 4}, among={"slot": 3}, plane=7
    )
    assert names == [f"l1/{n}/{k}" for n in range(2) for k in range(6)]
    nodes = builder.build("it", names).graph.nodes
    for i, name in enumerate(names):
        place = {key: nodes[name][key] for key in ("node", "rack", "slot", "plane")}
        assert place == {"node": i // 6, "rack": i // 4, "slot": i % 3, "plane": 7}
    with pytest.raises(GraphError, match="added twice"):
        builder.add_grid("l1/0", 1, kind="npu", tier=0)


def test_the_graph_is_frozen() -> None:
    machine = topology.star(3, link=GB)
    assert nx.is_frozen(machine.graph)
    with pytest.raises(nx.NetworkXError, match=r"[Ff]rozen"):
        machine.graph.add_edge("npu/0", "npu/1")
    with pytest.raises(nx.NetworkXError, match=r"[Ff]rozen"):
        machine.graph.remove_node("npu/0")


@given(supernodes())
def test_copies_and_pickles_are_the_same_machine(machine: Supernode) -> None:
    fresh = ecmp(machine).loads().tolist()
    for other in (
        pickle.loads(pickle.dumps(machine)),  # noqa: S301 - our own bytes
        copy.copy(machine),
        copy.deepcopy(machine),
    ):
        assert _same(machine, other)
        assert nx.is_frozen(other.graph)
        assert ecmp(other).loads().tolist() == fresh


def test_a_pickle_leaves_the_compiled_fabric_behind() -> None:
    machine = topology.cloudmatrix384(2)
    before = len(pickle.dumps(machine))
    assert machine.fabric is machine.fabric
    assert len(pickle.dumps(machine)) == before


@given(random_graphs(6), st.sampled_from([str, int, lambda i: (i, "x"), float]))
def test_any_ids_are_taken_as_strings(graph: nx.Graph, name: object) -> None:
    ids = {i: name(i) for i in graph}  # type: ignore[operator]
    graph = nx.relabel_nodes(graph, ids)
    nx.set_edge_attributes(graph, GB, "capacity")
    machine = topology.from_networkx(graph, npus=[ids[i] for i in range(6)])
    assert machine.npus == tuple(str(ids[i]) for i in range(6))
    assert machine.graph.number_of_edges() == 2 * graph.number_of_edges()


def test_ids_that_become_equal_are_refused() -> None:
    graph = nx.Graph([(1, "1"), (1, 2)])
    nx.set_edge_attributes(graph, GB, "capacity")
    with pytest.raises(GraphError, match="same id '1'"):
        topology.from_networkx(graph, npus=[2])


def test_the_graph_given_is_copied() -> None:
    graph = _pair(capacity=GB)
    machine = topology.from_networkx(graph, npus=["a", "b"])
    graph.edges["a", "b"]["capacity"] = 7.0
    graph.add_edge("a", "c")
    assert machine.graph.edges["a", "b"]["capacity"] == GB
    assert "c" not in machine.graph


def test_defaults_of_an_import() -> None:
    graph = nx.Graph([("npu/1", "s"), ("npu/0", "s"), ("npu/10", "s")])
    nx.set_edge_attributes(graph, 5, "capacity")
    for node in ("npu/1", "npu/0", "npu/10"):
        graph.nodes[node]["kind"] = "npu"
    machine = topology.from_networkx(graph)
    assert machine.npus == ("npu/0", "npu/1", "npu/10")
    assert machine.graph.nodes["s"]["kind"] == "switch"
    assert machine.graph.nodes["s"]["forwards"] is True
    assert machine.graph.nodes["npu/0"]["forwards"] is False
    edge = machine.graph.edges["s", "npu/0"]
    assert (edge["capacity"], edge["latency"], edge["lanes"]) == (5.0, 0.0, 1)
    assert edge["link"].medium == "copper"


def test_npus_forward_only_where_there_is_no_switch() -> None:
    ring = nx.cycle_graph(4)
    nx.set_edge_attributes(ring, GB, "capacity")
    direct = topology.from_networkx(ring, npus=range(4))
    assert all(data["forwards"] for _, data in direct.graph.nodes(data=True))
    assert direct.npus == ("0", "1", "2", "3")


def test_ranks_keep_the_order_they_are_given_in() -> None:
    graph = nx.complete_graph(4)
    nx.set_edge_attributes(graph, GB, "capacity")
    assert topology.from_networkx(graph, npus=[2, 0, 3]).npus == ("2", "0", "3")


@pytest.mark.parametrize(
    "capacity", [math.nan, 0, -1.0, math.inf, -math.inf, "fast", None, True, [50e9]]
)
def test_a_bad_capacity_is_told_with_its_edge(capacity: object) -> None:
    with pytest.raises(GraphError, match="edge a -> b: capacity is") as told:
        topology.from_networkx(_pair(capacity=capacity), npus=["a", "b"])
    assert repr(capacity) in str(told.value)


@pytest.mark.parametrize("attributes", [{}, {"Capacity": GB}, {"bandwidth": GB}])
def test_a_missing_capacity_is_not_an_endless_one(attributes: dict[str, float]) -> None:
    with pytest.raises(GraphError, match="edge a -> b: capacity is missing"):
        topology.from_networkx(_pair(**attributes), npus=["a", "b"])


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"latency": -1.0}, "latency is -1.0"),
        ({"latency": math.nan}, "latency is nan"),
        ({"latency": math.inf}, "latency is inf"),
        ({"latency": None}, "latency is None"),
        ({"lanes": 0}, "lanes is 0"),
        ({"lanes": math.nan}, "lanes is nan"),
        ({"medium": "glass"}, "'glass'"),
    ],
)
def test_bad_edge_attributes_are_told(attributes: dict[str, object], fault: str) -> None:
    with pytest.raises(GraphError) as told:
        topology.from_networkx(_pair(capacity=GB, **attributes), npus=["a", "b"])
    assert fault in str(told.value)


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"kind": "gpu"}, "kind is 'gpu'"),
        ({"capacity": 0}, "node s: capacity is 0"),
        ({"capacity": math.nan}, "node s: capacity is nan"),
        ({"latency": -1e-9}, "node s: latency is -1e-09"),
    ],
)
def test_bad_node_attributes_are_told(attributes: dict[str, object], fault: str) -> None:
    graph = nx.Graph([("a", "s"), ("b", "s")])
    nx.set_edge_attributes(graph, GB, "capacity")
    graph.nodes["s"].update(attributes)
    with pytest.raises(GraphError) as told:
        topology.from_networkx(graph, npus=["a", "b"])
    assert fault in str(told.value)


def test_every_fault_is_told_at_once() -> None:
    graph = nx.DiGraph()
    graph.add_edge("a", "b", capacity=0)
    graph.add_edge("b", "a")
    graph.add_edge("a", "a", capacity=GB)
    with pytest.raises(GraphError) as told:
        topology.from_networkx(graph, npus=["a", "a", "z"])
    for fault in (
        "capacity is 0", "capacity is missing", "linked to itself", "NPU a stands 2 times",
        "NPU z is not a node", "5 faults",
    ):  # fmt: skip
        assert fault in str(told.value)


def test_a_long_list_of_faults_is_cut() -> None:
    graph = nx.complete_graph(12)
    with pytest.raises(GraphError, match="and 46 more"):
        topology.from_networkx(graph, npus=range(12))


@pytest.mark.parametrize("kind", [nx.MultiGraph, nx.MultiDiGraph])
def test_a_multigraph_is_refused(kind: type[nx.MultiGraph]) -> None:
    graph = kind()
    graph.add_edge("a", "b", capacity=GB)
    graph.add_edge("a", "b", capacity=GB)
    with pytest.raises(GraphError, match="lanes="):
        topology.from_networkx(graph, npus=["a", "b"])
    with pytest.raises(GraphError, match="DiGraph"):
        Supernode("mine", graph, ("a", "b"))


@pytest.mark.parametrize("graph", [None, {"a": ["b"]}, [("a", "b")], "graph"])
def test_what_is_not_a_graph_is_refused(graph: object) -> None:
    with pytest.raises(TypeError, match=r"from_networkx: graph is .* of type Graph"):
        topology.from_networkx(graph, npus=["a"])


def test_a_supernode_takes_directed_graphs_with_string_ids_only() -> None:
    with pytest.raises(GraphError, match="DiGraph"):
        Supernode("mine", _pair(capacity=GB), ("a", "b"))
    graph = nx.DiGraph()
    graph.add_edge(0, 1, capacity=GB)
    with pytest.raises(GraphError, match="from_networkx"):
        Supernode("mine", graph, (0, 1))  # type: ignore[arg-type]
    assert not nx.is_frozen(graph), "a graph that is refused is left as it was"


@pytest.mark.parametrize("npus", [[], [["a"]], [{}], ["z"], [None]])
def test_bad_ranks_are_refused(npus: list[object]) -> None:
    with pytest.raises(GraphError, match="NPU"):
        topology.from_networkx(_pair(capacity=GB), npus=npus)  # type: ignore[arg-type]


def test_no_rank_at_all_is_told() -> None:
    with pytest.raises(GraphError, match="there is no NPU"):
        topology.from_networkx(_pair(capacity=GB))


def test_without_removes_a_cable_both_ways_or_one() -> None:
    star = topology.star(3, link=GB)
    gone = star.without(links=[("npu/1", "switch/0")])
    assert gone.graph.number_of_edges() == 4
    half = star.without(links=[("npu/1", "switch/0")], both_directions=False)
    assert not half.graph.has_edge("npu/1", "switch/0")
    assert half.graph.has_edge("switch/0", "npu/1")
    assert star.graph.number_of_edges() == 6
    assert star.history == ()
    assert "2 directed" in gone.history[0]


def test_without_a_node_it_is_no_rank() -> None:
    star = topology.star(3, link=GB).without(nodes=["npu/1"])
    assert star.npus == ("npu/0", "npu/2")
    assert star.graph.number_of_edges() == 4
    assert topology.star(2, link=GB).without(nodes="npu/0").npus == ("npu/1",)


def test_faults_add_up_in_the_history() -> None:
    machine = topology.star(4, link=GB).without(nodes=["npu/1"])
    machine = machine.degrade(links=[("npu/0", "switch/0")], factor=0.5)
    assert len(machine.history) == 2
    assert machine.without() is machine
    assert machine.degrade(links=[], factor=0.5) is machine


@given(supernodes(), st.data())
def test_without_in_turn_is_without_at_once(machine: Supernode, data: st.DataObject) -> None:
    links = data.draw(st.lists(st.sampled_from(sorted(machine.graph.edges)), max_size=3))
    links = list({frozenset(link): link for link in links}.values())
    at_once = machine.without(links=links)
    in_turn = machine
    for link in links:
        in_turn = in_turn.without(links=[link])
    assert nx.utils.graphs_equal(at_once.graph, in_turn.graph)


@given(supernodes(), st.sampled_from([0.5, 0.25, 2.0]), st.data())
def test_degrade_scales_the_links_chosen_and_no_other(
    machine: Supernode, factor: float, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(sorted(machine.graph.edges)), max_size=4))
    slow = machine.degrade(links=chosen, factor=factor)
    touched = set(chosen) | {(v, u) for u, v in chosen if machine.graph.has_edge(v, u)}
    for u, v, capacity in machine.graph.edges(data="capacity"):
        expected = capacity * (factor if (u, v) in touched else 1)
        assert slow.graph.edges[u, v]["capacity"] == expected
        assert machine.graph.edges[u, v]["capacity"] == capacity


@pytest.mark.parametrize("factor", [0, -1, math.nan, math.inf, "half", None])
def test_a_bad_factor_is_told(factor: object) -> None:
    with pytest.raises(GraphError, match="factor is"):
        topology.star(2, link=GB).degrade(links=[], factor=factor)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"nodes": ["npu/9"]}, "no node npu/9"),
        ({"links": [("npu/0", "npu/1")]}, "no link npu/0 -> npu/1"),
        ({"links": [("npu/0",)]}, r"pair"),
        ({"links": ["npu/0"]}, r"pair"),
        ({"links": [3]}, r"pair"),
        ({"nodes": ["npu/0", "npu/1"]}, "there is no NPU"),
    ],
)
def test_faults_that_are_not_there_are_told(fault: dict[str, list[object]], told: str) -> None:
    with pytest.raises(GraphError, match=told):
        topology.star(2, link=GB).without(**fault)  # type: ignore[arg-type]


def _builder() -> Builder:
    builder = Builder()
    builder.add_nodes(["npu/0", "npu/1"], kind="npu", tier=0)
    return builder


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (("npu/0", "npu/0"), "linked to itself"),
        (("npu/0", "npu/9"), "npu/9 is not a node"),
        (("npu/1", "npu/0"), "use lanes="),
    ],
)
def test_the_writer_of_edges_refuses_what_would_be_lost(ends: tuple[str, str], told: str) -> None:
    builder = _builder()
    builder.connect([("npu/0", "npu/1")], GB)
    with pytest.raises(GraphError, match=told):
        builder.connect([ends], GB)


@pytest.mark.parametrize("lanes", [0, -1, 1.5, "2", None, True, [1], [1, 2, 3]])
def test_bad_lanes_are_refused(lanes: object) -> None:
    builder = _builder()
    builder.add_nodes(["npu/2"], kind="npu", tier=0)
    with pytest.raises(GraphError, match="lanes"):
        builder.connect(
            [("npu/0", "npu/1"), ("npu/1", "npu/2")],
            GB,
            lanes=lanes,  # type: ignore[arg-type]
        )
    with pytest.raises(GraphError, match="lanes"):
        topology.star(2, link=GB, lanes=lanes)  # type: ignore[arg-type]


def test_lanes_multiply_capacity_and_may_be_numpys() -> None:
    builder = _builder()
    builder.connect([("npu/0", "npu/1")], LinkType(capacity=GB, latency=5 * ns), lanes=np.int64(3))  # type: ignore[arg-type]
    machine = builder.build("pair", ["npu/0", "npu/1"])
    assert machine.graph.edges["npu/1", "npu/0"]["capacity"] == 3 * GB
    assert machine.graph.edges["npu/1", "npu/0"]["latency"] == 5 * ns


def test_one_way_links_can_be_built() -> None:
    builder = _builder()
    builder.connect([("npu/0", "npu/1")], GB, duplex=False)
    assert builder.build("pair", ["npu/0"]).graph.number_of_edges() == 1


def test_a_node_added_twice_and_columns_of_other_lengths_are_refused() -> None:
    builder = _builder()
    with pytest.raises(GraphError, match="npu/0 is added twice"):
        builder.add_nodes(["npu/0"], kind="npu", tier=0)
    with pytest.raises(GraphError, match="rack"):
        builder.add_nodes(["npu/2", "npu/3"], kind="npu", tier=0, rack=[1])


def test_repr_tells_what_it_is() -> None:
    assert repr(topology.star(3, link=GB)) == "<Supernode star-3: 3 NPUs, 4 nodes, 6 edges>"


def test_all_errors_are_of_one_family() -> None:
    assert issubclass(GraphError, SupernodeError)
    assert issubclass(SupernodeError, ValueError)
