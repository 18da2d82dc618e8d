"""Nodes of 8 on rails: of every maker, with every NIC, wired alike and as fast as their parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import collectives
import topology
from topology import ScaleOut, Supernode
from topology.errors import SupernodeError
from topology.hardware.devices import device
from topology.hardware.media import link_type
from topology.inventory import node_ports
from topology.metrics import npu_bandwidths
from topology.routing import ecmp
from topology.systems import system, system_entry
from topology.units import GB, Gbps

MACHINES: list[tuple[str, dict[str, Any]]] = [
    ("dgx-a100", {}), ("dgx-h100", {"gpu": "h200"}), ("dgx-h100", {"gpu": "h800"}),
    ("dgx-h100", {"gpu": "h20"}), ("hgx-b200", {}), ("hgx-b200", {"gpu": "b300"}),
    ("mi300x", {}), ("mi300x", {"gpu": "mi325x"}), ("mi300x", {"gpu": "mi355x"}),
]  # fmt: skip
"""Every kind of node but the DGX H100, whose tests are its own."""

PCIE = {"dgx-a100": "pcie4-x16"}
NICS = ["hdr-optical", "ndr-optical", "roce-optical", "xdr-optical", "slingshot-copper",
        "50 Gbps", "200Gbps", 12.5 * GB, "100 GB/s"]  # fmt: skip


def named(machine: Supernode, head: str) -> list[str]:
    return [node for node in machine.graph if node.startswith(head + "/")]


def into(machine: Supernode, node: str, head: str) -> Mapping[str, dict[str, Any]]:
    return {v: d for v, d in machine.graph.adj[node].items() if v.startswith(head + "/")}


@pytest.mark.parametrize(("name", "given"), MACHINES)
@pytest.mark.parametrize(("nodes", "ratio"), [(2, 1), (3, 2), (41, 1), (64, 4)])
def test_every_machine_is_on_rails(
    name: str, given: dict[str, Any], nodes: int, ratio: float
) -> None:
    machine = system(name, nodes=nodes, oversubscription=ratio, **given)
    assert len(machine.npus) == 8 * nodes
    rows = machine.graph.nodes
    for i, gpu in enumerate(machine.npus):
        assert (rows[gpu]["node"], rows[gpu]["slot"]) == divmod(i, 8)
        (nic,) = into(machine, gpu, "nic")
        (leaf,) = into(machine, nic, "leaf")
        assert leaf.endswith(f"/{i % 8}"), "on the leaf of its rail"
        assert rows[nic]["node"] == i // 8
    for leaf in named(machine, "leaf"):
        down = sum(d["lanes"] for d in into(machine, leaf, "nic").values())
        up = sum(d["lanes"] for d in into(machine, leaf, "spine").values())
        assert up >= down / ratio
        assert len(into(machine, leaf, "spine")) == len(named(machine, "spine"))
    inside = [d for u, v, d in machine.graph.edges(data=True)
              if {u.split("/")[0], v.split("/")[0]} <= {"npu", "nvswitch"}]  # fmt: skip
    alone = system(name, nodes=1, **given)
    assert len(inside) == nodes * alone.graph.number_of_edges()


@pytest.mark.parametrize(("name", "given"), MACHINES)
def test_a_node_is_as_fast_as_its_gpus_and_uses_no_port_twice(
    name: str, given: dict[str, Any]
) -> None:
    machine = system(name, nodes=3, **given)
    rows = [device(machine.graph.nodes[node]["device"]) for node in machine.fabric.nodes]
    ports, _ = node_ports(machine.fabric)
    assert np.all(ports <= [row.value("ports") for row in rows])
    rate = device(machine.graph.nodes["npu/0"]["device"]).value("bandwidth")
    assert npu_bandwidths(machine, "scale-up") == pytest.approx(np.full(24, rate))


@pytest.mark.parametrize(
    ("machine", "algbw"),
    [
        (topology.dgx_a100(1), 342.857),
        (topology.dgx_a100(2), 346.667),
        (topology.dgx_a100(4), 266.667),
        (topology.dgx_h100(2), 533.333),
        (topology.dgx_h100(2, gpu="h800"), 266.667),
        (topology.dgx_h100(8, gpu="h800"), 253.968),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_all_gather_bounds_are_forestcolls(machine: Supernode, algbw: float) -> None:
    """As ForestColl's own code computes them for these machines (arXiv:2402.06787)."""
    assert collectives.bound(machine, "all_gather").algbw == pytest.approx(algbw * GB, rel=1e-5)


