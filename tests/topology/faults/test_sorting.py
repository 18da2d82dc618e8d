"""Units in sorts and symmetry classes: one stands for its mates, and for no other."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests import strategies
from topology import Supernode
from topology.errors import GraphError
from topology.faults import distinct_units, fail, failure_units, unit_kinds, unit_sorts
from topology.units import GB

CM = topology.cloudmatrix384(2, cpus=False)
DGX = topology.dgx_h100(2)


def _what_is_left(machine: Supernode) -> nx.DiGraph:
    """The graph with all that tells nodes and links apart, for NetworkX to compare."""
    graph = nx.DiGraph()
    for node, data in machine.graph.nodes(data=True):
        graph.add_node(node, sort=(data["kind"], data.get("device"), node.split("/")[0]))
    for u, v, data in machine.graph.edges(data=True):
        graph.add_edge(u, v, sort=(data["capacity"], data["latency"], data["lanes"]))
    return graph


def _same(a: Supernode, b: Supernode) -> bool:
    return nx.is_isomorphic(
        _what_is_left(a),
        _what_is_left(b),
        lambda x, y: x == y,
        lambda x, y: x == y,
    )


@given(strategies.supernodes(), st.sampled_from(["cable", "link", "switch", "npu"]))
@settings(max_examples=20)
def test_classes_count_every_unit_once(machine: Supernode, kind: str) -> None:
    found = distinct_units(machine, kind)
    units = failure_units(machine, kind)
    assert sum(count for _, count in found) == len(units)
    assert {unit for unit, _ in found} <= set(units)


@pytest.mark.parametrize("kind", ["link", "cable", "switch", "npu"])
@pytest.mark.parametrize(
    "machine",
    [
        topology.mesh((3, 3), link=GB), topology.fat_tree(2, link=GB),
        topology.dragonfly(2, 2, 1, link=GB), topology.bcube(2, link=GB),
        topology.ring(6, link=GB).degrade(links=[("npu/0", "npu/1")], factor=0.5),
    ],
    ids=lambda machine: machine.name,
)  # fmt: skip
def test_what_is_left_differs_between_classes_and_is_the_same_within(
    machine: Supernode, kind: str
) -> None:
    left = []
    for unit, _ in distinct_units(machine, kind):
        left.append(fail(machine, unit))
    for i, a in enumerate(left):
        assert not any(_same(a, b) for b in left[:i])
    for unit in failure_units(machine, kind)[::3]:
        assert sum(_same(fail(machine, unit), a) for a in left) == 1


@pytest.mark.parametrize(
    ("machine", "kind", "counts"),
    [
        (CM, "switch", [14, 14]), (CM, "link", [14 * 8, 14 * 2]), (CM, "plane", [7]),
        (CM, "optic", [224]), (CM, "node", [2]), (CM, "rack", [1, 2]),
        (topology.torus((3, 3), link=GB), "link", [18]),
        (topology.torus((3, 4), link=GB), "cable", [12, 12]),
        (topology.mesh((3, 3), link=GB), "npu", [4, 4, 1]),
        (topology.star(5, link=GB), "cable", [5]),
    ],
)  # fmt: skip
def test_symmetric_machines_have_few_classes(
    machine: Supernode, kind: str, counts: list[int]
) -> None:
    assert sorted(n for _, n in distinct_units(machine, kind)) == sorted(counts)


def test_colours_tell_units_apart() -> None:
    machine = topology.star(5, link=GB)
    ranks = np.zeros(6, dtype=np.int64)
    ranks[machine.fabric.npus[:2]] = 1
    assert [n for _, n in distinct_units(machine, "cable", node_colour=ranks)] == [2, 3]
    busy = np.arange(len(machine.fabric.tail))
    assert len(distinct_units(machine, "link", arc_colour=busy)) == 5


@pytest.mark.parametrize("machine", [CM, DGX], ids=lambda m: m.name)
def test_a_sort_holds_what_is_alike(machine: Supernode) -> None:
    sorts = unit_sorts(machine, unit_kinds())
    assert sum(map(len, sorts.values())) == sum(
        len(failure_units(machine, kind)) for kind in unit_kinds()
    )
    assert all(unit.sort == sort for sort, units in sorts.items() for unit in units)


def test_sorts_are_named_by_what_people_call_them() -> None:
    assert set(unit_sorts(CM)) == {"L1 switch", "L2 switch", "NPU–L1 link", "L1–L2 link"}
    assert {"NVSwitch", "leaf switch", "NIC", "NIC–leaf link"} <= set(unit_sorts(DGX))


def test_only_what_carries_traffic_is_kept() -> None:
    fabric = CM.fabric
    used = np.zeros(len(fabric.tail), dtype=bool)
    used[fabric.arcs.index(("npu/3", "l1/0/2"))] = True
    found = unit_sorts(CM, ("switch", "npu", "link", "optic"), used)
    assert {sort: [unit.name for unit in units] for sort, units in found.items()} == {
        "L1 switch": ["switch l1/0/2"],
        "NPU": ["npu npu/3"],
        "NPU–L1 link": ["link l1/0/2 npu/3"],
    }


def test_a_unit_says_what_it_takes() -> None:
    plane = failure_units(CM, "plane")[0]
    assert str(plane).startswith("plane 0 takes node l1/0/0, node l1/1/0,")
    assert len(repr(plane)) < 80
    with pytest.raises(GraphError):
        fail(topology.star(1, link=GB), failure_units(topology.star(1, link=GB), "npu")[0])


def test_links_of_one_rate_but_other_lanes_are_not_alike() -> None:
    builder = topology.Builder()
    ends = builder.add_nodes(["npu/0", "npu/1", "npu/2"], kind="npu", tier=0, forwards=True)
    builder.connect([(ends[0], ends[1])], 2 * GB)
    builder.connect([(ends[1], ends[2])], GB, lanes=2)
    machine = builder.build("uneven", ends)
    assert [n for _, n in distinct_units(machine, "npu")] == [1, 1, 1]
    assert [n for _, n in distinct_units(machine, "cable")] == [1, 2]
