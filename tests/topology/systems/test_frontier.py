"""Hold Frontier's node and group."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest

import topology
from topology import metrics
from topology.errors import GraphError
from topology.systems import frontier_group, frontier_node
from topology.units import GB


def test_a_node_has_the_links_of_its_packages() -> None:
    graph = frontier_node(cpus=False, nics=False).graph.to_undirected()
    lanes = [graph.degree(f"gcd/{i}", weight="lanes") for i in range(8)]
    assert lanes == [7, 6] * 4
    packages = nx.quotient_graph(graph, [{f"gcd/{i}", f"gcd/{i + 1}"} for i in (0, 2, 4, 6)])
    between: Counter[frozenset[str]] = Counter()
    for u, v, n in graph.edges(data="lanes"):
        i, j = (int(node.split("/")[1]) // 2 for node in (u, v))
        if i != j:
            between[frozenset({"ABCD"[i], "ABCD"[j]})] += n
    assert {"".join(sorted(pair)): n for pair, n in between.items()} == {
        "AB": 2, "AC": 1, "AD": 2, "BC": 2, "BD": 1, "CD": 2,
    }  # fmt: skip
    assert packages.number_of_edges() == 6
    assert all(sum(n for pair, n in between.items() if p in pair) == 5 for p in "ABCD")


def test_even_and_odd_gcds_form_a_ring_each() -> None:
    """RCCL's topo_8p_90a_1.xml has the same pairs; the doubles are 0-6 and 2-4."""
    graph = frontier_node(cpus=False, nics=False).graph.to_undirected()
    outside = {
        tuple(sorted(int(node.split("/")[1]) for node in (u, v))): data["lanes"]
        for u, v, data in graph.edges(data=True)
        if data["link"].type == "xgmi2"
    }
    assert outside == {
        (0, 2): 1, (2, 4): 2, (4, 6): 1, (0, 6): 2, (1, 3): 1, (3, 7): 1, (5, 7): 1, (1, 5): 1,
    }  # fmt: skip
    inside = {n for u, v, n in graph.edges(data="lanes") if int(u[4:]) // 2 == int(v[4:]) // 2}
    assert inside == {4}


def test_nics_hang_on_odd_gcds() -> None:
    machine = frontier_node()
    graph = machine.graph
    for k in range(4):
        assert list(graph[f"nic/{k}"]) == [f"gcd/{2 * k + 1}"]
    assert metrics.diameter(machine) == metrics.diameter(frontier_node(cpus=False, nics=False))


@pytest.mark.parametrize("chassis", [1, 2, 8])
def test_a_group_is_a_full_mesh_of_switches(chassis: int) -> None:
    machine = frontier_group(chassis, cpus=False)
    graph = machine.graph
    switches = [n for n in graph if n.startswith("switch/")]
    assert len(switches) == 4 * chassis
    assert nx.is_isomorphic(
        graph.subgraph(switches).to_undirected(), nx.complete_graph(len(switches))
    )
    for switch in switches:
        below = [n for n in graph[switch] if n.startswith("nic/")]
        assert len(below) == 16
        nodes = {graph.nodes[n]["node"] for n in below}
        assert nodes == set(range(min(nodes), min(nodes) + 16))
        (plane,) = {graph.nodes[n]["plane"] for n in below}
        assert int(switch.split("/")[1]) % 4 == plane
        assert graph.nodes[switch]["slot"] == min(nodes) // 16
    lengths = [d["link"].length for u, v, d in graph.edges(data=True) if u[0] == v[0] == "s"]
    assert min(lengths) == pytest.approx(0.75)
    assert max(lengths) <= 2.39 + 1e-3


def test_all_to_all_in_a_group_is_limited_by_the_nics() -> None:
    """Half the GCDs of a node share each of its four 25 GB/s NICs with another."""
    machine = frontier_group(2, cpus=False)
    fabric = machine.fabric
    use = topology.routing.ecmp(machine).loads() / fabric.capacity
    worst = int(use.argmax())
    kinds = {fabric.kind[fabric.tail[worst]], fabric.kind[fabric.head[worst]]}
    assert kinds <= {"nic", "switch"}
    assert fabric.capacity[worst] == 25 * GB


@pytest.mark.parametrize("chassis", [0, 9, 1.0, "2"])
def test_a_cabinet_has_eight_chassis(chassis: object) -> None:
    with pytest.raises(GraphError, match="chassis"):
        frontier_group(chassis)  # type: ignore[arg-type]
