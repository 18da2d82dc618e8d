"""All-to-alls found for a machine are proven on data, and as near the bound as they say."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives.model.collective import collective
from collectives.model.execution import execute, verify
from collectives.model.schedule import Schedule, ScheduleError, traffic_of
from collectives.synthesis import find_exchange, synthesize
from collectives.synthesis.layout import lockstep
from topology import LinkType, Supernode
from topology.errors import SupernodeError
from topology.routing import Pairs, Uniform, ecmp
from topology.units import GB, MiB, us

_LINK = LinkType(capacity=50 * GB, latency=0.5 * us)


def _without_a_link(machine: Supernode) -> Supernode:
    return machine.without(links=[next(iter(machine.fabric.arcs))])


def _without_a_nic(machine: Supernode) -> Supernode:
    kinds = machine.graph.nodes(data="kind")
    return machine.without(nodes=[min(node for node, kind in kinds if kind == "nic")])


DIRECT = {
    "rack": topology.gb200_nvl72,
    "cloudmatrix": topology.cloudmatrix384,
    "boxes": lambda: topology.dgx_h100(2),
    "even ring": lambda: topology.ring(8, link=_LINK),
    "odd ring": lambda: topology.ring(9, link=_LINK),
    "torus": lambda: topology.torus((4, 8), link=_LINK),
    "hypercube": lambda: topology.hypercube(4, link=_LINK),
    "full mesh": lambda: topology.full_mesh(8, link=_LINK),
    "bipartite": lambda: topology.complete_bipartite(4, 4, link=_LINK),
    "petersen": lambda: topology.petersen(link=_LINK),
    "line": lambda: topology.line(5, link=_LINK),
    "rails": lambda: topology.rail_only(4, 4, link=_LINK, rail_link=_LINK),
    "chords 3 4": lambda: topology.circulant(16, (3, 4), link=_LINK),
}

RELAYED = {
    "small mesh": lambda: topology.mesh((3, 3), link=_LINK),
    "mesh": lambda: topology.mesh((4, 4), link=_LINK),
    "chords 2 3": lambda: topology.circulant(12, (2, 3), link=_LINK),
    "kautz": lambda: topology.generalised_kautz(4, 16, link=_LINK),
    "damaged torus": lambda: _without_a_link(topology.torus((4, 4), link=_LINK)),
    "dead NIC": lambda: _without_a_nic(topology.dgx_h100(2)),
}

MACHINES = {**DIRECT, **RELAYED}


def steady_state(machine: Supernode, schedule: Schedule, ranks: np.ndarray | None = None) -> float:
    """Return the busiest link's seconds per byte of S, from the transfers themselves."""
    chosen = np.arange(schedule.ranks) if ranks is None else np.asarray(ranks)
    if schedule.name == "direct":
        total = schedule.steps[0].traffic.pairs()
    else:
        moved = np.concatenate([m.src * schedule.ranks + m.dst for m in schedule.transfers()])
        link, count = np.unique(moved, return_counts=True)
        amount = count * schedule.chunk_fraction
        total = Pairs(link // schedule.ranks, link % schedule.ranks, amount)
    flow = ecmp(machine).route(Pairs(chosen[total.src], chosen[total.dst], total.amount))
    return max(float(flow.busy().max()), float(flow.node_busy().max()))


def is_exchanged(schedule: Schedule) -> bool:
    """Tell whether every block arrives where it should, on real data."""
    p, pieces = schedule.ranks, schedule.chunks // schedule.ranks**2
    inputs = np.random.default_rng(1).integers(-(2**60), 2**60, (p, p * pieces))
    done = execute(schedule, inputs)
    return bool((done.reshape(p, p, -1) == inputs.reshape(p, p, -1).transpose(1, 0, 2)).all())


@pytest.mark.parametrize("name", RELAYED)
def test_relayed_schedules_are_proven_run_and_reach_the_bound(name: str):
    machine = MACHINES[name]()
    schedule = synthesize(machine, "all_to_all", size=64 * MiB)
    assert schedule.name == "relayed"
    verify(schedule)
    assert is_exchanged(schedule)
    best = collectives.bound(machine, "all_to_all").seconds_per_byte
    assert steady_state(machine, schedule) == pytest.approx(best, rel=1e-9)
    time = collectives.plan(machine, schedule).cost(64 * MiB).time
    assert time >= best * 64 * MiB * (1 - 1e-12)


@pytest.mark.parametrize("name", DIRECT)
def test_the_direct_exchange_is_the_answer_where_it_is_best(name: str):
    machine = MACHINES[name]()
    found = find_exchange(machine)
    assert found.paths is None
    assert found.optimal
    schedule = synthesize(machine, "all_to_all")
    assert schedule.name == "direct"
    best = collectives.bound(machine, "all_to_all").seconds_per_byte
    assert found.seconds_per_byte == pytest.approx(best, rel=1e-9)
    if schedule.ranks < 100:
        verify(schedule)
        assert is_exchanged(schedule)
        assert steady_state(machine, schedule) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("segments", [1, 2, 5])
@pytest.mark.parametrize("name", ["kautz", "dead NIC"])
def test_lockstep_is_proven_and_says_its_traffic(name: str, segments: int):
    found = find_exchange(MACHINES[name]())
    assert found.paths is not None
    steps = lockstep(found.paths, segments)
    chunks = found.paths.size**2 * found.pieces * segments
    schedule = Schedule("relayed", collective("all_to_all"), found.paths.size, chunks, steps)
    verify(schedule)
    assert schedule.step_count == segments + found.paths.longest - 1
    p = schedule.ranks
    for step in schedule.steps:
        stated = step.traffic.pairs()
        for t in {0, step.repeat - 1}:
            moved = traffic_of(step.transfers(t), schedule.chunk_fraction)
            assert (stated.src * p + stated.dst == moved.src * p + moved.dst).all()
            np.testing.assert_allclose(stated.amount, moved.amount, rtol=1e-12)


def test_links_hardly_ever_wait():
    machine = MACHINES["small mesh"]()
    schedule = synthesize(machine, "all_to_all")
    assert schedule.overlaps
    best = collectives.bound(machine, "all_to_all").at(256 * MiB).time
    assert collectives.plan(machine, schedule).cost(256 * MiB).time < 1.01 * best


def test_published_optima_are_reached():
    rates = {"small mesh": 1 / 6, "mesh": 0.0625, "chords 2 3": 3 / 14, "kautz": 7 / 53}
    for name, rate in rates.items():
        found = find_exchange(MACHINES[name]())
        per_pair = 1 / (found.seconds_per_byte * len(found.ranks)) / (50 * GB)
        assert per_pair == pytest.approx(rate, rel=1e-9), name


def test_where_few_pieces_are_not_exact_sixteen_come_near():
    machine = topology.generalised_kautz(2, 12, link=_LINK)
    found = find_exchange(machine)
    assert found.pieces <= 16
    assert found.efficiency > 0.98


def test_the_number_of_pieces_can_be_chosen():
    machine = MACHINES["kautz"]()
    one, seven = find_exchange(machine, pieces=1), find_exchange(machine, pieces=7)
    assert (one.pieces, seven.pieces) == (1, 7)
    assert one.bound <= seven.seconds_per_byte <= one.seconds_per_byte
    schedule = synthesize(machine, "all_to_all", trees=1, size=MiB)
    verify(schedule)


def test_shifts_of_one_ranks_ways_serve_large_regular_machines():
    found = find_exchange(topology.circulant(128, (5, 12, 31), link=_LINK))
    assert found.paths is not None
    assert found.optimal


def test_a_slow_link_carries_less():
    machine = topology.ring(6, link=_LINK).degrade(links=[("npu/0", "npu/1")], factor=0.5)
    found = find_exchange(machine)
    assert found.efficiency > 0.98
    assert is_exchanged(synthesize(machine, "all_to_all"))


def test_a_switch_may_forward_less_than_its_ports():
    graph = nx.star_graph(4)
    nx.set_node_attributes(graph, {0: {"kind": "switch", "capacity": 1.5 * GB}})
    graph.add_edges_from([(1, 2), (2, 3), (3, 4)])
    nx.set_edge_attributes(graph, GB, "capacity")
    machine = topology.from_networkx(graph, npus=[1, 2, 3, 4])
    found = find_exchange(machine)
    direct = ecmp(machine).route(Uniform(np.arange(4), 1 / 4))
    assert found.seconds_per_byte <= max(direct.busy().max(), direct.node_busy().max())
    schedule = synthesize(machine, "all_to_all")
    assert is_exchanged(schedule)
    assert steady_state(machine, schedule) == pytest.approx(found.seconds_per_byte, rel=1e-9)
    assert direct.node_busy().max() > direct.busy().max()


def test_some_of_the_ranks_in_any_order():
    machine = MACHINES["mesh"]()
    ranks = np.array([5, 0, 3, 10, 12])
    found = find_exchange(machine, ranks)
    schedule = synthesize(machine, "all_to_all", ranks=ranks)
    assert schedule.ranks == len(ranks)
    assert is_exchanged(schedule)
    measured = steady_state(machine, schedule, ranks)
    assert measured == pytest.approx(found.seconds_per_byte, rel=1e-9)
    assert measured >= collectives.bound(machine, "all_to_all", ranks).seconds_per_byte * (1 - 1e-9)


def test_one_rank_has_nothing_to_send():
    schedule = synthesize(MACHINES["mesh"](), "all_to_all", ranks=[3])
    assert schedule.step_count == 0
    assert find_exchange(MACHINES["mesh"](), [3]).efficiency == 1


def test_results_do_not_depend_on_the_run():
    first, second = (find_exchange(MACHINES["kautz"]()) for _ in range(2))
    assert first.paths is not None
    assert second.paths is not None
    for name in ("tail", "head", "chunk", "level"):
        assert (getattr(first.paths, name) == getattr(second.paths, name)).all()


def test_notes_say_how_near_the_bound_it_is():
    assert "100 % of the bound" in synthesize(MACHINES["mesh"](), "all_to_all").notes[0]


def test_too_large_a_program_gives_the_direct_exchange_and_says_so():
    machine = topology.mesh((13, 13), link=_LINK)
    schedule = synthesize(machine, "all_to_all")
    assert schedule.name == "direct"
    assert "relaying was not looked at" in schedule.notes[0]


def test_ranks_that_cannot_reach_one_another_are_refused():
    machine = topology.line(4, link=_LINK).without(links=[("npu/1", "npu/2"), ("npu/2", "npu/1")])
    with pytest.raises(SupernodeError, match="cannot reach"):
        synthesize(machine, "all_to_all")


def test_relays_that_do_not_take_part_are_asked_for():
    graph = nx.Graph()
    for switch, ends in {"a": (0, 1), "b": (1, 2)}.items():
        graph.add_node(switch, kind="switch")
        graph.add_edges_from(((npu, switch) for npu in ends), capacity=GB)
    machine = topology.from_networkx(graph, npus=[0, 1, 2])
    assert find_exchange(machine).optimal
    with pytest.raises(ScheduleError, match="choose ranks= that include them"):
        find_exchange(machine, [0, 2])


def test_messages_that_cannot_choose_their_links_say_what_they_lose():
    graph = nx.Graph(nx.path_graph(3))
    graph.add_node("s", kind="switch")
    graph.add_edges_from((npu, "s") for npu in (0, 1))
    nx.set_edge_attributes(graph, GB, "capacity")
    machine = topology.from_networkx(graph, npus=[0, 1, 2])
    found = find_exchange(machine)
    assert found.efficiency <= 1
    schedule = synthesize(machine, "all_to_all", size=MiB)
    assert is_exchanged(schedule)
    assert steady_state(machine, schedule) == pytest.approx(found.seconds_per_byte, rel=1e-9)
    assert f"{100 * found.efficiency:.4g} %" in schedule.notes[0]


@pytest.mark.parametrize("pieces", [0, -2, 1.5, True])
def test_pieces_are_whole_and_positive(pieces: object):
    with pytest.raises(ScheduleError, match="pieces is"):
        find_exchange(MACHINES["mesh"](), pieces=pieces)  # type: ignore[arg-type]


@settings(max_examples=8, deadline=None)
@given(st.integers(4, 7), st.integers(0, 10_000))
def test_any_connected_graph_gets_a_proven_exchange_near_the_bound(size: int, seed: int):
    graph = nx.gnp_random_graph(size, 0.3, seed=seed)
    graph.add_edges_from(nx.path_graph(size).edges)
    rates = np.random.default_rng(seed).integers(1, 4, graph.number_of_edges())
    for (u, v), rate in zip(graph.edges, rates.tolist(), strict=True):
        graph.edges[u, v]["capacity"] = rate * GB
    machine = topology.from_networkx(graph, npus=list(graph))
    found = find_exchange(machine)
    schedule = synthesize(machine, "all_to_all", size=MiB)
    verify(schedule)
    best = collectives.bound(machine, "all_to_all").seconds_per_byte
    assert steady_state(machine, schedule) == pytest.approx(found.seconds_per_byte, rel=1e-9)
    assert best * (1 - 1e-9) <= found.seconds_per_byte <= best * 1.03
