"""Metrics: closed forms of known shapes, NetworkX as the oracle, and what must not change."""

from __future__ import annotations

import math
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests import strategies
from topology import LinkType, Supernode, metrics
from topology.errors import GraphError
from topology.routing import ecmp
from topology.units import GB, TB


def torus(*dims: int) -> Supernode:
    """Build a torus with NetworkX: NPUs that forward, 1 GB/s links, coordinates."""
    graph = nx.grid_graph(dims[::-1], periodic=True)
    nx.set_edge_attributes(graph, 1 * GB, "capacity")
    names = {node: "npu/" + "/".join(map(str, np.atleast_1d(node))) for node in graph}
    nx.set_node_attributes(graph, {n: tuple(np.atleast_1d(n).tolist()) for n in graph}, "at")
    graph = nx.relabel_nodes(graph, names)
    return topology.from_networkx(graph, npus=sorted(graph), name="torus")


def of(graph: nx.Graph) -> Supernode:
    """Make every node of a graph an NPU that forwards, every edge 1 GB/s."""
    nx.set_edge_attributes(graph, 1 * GB, "capacity")
    return topology.from_networkx(graph, npus=sorted(graph))


# --- bisection


@pytest.mark.parametrize(("k", "dims"), [(4, 1), (4, 2), (6, 2), (4, 3)])
def test_the_bisection_of_a_torus_is_two_links_a_ring(k, dims):
    assert metrics.bisection(torus(*[k] * dims)) == 2 * k ** (dims - 1) * GB


