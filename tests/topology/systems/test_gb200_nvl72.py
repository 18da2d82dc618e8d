"""GB200 NVL72 to the link, and its closed forms."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest

import collectives
import topology
from topology.routing import ecmp
from topology.units import GB, TB, MiB

RACK = topology.gb200_nvl72()


def test_the_rack_is_all_there() -> None:
    assert len(RACK.npus) == 72
    kinds = Counter(data["kind"] for _, data in RACK.graph.nodes(data=True))
    assert kinds == {"npu": 72, "switch": 18, "cpu": 36, "nic": 72}
    between = [(u, v) for u, v in RACK.graph.edges if u[:3] == "npu" and v[:8] == "nvswitch"]
    assert len(between) == 72 * 18
    for npu in RACK.npus:
        out = [d["capacity"] for v, d in RACK.graph.adj[npu].items() if v[:8] == "nvswitch"]
        assert out == [50 * GB] * 18
    for chip in (n for n in RACK.graph if n.startswith("nvswitch")):
        assert RACK.graph.out_degree(chip) == RACK.graph.in_degree(chip) == 72
        assert RACK.graph.nodes[chip]["reduces"] is True
        assert RACK.graph.nodes[chip]["multicasts"] is True


def test_everything_is_copper_in_one_rack_of_18_trays() -> None:
    assert {d["link"].medium for _, _, d in RACK.graph.edges(data=True)} == {"copper"}
    trays = Counter(RACK.graph.nodes[npu]["node"] for npu in RACK.npus)
    assert trays == dict.fromkeys(range(18), 4)


def test_each_grace_serves_two_gpus_and_each_nic_one() -> None:
    for cpu in (n for n in RACK.graph if n.startswith("cpu/")):
        owners = sorted(RACK.graph.adj[cpu])
        assert len(owners) == 2
        assert sum(d["capacity"] for d in RACK.graph.adj[cpu].values()) == 450 * GB
        assert {RACK.graph.nodes[n]["node"] for n in owners} == {RACK.graph.nodes[cpu]["node"]}
    for nic in (n for n in RACK.graph if n.startswith("nic/")):
        assert RACK.graph.degree(nic) == 2
        assert not RACK.graph.nodes[nic]["forwards"]


def test_parts_can_be_left_out() -> None:
    bare = topology.gb200_nvl72(cpus=False, nics=False)
    assert len(bare.graph) == 90
    assert ecmp(bare).loads().sum() == pytest.approx(ecmp(RACK).loads().sum(), rel=1e-12)


def test_every_link_carries_its_share() -> None:
    """71 units leave a GPU over 18 links; traffic stays off CPUs and NICs."""
    loads = dict(zip(RACK.fabric.arcs, ecmp(RACK).loads(), strict=True))
    for (u, v), load in loads.items():
        fabric = "nvswitch" in u + v
        assert load == pytest.approx(71 / 18 if fabric else 0, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_bisection_by_max_flow(seed: int) -> None:
    graph = nx.DiGraph()
    for u, v, capacity in RACK.graph.edges(data="capacity"):
        if "cpu" not in u + v and "nic" not in u + v:
            graph.add_edge(u, v, capacity=capacity)
    order = np.random.default_rng(seed).permutation(72).tolist() if seed else range(72)
    for at, rank in enumerate(order):
        ends = ("source", f"npu/{rank}") if at < 36 else (f"npu/{rank}", "sink")
        graph.add_edge(*ends)
    value, _ = nx.minimum_cut(graph, "source", "sink")
    assert value == pytest.approx(32.4 * TB, rel=1e-12)


def test_all_to_all_takes_the_closed_form() -> None:
    found = collectives.analyze(RACK, "all_to_all", 64 * MiB, algorithm="direct")
    assert found.latency.serialisation == pytest.approx(71 / 72 * 64 * MiB / 900e9, rel=1e-12)
    assert 64 * MiB / found.latency.serialisation == pytest.approx(912.676056338e9, rel=1e-9)


def test_all_pairs_are_two_hops_apart() -> None:
    hops = ecmp(RACK).hops()
    assert (hops[~np.eye(72, dtype=bool)] == 2).all()
