"""Steps that overlap: equal to lockstep where they do not, and a flow shop where they do."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Schedule, plan
from collectives.algorithms import algorithm_names, find_algorithm
from collectives.algorithms.compose import segmented
from collectives.analysis.analyze import team_of
from tests.collectives.algorithms.teams import helping_star
from tests.strategies import two_levels
from topology import Supernode
from topology.errors import SupernodeError


def named(schedule: Schedule) -> Schedule:
    """Return a schedule whose steps say that they come after the one before."""
    steps = (replace(step, after=(i - 1,) if i else ()) for i, step in enumerate(schedule.steps))
    return replace(schedule, steps=tuple(steps))


@given(st.data(), two_levels(spine=True), st.sampled_from(["all_reduce", "all_to_all"]))
@settings(max_examples=25)
def test_lockstep_in_other_words_costs_the_same(
    data: st.DataObject, machine: Supernode, kind: str
) -> None:
    name = data.draw(st.sampled_from(algorithm_names(kind)))
    size = data.draw(st.sampled_from([0.0, 1.0, 3e6]))
    message = data.draw(st.sampled_from([0.0, 1e-6]))
    try:
        made = find_algorithm(kind, name)(team_of(machine))
        one, other = (
            plan(machine, schedule, alpha=2e-6, message=message).cost(size)
            for schedule in (made, named(made))
        )
    except SupernodeError:
        return
    assert other.time == pytest.approx(one.time, rel=1e-12)
    assert other.latency.total == pytest.approx(other.time, rel=1e-12)
    assert other.latency.serialisation == pytest.approx(one.latency.serialisation, rel=1e-9)
    assert other.busy == pytest.approx(one.busy)


@pytest.mark.parametrize(("inner", "outer"), [(3e9, 1e9), (1e9, 1e9), (1e9, 4e9)])
@pytest.mark.parametrize("segments", [1, 2, 5, 16])
def test_segments_go_through_two_levels_as_jobs_through_two_machines(
    inner: float, outer: float, segments: int
) -> None:
    """Johnson 1954: k equal jobs take the sum of both times, and k - 1 times the longer one."""
    graph = nx.Graph()
    for i in range(4):
        graph.add_node(f"npu/{i}", kind="npu", node=i // 2)
        graph.add_edge(f"npu/{i}", f"inner/{i // 2}", capacity=inner, latency=1e-6)
        graph.add_edge(f"npu/{i}", f"rail/{i % 2}", capacity=outer, latency=2e-6)
    machine = topology.from_networkx(graph)
    whole = find_algorithm("reduce_scatter", "hierarchical_direct")(team_of(machine))
    size = 1e9
    found = plan(machine, segmented(whole, segments), alpha=0.0, message=0.0).cost(size)
    first, second = size / 2 / inner / segments, size / 4 / outer / segments
    expected = first + second + (segments - 1) * max(first, second) + 2 * (1e-6 + 2e-6)
    assert found.time == pytest.approx(expected, rel=1e-9)
    assert found.latency.total == pytest.approx(found.time, rel=1e-12)


@given(two_levels(spine=True), st.integers(1, 6), st.sampled_from([0.0, 1e-6]))
@settings(max_examples=25)
def test_overlap_never_beats_links_bound_or_its_own_path(
    machine: Supernode, segments: int, message: float
) -> None:
    team = team_of(machine)
    if team.groups is None or min(len(team.groups), len(team.groups[0])) < 2:
        return
    made = find_algorithm("all_reduce", "hierarchical_direct")(team)
    on = {"alpha": 1e-6, "message": message}
    alone = plan(machine, made, **on).cost(1e6)
    found = plan(machine, segmented(made, segments), **on).cost(1e6)
    assert found.busy == pytest.approx(alone.busy)
    assert found.time >= float(found.busy.max()) * (1 - 1e-9)
    assert found.time >= plan(machine, made, **on).time(1e6 / segments) * (1 - 1e-9)
    limit = collectives.bound(machine, "all_reduce").at(1e6)
    assert found.time >= limit.time * (1 - 1e-9)
    assert np.isclose(found.latency.total, found.time)


def test_two_steps_at_once_share_a_link_by_their_messages() -> None:
    """Of two steps with nothing between them the shorter is done when both have sent its bytes."""
    graph = nx.Graph()
    for i in range(3):
        graph.add_edge(f"npu/{i}", "switch", capacity=1e9)
        graph.nodes[f"npu/{i}"]["kind"] = "npu"
    star = topology.from_networkx(graph)
    steps = (
        collectives.Step(lambda _: collectives.Transfers([0], [1], [0])),
        collectives.Step(lambda _: collectives.Transfers([0, 0], [2, 2], [0, 1]), after=()),
        collectives.Step(lambda _: collectives.Transfers([0], [1], [1]), after=(0,)),
    )
    made = Schedule("three", collectives.collective("broadcast"), 3, 2, steps)
    collectives.verify(made)
    found = plan(star, made, alpha=0.0, message=0.0).cost(2e9)
    # 1 s and 2 s of bytes at half the rate: 2 s, 1 s left; then 1 s more joins: 2 s, all 4 s.
    assert found.time == pytest.approx(4.0)


def test_a_copy_to_many_weighs_as_what_arrives() -> None:
    """Sums of one segment and copies of the next: each has one direction nearly to itself."""
    p, rate, size, segments = 8, 50e9, 1e9, 50
    team = team_of(helping_star(p))
    halves = (find_algorithm(kind, "nvls")(team) for kind in ("reduce_scatter", "all_gather"))
    steps = tuple(step for half in halves for step in half.steps)
    both = Schedule("both", collectives.collective("all_reduce"), p, p, steps)
    found = plan(helping_star(p), segmented(both, segments), alpha=0.0, message=0.0).cost(size)
    one = size / rate / segments
    expected = 2 * one + (segments - 1) * (1 + 1 / p) * one  # of S up or down and S/p the other way
    assert found.time == pytest.approx(expected, rel=0.02)