@pytest.mark.parametrize("nodes", [2, 5, 8])
def test_the_bisection_of_a_full_mesh_is_all_pairs_across(nodes):
    assert metrics.bisection(of(nx.complete_graph(nodes))) == (nodes**2 // 4) * GB


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_bisection_of_a_hypercube_is_half_its_nodes(n):
    assert metrics.bisection(torus(*[2] * n)) == 2 ** (n - 1) * GB


def test_cloudmatrix384_has_75_264_tb_per_second_over_any_half_of_the_nodes():
    machine = topology.cloudmatrix384()
    assert metrics.bisection(machine, "node") == 75.264 * TB
    odd = [npu for npu in range(384) if (npu // 8) % 2]
    assert metrics.bisection(machine, (set(range(384)) - set(odd), odd)) == 75.264 * TB
    assert metrics.bisection(machine) == 75.264 * TB


def test_nvl72_has_32_4_tb_per_second_over_any_half():
    machine = topology.gb200_nvl72()
    assert metrics.bisection(machine) == 32.4 * TB
    assert metrics.bisection(machine, (range(0, 72, 2), range(1, 72, 2))) == 32.4 * TB


def networkx_cut(machine: Supernode, first: set[str], second: set[str]) -> float:
    """Find the smallest cut with NetworkX, between a super source and a super sink."""
    graph = nx.DiGraph()
    data = machine.graph.nodes
    inside = {n for n in data if data[n]["kind"] == "npu" or data[n]["forwards"]}
    for u, v, edge in machine.graph.edges(data=True):
        if {u, v} <= inside:
            graph.add_edge(u, v, capacity=edge["capacity"])
    graph.add_edges_from(("source", npu) for npu in first)
    graph.add_edges_from((npu, "sink") for npu in second)
    return nx.minimum_cut_value(graph, "source", "sink")


@given(strategies.supernodes(), st.data())
def test_the_flow_between_two_sets_is_networkx_minimum_cut(machine, data):
    if len(machine.npus) < 2:
        return
    ranks = data.draw(st.permutations(range(len(machine.npus))))
    at = data.draw(st.integers(1, len(ranks) - 1))
    first, second = ranks[:at], ranks[at : data.draw(st.integers(at + 1, len(ranks)))]
    cut = metrics.bisection_cut(machine, (first, second))
    a, b = ({machine.npus[r] for r in part} for part in (first, second))
    assert cut.forward == pytest.approx(networkx_cut(machine, a, b), rel=1e-9)
    assert cut.backward == pytest.approx(networkx_cut(machine, b, a), rel=1e-9)
    assert cut.capacity == min(cut.forward, cut.backward)


@given(strategies.supernodes())
def test_the_side_of_a_cut_proves_its_capacity(machine):
    if len(machine.npus) < 2:
        return
    cut = metrics.bisection_cut(machine)
    side, data = set(cut.side), machine.graph.nodes
    crossing = sum(
        edge["capacity"]
        for u, v, edge in machine.graph.edges(data=True)
        if u in side and v not in side and (data[v]["kind"] == "npu" or data[v]["forwards"])
    )
    assert crossing == pytest.approx(cut.capacity, rel=1e-9)
    assert 0 < len(side & set(machine.npus)) < len(machine.npus)


def test_a_switch_that_forwards_little_is_the_cut():
    graph = nx.star_graph(4)
    nx.set_edge_attributes(graph, 10 * GB, "capacity")
    graph.nodes[0].update(kind="switch", capacity=15 * GB)
    machine = topology.from_networkx(graph, npus=[1, 2, 3, 4])
    assert metrics.bisection(machine) == 15 * GB


def test_capacities_that_do_not_share_a_unit_stay_exact():
    graph = nx.path_graph(3)
    graph.edges[0, 1]["capacity"] = 160 * GB / 7
    graph.edges[1, 2]["capacity"] = 1e3 / 3
    machine = topology.from_networkx(graph, npus=[0, 1, 2])
    assert metrics.bisection(machine, ([0], [2])) == 1e3 / 3


@given(strategies.supernodes(), st.sampled_from([0.5, 3.0, 1024.0]))
@settings(max_examples=20)
def test_twice_the_capacity_is_twice_the_bisection(machine, factor):
    if len(machine.npus) < 2:
        return
    scaled = machine.degrade(links=machine.fabric.arcs, factor=factor)
    assert metrics.bisection(scaled) == pytest.approx(factor * metrics.bisection(machine))


def test_relaying_npus_add_paths():
    graph = nx.Graph()
    graph.add_nodes_from([f"npu/{i}" for i in range(3)], kind="npu")
    graph.add_nodes_from(["s/0", "s/1"], kind="switch")
    graph.add_edges_from([("npu/0", "s/0"), ("npu/1", "s/0"), ("npu/1", "s/1"), ("npu/2", "s/1")])
    nx.set_edge_attributes(graph, 1 * GB, "capacity")
    machine = topology.from_networkx(graph)
    assert metrics.bisection(machine, ([0], [2])) == 1 * GB
    assert metrics.bisection(machine, ([0], [2]), relay=False) == 0


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ("rakc", "has no split by 'rakc'; it has order"),
        (([0], []), "a set is empty"),
        (([0, 1], [1]), "npu/1 is in both sets"),
        (([0], [9]), "9 is not an NPU"),
        (([0], ["x"]), "'x' is not an NPU"),
        ([[0]], "is not two sets"),
    ],
)
def test_a_split_that_is_none_is_refused(split, said):
    with pytest.raises(GraphError, match=said):
        metrics.bisection(topology.star(4, link=1 * GB), split)


def test_one_npu_has_no_bisection():
    with pytest.raises(GraphError, match="needs 2 or more"):
        metrics.bisection(topology.star(1, link=1 * GB))


def test_the_best_natural_split_of_an_uneven_torus_is_across_the_long_dimension():
    machine = torus(4, 8)
    splits = metrics.natural_splits(machine)
    assert {"order", "at 0", "at 1", "id 0", "id 1"} <= set(splits)
    assert metrics.bisection(machine, "at 0") == 16 * GB
    assert metrics.bisection(machine) == metrics.bisection(machine, "at 1") == 8 * GB


# --- distances


@pytest.mark.parametrize("dims", [(5,), (4, 4), (3, 5), (4, 4, 4), (2, 3, 4)])
def test_the_diameter_of_a_torus_is_half_of_each_dimension(dims):
    assert metrics.diameter(torus(*dims)) == sum(k // 2 for k in dims)


@pytest.mark.parametrize(("k", "dims"), [(4, 1), (4, 2), (6, 2), (4, 3)])
def test_the_mean_distance_of_a_torus(k, dims):
    count = k**dims
    assert metrics.mean_distance(torus(*[k] * dims)) == dims * k / 4 * count / (count - 1)


def test_a_long_way_off_the_nics_goes_before_a_short_one_over_them():
    graph = nx.Graph()
    graph.add_nodes_from(["npu/0", "npu/1"], kind="npu")
    graph.add_nodes_from(["nic/0", "nic/1"], kind="nic", forwards=True)
    nx.add_path(graph, ["npu/0", "nic/0", "leaf", "nic/1", "npu/1"])
    nx.add_path(graph, ["npu/0", "a", "b", "c", "d", "e", "npu/1"])
    nx.set_edge_attributes(graph, 1 * GB, "capacity")
    machine = topology.from_networkx(graph)
    assert metrics.diameter(machine) == metrics.path_diversity(machine, 0, 1).hops == 6
    assert metrics.diameter(machine.without(nodes=["b"])) == 4


@given(strategies.supernodes())
def test_hops_are_those_of_routing(machine):
    hops = ecmp(machine).hops()
    if (hops < 0).any():
        with pytest.raises(topology.SupernodeError, match="cannot reach"):
            metrics.diameter(machine)
        return
    count = len(hops)
    assert metrics.diameter(machine) == hops.max()
    mean = hops.sum() / (count * (count - 1)) if count > 1 else 0
    assert metrics.mean_distance(machine) == pytest.approx(mean)


@given(strategies.supernodes())
def test_girth_is_that_of_networkx(machine):
    assert metrics.girth(machine) == nx.girth(machine.graph.to_undirected())


@pytest.mark.parametrize(
    ("graph", "girth"),
    [(nx.petersen_graph(), 5), (nx.heawood_graph(), 6), (nx.cycle_graph(9), 9),
     (nx.path_graph(4), math.inf), (nx.complete_graph(4), 3), (nx.hoffman_singleton_graph(), 5)],
)  # fmt: skip
def test_girth_of_the_cages(graph, girth):
    assert metrics.girth(of(graph)) == girth


@given(strategies.direct_networks())
def test_the_spectral_gap_is_the_algebraic_connectivity_of_networkx(machine):
    graph = nx.Graph()
    for u, v, data in machine.graph.edges(data=True):
        before = graph.get_edge_data(u, v, {"weight": 0.0})["weight"]
        graph.add_edge(u, v, weight=before + data["capacity"] / 2)
    spectrum = np.sort(nx.normalized_laplacian_spectrum(graph))
    assert metrics.spectral_gap(machine) == pytest.approx(spectrum[1], abs=1e-9)


def test_the_spectral_gap_of_a_long_ring_is_found_by_iteration():
    assert metrics.spectral_gap(of(nx.cycle_graph(700))) == pytest.approx(
        1 - math.cos(2 * math.pi / 700), rel=1e-4
    )


def test_a_machine_in_two_parts_has_no_spectral_gap():
    assert metrics.spectral_gap(of(nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)))) == 0


