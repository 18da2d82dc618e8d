"""Two-level algorithms take their published time where every level is uniform."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import DoesNotFitError, Schedule, analyze, verify
from collectives.algorithms import algorithm_names, find_algorithm
from collectives.algorithms.rails import domains
from collectives.algorithms.team import team_of
from collectives.analysis.question import one_group
from collectives.model.checking import check_traffic
from tests.collectives.algorithms.teams import RATE, meshes, prove, racks, rails
from tests.strategies import sizes, two_levels
from topology import Supernode
from topology.routing import Uniform
from topology.units import GB, KiB, ns, us

A, O = 3 * us, 7 * ns  # noqa: E741 - the letters of the papers

machines = two_levels(spine=False)


def _levels(machine: Supernode) -> tuple[int, int, float, float]:
    """Return m nodes of g, and bytes/s of a rank in its node and on its rail."""
    m = sum(node.startswith("inner/") for node in machine.graph)
    edges = machine.graph.edges
    inner, outer = edges["npu/0", "inner/0"]["capacity"], edges["npu/0", "rail/0"]["capacity"]
    return m, len(machine.npus) // m, inner, outer


def _whole(machine: Supernode, kind: str, name: str) -> Schedule:
    """Return the schedule in one segment."""
    return find_algorithm(kind, name)(team_of(machine), segments=1)


def _time(machine: Supernode, kind: str, size: float, name: str) -> float:
    whole = _whole(machine, kind, name)
    return collectives.analyze(machine, kind, size, algorithm=whole, alpha=A, message=O).time


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
    whole = _whole(machine, "all_reduce", "hierarchical")
    found = collectives.analyze(machine, "all_reduce", size, algorithm=whole)
    expected = _wire(nodes, 8, 450 * GB, 50 * GB, size)
    assert found.latency.serialisation == pytest.approx(expected, rel=1e-12)
    whole = _whole(machine, "all_to_all", "hierarchical")
    exchange = collectives.analyze(machine, "all_to_all", size, algorithm=whole)
    expected = 7 / 8 * size / 450e9 + (nodes - 1) / nodes * size / 50e9
    assert exchange.latency.serialisation == pytest.approx(expected, rel=1e-12)


def test_rails_keep_off_the_spines_and_flat_exchange_does_not() -> None:
    machine = topology.dgx_h100(4)
    rails = collectives.analyze(machine, "all_to_all", 1e6, algorithm="hierarchical")
    flat = collectives.analyze(machine, "all_to_all", 1e6, algorithm="direct")
    spine = {row.name: row.load for row in rails.links}["leaf→spine"]
    assert spine == 0
    assert {row.name: row.load for row in flat.links}["leaf→spine"] > 0


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
    """Every exchange is one of equal sets, so 8,192 ranks are routed by symmetry."""
    schedule = collectives.make_schedule(
        topology.atlas_950(racks=2), "all_reduce", algorithm="rotated"
    )
    check_traffic(schedule)
    assert {type(step.traffic) for step in schedule.steps} == {Uniform}


def test_rotated_needs_two_meshes() -> None:
    with pytest.raises(DoesNotFitError, match="these 8 ranks have 1"):
        collectives.make_schedule(topology.shapes.full_mesh(8, link=GB), "all_reduce",
                                  algorithm="rotated")  # fmt: skip


NAMES = ["ring", "direct", "halving_doubling", "tree", "bruck", "chain"]


@pytest.mark.parametrize("kind", ["all_reduce", "reduce_scatter", "all_gather"])
@pytest.mark.parametrize(("m", "g"), [(2, 3), (3, 2), (4, 4), (1, 3), (5, 1)])
def test_any_algorithm_inside_and_any_other_between(kind: str, m: int, g: int) -> None:
    team = team_of(rails(*[g] * m))
    outer = [name for name in NAMES if name in algorithm_names(kind)]
    for i, name in enumerate(outer):
        inner = ("ring", "direct", "bruck")[i % 3]
        schedule = find_algorithm(kind, "hierarchical")(team, inner=inner, outer=name, segments=3)
        prove(schedule)
        check_traffic(schedule)


@pytest.mark.parametrize("names", [("ring", "bruck", "tree"), ("direct", "ring", "chain")])
def test_three_levels_of_different_algorithms(names: tuple[str, str, str]) -> None:
    team = team_of(racks(2, 3, 2))
    schedule = find_algorithm("all_reduce", "three_level")(team, algorithms=names, segments=2)
    prove(schedule)
    check_traffic(schedule)


def test_levels_are_not_limited_to_two() -> None:
    """What runs along the rails may be hierarchical itself; here it has no groups."""
    team = team_of(rails(2, 2, 2, 2))
    with pytest.raises(DoesNotFitError, match="needs ranks in groups"):
        find_algorithm("all_reduce", "hierarchical")(team, outer="hierarchical")


@pytest.mark.parametrize("size", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("name", ["hierarchical", "hierarchical_direct"])
@pytest.mark.parametrize("kind", ["all_reduce", "all_gather"])
def test_the_number_of_segments_is_as_good_as_any(kind: str, name: str, size: float) -> None:
    machine = topology.dgx_h100(4)
    found = collectives.analyze(machine, kind, size, algorithm=name).time
    make = find_algorithm(kind, name)
    others = [
        collectives.plan(machine, make(team_of(machine), segments=m)).time(size)
        for m in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    ]
    assert found <= min(others) * 1.03


@pytest.mark.parametrize("nodes", [2, 4, 16])
def test_levels_at_once_reach_the_slower_of_the_two(nodes: int) -> None:
    """95 % of what 8 NICs carry, or of what the NVLinks do: 231 of 400 GB/s one after the other."""
    machine, size, p = topology.dgx_h100(nodes), 2**30, 8 * nodes
    for kind, times in (("all_reduce", 2), ("all_gather", 1), ("reduce_scatter", 1)):
        found = collectives.analyze(machine, kind, size, algorithm="hierarchical_direct")
        inside = times * 7 / 8 * size / (450 * GB)
        between = times * (nodes - 1) / nodes * size / (400 * GB)
        assert found.time >= max(inside, between)
        assert found.time <= max(inside, between) / 0.95
        assert found.busbw >= 0.95 * 400 * GB * min(1, (p - 1) / p * nodes / (nodes - 1))


@pytest.mark.parametrize("sizes", [(1, 3), (3, 2, 4), (2, 2, 2), (1,), (4,), (1, 1, 5)])
def test_all_to_all_over_rails_of_unequal_nodes(sizes: tuple[int, ...]) -> None:
    """Between nodes all stay on their rail where both nodes have it."""
    machine = rails(*sizes)
    team = team_of(machine)
    for segments in (1, 3):
        schedule = find_algorithm("all_to_all", "pxn")(team, segments=segments)
        verify(schedule)
        check_traffic(schedule)
    slot = np.array([machine.graph.nodes[npu]["slot"] for npu in machine.npus])
    home = np.array([machine.graph.nodes[npu]["node"] for npu in machine.npus])
    for moved in schedule.transfers():
        across = home[moved.src] != home[moved.dst]
        has_it = slot[moved.dst] < np.array(sizes)[home[moved.src]]
        assert (slot[moved.dst] == slot[moved.src])[across & has_it].all()


@pytest.mark.parametrize(("name", "helps"), [
    ("nvls_tree", "inner"), ("collnet_direct", "rail"), ("collnet_chain", "rail"),
])  # fmt: skip
@pytest.mark.parametrize(("m", "g"), [(2, 3), (3, 2), (5, 4), (4, 2)])
def test_switches_help_in_one_level(name: str, helps: str, m: int, g: int) -> None:
    make = find_algorithm("all_reduce", name)
    for segments in (1, 3):
        schedule = make(team_of(rails(*[g] * m, helps=helps)), segments=segments)
        prove(schedule)
        check_traffic(schedule)
        assert schedule.helped
    with pytest.raises(DoesNotFitError, match="no switch that can"):
        make(team_of(rails(*[2] * m)))


@pytest.mark.parametrize("name", ["collnet_direct", "collnet_chain"])
def test_rails_that_add_up_carry_the_data_once(name: str) -> None:
    """S/g up and down each NIC, where rings on the rails carry 2(m-1)/m of it."""
    machine = rails(4, 4, 4, helps="rail")
    make = find_algorithm("all_reduce", name)
    busy = collectives.plan(machine, make(team_of(machine), segments=8)).cost(GB).busy
    nics = [i for i, (u, v) in enumerate(machine.fabric.arcs) if u[:3] == "nic" and v[:4] == "rail"]
    assert busy[nics] == pytest.approx(GB / 4 / RATE)
    found = collectives.analyze(machine, "all_reduce", GB, algorithm=name)
    assert found.time >= collectives.bound(machine, "all_reduce").at(GB).time


def test_trays_of_one_switch_domain_are_one_level() -> None:
    """NVSwitches add up among the 72 GPUs of a domain, of which a tray has four."""
    machine = topology.nvl72_superpod(2)
    team = team_of(machine)
    assert [len(row) for row in domains(team)] == [72, 72]
    size = 2**30
    found = collectives.analyze(machine, "all_reduce", size, algorithm="nvls_tree")
    once = (1 + 1 / 72) * size / (900 * GB)
    assert once <= found.time <= once / 0.9


@pytest.mark.parametrize("dims", [(2, 3), (3, 3), (4, 3)])
@pytest.mark.parametrize("kind", ["all_reduce", "reduce_scatter", "all_gather"])
def test_rotated_takes_every_tier_at_once(kind: str, dims: tuple[int, ...]) -> None:
    machine = topology.shapes.nd_full_mesh(dims, link="nvlink5")
    every = np.unravel_index(np.arange(int(np.prod(dims))), dims)
    graph = machine.graph.copy()
    for rank, name in enumerate(machine.npus):
        graph.nodes[name].update(node=int(every[0][rank]), rack=0)
    machine = topology.from_networkx(graph, npus=list(machine.npus))
    question = one_group(machine, kind, 1e9)
    team = question.team(np.arange(len(machine.npus)), 1e9)
    made = find_algorithm(kind, "rotated")(team, segments=2)
    prove(made)
    found = analyze(machine, kind, 1e9, algorithm=made, alpha=0.0, message=0.0)
    direct = analyze(machine, kind, 1e9, algorithm="hierarchical_direct", alpha=0.0, message=0.0)
    assert found.bound.time * (1 - 1e-9) <= found.time <= direct.time * (1 + 1e-4)
    assert sum(s.repeat * s.traffic.ports(team.size)[0].sum() for s in made.steps) == (
        pytest.approx((2 if kind == "all_reduce" else 1) * (team.size - 1))
    )
