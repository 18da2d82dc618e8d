"""Two-level algorithms take their published time where every level is uniform."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import DoesNotFitError, ScheduleError
from collectives.model.checking import check_traffic
from tests.collectives.algorithms.teams import meshes, prove
from tests.strategies import sizes, two_levels
from topology import Supernode
from topology.routing import Pairs, Uniform
from topology.units import GB, KiB, ns, us

A, O = 3 * us, 7 * ns  # noqa: E741 - the letters of the papers

machines = two_levels(spine=False)


def _levels(machine: Supernode) -> tuple[int, int, float, float]:
    """Return m nodes of g, and bytes/s of a rank in its node and on its rail."""
    m = sum(node.startswith("inner/") for node in machine.graph)
    edges = machine.graph.edges
    inner, outer = edges["npu/0", "inner/0"]["capacity"], edges["npu/0", "rail/0"]["capacity"]
    return m, len(machine.npus) // m, inner, outer


def _time(machine: Supernode, kind: str, size: float, name: str) -> float:
    return collectives.analyze(machine, kind, size, algorithm=name, alpha=A, message=O).time


def _wire(m: int, g: int, inner: float, outer: float, size: float) -> float:
    return 2 * (g - 1) / g * size / inner + 2 * (m - 1) / m * (size / g) / outer


@settings(max_examples=20)
@given(machines, sizes)
def test_all_reduce_by_rings(machine: Supernode, size: float) -> None:
    """2(g-1)/g S/B_i + 2(m-1)/m (S/g)/B_e + 2(g-1)α_i + 2(m-1)α_e."""
    m, g, inner, outer = _levels(machine)
    expected = _wire(m, g, inner, outer, size) + (2 * (g - 1) + 2 * (m - 1)) * (A + O)
    assert _time(machine, "all_reduce", size, "hierarchical") == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20)
@given(machines, sizes)
def test_all_reduce_by_direct_exchange(machine: Supernode, size: float) -> None:
    """The same bandwidth terms with 2α_i + 2α_e."""
    m, g, inner, outer = _levels(machine)
    steps = 2 * (g > 1) + 2 * (m > 1)
    messages = 2 * (g - 1) + 2 * (m - 1)
    expected = _wire(m, g, inner, outer, size) + steps * A + messages * O
    found = _time(machine, "all_reduce", size, "hierarchical_direct")
    assert found == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20)
@given(machines, sizes)
def test_all_to_all_over_rails(machine: Supernode, size: float) -> None:
    """(g-1)/g S/B_i + (m-1)/m S/B_e + 2α: inter-node bytes of a rank are S (m-1)/m."""
    m, g, inner, outer = _levels(machine)
    steps, messages = (g > 1) + (m > 1), (g - 1) + (m - 1)
    wire = (g - 1) / g * size / inner + (m - 1) / m * size / outer
    found = _time(machine, "all_to_all", size, "hierarchical")
    assert found == pytest.approx(wire + steps * A + messages * O, rel=1e-12)


@pytest.mark.parametrize("nodes", [2, 4])
def test_on_a_traditional_cluster(nodes: int) -> None:
    """Rails of 50 GB/s under NVSwitches of 450 GB/s, latency aside."""
    machine = topology.dgx_h100(nodes)
    size = 64e6
    found = collectives.analyze(machine, "all_reduce", size, algorithm="hierarchical")
    expected = _wire(nodes, 8, 450 * GB, 50 * GB, size)
    assert found.latency.serialisation == pytest.approx(expected, rel=1e-12)
    exchange = collectives.analyze(machine, "all_to_all", size, algorithm="hierarchical")
    expected = 7 / 8 * size / 450e9 + (nodes - 1) / nodes * size / 50e9
    assert exchange.latency.serialisation == pytest.approx(expected, rel=1e-12)


def test_rails_keep_off_the_spines_and_flat_exchange_does_not() -> None:
    machine = topology.dgx_h100(4)
    rails = collectives.analyze(machine, "all_to_all", 1e6, algorithm="hierarchical")
    flat = collectives.analyze(machine, "all_to_all", 1e6, algorithm="direct")
    spine = {row.name: row.load for row in rails.links}["leaf→spine"]
    assert spine == 0
    assert {row.name: row.load for row in flat.links}["leaf→spine"] > 0


def test_uneven_nodes_are_told_and_group_size_mends_it() -> None:
    machine = topology.cloudmatrix384(2)
    ranks = [0, 1, 2, 8]
    with pytest.raises(ScheduleError, match="groups of equal size"):
        collectives.analyze(machine, "all_reduce", 1e6, algorithm="hierarchical", ranks=ranks)
    mended = collectives.analyze(
        machine, "all_reduce", 1e6, algorithm="hierarchical", ranks=ranks, group_size=2
    )
    assert mended.time > 0
    auto = collectives.analyze(machine, "all_reduce", 1e6, ranks=ranks)
    assert auto.time <= mended.time


@settings(max_examples=20)
@given(st.permutations(range(6)))
def test_nodes_are_found_in_any_order_of_ranks(order: list[int]) -> None:
    machine = topology.from_networkx(_graph(), name="two nodes")
    plain = collectives.analyze(machine, "all_to_all", 8 * KiB, algorithm="hierarchical")
    mixed = collectives.analyze(
        machine, "all_to_all", 8 * KiB, algorithm="hierarchical", ranks=order
    )
    assert mixed.time == pytest.approx(plain.time, rel=1e-12)


def _graph() -> nx.DiGraph:
    builder = topology.Builder()
    npus = builder.add_nodes(
        [f"npu/{i}" for i in range(6)], kind="npu", tier=0, node=[i // 3 for i in range(6)]
    )
    inner = builder.add_nodes(["inner/0", "inner/1"], kind="switch", tier=1)
    rails = builder.add_nodes(["rail/0"], kind="switch", tier=2)
    builder.connect(((npu, inner[i // 3]) for i, npu in enumerate(npus)), 10 * GB)
    builder.connect(((npu, rails[0]) for npu in npus), GB)
    return builder.build("two nodes", npus).graph


@pytest.mark.parametrize("kind", ["all_reduce", "reduce_scatter", "all_gather"])
@pytest.mark.parametrize("widths", [(3, 3), (2, 4), (4, 3)])
def test_rotated_keeps_every_link_of_two_meshes_busy(kind: str, widths: tuple[int, int]) -> None:
    """The k-th part of S along each axis first: Σ over the phases of the slower axis."""
    machine = meshes(*widths)
    schedule = collectives.make_schedule(machine, kind, algorithm="rotated")
    prove(schedule)
    check_traffic(schedule)
    a, b = widths
    first = max((a - 1) / a / (a - 1), (b - 1) / b / (b - 1))
    then = max((a - 1) / (a * b) / (a - 1), (b - 1) / (a * b) / (b - 1))
    expected = GB / 2 * (first + then) / (50 * GB) * (2 if kind == "all_reduce" else 1)
    cost = collectives.plan(machine, schedule).cost(GB)
    assert cost.transfer == pytest.approx(expected, rel=1e-12)
    if a == b:
        bound = collectives.bound(machine, kind)
        assert bound.at(GB).time == pytest.approx(expected, rel=1e-6)


def test_rotated_goes_through_other_tiers_together() -> None:
    """Racks exchange what both meshes of a rack have left: as sets, so 8,192 ranks are routed."""
    schedule = collectives.make_schedule(
        topology.atlas_950(racks=2), "all_reduce", algorithm="rotated"
    )
    check_traffic(schedule)
    assert [type(step.traffic) for step in schedule.steps] == [Pairs] * 2 + [Uniform] * 2 + [
        Pairs
    ] * 2


def test_rotated_needs_two_meshes() -> None:
    with pytest.raises(DoesNotFitError, match="these 8 ranks have 1"):
        collectives.make_schedule(topology.shapes.full_mesh(8, link=GB), "all_reduce",
                                  algorithm="rotated")  # fmt: skip