def test_cloudmatrix384_has_112_ways_between_nodes_and_7_within():
    machine = topology.cloudmatrix384()
    assert metrics.path_diversity(machine, "npu/0", "npu/383") == metrics.PathDiversity(4, 112, 7)
    assert metrics.path_diversity(machine, 0, 7) == metrics.PathDiversity(2, 7, 7)


@given(strategies.supernodes(), st.data())
def test_path_diversity_is_that_of_networkx(machine, data):
    if len(machine.npus) < 2:
        return
    u, v = data.draw(st.permutations(machine.npus))[:2]
    nodes = machine.graph.nodes
    inside = [n for n in nodes if nodes[n]["forwards"] or n in (u, v)]
    graph = machine.graph.subgraph(inside)
    if not nx.has_path(graph, u, v):
        with pytest.raises(topology.SupernodeError, match="cannot reach"):
            metrics.path_diversity(machine, u, v)
        return
    found = metrics.path_diversity(machine, u, v)
    assert found.disjoint == nx.edge_connectivity(graph, u, v)
    if not any(nodes[n]["kind"] == "nic" for n in inside):
        paths = list(nx.all_shortest_paths(graph, u, v))
        assert (found.hops, found.shortest) == (len(paths[0]) - 1, len(paths))


# --- bandwidth and tiers


def test_bandwidth_of_an_npu_leaves_dead_ends_out():
    assert metrics.per_npu_bandwidth(topology.cloudmatrix384()) == 392 * GB
    assert metrics.per_npu_bandwidth(topology.cloudmatrix384(scale_out=True)) == 442 * GB
    assert metrics.per_npu_bandwidth(topology.gb200_nvl72()) == 900 * GB
    assert metrics.per_npu_bandwidth(topology.dgx_h100(1)) == 450 * GB


def test_a_forwarding_nic_without_a_network_is_a_dead_end():
    graph = nx.star_graph(2)
    graph.add_edge(1, "nic")
    nx.set_edge_attributes(graph, 1 * GB, "capacity")
    graph.nodes["nic"].update(kind="nic", forwards=True)
    machine = topology.from_networkx(graph, npus=[1, 2])
    assert metrics.npu_bandwidths(machine).tolist() == [1 * GB, 1 * GB]


@pytest.mark.parametrize("ratio", [1, 3])
def test_oversubscription_of_the_leaves(ratio):
    found = metrics.oversubscription(topology.dgx_h100(12, oversubscription=ratio))
    assert found == {"leaf": ratio}


def test_cloudmatrix384_is_not_oversubscribed():
    assert metrics.oversubscription(topology.cloudmatrix384()) == {"L1": 1.0}


# --- cables and transceivers


def test_transceivers_of_cloudmatrix384_are_those_published():
    published = topology.systems.system_catalogue()["cloudmatrix384"]
    machine = topology.cloudmatrix384(scale_out=True)
    assert metrics.optics(topology.cloudmatrix384()) == published.value("optics_scale_up") == 5376
    assert metrics.optics(machine) == published.value("optics") == 6912
    assert metrics.link_counts(topology.cloudmatrix384(cpus=False)) == (5376, 5376)


