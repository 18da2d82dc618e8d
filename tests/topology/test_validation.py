"""Faults of a graph are all found, and a sound graph has none."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

import topology
from tests.strategies import supernodes
from topology import Supernode
from topology.border import is_number
from topology.errors import GraphError, SupernodeError
from topology.units import GB
from topology.validation import graph_faults, lane_counts


@given(supernodes())
def test_what_the_library_builds_has_no_fault(machine: Supernode) -> None:
    assert graph_faults(machine.graph, machine.npus) == []
    topology.validate(machine.graph, machine.npus)


@given(supernodes())
def test_one_spoilt_edge_gives_one_fault(machine: Supernode) -> None:
    graph = nx.DiGraph(machine.graph)
    u, v = min(graph.edges)
    graph.edges[u, v]["capacity"] = math.nan
    with pytest.raises(GraphError, match="the graph has a fault") as told:
        topology.validate(graph, machine.npus)
    assert f"edge {u} -> {v}" in str(told.value)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (1, True), (0.5, True), (np.float32(2), True), (np.int64(2), True), (math.inf, True),
        (math.nan, False), (None, False), (True, False), ("5", False), ("x", False),
        ([1], False), ({}, False), (1j, False),
    ],
)  # fmt: skip
def test_what_counts_as_a_number(value: object, answer: bool) -> None:
    assert is_number(value) is answer


def test_lanes_are_one_for_all_or_one_for_each() -> None:
    assert lane_counts(2, 3) == [2, 2, 2]
    assert lane_counts(np.array([1, 2]), 2) == [1, 2]
    with pytest.raises(GraphError, match="lanes has 1 values for 2 links"):
        lane_counts([1], 2)


def test_a_half_built_builder_makes_nothing() -> None:
    builder = topology.Builder()
    builder.add_nodes(["s/0"], kind="switch", tier=1)
    with pytest.raises(GraphError, match="there is no NPU"):
        builder.build("empty", [])
    with pytest.raises(GraphError, match="NPU npu/0 is not a node"):
        builder.build("empty", ["npu/0"])


def test_a_link_of_the_builder_is_never_endless() -> None:
    for rate in (0, -GB, math.nan, math.inf):
        with pytest.raises(GraphError, match="capacity"):
            topology.star(2, link=rate)


def _pair() -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_node("npu/0", kind="npu", forwards=True)
    graph.add_node("npu/1", kind="npu", forwards=True)
    graph.add_node("switch/0", kind="switch", forwards=True)
    for npu in ("npu/0", "npu/1"):
        graph.add_edge(npu, "switch/0", capacity=1e9)
        graph.add_edge("switch/0", npu, capacity=1e9)
    return graph


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("device", []), ("device", None), ("coord", {}), ("coord", (0.5,)), ("coord", "ab"),
        ("reduces", None), ("reduces", 1), ("forwards", "maybe"), ("multicasts", []),
        ("node", [1]), ("rack", {}), ("plane", 1.5), ("slot", None), ("tier", -1), ("tier", "x"),
        ("latency", range(2)), ("latency", 10**400), ("capacity", "x"), ("capacity", 0),
        ("kind", "gpu"), ("kind", []),
    ],
)  # fmt: skip
def test_a_node_attribute_of_the_wrong_kind_is_named_everywhere(key: str, value: object) -> None:
    graph = _pair()
    graph.nodes["npu/0"][key] = value
    said = rf"node npu/0: {key}(\[0\])? is"
    with pytest.raises(GraphError, match=said):
        topology.from_networkx(graph, ["npu/0", "npu/1"])
    with pytest.raises(GraphError, match=said):
        Supernode("mine", graph, ("npu/0", "npu/1"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lanes", 1.5), ("lanes", 0), ("lanes", True), ("lanes", 10**400), ("capacity", 10**400),
        ("capacity", math.inf), ("capacity", "1 GB/s"), ("latency", -1), ("link", {}),
        ("medium", "glass"), ("medium", range(3)),
    ],
)  # fmt: skip
def test_an_edge_attribute_of_the_wrong_kind_is_named_everywhere(key: str, value: object) -> None:
    graph = _pair()
    graph.edges["npu/0", "switch/0"][key] = value
    with pytest.raises(GraphError, match=f"edge npu/0 -> switch/0: {key} is"):
        topology.from_networkx(graph, ["npu/0", "npu/1"])
    with pytest.raises(GraphError, match=f"edge npu/0 -> switch/0: {key} is"):
        Supernode("mine", graph, ("npu/0", "npu/1"))


def test_words_for_truth_are_read_as_such() -> None:
    graph = _pair()
    graph.nodes["switch/0"].update(forwards="no", reduces="yes", multicasts=np.bool_(False))
    made = topology.from_networkx(graph).graph.nodes["switch/0"]
    assert [made[key] for key in ("forwards", "reduces", "multicasts")] == [False, True, False]


def test_what_a_graph_leaves_out_is_filled_in() -> None:
    bare = Supernode("mine", _pair(), ("npu/0", "npu/1"))
    data = bare.graph.edges["npu/0", "switch/0"]
    assert (data["lanes"], data["latency"], data["link"]) == (1, 0.0, topology.Link())
    assert bare.degrade(links=[("npu/0", "switch/0")], factor=0.5).fabric.lanes.tolist() == [1] * 4
    assert topology.failure_units(bare, "cable")


@pytest.mark.parametrize(
    ("npus", "said"),
    [
        ({"npu/0", "npu/1"}, "fixed order"), ("npu/0", "fixed order"), (7, "7; it must be"),
        (["npu/0", "switch/0"], "switch/0 has kind 'switch'"), ([[]], "not the id of a node"),
        (["npu/0", 10**5000], "is not a node"),
    ],
)  # fmt: skip
def test_ranks_are_endpoints_in_an_order(npus: object, said: str) -> None:
    with pytest.raises(SupernodeError, match=said):
        topology.from_networkx(_pair(), npus)
    with pytest.raises(GraphError, match=said):
        Supernode("mine", _pair(), npus)


@pytest.mark.parametrize("fields", [
    {"efficiency": 7}, {"efficiency": 0}, {"transceivers": math.nan}, {"fec": range(3)},
    {"length": -1}, {"modules": "2"}, {"medium": "glass"}, {"power": 10**400}, {"type": 5},
    {"sources": "text"}, {"sources": [1]}, {"propagation": True},
])  # fmt: skip
def test_a_link_is_checked_as_its_type_is(fields: dict[str, object]) -> None:
    name = next(iter(fields))
    with pytest.raises(GraphError, match=r"link .*is"):
        topology.Link(**fields)
    kind = {"name" if name == "type" else name: fields[name]}
    with pytest.raises(GraphError, match="link type"):
        topology.LinkType(capacity=1e9, **kind)
