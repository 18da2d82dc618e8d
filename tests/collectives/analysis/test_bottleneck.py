"""The bottleneck is the busiest class of links, and its sentence says so."""

from __future__ import annotations

import re

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives.analysis.explain import shortly
from tests.strategies import networks, supernodes
from topology import Supernode
from topology.units import GB, KiB, MiB


def test_cloudmatrix_all_to_all_is_limited_by_the_npus_links() -> None:
    found = collectives.analyze(topology.cloudmatrix384(), "all_to_all", 64 * MiB)
    limit = found.bottleneck
    assert limit.sentence.startswith("all-to-all is limited by the 2,688 NPU→L1 links at 100 %")
    assert "L1→L2 optics stand at 98.2 %" in limit.sentence
    assert (limit.kind, limit.name, limit.runner_up) == ("bandwidth", "NPU→L1", "L1→L2")
    assert limit.utilisation == pytest.approx(1)
    assert limit.runner_up_utilisation == pytest.approx(376 / 383, rel=1e-9)
    assert len(limit.links) == 2688
    assert all(u.startswith("npu/") and v.startswith("l1/") for u, v in limit.links)


def test_a_narrow_uplink_is_found_and_counted() -> None:
    """One of the optics at a tenth: it alone limits."""
    machine = topology.cloudmatrix384(4).degrade(links=[("l1/1/3", "l2/3/0")], factor=0.1)
    found = collectives.analyze(machine, "all_to_all", 64 * MiB, algorithm="direct")
    assert found.bottleneck.name in ("L1→L2", "L2→L1")
    assert len(found.bottleneck.links) == 1
    assert "1 of the" in found.bottleneck.sentence
    assert "optics" in found.bottleneck.sentence


def test_small_messages_are_limited_by_latency() -> None:
    found = collectives.analyze(topology.gb200_nvl72(), "all_reduce", 1 * KiB)
    assert found.bottleneck.kind == "latency"
    assert found.bottleneck.sentence.startswith("all-reduce is limited by latency")
    assert "endpoint software" in found.bottleneck.sentence


def test_phases_that_differ_are_told_in_turn() -> None:
    cluster = topology.dgx_h100(4)
    whole = collectives.make_schedule(cluster, "all_reduce", algorithm="hierarchical")
    found = collectives.analyze(cluster, "all_reduce", 1e9, algorithm=whole)
    assert " and then " in found.bottleneck.sentence
    assert "of the transfer time" in found.bottleneck.sentence
    assert set(found.bottleneck.shares) >= {"NPU→NVSwitch", "NIC→leaf"}


@pytest.mark.parametrize(
    ("machine", "kind", "algorithm"),
    [
        (topology.dgx_h100(4), "all_reduce", "recursive_doubling"),
        (topology.dgx_h100(4), "all_reduce", "hierarchical"),
        (topology.ironwood((4, 4, 8)), "all_reduce", "bucket"),
        (topology.nvl72_superpod(), "all_reduce", "three_level_direct"),
    ],
)
def test_sentence_and_row_say_the_same_shares(
    machine: Supernode, kind: str, algorithm: str
) -> None:
    """What limits at the same time is named together: the shares of a sentence make up 100 %."""
    whole = collectives.make_schedule(machine, kind, algorithm=algorithm)  # phases in turn
    found = collectives.analyze(machine, kind, 1e9, algorithm=whole).bottleneck
    told = re.findall(r"\(([\d.]+) % of the transfer time\)", found.sentence)
    assert sum(map(float, told)) == pytest.approx(100, abs=0.05 * len(told))
    row = re.fullmatch(rf"{re.escape(found.name)} ([\d.]+) %", shortly(found))
    assert row
    assert float(row[1]) == pytest.approx(100 * found.shares[found.name], abs=0.05)
    assert float(row[1]) >= float(told[0]) - 1e-9


@settings(max_examples=20)
@given(networks() | supernodes(), st.sampled_from(["all_reduce", "all_to_all"]))
def test_utilisation_is_a_share_and_the_first_class_the_busiest(
    machine: Supernode, kind: str
) -> None:
    found = collectives.analyze(machine, kind, 64 * MiB, algorithm="direct")
    if len(machine.npus) == 1:
        return
    used = [round(row.utilisation, 9) for row in found.links]
    assert used == sorted(used, reverse=True)
    assert used[0] <= 1 + 1e-9
    assert all(0 <= row.mean <= row.utilisation * (1 + 1e-9) for row in found.links)
    assert sum(row.links for row in found.links) == machine.graph.number_of_edges()
    assert found.utilisation.max() == pytest.approx(used[0])
    assert found.bottleneck.utilisation == pytest.approx(used[0], rel=1e-6)
    one = found.bottleneck.links[0]
    assert found.utilisation[machine.fabric.arc(*one)] == pytest.approx(used[0], rel=1e-6)
    assert found.bottleneck.sentence.startswith(found.collective.title)


def test_the_busiest_is_by_time_not_by_bytes() -> None:
    graph = nx.Graph()
    graph.add_edge("npu/0", "s/0", capacity=100 * GB)
    graph.add_edge("npu/1", "s/0", capacity=100 * GB)
    graph.add_edge("s/0", "t/0", capacity=10 * GB)
    graph.add_edge("npu/2", "t/0", capacity=100 * GB)
    machine = topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(3)])
    found = collectives.analyze(machine, "all_to_all", 3e9, algorithm="direct")
    assert found.bottleneck.name in ("s→t", "t→s")
    assert found.time == pytest.approx(2e9 / 10e9, rel=1e-12)
    loads = {row.name: row.load for row in found.links}
    assert loads["s→t"] == pytest.approx(2e9)


def test_a_switch_that_limits_is_named() -> None:
    """Its links are not the bottleneck, and are not said to be at 100 %."""
    graph = nx.Graph()
    graph.add_node("s", kind="switch", capacity=50 * GB)
    graph.add_edges_from(((f"npu/{i}", "s") for i in range(4)), capacity=50 * GB)
    machine = topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(4)])
    found = collectives.analyze(machine, "all_to_all", 4e9, algorithm="direct")
    assert found.links[0].utilisation == pytest.approx(0.25)
    assert "100 %" not in found.bottleneck.sentence.split("switch", maxsplit=1)[0]
    assert "switch" in found.bottleneck.sentence


@settings(max_examples=20)
@given(networks())
def test_every_class_is_counted_once_in_the_shares(machine: Supernode) -> None:
    found = collectives.analyze(machine, "all_reduce", 1e9, algorithm="ring")
    shares = found.bottleneck.shares
    assert shares
    assert sum(share for _, share in found.bottleneck.share_of) == pytest.approx(1)
    assert all(0 < share <= 1 + 1e-9 for share in shares.values())
    assert max(np.array(list(shares.values()))) <= 1 + 1e-9
