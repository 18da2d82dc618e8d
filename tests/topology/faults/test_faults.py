"""Failure units: how many there are, what each takes with it, and that a seed decides."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests import strategies
from topology import metrics
from topology.errors import GraphError, UnknownNameError
from topology.faults import FailureUnit, fail, failure_units, random_failures, unit_kinds
from topology.units import GB

CM = topology.cloudmatrix384(8, cpus=False)


@pytest.mark.parametrize(
    ("kind", "count"),
    [("npu", 64), ("switch", 56 + 7 * 4), ("plane", 7), ("node", 8), ("rack", 3), ("cpu", 0),
     ("link", 64 * 7 + 56 * 4), ("cable", 64 * 14 + 56 * 16)],
)  # fmt: skip
def test_units_are_counted(kind, count):
    if kind == "rack":
        count = len({d.get("rack") for _, d in CM.graph.nodes(data=True)})
    units = failure_units(CM, kind)
    assert len(units) == count
    assert len({unit.name for unit in units}) == count


def test_every_optic_of_a_machine_is_a_unit():
    for machine in (CM, topology.dgx_h100(4), topology.cloudmatrix384(8, scale_out=True)):
        assert len(failure_units(machine, "optic")) == metrics.optics(machine)


def test_a_transceiver_is_an_optic():
    assert failure_units(CM, "transceiver") == failure_units(CM, "optic")


def test_an_optic_of_cloudmatrix384_carries_two_links():
    machine = topology.cloudmatrix384(cpus=False)
    unit = failure_units(machine, "optic")[0]
    assert unit.name == "optic l1/0/0 0"
    assert {row[:2] for row in unit.lanes} == {
        ("l1/0/0", "l2/0/0"), ("l2/0/0", "l1/0/0"), ("l1/0/0", "l2/0/1"), ("l2/0/1", "l1/0/0"),
    }  # fmt: skip
    worn = fail(machine, unit)
    assert worn.graph.number_of_edges() == machine.graph.number_of_edges() - 4
    assert len(worn.history) == 1


def test_a_cable_is_one_lane_of_a_link():
    unit = failure_units(CM, "cable")[0]
    (u, v, lanes), _ = unit.lanes
    assert lanes == (0,)
    whole = CM.graph.edges[u, v]["capacity"]
    has = CM.graph.edges[u, v]["lanes"]
    assert fail(CM, unit).graph.edges[v, u]["capacity"] == whole * (has - 1) / has
    assert fail(CM, [unit] * has).graph.edges[v, u] == fail(CM, unit).graph.edges[v, u]
    assert not fail(CM, failure_units(CM, "cable")[:has]).graph.has_edge(u, v)


def test_a_plane_takes_its_switches_and_leaves_the_npus():
    worn = fail(CM, failure_units(CM, "plane")[2])
    assert metrics.per_npu_bandwidth(worn) == 6 * 56 * GB
    assert len(worn.npus) == 64
    assert metrics.bisection(worn) == metrics.bisection(CM) * 6 / 7


def test_a_node_and_its_cables_can_fail_together():
    node, optic = failure_units(CM, "node")[0], failure_units(CM, "optic")[0]
    worn = fail(CM, [node, optic])
    assert len(worn.npus) == 56
    assert not any(n.startswith("l1/0/") for n in worn.graph)


@given(strategies.supernodes(), st.sampled_from(["cable", "link", "switch"]), st.integers(0, 9))
@settings(max_examples=25)
def test_a_seed_decides_and_failures_never_add_bandwidth(machine, kind, seed):
    there = len(failure_units(machine, kind))
    a = random_failures(machine, kind, count=there // 2, seed=seed)
    b = random_failures(machine, kind, count=there // 2, seed=seed)
    assert a.graph.edges == b.graph.edges
    before = {(u, v): d["capacity"] for u, v, d in machine.graph.edges(data=True)}
    after = {(u, v): d["capacity"] for u, v, d in a.graph.edges(data=True)}
    assert all(after[edge] <= before[edge] for edge in after)
    if len(machine.npus) > 1:
        assert metrics.bisection(a, "order") <= metrics.bisection(machine, "order") * (1 + 1e-9)


UNITS = st.sampled_from(["cable", "link", "optic", "switch", "node"])


@given(st.one_of(strategies.supernodes(), st.just(topology.mi250())), st.data())
@settings(max_examples=25)
def test_what_fails_in_turn_is_what_fails_together(machine, data):
    """Units of several kinds share lanes: what has failed is gone, and fails once."""
    units = [unit for kind in data.draw(st.lists(UNITS, min_size=1, max_size=3))
             for unit in failure_units(machine, kind)]  # fmt: skip
    if not units:
        return
    chosen = data.draw(st.lists(st.sampled_from(units), min_size=1, max_size=5))
    try:
        together = fail(machine, chosen)
    except GraphError as error:
        if "NPU" not in str(error):  # that would be left
            raise
        return
    worn = machine
    for unit in chosen:
        try:
            worn = fail(worn, unit)
        except GraphError as error:
            if "that could fail" not in str(error):  # as nothing of it is left
                raise
    assert set(worn.graph) == set(together.graph)
    assert set(worn.graph.edges) == set(together.graph.edges)
    for *edge, after in worn.graph.edges(data=True):
        before = machine.graph.edges[edge]
        assert after["capacity"] == pytest.approx(together.graph.edges[edge]["capacity"])
        each = before["capacity"] / before["lanes"]
        assert after["capacity"] == pytest.approx(each * after["lanes"])
    left = {unit.name for unit in failure_units(worn, "cable")}
    assert left <= {unit.name for unit in failure_units(machine, "cable")}
    assert not left & {unit.name for unit in chosen}
    assert metrics.cable_count(worn) == len(left)


@given(strategies.supernodes(), st.sampled_from(["cable", "link"]))
@settings(max_examples=25)
def test_all_cables_failed_leave_no_link(machine, kind):
    assert not random_failures(machine, kind, fraction=1.0).graph.edges


def test_a_fraction_is_rounded():
    worn = random_failures(CM, "link", fraction=0.02, seed=3)
    links = len(failure_units(CM, "link"))
    gone = (CM.graph.number_of_edges() - worn.graph.number_of_edges()) / 2
    assert gone == round(0.02 * links)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "give one of count and fraction"),
        ({"count": 1, "fraction": 0.1}, "give one of count and fraction"),
        ({"count": 10**6}, "count of switch is 1000000; .* 0 to 84"),
        ({"fraction": 2}, "fraction is 2; it must be a number from 0 to 1"),
        ({"count": 1, "seed": -1}, "seed is -1"),
    ],
)
def test_impossible_failures_are_refused(fields, said):
    with pytest.raises(GraphError, match=said):
        random_failures(CM, "switch", **fields)


def test_unknown_units_and_links_are_named():
    assert "optic" in unit_kinds()
    with pytest.raises(UnknownNameError, match="did you mean optic"):
        failure_units(CM, "optics")
    with pytest.raises(GraphError, match="there is no link npu/0 -> npu/1"):
        fail(CM, FailureUnit("mine", lanes=(("npu/0", "npu/1", (0,)),)))
    with pytest.raises(GraphError, match="mine: which lanes of npu/0 -> l1/0/0"):
        fail(CM, FailureUnit("mine", lanes=(("npu/0", "l1/0/0", 1),)))  # type: ignore[arg-type]
