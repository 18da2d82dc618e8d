"""Transfers as streams: each pair's own way, link by link, whatever is merged as alike."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests import reference
from tests.strategies import (
    damaged_networks,
    demands,
    direct_networks,
    small_systems,
    stars,
    supernodes,
)
from topology import Supernode
from topology.errors import UnreachableError
from topology.fabric import FloatArray
from topology.routing import Demand, InNetwork, Pairs, RoutedFlow, Sum, Uniform, router
from topology.routing.streams import ActorsDifferError, Streams, every_lane, join_streams


def _on_arcs(machine: Supernode, streams: Streams, values: FloatArray) -> FloatArray:
    """Return what each arc carries of what each of its links or lanes carries."""
    carried = np.zeros(len(machine.fabric.tail))
    np.add.at(carried, streams.resources.arc, values[streams.resources.at])
    return carried


def _check_totals(machine: Supernode, flow: RoutedFlow, messages: int) -> None:
    found = flow.streams()
    load = found.share @ (found.count * found.amount)
    np.testing.assert_allclose(_on_arcs(machine, found, load), flow.loads, rtol=1e-9, atol=1e-12)
    limited = found.resources.node_at >= 0
    np.testing.assert_allclose(load[found.resources.node_at[limited]], flow.through[limited])
    assert found.count.sum() == pytest.approx(messages)
    slowest = flow.slowest().latency.max(initial=0.0)
    assert found.latency.max(initial=0.0) == pytest.approx(slowest, rel=1e-12)


@given(st.one_of(supernodes(), damaged_networks()), st.data())
def test_every_pair_goes_its_own_way(machine: Supernode, data: st.DataObject) -> None:
    sent = data.draw(demands(len(machine.npus))).checked(len(machine.npus))
    try:
        found = router(machine, "ecmp").apart().route(sent).streams()
    except UnreachableError:
        return
    assert found.count.sum() == len(sent.src)
    for k in range(len(found.count)):
        src, dst = (int(ends[1, k]) for ends in (found.senders, found.receivers))
        wanted = reference.route_pair(machine.graph, machine.npus[src], machine.npus[dst])
        share = _on_arcs(machine, found, found.share[:, [k]].toarray()[:, 0])
        arcs = [wanted.get(arc, 0.0) for arc in machine.fabric.arcs]
        np.testing.assert_allclose(share, arcs, rtol=1e-9, atol=1e-12)
        idle = dict.fromkeys(machine.fabric.arcs, 0.0)
        slowest, _ = reference.slowest(machine, machine.npus[src], machine.npus[dst], idle)
        assert found.latency[k] == pytest.approx(slowest, rel=1e-12, abs=1e-18)


@settings(max_examples=40)
@given(
    st.one_of(small_systems(), direct_networks(), stars()),
    st.sampled_from(["ecmp", "hashed", "minimal_adaptive", "optimal", "valiant", "ugal"]),
    st.data(),
)
def test_streams_carry_what_links_carry(
    machine: Supernode, policy: str, data: st.DataObject
) -> None:
    p = len(machine.npus)
    for sent in (Uniform(np.arange(p)), data.draw(demands(p)).checked(p)):
        messages = int(sent.messages().sum())
        for way in (router(machine, policy), router(machine, policy).apart()):
            _check_totals(machine, way.route(sent), messages)


def test_equal_transfers_of_a_large_machine_are_one_before_they_are_followed() -> None:
    machine = topology.cloudmatrix384()
    found = router(machine, "ecmp").route().streams()
    assert found.count.sum() == 384 * 383
    assert len(found.count) == 48 * 48  # nodes, as the NPUs of a node are alike
    torus = topology.torus((5, 4, 4), link="nvlink5")  # no twins, but one sort of NPU
    found = router(torus, "ecmp").route().streams()
    assert len(found.count) == 79
    assert set(found.actor) == {found.actor[0]}


def test_streams_with_help_of_switches_join_those_of_pairs_and_of_lanes() -> None:
    machine = topology.dgx_h100(1)
    p = len(machine.npus)
    helped = InNetwork(np.arange(p), np.zeros(p), np.zeros(p), 1.0)
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.array([2.0, 1.0]))
    both = Sum((pairs, helped))
    for policy in ("ecmp", "hashed"):
        way = router(machine, policy).apart()
        _check_totals(machine, way.route(both), 3)
        assert way.route(both).streams().senders[0].tolist() == [0, 1, *[2] * p]
    lanes = router(machine, "hashed").route(both).streams().resources
    assert lanes.size == every_lane(machine.fabric).size


def test_switches_that_are_alike_are_one_and_each_carries_its_part() -> None:
    graph = nx.Graph()
    for i in range(4):
        graph.add_node(f"npu/{i}", kind="npu")
        for j in range(3):
            graph.add_node(f"switch/{j}", kind="switch", capacity=9.0)
            graph.add_edge(f"npu/{i}", f"switch/{j}", capacity=5.0)
    machine = topology.from_networkx(graph)
    flow = router(machine, "ecmp").route()
    _check_totals(machine, flow, 12)
    assert flow.streams().resources.size == 3  # links up, links down, switches


def test_what_other_symmetries_made_alike_is_not_joined() -> None:
    machine = topology.star(4, link="nvlink5")
    one = router(machine, "ecmp").route().streams()
    assert join_streams(machine.fabric, [one, one]).count.sum() == 24
    with pytest.raises(ActorsDifferError):
        join_streams(machine.fabric, [one, replace(one, symmetry=b"another")])


def test_parts_with_other_ranks_alike_are_not_joined() -> None:
    machine = topology.cloudmatrix384(2)
    parts: tuple[Demand, ...] = (
        Uniform(np.arange(8)), Pairs(np.array([0]), np.array([9]), np.ones(1))
    )  # fmt: skip
    flow = router(machine, "ecmp").route(Sum(parts))
    with pytest.raises(ActorsDifferError):
        flow.streams()
    apart = router(machine, "ecmp").apart().route(Sum(parts)).streams()
    assert len(apart.count) == 57
