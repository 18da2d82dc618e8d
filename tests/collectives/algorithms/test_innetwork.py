"""Switches that add and copy: loads on the trees' links, and refusals where they cannot."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import collectives
import topology
from collectives import ScheduleError, analyze, make_schedule, plan
from tests.collectives.algorithms.teams import RATE, helping_star
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import InNetwork, ecmp, in_network_trees


def two_tiers(*, leaves: int = 3, spines: int = 2, each: int = 4, able: str = "all") -> Supernode:
    """Return a leaf-spine network whose switches add and copy."""
    graph = nx.Graph()
    for leaf in range(leaves):
        graph.add_node(f"leaf/{leaf}", kind="switch", reduces=True, multicasts=True)
        for i in range(each):
            npu = f"npu/{leaf * each + i}"
            graph.add_edge(npu, f"leaf/{leaf}", capacity=RATE, latency=1e-7)
    for spine in range(spines):
        graph.add_node(f"spine/{spine}", kind="switch", latency=2e-7)
        if able == "all":
            graph.nodes[f"spine/{spine}"].update(reduces=True, multicasts=True)
        for leaf in range(leaves):
            graph.add_edge(f"leaf/{leaf}", f"spine/{spine}", capacity=RATE, latency=1e-7)
    npus = [f"npu/{i}" for i in range(leaves * each)]
    nx.set_node_attributes(graph, dict.fromkeys(npus, "npu"), "kind")
    return topology.from_networkx(graph, npus=npus)


def load(machine: Supernode, loads: np.ndarray, u: str, v: str) -> float:
    return float(loads[machine.fabric.arc(u, v)])


def test_a_tree_carries_a_sum_once() -> None:
    """Every NPU link carries S each way, and each leaf sends one sum up, half to each spine."""
    machine = two_tiers()
    schedule = make_schedule(machine, "all_reduce", algorithm="sharp")
    flow = ecmp(machine).route(schedule.steps[0].traffic)
    assert load(machine, flow.loads, "npu/0", "leaf/0") == pytest.approx(1)
    assert load(machine, flow.loads, "leaf/0", "npu/0") == pytest.approx(1)
    assert load(machine, flow.loads, "leaf/2", "spine/1") == pytest.approx(0.5)
    assert load(machine, flow.loads, "spine/0", "leaf/1") == pytest.approx(0.5)
    found = plan(machine, schedule, alpha=0.0, message=0.0).cost(1e9)
    assert found.time == pytest.approx(1e9 / RATE + 4e-7 + 2e-7)
    assert found.latency.switches == pytest.approx(2e-7)


def test_ranks_under_one_leaf_do_not_use_the_spines() -> None:
    machine = two_tiers()
    schedule = make_schedule(machine, "all_reduce", algorithm="sharp", ranks=range(4))
    flow = ecmp(machine).route(schedule.steps[0].traffic)
    assert flow.loads[machine.fabric.arc("leaf/0", "spine/0")] == 0
    assert len(in_network_trees(machine.fabric, np.arange(4), adds=True, copies=True)) == 1


@pytest.mark.parametrize("name", ["added", "copied"])
def test_shares_go_to_and_from_their_ranks(name: str) -> None:
    """One rank's sum is on its own link once; everyone sends a version of it."""
    machine = two_tiers()
    share = np.zeros(12)
    share[5] = 3.0
    none = np.zeros(12)
    both = (share, none) if name == "added" else (none, share)
    loads = ecmp(machine).route(InNetwork(np.arange(12), *both)).loads
    ends = ("npu/{}", "leaf/{}")
    for i in range(12):
        u, v = ends[0].format(i), ends[1].format(i // 4)
        wide, narrow = ((u, v), (v, u)) if name == "added" else ((v, u), (u, v))
        assert load(machine, loads, *wide) == pytest.approx(3.0)
        assert load(machine, loads, *narrow) == pytest.approx(3.0 if i == 5 else 0.0)


def test_nvls_ports_carry_what_the_measured_fit_says() -> None:
    """Each GPU sends S and S/p and receives S/p and S: algbw = B · p/(p+1) (NCCL issue 1455)."""
    for p in (5, 6, 7, 8):
        machine = helping_star(p)
        found = analyze(machine, "all_reduce", 1e12, algorithm="nvls", alpha=0.0, message=0.0)
        assert found.algbw == pytest.approx(RATE * p / (p + 1), rel=1e-3)


def test_the_real_switches_are_used() -> None:
    machine = topology.gb200_nvl72()
    found = collectives.analyze(machine, "all_reduce", "1 GiB")
    assert found.algorithm == "nvls"
    assert found.time < analyze(machine, "all_reduce", "1 GiB", algorithm="direct").time
    assert found.bound.time <= found.time


def test_switches_that_cannot_are_refused() -> None:
    machine = two_tiers(able="leaves")
    make_schedule(machine, "all_reduce", algorithm="nvls", ranks=range(4))
    with pytest.raises(ScheduleError, match="no switch that can add and copy for all 12 ranks"):
        make_schedule(machine, "all_reduce", algorithm="nvls")
    with pytest.raises(RoutingError, match="can add for all"):
        in_network_trees(machine.fabric, np.arange(12), adds=True, copies=False)


def test_a_switch_that_passes_nothing_on_copies_nothing() -> None:
    graph = nx.Graph()
    graph.add_nodes_from((f"npu/{i}" for i in range(3)), kind="npu")
    for switch, forwards in (("s/0", True), ("s/1", False)):
        graph.add_node(switch, kind="switch", forwards=forwards, multicasts=True)
        graph.add_edges_from(((f"npu/{i}", switch) for i in range(3)), capacity=1e9)
    machine = topology.from_networkx(graph)
    found = analyze(machine, "broadcast", 1e6, algorithm="multicast")
    assert found.time == pytest.approx(1e-3)
    assert found.time >= found.bound.time * (1 - 1e-9)