def test_copper_of_nvl72_is_that_published():
    published = topology.systems.system_catalogue()["gb200-nvl72"]
    machine = topology.gb200_nvl72()
    assert metrics.optics(machine) == published.value("optics_scale_up") == 0
    assert metrics.copper_wires(machine) == published.value("copper_cables") == 5184


@given(strategies.supernodes())
def test_a_full_duplex_cable_counts_once(machine):
    pairs = {frozenset(edge) for edge in machine.graph.edges}
    lanes = sum(
        max(machine.graph.edges[e]["lanes"] for e in ((u, v), (v, u)) if machine.graph.has_edge(*e))
        for u, v in map(tuple, pairs)
    )
    assert metrics.cable_count(machine) == lanes
    assert metrics.cable_count(machine) == sum(metrics.link_counts(machine))


def test_half_of_a_cable_still_has_its_transceivers():
    machine = topology.star(2, link="ndr-optical")
    broken = machine.without(links=[("npu/0", "switch/0")], both_directions=False)
    assert metrics.optics(broken) == metrics.optics(machine) == 4
    assert metrics.optics(machine.without(links=[("npu/0", "switch/0")])) == 2


def test_length_and_power_follow_the_links():
    link = LinkType(capacity=1 * GB, medium="optical", length=5, modules=2, power=8, name="mine")
    machine = topology.star(3, link=link, lanes=2)
    assert metrics.cable_length(machine, "optical") == 30
    assert metrics.cable_length(machine, "copper") == 0
    power = metrics.network_power(machine)
    assert (power.optics, power.total, power.missing) == (96, 96, {"switch": 1})


def test_power_without_a_source_is_named():
    missing = metrics.network_power(topology.cloudmatrix384()).missing
    assert missing == {"ub-switch-l1": 336, "ub-switch-l2": 112}


def test_cost_counts_every_priced_part_and_names_the_rest():
    machine = topology.star(3, link="ndr-optical")
    cost = metrics.network_cost(machine, {"optics": 500, "switch": 10_000})
    assert cost.total == 6 * 500 + 10_000
    assert cost.missing == {"ndr-optical": 3}
    with pytest.raises(GraphError, match="has no 'optic'; it has ndr-optical, optics, switch"):
        metrics.network_cost(machine, {"optic": 500})
    with pytest.raises(GraphError, match="optics is -1; it must be a finite number, zero or more"):
        metrics.network_cost(machine, {"optics": -1})


def test_failures_add_up_and_unknown_rates_are_named():
    link = LinkType(capacity=1 * GB, medium="optical", modules=2, name="mine")
    machine = topology.star(3, link=link)
    found = metrics.reliability(machine, {"optics": 100})
    assert (found.fit, found.mtbf) == (600, 1e9 * 3600 / 600)
    assert found.missing == {"mine": 3, "switch": 1}
    assert metrics.reliability(machine).mtbf == math.inf


def test_an_unknown_medium_is_refused():
    with pytest.raises(GraphError, match="medium is 'glass'; it must be one of copper, optical"):
        metrics.cable_count(topology.star(2, link=1 * GB), "glass")


# --- what must not change


@given(strategies.supernodes(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_names_do_not_matter(machine, random):
    names = list(machine.graph)
    random.shuffle(names)
    fresh = dict(zip(machine.graph, (f"x/{names.index(n)}" for n in machine.graph), strict=True))
    graph = nx.relabel_nodes(machine.graph, fresh)
    other = topology.from_networkx(graph, npus=[fresh[npu] for npu in machine.npus])
    if len(machine.npus) > 1:
        assert metrics.bisection(other, "order") == metrics.bisection(machine, "order")
    assert metrics.girth(other) == metrics.girth(machine)
    assert metrics.spectral_gap(other) == pytest.approx(metrics.spectral_gap(machine), abs=1e-9)
    ports = metrics.npu_bandwidths(machine)  # added up in the order of the names
    assert metrics.npu_bandwidths(other) == pytest.approx(ports, rel=1e-12)
    assert metrics.cable_count(other) == metrics.cable_count(machine)


def test_closed_forms_hold_on_every_small_torus():
    for dims in product((2, 4), repeat=3):
        machine = torus(*dims)
        links = min((2 if k > 2 else 1) * math.prod(dims) // k for k in dims if k == max(dims))
        assert metrics.bisection(machine) <= links * GB


def test_a_nic_counts_for_what_it_can_send_on():
    assert metrics.per_npu_bandwidth(topology.dgx_h100(2)) == 500 * GB
    assert metrics.per_npu_bandwidth(topology.dgx_h100(1)) == 450 * GB