@pytest.mark.parametrize("name", ["dgx-a100", "hgx-b200", "mi300x"])
def test_rails_are_those_of_compose(name: str) -> None:
    """The same nodes joined by the other way to wire rails carry the same traffic."""
    nics = {} if name == "mi300x" else {"nics": False}
    plan = ScaleOut(
        link="ndr-optical", nic_link=PCIE.get(name, "pcie5-x16"), layout="rail", tiers=2
    )
    joined = topology.compose(system(name, **nics), 4, scale_out=plan)
    machine = system(name, nodes=4, nic="ndr-optical")
    found = [sorted(ecmp(one).loads() / one.fabric.capacity)[-1] for one in (machine, joined)]
    assert found[0] == pytest.approx(found[1])
    bounds = [collectives.bound(one, "all_gather").algbw for one in (machine, joined)]
    assert bounds[0] == pytest.approx(bounds[1])


@pytest.mark.parametrize("nic", NICS, ids=str)
@pytest.mark.parametrize("name", ["dgx-a100", "dgx-h100", "mi300x"])
def test_a_nic_has_the_rate_asked_for_and_parts_that_carry_it(name: str, nic: str | float) -> None:
    machine = system(name, nodes=2, nic=nic)
    rate = link_type(nic).capacity
    for node in (*named(machine, "nic"), *named(machine, "leaf"), *named(machine, "spine")):
        assert device(machine.graph.nodes[node]["device"]).value("port") >= rate
        links = into(machine, node, "leaf") | into(machine, node, "spine")
        for data in links.values():
            assert data["capacity"] == pytest.approx(rate * data["lanes"])
            assert data["latency"] > 0
            assert data["link"].sources
    between = collectives.bound(machine, "broadcast", root=0).algbw
    host = link_type(PCIE.get(name, "pcie5-x16")).capacity
    assert between <= 8 * min(rate, host) * (1 + 1e-9)


def test_a_share_of_a_nic_is_as_slow_as_it_is() -> None:
    """8 x 50 Gbps a node: an all-gather of 4 nodes brings a node 3/4 of S over 50 GB/s."""
    machine = topology.dgx_a100(4, nic="50 Gbps")
    assert collectives.bound(machine, "all_gather").algbw == pytest.approx(8 * 50 * Gbps * 4 / 3)


@pytest.mark.parametrize("name", ["dgx-a100", "hgx-b200"])
def test_a_node_alone_has_its_nics_and_one_of_a_cluster_no_network(name: str) -> None:
    alone, one = system(name), system(name, nodes=1)
    assert len(named(alone, "nic")) == 8
    assert not named(one, "nic")
    assert len(alone.graph) == len(one.graph) + 8


def test_a_cluster_has_the_figures_of_its_nodes_and_a_variant_none() -> None:
    entry = system_entry(topology.hgx_b200(3))
    assert entry is not None
    assert entry.title == "3 × NVIDIA HGX B200"
    variants = (
        topology.hgx_b200(gpu="b300"), topology.hgx_b200(3, nic="xdr-optical"),
        topology.mi300x(2, gpu="mi355x"), topology.dgx_h100(2, gpu="h800", nic="400 Gbps"),
    )  # fmt: skip
    assert [machine.name for machine in variants] == [
        "hgx-b300", "hgx-b200-3-nodes-xdr-optical", "mi355x-2-nodes",
        "dgx-h800-2-nodes-ndr-optical-400g",
    ]  # fmt: skip
    for machine in variants:
        found = system_entry(machine)
        assert found is not None
        assert found.figures == {}


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("dgx-h100", {"gpu": "a100"}, "gpu is 'a100'; it must be one of h100, h200"),
        ("dgx-a100", {"nodes": 0}, "nodes is 0"),
        ("mi300x", {"nodes": 2.5}, "nodes is 2.5"),
        ("dgx-a100", {"nodes": 101}, "40-port switches reach 100 nodes"),
        ("dgx-a100", {"nodes": 2, "nics": "no"}, "need NICs"),
        ("hgx-b200", {"nic": 400}, "nic is 400.*400 Gbps"),
        ("hgx-b200", {"nic": "900 GB/s"}, "nic is .*to 1e"),
        ("hgx-b200", {"nic": "400 bananas"}, "unknown unit"),
        ("mi300x", {"nic": "ndr-optic"}, "link type 'ndr-optic' is not known; did you mean ndr"),
        ("mi300x", {"nic": None, "oversubscription": 0.5}, "oversubscription is 0.5"),
    ],
)
def test_what_cannot_be_built_is_told(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SupernodeError, match=said):
        system(name, **given)
