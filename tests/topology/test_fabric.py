"""The compiled arrays are the graph, no more and no less."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import supernodes, switched_networks
from topology import Supernode
from topology.errors import RoutingError
from topology.fabric import compile_fabric, distinct
from topology.naming import natural_key
from topology.units import GB


@given(supernodes())
def test_arrays_hold_every_edge_of_the_graph(machine: Supernode) -> None:
    fabric, graph = machine.fabric, machine.graph
    assert set(fabric.arcs) == set(graph.edges)
    assert len(fabric.arcs) == graph.number_of_edges()
    for i, (u, v) in enumerate(fabric.arcs):
        data = graph.edges[u, v]
        assert (fabric.capacity[i], fabric.latency[i], fabric.lanes[i]) == (
            data["capacity"], data["latency"], data["lanes"],
        )  # fmt: skip
        assert fabric.links[fabric.link[i]] == data["link"]
        assert fabric.arc(u, v) == i


@given(supernodes())
def test_nodes_stand_in_natural_order_and_ranks_in_their_own(machine: Supernode) -> None:
    fabric = machine.fabric
    assert list(fabric.nodes) == sorted(machine.graph, key=natural_key)
    assert [fabric.nodes[i] for i in fabric.npus] == list(machine.npus)
    for i, node in enumerate(fabric.nodes):
        data = machine.graph.nodes[node]
        assert fabric.index[node] == i
        assert fabric.kind[i] == data["kind"]
        assert fabric.forwards[i] == data["forwards"]
        assert fabric.node_latency[i] == data.get("latency", 0.0)
        assert fabric.is_nic[i] == (data["kind"] == "nic")


@given(supernodes())
def test_arcs_are_sorted_by_tail_and_head(machine: Supernode) -> None:
    fabric = machine.fabric
    key = fabric.tail * len(fabric.nodes) + fabric.head
    assert (np.diff(key) > 0).all()
    for node in range(len(fabric.nodes)):
        mine = fabric.tail[fabric.out_start[node] : fabric.out_start[node + 1]]
        assert (mine == node).all()
    assert fabric.out_start[-1] == len(fabric.tail)


@given(supernodes())
def test_every_arc_is_in_one_class(machine: Supernode) -> None:
    fabric = machine.fabric
    arcs = np.concatenate([cls.arcs for cls in fabric.classes])
    assert sorted(arcs.tolist()) == list(range(len(fabric.tail)))
    for cls in fabric.classes:
        for arc in cls.arcs.tolist():
            ends = fabric.labels[fabric.tail[arc]], fabric.labels[fabric.head[arc]]
            assert ends == (cls.tail, cls.head)
            assert fabric.links[fabric.link[arc]].medium == cls.medium
    names = [(cls.name, cls.medium) for cls in fabric.classes]
    assert len(names) == len(set(names))


def test_classes_of_cloudmatrix_count_its_links() -> None:
    classes = {cls.name: cls for cls in topology.cloudmatrix384().fabric.classes}
    assert {name: len(cls.arcs) for name, cls in classes.items()} == {
        "NPU→L1": 2688, "L1→NPU": 2688, "L1→L2": 5376, "L2→L1": 5376,
        "CPU→L1": 1344, "L1→CPU": 1344,
    }  # fmt: skip
    assert classes["L1→L2"].medium == "optical"
    assert classes["NPU→L1"].medium == "copper"


def test_a_link_that_is_not_there_is_named() -> None:
    fabric = topology.star(2, link=GB).fabric
    for u, v in (("npu/0", "npu/1"), ("npu/0", "npu/7"), ("x", "npu/0")):
        with pytest.raises(RoutingError, match=f"no link {u} -> {v}"):
            fabric.arc(u, v)


def test_a_switch_with_a_limit_keeps_it() -> None:
    graph = nx.Graph()
    graph.add_node("s", kind="switch", capacity=3 * GB, latency=1e-7)
    graph.add_edges_from([("a", "s"), ("b", "s")], capacity=2 * GB)
    fabric = topology.from_networkx(graph, npus=["a", "b"]).fabric
    assert fabric.node_capacity.tolist() == [np.inf, np.inf, 3 * GB]
    assert fabric.node_latency[2] == 1e-7


def test_networkx_finds_flows_on_the_graph_itself() -> None:
    machine = topology.cloudmatrix384(2)
    value, _ = nx.maximum_flow(machine.graph, "npu/0", "npu/8")
    assert value == pytest.approx(392 * GB)


@given(machine=switched_networks(), gone=st.integers(0, 3))
def test_the_arc_the_other_way_is_that_of_the_graph(machine: Supernode, gone: int) -> None:
    """Against the graph itself, some links having one direction only."""
    edges = sorted(machine.graph.edges)[:gone]
    graph = nx.DiGraph(machine.graph)
    graph.remove_edges_from(edges)
    fabric = compile_fabric(graph, machine.npus)
    expected = [fabric.arcs.index((v, u)) if graph.has_edge(v, u) else -1 for u, v in fabric.arcs]
    assert fabric.back.tolist() == expected
    rates = nx.get_edge_attributes(graph, "capacity")
    assert fabric.mirrored == all(rates.get((v, u)) == rate for (u, v), rate in rates.items())


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 3), max_size=30))
def test_distinct_values_are_those_of_a_set(values: list[int]) -> None:
    assert distinct(np.array(values, dtype=np.int64)).tolist() == sorted(set(values))
