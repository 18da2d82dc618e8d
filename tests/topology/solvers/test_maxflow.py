"""Maximum flows in whole numbers, against NetworkX, from a few units to beyond 64 bits."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topology.solvers.maxflow import flow_network


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 2**31, 2**45, 2**60, 2**90]))
def test_flows_and_cuts(seed: int, top: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(3, 10))
    tail, head = rng.integers(0, nodes, (2, 40))
    tail, head = tail[tail != head], head[tail != head]
    numbers = [int(x * top) for x in rng.random(len(tail)).tolist()]
    small = sum(numbers) < 2**62
    capacity = np.array(numbers, dtype=np.int64 if small else object)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    for u, v, c in zip(tail.tolist(), head.tolist(), numbers, strict=True):
        graph.add_edge(u, v, capacity=c + graph.get_edge_data(u, v, {"capacity": 0})["capacity"])
    net = flow_network(nodes, tail, head)
    value, side, flow = net.max_flow(capacity, 0, 1)
    assert value == nx.maximum_flow_value(graph, 0, 1)
    assert side[0]
    assert not side[1]
    crossing = side[tail] & ~side[head]
    assert value == sum(c for c, over in zip(numbers, crossing.tolist(), strict=True) if over)
    into = [int(flow[net.column == node].sum()) for node in range(nodes)]
    assert into[1] == value
    assert all(into[node] == 0 for node in range(2, nodes))


@pytest.mark.parametrize("nodes", [2, 5])
def test_no_way_through(nodes: int) -> None:
    net = flow_network(nodes, np.array([1]), np.array([0]))
    assert net.max_flow(np.array([7]), 0, 1)[0] == 0
