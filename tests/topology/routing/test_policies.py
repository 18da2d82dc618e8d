"""What holds of every policy on any machine: bytes conserved, paths that exist, shares of one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import demands, dragonflies, fat_trees, grids, networks, supernodes
from topology import Supernode
from topology.errors import RoutingError, UnknownNameError
from topology.fabric import FloatArray
from topology.routing import (
    PairFlow,
    Pairs,
    RoutedFlow,
    Router,
    Uniform,
    ecmp,
    router,
    routing_names,
)
from topology.units import GB

POLICIES = [name for name in routing_names() if name != "first-path"]


SMALL = networks() | grids() | dragonflies()
SUITED = {
    "dimension_order": grids(),
    "d_mod_k": fat_trees(),
    "s_mod_k": fat_trees(),
    "valiant": SMALL,  # its paths are too many to list elsewhere
    "ugal": SMALL,
}


def _case(data: st.DataObject, name: str) -> tuple[Supernode, Pairs]:
    """Draw a machine that suits a policy, and what is sent there."""
    machine = data.draw(SUITED.get(name, SMALL | supernodes()))
    count = len(machine.npus)
    return machine, data.draw(demands(count)).checked(count)


def _check_paths(machine: Supernode, flow: RoutedFlow, pairs: Pairs) -> None:
    """The paths exist, pass what passes on, share all, and add up to the loads."""
    fabric, total = machine.fabric, np.zeros(len(machine.fabric.tail))
    each = flow.shares().toarray() if isinstance(flow, PairFlow) else None
    for at, (src, dst, amount) in enumerate(zip(pairs.src, pairs.dst, pairs.amount, strict=True)):
        shares, own = 0.0, np.zeros(len(total))
        for share, arcs in flow.paths(int(src), int(dst)):
            shares += share
            assert fabric.tail[arcs[0]] == fabric.npus[src]
            assert fabric.head[arcs[-1]] == fabric.npus[dst]
            assert (fabric.head[arcs[:-1]] == fabric.tail[arcs[1:]]).all()
            assert fabric.forwards[fabric.tail[arcs[1:]]].all()
            np.add.at(own, arcs, share)
        assert shares == pytest.approx(1, rel=1e-9)
        total += own * amount
        assert each is None or each[:, at] == pytest.approx(own, rel=1e-7, abs=1e-9)
    assert flow.loads == pytest.approx(total, rel=1e-7, abs=1e-9)


def _check_nodes(machine: Supernode, loads: FloatArray, pairs: Pairs) -> None:
    """What comes to a node leaves it, but for what it receives and sends."""
    fabric, count = machine.fabric, len(machine.fabric.nodes)
    gained = np.bincount(fabric.head, loads, count) - np.bincount(fabric.tail, loads, count)
    wanted = np.bincount(fabric.npus[pairs.dst], pairs.amount, count)
    wanted -= np.bincount(fabric.npus[pairs.src], pairs.amount, count)
    assert gained == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def _check_slowest(machine: Supernode, flow: RoutedFlow) -> None:
    """Latency and busiest link of every pair are those of one of its paths."""
    fabric, busy, inside = machine.fabric, flow.busy(), flow.node_busy()
    found = flow.meets(busy, inside)
    rank = {int(node): r for r, node in enumerate(fabric.npus)}
    for at in range(len(found.src)):
        src, dst = rank[int(found.src[at])], rank[int(found.dst[at])]
        ways = [(arcs, fabric.head[arcs[:-1]]) for _, arcs in flow.paths(src, dst)]
        seconds = [fabric.latency[a].sum() + fabric.node_latency[n].sum() for a, n in ways]
        held = max(max(busy[a].max(), inside[n].max(initial=0)) for a, n in ways)
        assert found.latency[at] == pytest.approx(max(seconds), rel=1e-9, abs=1e-15)
        assert found.transfer[at] == pytest.approx(held, rel=1e-6)
        path = flow.path(at)
        between = fabric.node_latency[fabric.head[path[:-1]]].sum()
        assert fabric.latency[path].sum() + between == pytest.approx(found.latency[at], abs=1e-15)


@pytest.mark.parametrize("name", POLICIES)
@given(st.data())
def test_paths_loads_and_the_slowest_agree(name: str, data: st.DataObject) -> None:
    machine, demand = _case(data, name)
    policy = router(machine, name)
    flow = policy.route(demand)
    _check_paths(machine, flow, demand)
    _check_nodes(machine, flow.loads, demand)
    _check_slowest(machine, flow)
    more = policy.route(demand.scaled(3e9))
    assert more.worst() == pytest.approx(3e9 * flow.worst(), rel=1e-6)
    _check_nodes(machine, more.loads / 3e9, demand)


@pytest.mark.parametrize("name", POLICIES)
@given(st.data())
def test_uniform_demand_is_that_of_all_pairs(name: str, data: st.DataObject) -> None:
    machine, _ = _case(data, name)
    every = Uniform(np.arange(len(machine.npus)), 3.0)
    a, b = (router(machine, name).route(sent) for sent in (every, every.pairs()))
    assert a.worst() == pytest.approx(b.worst(), rel=1e-6)


@given(st.sampled_from(["hashed", "Hashed:seed=7", "hashed:seed=0"]))
def test_a_policy_is_made_once(name: str) -> None:
    machine = topology.star(3, link=GB)
    assert router(machine, name) is router(machine, name)
    assert router(machine, "hashed", seed=7) is router(machine, "hashed:seed=7")
    assert router(machine, "hashed", seed=7) is not router(machine, "hashed")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hashed:sed=3", "unexpected keyword argument 'sed'"),
        ("hashed:3", "'3' is not key=value; write it like hashed:seed=3"),
        ("hashed:seed=x", "hashed: seed is 'x'"),
        ("ecmp:seed=1", "unexpected keyword argument 'seed'"),
        ("hased", "not known"),
    ],
)
def test_wrong_options_are_told(name: str, message: str) -> None:
    with pytest.raises((RoutingError, UnknownNameError, topology.SupernodeError), match=message):
        router(topology.star(3, link=GB), name)


def _over_switch(src: str, dst: str) -> object:
    return [src, "switch/0", dst]


def test_a_function_is_a_routing() -> None:
    machine = topology.star(4, link=GB)
    own = router(machine, _over_switch)
    assert isinstance(own, Router)
    assert own.loads() == pytest.approx(ecmp(machine).loads())
    assert str(own).startswith("paths chosen by _over_switch")


def test_a_function_may_give_several_paths() -> None:
    machine = topology.full_mesh(4, link=GB)

    def detour(src: str, dst: str) -> object:
        other = next(n for n in machine.npus if n not in (src, dst))
        return {(src, dst): 0.75, (src, other, dst): 0.25}

    def even(src: str, dst: str) -> object:
        return list(detour(src, dst))  # type: ignore[call-overload]

    one = Pairs(np.array([2]), np.array([3]), np.ones(1))
    fabric = machine.fabric
    loads = router(machine, detour).loads(one)
    assert loads[fabric.arc("npu/2", "npu/3")] == 0.75
    assert loads[fabric.arc("npu/2", "npu/0")] == loads[fabric.arc("npu/0", "npu/3")] == 0.25
    assert sorted(router(machine, even).loads(one).tolist()) == [0.0] * 9 + [0.5] * 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no path from npu/0 to npu/1"),
        (7, "must be in a fixed order"),
        (["npu/0", "npu/9", "npu/1"], "must go from one to the other"),
        ([["npu/0", "npu/1"]], "there is no link npu/0 -> npu/1"),
        ({("npu/0", "switch/0", "npu/1"): 0.5}, "add up to 0.5"),
        ({("npu/0", "switch/0", "npu/1"): -1}, "is -1.0; it must be"),
    ],
)
def test_a_function_that_goes_wrong_is_told_where(given: object, message: str) -> None:
    machine = topology.star(3, link=GB)
    own = router(machine, lambda _, __: given)
    with pytest.raises(RoutingError, match=message):
        own.route(Pairs(np.array([0]), np.array([1]), np.ones(1)))


def test_too_many_pairs_are_refused_before_they_are_listed() -> None:
    machine = topology.star(20_000, link=GB)
    with pytest.raises(RoutingError, match=r"are listed at most; choose fewer ranks="):
        router(machine, "hashed").route()
