"""Composition: degrees, ports, capacities and bisections of supernodes on a scale-out network."""

from __future__ import annotations

from collections import Counter
from math import ceil

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests import strategies
from topology import ScaleOut, Supernode, compose, metrics
from topology.errors import GraphError, SupernodeError, UnknownNameError
from topology.routing import ecmp
from topology.units import GB


def ports(machine: Supernode, prefix: str) -> dict[str, int]:
    """Count the links of every node whose id begins with a word."""
    found: Counter[str] = Counter()
    for u, _, data in machine.graph.edges(data=True):
        if u.split("/")[0] == prefix:
            found[u] += data["lanes"]
    return found


def toward(machine: Supernode, below: str, above: str) -> dict[str, float]:
    """Add up the capacity of every node of one sort towards those of another."""
    found: Counter[str] = Counter()
    for u, v, data in machine.graph.edges(data=True):
        if (u.split("/")[0], v.split("/")[0]) == (below, above):
            found[u] += data["capacity"]
    return found


small = st.builds(
    ScaleOut,
    link=st.just(1 * GB),
    ports=st.sampled_from([4, 6, 8]),
    layout=st.sampled_from(["clos", "rail", "rail-only"]),
    oversubscription=st.sampled_from([1.0, 2.0, 3, (2.0, 2.0), (1, 1.5)]),
)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), small)
def test_every_switch_keeps_its_ports_and_its_oversubscription(nodes, each, count, plan):
    graph = nx.star_graph(nodes * each)
    nx.set_edge_attributes(graph, 10 * GB, "capacity")
    for i in range(1, nodes * each + 1):
        graph.nodes[i].update(kind="npu", node=(i - 1) // each)
    total = nodes * each * count
    try:
        machine = compose(topology.from_networkx(graph), count, scale_out=plan)
    except GraphError as error:
        assert "more than three tiers" in str(error)  # noqa: PT017 - not every plan reaches
        assert total > plan.radix**3 / 4 or plan.layout == "rail"
        return
    assert len(machine.npus) == total
    assert set(ports(machine, "nic").values()) == {2}
    for name in ("leaf", "spine", "core"):
        assert max(ports(machine, name).values(), default=0) <= plan.radix
    up, down = toward(machine, "leaf", "spine"), toward(machine, "leaf", "nic")
    assert sum(down.values()) == total * GB
    if up:
        assert len(set(up.values())) == 1
        assert all(down[leaf] <= plan.ratios[0] * up[leaf] * (1 + 1e-9) for leaf in down)
    rising, falling = toward(machine, "spine", "core"), toward(machine, "spine", "leaf")
    assert all(falling[n] <= plan.ratios[1] * rising[n] * (1 + 1e-9) for n in rising)
    if plan.layout != "rail-only":
        outside = machine.graph.subgraph(
            n for n in machine.graph if n.split("/")[0] in ("nic", "leaf", "spine", "core")
        )
        assert nx.is_strongly_connected(outside)
    assert nx.is_strongly_connected(machine.graph)


@given(strategies.two_levels(), st.integers(1, 3))
@settings(max_examples=25)
def test_each_part_of_a_composition_is_the_machine_itself(machine, count):
    whole = compose(machine, count, scale_out=ScaleOut(link=1 * GB))
    each = len(machine.npus)
    for i in range(count):
        part = whole.graph.subgraph(
            n
            for n, data in whole.graph.nodes(data=True)
            if data.get("supernode") == i and data["kind"] != "nic"
        )
        names = {n: "/".join([n.split("/")[0], *n.split("/")[2:]]) for n in part}
        back = nx.relabel_nodes(part, names)
        assert set(back.edges) == set(machine.graph.edges)
        assert all(back.edges[e] == machine.graph.edges[e] for e in machine.graph.edges)
        assert [names[n] for n in whole.npus[i * each : (i + 1) * each]] == list(machine.npus)


def test_nodes_and_racks_count_on():
    whole = compose(topology.cloudmatrix384(4, cpus=False), 3, scale_out="roce")
    data = whole.graph.nodes
    assert [data[f"npu/{i}/31"]["node"] for i in range(3)] == [3, 7, 11]
    assert [data[f"nic/{i}/31"]["node"] for i in range(3)] == [3, 7, 11]
    assert len({data[n]["rack"] for n in data if n.startswith("npu")}) == 3
    assert len(set(metrics.natural_splits(whole))) > 3


def test_one_cloudmatrix384_on_roce_is_its_own_rdma_plane():
    ours = compose(topology.cloudmatrix384(), 1, scale_out="roce")
    own = topology.cloudmatrix384(scale_out=True)
    assert metrics.optics(ours) == metrics.optics(own) == 6912
    assert nx.number_of_edges(ours.graph) == nx.number_of_edges(own.graph)
    assert metrics.bisection(ours, "order") == metrics.bisection(own, "order")


@pytest.mark.parametrize("count", [2, 4])
def test_the_bisection_between_supernodes_is_their_nics(count):
    whole = compose(topology.cloudmatrix384(12), count, scale_out="roce")
    half = len(whole.npus) // 2
    assert metrics.bisection(whole, (range(half), range(half, 2 * half))) == half * 50 * GB
    thin = ScaleOut(link="roce-optical", switch="roce-switch-400g", oversubscription=2)
    whole = compose(topology.cloudmatrix384(12), count, scale_out=thin)
    assert metrics.oversubscription(whole)["leaf"] == pytest.approx(2, rel=0.05)


def test_eight_nvl72_use_the_nics_they_have_by_rails():
    whole = compose(topology.gb200_nvl72(), 8, scale_out="infiniband")
    assert sum(kind == "nic" for kind in whole.fabric.kind) == 576
    rails = {}
    for nic in (n for n in whole.graph if n.startswith("nic/")):
        (leaf,) = [n for n in whole.graph[nic] if n.startswith("leaf/")]
        rails.setdefault(leaf, set()).add(int(nic.split("/")[2]) % 4)
    assert all(len(on) == 1 for on in rails.values())
    assert len(rails) == 4 * ceil(144 / 32)
    assert metrics.bisection(whole, "supernode") == 288 * 50 * GB
    assert metrics.oversubscription(whole) == {"leaf": 1.0}
    hops = ecmp(whole).hops()
    assert hops[0, 71] == 2  # inside a rack the NICs are not used
    assert hops.min() >= 0


def test_a_damaged_machine_among_whole_ones():
    good = topology.gb200_nvl72(cpus=False)
    bad = good.without(nodes=["nvswitch/3", "npu/7"])
    whole = compose([good, bad], 2, scale_out="infiniband")
    assert len(whole.npus) == 2 * (72 + 71)
    assert "nvswitch/1/3" not in whole.graph
    assert "nvswitch/2/3" in whole.graph
    assert whole.parameters["machines"][1]["history"] == list(bad.history)


def test_ids_without_a_slash_belong_to_their_kind():
    graph = nx.Graph()
    graph.add_edge("a", "b", capacity=1e9)
    whole = compose(topology.from_networkx(graph, npus=["a", "b"]), 2, scale_out=1e9)
    assert whole.npus == ("npu/0/a", "npu/0/b", "npu/1/a", "npu/1/b")


def test_a_composition_of_compositions():
    pod = compose(topology.star(4, link=2e9), 3, scale_out=1e9)
    with pytest.raises(GraphError, match="is on leaf/0 already"):
        compose(pod, 2, scale_out=1e9)


def test_two_dies_share_a_nic():
    plan = ScaleOut(link="roce-optical", nic_link="roce-internal-die", npus_per_nic=2)
    whole = compose(topology.cloudmatrix384(2, ranks="die", cpus=False), 2, scale_out=plan)
    assert sum(kind == "nic" for kind in whole.fabric.kind) == 32
    assert set(ports(whole, "nic").values()) == {3}


def test_a_composition_is_saved_and_comes_back(tmp_path):
    whole = compose(topology.star(3, link="nvlink5"), 2, scale_out="infiniband")
    topology.save(whole, tmp_path / "x.json")
    again = topology.load(tmp_path / "x.json")
    assert again.parameters == whole.parameters
    assert dict(again.graph.nodes(data=True)) == dict(whole.graph.nodes(data=True))


@pytest.mark.parametrize(
    ("count", "plan", "said"),
    [
        (0, 1e9, "count is 0"),
        (True, 1e9, "count is True"),
        (10**20, 1e9, "count is 10"),
        (10**8, 1e9, "nodes; up to 1,000,000 are built"),
        (100, ScaleOut(link=1e9, ports=4, tiers=2), "more than two tiers of 4-port switches"),
        (100, ScaleOut(link=1e9, ports=4), "more than three tiers of 4-port switches"),
        (100, ScaleOut(link=1e9, ports=4, tiers=1), "more than one tier of 4-port switches"),
        (2, ScaleOut(link=1e9, ports=1), "ports is 1"),
    ],
)
def test_what_does_not_fit_is_refused(count, plan, said):
    with pytest.raises(SupernodeError, match=said):
        compose(topology.star(2, link=1e9), count, scale_out=plan)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"layout": "mesh"}, "layout is 'mesh'; it must be one of clos, rail, rail-only"),
        ({"ports": 0}, "ports is 0"),
        ({"npus_per_nic": 1.5}, "npus_per_nic is 1.5"),
        ({"tiers": 4}, "tiers is 4; it must be a whole number, 1 to 3"),
        ({"oversubscription": 0.5}, "oversubscription is 0.5"),
        ({"oversubscription": (1, 1, 1)}, "oversubscription has 3 numbers"),
    ],
)
def test_a_bad_plan_is_refused(fields, said):
    with pytest.raises(GraphError, match=said):
        ScaleOut(link=1e9, **fields)


def test_an_unknown_network_is_named_with_the_near_ones():
    with pytest.raises(UnknownNameError, match="did you mean infiniband"):
        compose(topology.star(2, link=1e9), 2, scale_out="infinband")
    with pytest.raises(GraphError, match="there is no supernode"):
        compose([], 2, scale_out=1e9)
