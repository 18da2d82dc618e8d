"""Racks: every device stands in one, every cable is counted once."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import topology
from tests.pictures import check_texts, words
from topology import Supernode, metrics
from topology.drawing import STYLES, draw_racks, plan_racks
from topology.units import GB

CM = topology.cloudmatrix384()
MACHINES = {
    "cloudmatrix384": CM,
    "damaged": CM.without(nodes=["l1/5/3", "npu/7"]),
    "nvl72": topology.gb200_nvl72(),
    "dgx": topology.dgx_h100(nodes=16),
    "superpod": topology.system("nvl72-superpod", racks=4),
    "torus": topology.torus((8, 8), link=50 * GB),
    "star": topology.star(4, link=50 * GB),
}


@pytest.fixture(params=list(MACHINES), scope="module")
def machine(request: pytest.FixtureRequest) -> Supernode:
    return MACHINES[request.param]


def test_every_device_stands_in_one_rack(machine: Supernode) -> None:
    plan = plan_racks(machine)
    held = sum(len(kind.racks) * sum(kind.contents.values()) for kind in plan.kinds)
    assert held == len(machine.graph)
    assert sorted(name for kind in plan.kinds for name in kind.racks) == sorted(plan.names)


def test_every_cable_is_counted_once(machine: Supernode) -> None:
    plan = plan_racks(machine)
    lanes = machine.fabric.lanes.sum() / 2
    assert plan.between.sum() / 2 == pytest.approx(lanes)
    assert sum(item.count for item in plan.lengths) == pytest.approx(lanes)
    np.testing.assert_allclose(plan.between, plan.between.transpose(0, 2, 1))


def test_metres_are_those_of_the_metrics(machine: Supernode) -> None:
    for medium in ("copper", "optical"):
        metres = sum(item.metres for item in plan_racks(machine).lengths if item.medium == medium)
        assert metres == pytest.approx(metrics.cable_length(machine, medium))


def test_cloudmatrix384_is_twelve_racks_and_four() -> None:
    plan = plan_racks(CM)
    assert (plan.by, plan.count) == ("rack", 16)
    assert [len(kind.racks) for kind in plan.kinds] == [12, 4]
    assert plan.kinds[0].contents == {
        ("L1", "switch"): 28, ("NPU", "npu"): 32, ("CPU", "cpu"): 16,
    }  # fmt: skip
    assert [shelf for shelf, _ in plan.kinds[0].shelves] == [f"node {k}" for k in range(4)]
    assert plan.kinds[1].contents == {("L2", "switch"): 28}
    between = plan.between[1] - np.diag(np.diag(plan.between[1]))
    assert between.sum() / 2 == 5376


def test_switches_in_no_node_are_not_counted_as_nodes() -> None:
    plan = plan_racks(MACHINES["dgx"])
    assert (plan.by, plan.count, len(plan.names)) == ("node", 16, 18)


def test_a_machine_that_says_nothing_is_one_place() -> None:
    graph = nx.cycle_graph(5)
    nx.set_edge_attributes(graph, 1e9, "capacity")
    plan = plan_racks(topology.from_networkx(graph, npus=list(graph)))
    assert (plan.by, plan.count, plan.names) == ("machine", 1, ("0",))


def test_texts_are_inside_and_apart(machine: Supernode) -> None:
    check_texts(draw_racks(machine)[0])


@pytest.mark.parametrize("style", list(STYLES))
def test_styles(style: str) -> None:
    check_texts(draw_racks(CM, style=style)[0])


def test_it_says_how_many_cables_leave() -> None:
    said = words(draw_racks(CM)[0])
    assert "16 racks; 44.4 % of the 12,096 links leave their rack, 5,376 of these by fibre" in said
    assert "5,376 optical, 53,760 m" in said
    assert "none of the 1,440 links leaves its rack" in words(draw_racks(MACHINES["nvl72"])[0])
