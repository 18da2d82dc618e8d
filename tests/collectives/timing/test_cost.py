"""Cost: the slowest transfer of every step, added up, against a plain computation."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Latency, Plan, Schedule, ScheduleError, Step, Team, Transfers, plan
from collectives.algorithms import find_algorithm
from tests import reference
from tests.strategies import networks, rank_choices, sizes
from topology import Supernode, SupernodeError
from topology.errors import UnknownNameError
from topology.routing import Pairs
from topology.units import GB, MiB, ns, us

NAMES = [("all_reduce", "ring"), ("all_gather", "direct"), ("all_to_all", "direct")]


def _plain_time(made: Plan, size: float) -> float:
    """Return the time step by step and pair by pair."""
    machine, total = made.supernode, 0.0
    arcs, capacity = machine.fabric.arcs, machine.fabric.capacity
    for step in made.schedule.steps:
        rows = reference.as_triples(made.schedule.ranks, step.traffic)
        placed = [(int(made.ranks[u]), int(made.ranks[v]), x) for u, v, x in rows]
        src, dst, amount = (np.array(column) for column in zip(*placed, strict=True))
        loads = reference.loads(machine, Pairs(src, dst, amount))
        busy = dict(zip(arcs, loads / capacity, strict=True))
        slowest = max(
            latency + size * transfer
            for latency, transfer in (
                reference.slowest(machine, machine.npus[u], machine.npus[v], busy)
                for u, v, _ in placed
            )
        )
        overhead = made.endpoint.alpha + step.messages * made.endpoint.message
        total += step.repeat * (overhead + slowest)
    return total


@given(networks(), sizes, st.sampled_from(NAMES), st.data())
def test_time_is_the_plain_sum_of_slowest_transfers(
    machine: Supernode, size: float, what: tuple[str, str], data: st.DataObject
) -> None:
    ranks = data.draw(rank_choices(len(machine.npus)))
    schedule = find_algorithm(*what)(Team(len(ranks)))
    made = plan(machine, schedule, ranks=ranks, alpha=3 * us, message=5 * ns)
    assert made.cost(size).time == pytest.approx(_plain_time(made, size), rel=1e-9)


@given(networks(), sizes, st.sampled_from(NAMES))
def test_the_parts_of_the_latency_add_up(
    machine: Supernode, size: float, what: tuple[str, str]
) -> None:
    cost = plan(machine, find_algorithm(*what)(Team(len(machine.npus)))).cost(size)
    assert cost.latency.total == pytest.approx(cost.time, rel=1e-9)
    assert min(vars(cost.latency).values()) >= 0


@given(networks(), st.sampled_from(NAMES), sizes)
def test_doubling_every_capacity_halves_the_bandwidth_term(
    machine: Supernode, what: tuple[str, str], size: float
) -> None:
    twice = machine.degrade(links=machine.graph.edges, factor=2, both_directions=False)
    schedule = find_algorithm(*what)(Team(len(machine.npus)))
    was, now = plan(machine, schedule).cost(size), plan(twice, schedule).cost(size)
    assert now.transfer * 2 == pytest.approx(was.transfer, rel=1e-9)
    for one, other in zip(now.steps, was.steps, strict=True):
        assert one.busy * 2 == pytest.approx(other.busy, rel=1e-9)
    assert now.time <= was.time * (1 + 1e-12)


@given(networks(), st.sampled_from(NAMES))
def test_time_grows_with_size(machine: Supernode, what: tuple[str, str]) -> None:
    made = plan(machine, find_algorithm(*what)(Team(len(machine.npus))))
    times = [made.cost(size).time for size in (0, 1, 1e3, 1e6, 1e9)]
    assert times == sorted(times)
    slope = (made.cost(2e15).time - made.cost(1e15).time) / 1e15
    peak = made.cost(1.0).transfer
    assert slope == pytest.approx(peak, rel=1e-6)


def test_a_step_waits_for_its_slowest_transfer_not_for_the_worst_of_each() -> None:
    """A far pair with little and a near one with much: latency and load are not mixed."""
    graph = nx.Graph()
    graph.add_edge(0, 1, capacity=1 * GB, latency=0.0)
    graph.add_edge(2, 3, capacity=100 * GB, latency=50 * us)
    graph.add_edge(1, 2, capacity=100 * GB, latency=0.0)
    machine = topology.from_networkx(graph, npus=range(4))
    pairs = Pairs(np.array([0, 2]), np.array([1, 3]), np.ones(2))

    def moves(_: int) -> Transfers:
        return Transfers(pairs.src, pairs.dst, np.zeros(2, dtype=np.int64))

    kind = collectives.collective("all_gather")
    made = plan(machine, Schedule("two", kind, 4, 1, (Step(moves, pairs),)))
    size = 40e3
    assert made.cost(size).time == pytest.approx(50 * us + size / 100e9, rel=1e-12)
    assert made.cost(100e3).time == pytest.approx(100 * us, rel=1e-12)


def test_a_switch_that_forwards_less_than_its_ports_limits() -> None:
    graph = nx.Graph()
    graph.add_node("s", kind="switch", capacity=100 * GB)
    graph.add_edges_from(((f"npu/{i}", "s") for i in range(4)), capacity=50 * GB)
    machine = topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(4)])
    found = collectives.analyze(machine, "all_to_all", 4e6, algorithm="direct")
    assert found.time == pytest.approx(4 * 3e6 / 100e9, rel=1e-12)


def test_equal_steps_are_routed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    routed = []
    route = topology.routing.Ecmp.route
    monkeypatch.setattr(
        topology.routing.Ecmp, "route", lambda self, d=None: routed.append(d) or route(self, d)
    )
    machine = topology.star(9, link=GB)
    plan(machine, find_algorithm("all_reduce", "ring")(Team(9)))
    assert len(routed) == 1


def test_effective_rates_are_the_links_own() -> None:
    kind = topology.LinkType(capacity=10 * GB, efficiency=0.8)
    machine = topology.star(4, link=kind)
    line = collectives.analyze(machine, "all_gather", 4e6, rate="line", algorithm="direct")
    reached = collectives.analyze(machine, "all_gather", 4e6, rate="effective", algorithm="direct")
    assert reached.time == pytest.approx(line.time / 0.8, rel=1e-12)


def test_endpoints_come_from_the_devices_rows() -> None:
    machine = topology.gb200_nvl72()
    made = plan(machine, find_algorithm("all_reduce", "ring")(Team(72)))
    row = topology.device("b200")
    assert made.endpoint.alpha == row.value("alpha") > 0
    assert made.endpoint.message == row.value("message") > 0
    assert "b200" in made.endpoint.source
    bare = plan(topology.star(3, link=GB), find_algorithm("all_reduce", "ring")(Team(3)))
    assert (bare.endpoint.alpha, bare.endpoint.message) == (0, 0)
    assert "no device row" in bare.endpoint.source
    given_ = plan(machine, find_algorithm("all_reduce", "ring")(Team(72)), alpha=0.0)
    assert given_.endpoint.alpha == 0
    assert given_.endpoint.message == row.value("message")


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, [1.0], True])
@pytest.mark.parametrize("name", ["alpha", "message"])
def test_bad_overheads_are_told(name: str, bad: object) -> None:
    with pytest.raises(ScheduleError, match=f"{name} is"):
        collectives.analyze(topology.star(3, link=GB), "all_reduce", 1e6, **{name: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, None, "64", True, [1]])
def test_a_bad_size_is_told(bad: object) -> None:
    made = plan(topology.star(3, link=GB), find_algorithm("all_reduce", "ring")(Team(3)))
    with pytest.raises(SupernodeError, match="size"):
        made.cost(bad)  # type: ignore[arg-type]


def test_a_schedule_for_other_ranks_is_refused() -> None:
    schedule = find_algorithm("all_reduce", "ring")(Team(4))
    with pytest.raises(SupernodeError, match="4 ranks, not 3"):
        plan(topology.star(4, link=GB), schedule, ranks=[0, 1, 2])
    with pytest.raises(SupernodeError, match="no rank 3"):
        plan(topology.star(3, link=GB), schedule)


def test_unknown_routings_and_rates_list_the_known() -> None:
    schedule = find_algorithm("all_reduce", "ring")(Team(3))
    for wrong, near in (({"routing": "ecpm"}, "ecmp"), ({"rate": "effectve"}, "effective")):
        with pytest.raises(UnknownNameError, match=near):
            plan(topology.star(3, link=GB), schedule, **wrong)  # type: ignore[arg-type]


def test_latencies_add_and_multiply() -> None:
    one = Latency(1, 2, 3, 4, 5, 6)
    assert one.total == 21
    assert (one + one).total == one.times(2).total == 42
    assert one.times(3).fec == 18


def test_the_split_names_every_part_of_a_path() -> None:
    """Across nodes of CloudMatrix384: two copper and two optical links, three switches."""
    machine = topology.cloudmatrix384(2)
    found = collectives.analyze(machine, "all_to_all", 16.0, algorithm="direct")
    optical = topology.link_type("ub-optical").link()
    copper = topology.link_type("ub-copper").link()
    split = found.latency
    assert split.switches == pytest.approx(3 * 90 * ns)
    assert split.transceivers == pytest.approx(2 * optical.transceivers)
    assert split.fec == pytest.approx(2 * optical.fec)
    assert split.propagation == pytest.approx(2 * copper.propagation + 2 * optical.propagation)
    row = topology.device("ascend910c")
    assert split.endpoint == pytest.approx(row.value("alpha") + 15 * row.value("message"))
    assert split.serialisation == pytest.approx(15 / 392e9)
    assert collectives.analyze(machine, "all_to_all", 64 * MiB).time > found.time


@given(networks(), st.sampled_from([0.0, 1.0, 4096.0, 1e9]))
@settings(max_examples=6)
def test_the_quick_time_is_the_cost_s_own(machine: Supernode, size: float) -> None:
    ranks = range(min(6, len(machine.npus)))
    for name in ("ring", "direct", "binary_tree"):
        schedule = collectives.make_schedule(machine, "all_reduce", algorithm=name, ranks=ranks)
        made = plan(machine, schedule, ranks=ranks, alpha=1e-6, message=1e-7)
        assert made.time(size) == pytest.approx(made.cost(size).time, rel=1e-12)
    best = collectives.synthesize(machine, "all_gather", ranks=ranks)
    made = plan(machine, best, ranks=ranks, alpha=1e-6, message=1e-7)
    assert made.time(size) == pytest.approx(made.cost(size).time, rel=1e-12)
