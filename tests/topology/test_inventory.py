"""Hold that an inventory counts every node and lane once."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given

import topology
from tests.strategies import direct_networks, switched_networks
from topology import Supernode
from topology.inventory import inventory
from topology.units import GB


@given(direct_networks() | switched_networks())
def test_everything_is_counted_once(supernode: Supernode) -> None:
    found = inventory(supernode)
    graph = supernode.graph
    assert sum(group.count for group in found.nodes) == graph.number_of_nodes()
    assert sum(group.links for group in found.links) == graph.to_undirected().number_of_edges()
    lanes = sum(
        max(graph[u][v]["lanes"] if graph.has_edge(u, v) else 0 for u, v in (pair, pair[::-1]))
        for pair in graph.to_undirected().edges
    )
    assert sum(group.lanes for group in found.links) == lanes


@given(switched_networks(symmetric=True))
def test_the_lanes_of_a_class_add_up_to_the_ports_of_its_ends(supernode: Supernode) -> None:
    graph = supernode.graph
    for group in inventory(supernode).nodes:
        members = [n for n, data in graph.nodes(data=True) if data["kind"] == group.kind]
        most = max(sum(data["lanes"] for _, _, data in graph.out_edges(n, data=True))
                   for n in members)  # fmt: skip
        if sum(g.kind == group.kind for g in inventory(supernode).nodes) == 1:
            assert group.ports[1] == most


def test_cloudmatrix_by_class() -> None:
    found = inventory(topology.cloudmatrix384())
    rows = {group.ends: (group.links, group.lanes, group.medium) for group in found.links}
    assert rows == {
        "NPU–L1": (2688, 5376, "copper"),
        "CPU–L1": (1344, 1344, "copper"),
        "L1–L2": (5376, 5376, "optical"),
    }
    assert sum(g.modules for g in found.links) == 5376
    assert found.racks == 16


def test_a_one_way_link_is_told_apart() -> None:
    graph = nx.DiGraph()
    graph.add_edge(0, 1, capacity=GB)
    graph.add_edge(1, 2, capacity=GB)
    graph.add_edge(2, 0, capacity=GB)
    (group,) = inventory(topology.from_networkx(graph, npus=range(3))).links
    assert (group.links, group.duplex, group.per_npu) == (3, False, (GB, GB))


def test_what_differs_in_a_row_is_a_range() -> None:
    """One worn link of a star: neither the most nor a mean stands for all."""
    star = topology.star(4, link=GB)
    found = inventory(star.degrade(links=[("npu/3", "switch/0")], factor=0.25))
    npus = next(group for group in found.nodes if group.kind == "npu")
    assert npus.capacity == (0.25 * GB, GB)
    assert found.links[0].per_npu == (0.25 * GB, GB)
    assert "250 MB/s to" in str(found)


def test_host_links_use_no_port_of_the_network() -> None:
    found = inventory(topology.gb200_nvl72())
    npus = next(group for group in found.nodes if group.kind == "npu")
    assert npus.ports == (18, 18)
    assert npus.capacity == pytest.approx((900 * GB, 900 * GB))
