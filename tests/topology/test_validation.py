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
from topology.errors import GraphError
from topology.units import GB
from topology.validation import graph_faults, is_number, lane_counts


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
