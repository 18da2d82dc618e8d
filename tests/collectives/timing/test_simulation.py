"""Simulation of schedules: against messages followed one by one, and against other simulators."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Schedule, Step, Transfers, collective
from collectives.timing import Endpoint
from collectives.timing.critical import Moved, critical_path
from collectives.timing.fluid import Shared
from collectives.timing.program import Part, Program, lay_out
from collectives.timing.simulation import carry_out
from collectives.timing.trace import Trace
from tests import reference
from tests.strategies import damaged_networks, networks, small_systems
from topology import Supernode
from topology.errors import UnreachableError
from topology.fabric import FloatArray, IntArray
from topology.routing import InNetwork, OnePath, Pairs, Router, router
from topology.units import GiB, MiB, ns

Sent = list[tuple[int, int, float]]
Steps = list[tuple[Sent, tuple[int, ...]]]


def _unseen(turn: int) -> Transfers:
    raise AssertionError(f"transfers of turn {turn} are not to be looked at")


def _schedule(ranks: int, steps: Steps) -> Schedule:
    made = [Step(_unseen, _pairs(sent), after=needs) for sent, needs in steps]
    return Schedule("mine", collective("all_to_all"), ranks, ranks**2, tuple(made))


def _pairs(sent: Sent) -> Pairs:
    src, dst, amount = zip(*sent, strict=True) if sent else ((), (), ())
    ends = (np.array(ranks, dtype=np.int64) for ranks in (src, dst))
    return Pairs(*ends, np.array(amount, dtype=float))


def _program(machine: Supernode, schedule: Schedule, size: float, **more: object) -> Program:
    choices = {"way": router(machine, "ecmp"), "alpha": 0.0, "message": 0.0, **more}
    way = choices.pop("way")
    end = Endpoint(choices.pop("alpha"), choices.pop("message"), "")  # type: ignore[arg-type]
    part = Part(schedule, np.arange(schedule.ranks), size, end)
    return lay_out(machine, way, [part], machine.fabric.capacity, **choices)  # type: ignore[arg-type]


def _done(trace: Trace, turn: int) -> FloatArray:
    """Return when each position was done with a turn."""
    return trace.done(turn)[trace.program.actors_of(0)]


def _each(trace: Trace, turn: int | None = None) -> IntArray:
    """Return what each message, of a turn from its first on, is among those that are alike."""
    program, origin = trace.program, trace.program.origin
    if origin is None:
        return np.arange(len(program.bytes) if turn is None else program.at(turn).size)
    if turn is None:
        return origin.message
    on = origin.program.at(turn)
    return origin.message[on.first : on.first + on.size] - program.at(turn).first


@st.composite
def steps_of(draw: st.DrawFn, ranks: int) -> Steps:
    """Draw up to 3 steps of up to 5 different pairs, and which earlier ones each needs."""
    pair = st.tuples(st.integers(0, ranks - 1), st.integers(0, ranks - 1))
    found: Steps = []
    for at in range(draw(st.integers(1, 3))):
        ends = draw(st.lists(pair.filter(lambda e: e[0] != e[1]), max_size=5, unique=True))
        sizes = draw(st.lists(st.sampled_from([1.0, 3.0]), min_size=len(ends), max_size=len(ends)))
        needs = draw(st.sets(st.integers(0, at - 1))) if at else set()
        sent = [(u, v, size) for (u, v), size in zip(ends, sizes, strict=True)]
        found.append((sent, tuple(sorted(needs))))
    return found


@settings(max_examples=120)
@given(st.one_of(networks(), damaged_networks()), st.data())
def test_messages_go_as_if_followed_one_by_one(machine: Supernode, data: st.DataObject) -> None:
    ranks = len(machine.npus)
    if ranks < 2:
        return
    steps, size = data.draw(steps_of(ranks)), data.draw(st.sampled_from([0.0, 1e5, 1e9]))
    alpha, message = data.draw(st.sampled_from([(0.0, 0.0), (1e-6, 2e-7)]))
    try:
        program = _program(machine, _schedule(ranks, steps), size, alpha=alpha, message=message)
    except UnreachableError:
        return
    listed = [([(u, v, x * size) for u, v, x in sent], needs) for sent, needs in steps]
    wanted, found = reference.simulate(machine, listed, alpha, message), carry_out(program)
    np.testing.assert_allclose(found.finish(0), wanted, rtol=1e-9, atol=1e-18)
    legs = critical_path(found)  # from the start to the end, each for the one before
    assert [0.0, *(leg.arrival for leg in legs)] == pytest.approx(
        [*(leg.ready for leg in legs), max(wanted)], rel=1e-9
    )
    if not alpha:  # what a leg waits for is what its sender waited for last
        assert [leg.start for leg in legs] == pytest.approx([leg.ready for leg in legs], rel=1e-9)


@pytest.mark.parametrize(
    "steps",
    [
        # what arrives before its receiver is as far does not let it go on
        [([(0, 1, 3.0)], ()), ([(2, 1, 1.0)], (0,)), ([(1, 2, 1.0)], (1,))],
        # of several steps that are needed the last counts
        [([(0, 1, 1.0)], ()), ([(2, 1, 3.0)], ()), ([(1, 0, 1.0)], (0, 1))],
    ],
)
def test_steps_wait_for_what_they_need(steps: Steps) -> None:
    machine = topology.star(3, link="nvlink5")
    program = _program(machine, _schedule(3, steps), 1e9)
    listed = [([(u, v, x * 1e9) for u, v, x in sent], needs) for sent, needs in steps]
    trace = carry_out(program)
    np.testing.assert_allclose(trace.finish(0), reference.simulate(machine, listed, 0.0, 0.0))
    legs = critical_path(trace)
    assert len(legs) == 2
    assert [leg.start for leg in legs] == pytest.approx([leg.ready for leg in legs], rel=1e-12)


def test_switches_wait_for_the_last_of_those_they_add_up() -> None:
    machine = topology.dgx_h100(1)
    none = np.zeros(8)
    helped = InNetwork(np.arange(8), none, none, 1.0)
    sent = _pairs([(0, 1, 1.0), (2, 3, 0.5)])
    finish = []
    for traffics in ((sent,), (helped,), (sent, helped)):
        steps = tuple(Step(_unseen, traffic) for traffic in traffics)
        schedule = Schedule("mine", collective("all_reduce"), 8, 8, steps)
        program = _program(machine, schedule, 1e9)
        traces = carry_out(program), Shared(program, None, 0.0, None).run()
        finish.append([trace.finish(0) for trace in traces])
    for first, then, both in zip(*finish, strict=True):
        np.testing.assert_allclose(both, first.max() + then, rtol=1e-9)


@settings(max_examples=100)
@given(networks(), st.data())
def test_turn_by_turn_is_event_by_event(machine: Supernode, data: st.DataObject) -> None:
    """Steps in a chain, some repeated: they may meet in time, and start as ranks come to them."""
    ranks = len(machine.npus)
    if ranks < 2:
        return
    drawn = data.draw(steps_of(ranks))
    repeats = data.draw(st.lists(st.integers(1, 6), min_size=3, max_size=3))
    steps = tuple(
        Step(_unseen, _pairs(sent), repeat)
        for (sent, _), repeat in zip(drawn, repeats, strict=False)
    )
    schedule = Schedule("mine", collective("all_to_all"), ranks, ranks**2, steps)
    size, message = (
        data.draw(st.sampled_from([1e3, 1e5, 1e9])),
        data.draw(st.sampled_from([0, 1e-6])),
    )
    program = _program(machine, schedule, size, alpha=1e-7, message=message)
    found, wanted = carry_out(program), Shared(program, None, 0.0, None).run()
    for turn in range(len(program.pattern)):
        np.testing.assert_allclose(_done(found, turn), _done(wanted, turn), rtol=1e-11)
    half = float(found.finish(0).max()) / 2
    amounts = []
    for trace in (found, wanted):
        moved = Moved(*trace.rate_changes(), len(trace.program.bytes))
        amounts.append(moved.between(0.0, half)[_each(trace)])
    np.testing.assert_allclose(*amounts, rtol=1e-6, atol=size * 1e-6)


@settings(max_examples=12)
@given(small_systems(), st.sampled_from(["all_to_all", "all_reduce"]), st.sampled_from([1e3, 1e8]))
def test_what_is_alike_goes_as_it_would_apart(machine: Supernode, kind: str, size: float) -> None:
    schedule = collectives.make_schedule(machine, kind, algorithm="direct")
    times = [
        carry_out(_program(machine, schedule, size, alpha=1e-6, message=1e-8, apart=apart))
        for apart in (False, True)
    ]
    np.testing.assert_allclose(times[0].finish(0), times[1].finish(0), rtol=1e-9)


def test_what_a_symmetry_makes_alike_goes_as_it_would_apart() -> None:
    """More NPUs than are followed one by one, and none of them twins."""
    machine = topology.torus((5, 5, 3), link="nvlink5")
    schedule = collectives.make_schedule(machine, "all_reduce", algorithm="direct")
    programs = [_program(machine, schedule, 1e7, apart=apart) for apart in (False, True)]
    assert [program.actors for program in programs] == [1, 75]
    times = [carry_out(program).finish(0) for program in programs]
    np.testing.assert_allclose(times[0], times[1], rtol=1e-9)


@pytest.mark.parametrize("algorithm", ["ring", "bidirectional_ring", "halving_doubling"])
def test_turns_without_contention_are_counted_as_they_would_go_event_by_event(
    algorithm: str,
) -> None:
    """Unequal latencies on the way make ranks drift apart before they keep step."""
    machine = topology.dgx_h100(2)
    schedule = collectives.make_schedule(machine, "all_reduce", algorithm=algorithm)
    program = _program(machine, schedule, 3e6, alpha=1e-6, message=3e-8)
    found, wanted = carry_out(program), Shared(program, None, 0.0, None).run()
    np.testing.assert_allclose(found.finish(0), wanted.finish(0), rtol=1e-12)
    for turn in range(len(program.pattern)):
        np.testing.assert_allclose(_done(found, turn), _done(wanted, turn), rtol=1e-12)
    for turn, (one, other) in enumerate(zip(found.moves(), wanted.moves(), strict=True)):
        for mine, theirs in zip(one[2:], other[2:], strict=True):
            np.testing.assert_allclose(mine[_each(found, turn)], theirs, rtol=1e-12)


def test_a_long_ring_is_counted_and_not_gone_through() -> None:
    machine = topology.star(200, link="nvlink5")
    schedule = collectives.make_schedule(machine, "all_reduce", algorithm="ring")
    trace = carry_out(_program(machine, schedule, 1e9))
    assert len(trace.program.pattern) == 398
    assert len(trace.records) <= 6


# --- the unit tests of ASTRA-sim's analytical network (599a0473): 50 GiB/s, 500 ns, 1 MiB


class Shorter(OnePath):
    """The shorter way round a ring, clockwise of two equal ones; elsewhere the one way there is."""

    title = "shorter"
    words = "the shorter way round"

    def way(self, src: str, dst: str) -> list[str]:
        graph = nx.DiGraph([self.fabric.arcs[arc] for arc in range(len(self.fabric.tail))])
        ways = list(nx.all_shortest_paths(graph, src, dst))
        return min(ways, key=lambda way: (int(way[1].split("/")[1]) - int(src.split("/")[1])) % 16)


def _network(edges: list[tuple[str, str, float, float]]) -> Supernode:
    graph = nx.Graph()
    for u, v, rate, latency in edges:
        for node in (u, v):
            graph.add_node(node, kind=node.split("/")[0], forwards=True)
        graph.add_edge(u, v, capacity=rate * GiB, latency=latency * ns)
    return topology.from_networkx(graph)


def _ring() -> Supernode:
    return _network([(f"npu/{i}", f"npu/{(i + 1) % 16}", 50, 500) for i in range(16)])


def _clique() -> Supernode:
    return _network([(f"npu/{i}", f"npu/{j}", 50, 500) for i in range(16) for j in range(i)])


def _switch() -> Supernode:
    return _network([(f"npu/{i}", "switch/0", 50, 500) for i in range(16)])


def _three_dimensions() -> Supernode:
    """A ring of 2, a clique of 8, a switch over 4: 200, 100 and 50 GiB/s."""
    edges: list[tuple[str, str, float, float]] = []
    for i in range(64):
        a, b = i % 2, i // 2 % 8
        if a == 0:
            edges.append((f"npu/{i}", f"npu/{i + 1}", 200, 50))
        edges += [(f"npu/{i}", f"npu/{i + 2 * step}", 100, 500) for step in range(1, 8 - b)]
        edges.append((f"npu/{i}", f"switch/{i % 16}", 50, 2000))
    return _network(edges)


def _nanoseconds(machine: Supernode, sent: list[tuple[int, int]], *, stored: bool) -> float:
    way: Router = Shorter(machine.fabric)
    pairs: Steps = [([(u, v, 1.0) for u, v in sent], ())]
    schedule = _schedule(len(machine.npus), pairs)
    program = _program(machine, schedule, 1 * MiB, way=way, apart=stored)
    rates = machine.fabric.capacity if stored else None
    return float(carry_out(program, stored=rates, tick=1 * ns).finish(0).max()) / ns


ALL = [(i, j) for i in range(16) for j in range(16) if i != j]


@pytest.mark.parametrize(
    ("machine", "sent", "aware", "unaware"),
    [
        (_ring, [(1, 4)], 60093, 21031),
        (_clique, [(1, 4)], 20031, 20031),
        (_switch, [(1, 4)], 40062, 20531),
        (_ring, ALL, 704116, None),
        (_three_dimensions, [(0, 1)], None, 4932),
        (_three_dimensions, [(37, 41)], None, 10265),
        (_three_dimensions, [(26, 42)], None, 23531),
    ],
)
def test_times_are_those_of_astra_sim(
    machine: object, sent: list[tuple[int, int]], aware: float | None, unaware: float | None
) -> None:
    made = machine()  # type: ignore[operator]
    for wanted, stored in ((aware, True), (unaware, False)):
        if wanted is not None:
            assert abs(_nanoseconds(made, sent, stored=stored) - wanted) < 1
