"""What is alike in a simulation as one: against every message, rank and link on its own."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Schedule, Step, collective
from collectives.timing import Endpoint
from collectives.timing.classes import in_classes
from collectives.timing.fluid import Shared
from collectives.timing.program import Part, Program, lay_out
from tests.strategies import damaged_networks, demands, networks, small_systems
from topology import Supernode
from topology.errors import UnreachableError
from topology.routing import Pairs, router
from topology.units import GB


def _laid_out(machine: Supernode, parts: list[Part], policy: str, **limits: float) -> Program:
    way = router(machine, policy).apart()
    return lay_out(machine, way, parts, machine.fabric.capacity, apart=True, **limits)


def _compare(program: Program, window: int | None) -> Program:
    """Return a program in classes that goes as each on its own does."""
    merged = in_classes(program, ordered=window is not None)
    runs = [Shared(one, window, 0.0, None).run() for one in (program, merged)]
    for part in range(len(program.parts)):
        np.testing.assert_allclose(runs[1].finish(part), runs[0].finish(part), rtol=1e-9)
    for turn in range(len(program.pattern)):
        part = int(program.part[turn])
        done = [run.done(turn)[run.program.actors_of(part)] for run in runs]
        np.testing.assert_allclose(done[1], done[0], rtol=1e-9)
    np.testing.assert_allclose(merged.count @ merged.bytes, program.count @ program.bytes)
    carried = [one.share @ (one.count * one.bytes) for one in (program, merged)]
    arcs = [load[one.resources.at] for one, load in zip((program, merged), carried, strict=True)]
    np.testing.assert_allclose(arcs[1], arcs[0], rtol=1e-9, atol=1e-9)
    return merged


@settings(max_examples=80)
@given(st.one_of(networks(), damaged_networks()), st.data())
def test_classes_go_as_each_on_its_own(machine: Supernode, data: st.DataObject) -> None:
    """Any machine and steps, also several jobs, with windows and with limits of the ranks."""
    count = len(machine.npus)
    if count < 2:
        return
    parts = []
    for _ in range(data.draw(st.integers(1, 2))):
        sends = data.draw(st.lists(demands(count), min_size=1, max_size=3))
        after = [data.draw(st.sampled_from([None, ()])) for _ in sends]
        channel = [data.draw(st.sampled_from([None, None, 0])) for _ in sends]
        steps = tuple(
            Step(_unseen, sent.checked(count), after=needs if at else None, channel=lane)
            for at, (sent, needs, lane) in enumerate(zip(sends, after, channel, strict=True))
        )
        made = Schedule("mine", collective("all_to_all"), count, count**2, steps)
        parts.append(Part(made, np.arange(count), 1e6, Endpoint(1e-6, 1e-7, "")))
    limits = {
        name: data.draw(st.sampled_from([np.inf, 1 * GB])) for name in ("injection", "ejection")
    }
    policy = data.draw(st.sampled_from(["ecmp", "hashed"]))
    try:
        program = _laid_out(machine, parts, policy, **limits)
    except UnreachableError:
        return
    _compare(program, data.draw(st.sampled_from([None, 1, 2])))


def _unseen(turn: int) -> collectives.Transfers:
    raise AssertionError(f"transfers of turn {turn} are not to be looked at")


@settings(max_examples=10)
@given(small_systems(), st.sampled_from(["direct", "ring", "pairwise"]), st.sampled_from([None, 2]))
def test_equal_ranks_are_one_however_traffic_is_routed(
    machine: Supernode, algorithm: str, window: int | None
) -> None:
    kind = "all_reduce" if algorithm == "ring" else "all_to_all"
    schedule = collectives.make_schedule(machine, kind, algorithm=algorithm)
    part = Part(schedule, np.arange(schedule.ranks), 1e7, Endpoint(1e-6, 1e-8, ""))
    _compare(_laid_out(machine, [part], "ecmp"), window)


def _fabric(edges: list[tuple[int, int]], ranks: int, first: float = 2e-3) -> Supernode:
    graph = nx.Graph()
    graph.add_node("switch/0", kind="switch")
    for rank in range(ranks):
        graph.add_node(f"npu/{rank}", kind="npu", forwards=True)
        graph.add_edge(f"npu/{rank}", "switch/0", capacity=2.0, latency=1e-3)
    for at, (u, v) in enumerate(edges):
        latency = 2e-3 if at else first
        graph.add_edge(f"npu/{u}", f"npu/{v}", capacity=3.0, latency=latency)
    return topology.from_networkx(graph)


def _round(*ranks: int) -> list[tuple[int, int]]:
    return [*zip(ranks, (*ranks[1:], ranks[0]), strict=True)]


def _part(ends: list[tuple[int, int]], ranks: int) -> Part:
    src, dst = np.array(ends).T
    traffic = Pairs(src, dst, np.ones(len(ends)))
    steps = (Step(_unseen, traffic, 2), Step(_unseen, traffic.reversed()))
    made = Schedule("mine", collective("all_to_all"), ranks, ranks**2, steps)
    return Part(made, np.arange(ranks), 6.0, Endpoint(1e-3, 1e-4, ""))


def test_what_no_symmetry_exchanges_is_one_if_it_sees_the_same() -> None:
    """A hexagon and two triangles on one switch: all see two neighbours and the switch."""
    edges = [*_round(0, 1, 2, 3, 4, 5), *_round(6, 7, 8), *_round(9, 10, 11)]
    machine = _fabric(edges, 12)
    ends = [*edges, *((v, u) for u, v in edges), *((rank, (rank + 6) % 12) for rank in range(12))]
    merged = _compare(_laid_out(machine, [_part(ends, 12)], "ecmp"), None)
    assert merged.actors == 1
    assert [on.size for on in merged.patterns] == [2, 2]  # to a neighbour, and over the switch
    assert [row for row in merged.capacity.tolist() if row == 3.0] == [3.0]


def test_one_rank_that_differs_sets_apart_those_it_sends_to_and_no_others() -> None:
    edges = [*_round(0, 1, 2), *_round(3, 4, 5), *_round(6, 7, 8), *_round(9, 10, 11)]
    machine = _fabric(edges, 12)
    slow = machine.degrade(links=[("npu/0", "npu/1")], factor=0.5)
    ends = [*edges, *((v, u) for u, v in edges)]
    merged = _compare(_laid_out(slow, [_part(ends, 12)], "ecmp"), None)
    actors = merged.actors_of(0)
    assert len(set(actors[3:])) == 1
    assert len(set(actors)) == 3  # the two on the slow cable, the third, and all others


def test_values_that_differ_by_more_than_rounding_are_not_one() -> None:
    machine = _fabric(_round(0, 1, 2, 3), 4)
    narrow = machine.degrade(links=[("npu/0", "npu/1")], factor=1 - 1e-9)
    ends = [(0, 1), (1, 0), (2, 3), (3, 2)]
    longer = _fabric(_round(0, 1, 2, 3), 4, first=2e-3 * (1 + 1e-9))
    for one, classes in ((machine, 1), (narrow, 2), (longer, 2)):
        merged = _compare(_laid_out(one, [_part(ends, 4)], "ecmp"), None)
        assert merged.actors == classes


def test_a_large_machine_is_few_classes() -> None:
    machine = topology.cloudmatrix384()
    schedule = collectives.make_schedule(machine, "all_to_all", algorithm="direct")
    part = Part(schedule, np.arange(schedule.ranks), 1e6, Endpoint(0.0, 0.0, ""))
    way = router(machine, "ecmp")
    merged = in_classes(lay_out(machine, way, [part], machine.fabric.capacity))
    assert merged.actors == 1
    assert len(merged.bytes) < 10
