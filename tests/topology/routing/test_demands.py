"""One algebra and one protocol for every kind of traffic."""

from __future__ import annotations

import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import helping_networks, rank_choices
from topology.errors import RoutingError, UnknownNameError
from topology.routing import (
    Demand,
    InNetwork,
    Pairs,
    Sum,
    Uniform,
    add_demands,
    ecmp,
    router,
    routing_names,
)
from topology.supernode import Supernode

RANKS = 6


def tiers(reducing: bool = True) -> Supernode:
    """Six NPUs on two leaves under two spines of unequal links."""
    graph = nx.Graph()
    for rank in range(RANKS):
        graph.add_edge(f"npu/{rank}", f"leaf/{rank // 3}", capacity=1e9, latency=1e-6 * (rank + 1))
    for leaf in range(2):
        for spine in range(2):
            graph.add_edge(f"leaf/{leaf}", f"spine/{spine}", capacity=3e9 * (spine + 1))
    npus = [f"npu/{rank}" for rank in range(RANKS)]
    nx.set_node_attributes(graph, dict.fromkeys(npus, "npu"), "kind")
    for node in set(graph) - set(npus):
        graph.nodes[node].update(kind="switch", reduces=reducing, multicasts=reducing)
    return topology.from_networkx(graph, npus=npus)


@st.composite
def amounts(draw: st.DrawFn) -> np.ndarray:
    return np.array([draw(st.integers(0, 5)) for _ in range(RANKS)], dtype=float)


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    kind = draw(st.sampled_from(["uniform", "pairs", "network", "sum"]))
    order = np.array(draw(st.permutations(range(RANKS))))
    if kind == "uniform":
        return Uniform(order[: draw(st.integers(2, RANKS))], float(draw(st.integers(1, 9))))
    if kind == "pairs":
        return Pairs(order, np.roll(order, draw(st.integers(1, 5))), draw(amounts()))
    added, copied, through = draw(amounts()), draw(amounts()), draw(st.integers(0, 2))
    sends = added.any() or copied.any()
    helped = InNetwork(order, added, copied, float(through if sends else through + 1))
    return helped if kind == "network" else Sum((helped, Uniform(order[:3], 2.0)))


def matrix(demand: Demand) -> np.ndarray:
    found = np.zeros((RANKS, RANKS))
    sent = demand.pairs()
    np.add.at(found, (sent.src, sent.dst), sent.amount)
    return found


@given(demands(), st.permutations(range(RANKS)), st.integers(0, 4))
def test_the_algebra_is_that_of_the_matrix(demand: Demand, order: list[int], factor: int) -> None:
    ranks = np.array(order)
    plain = matrix(demand)
    assert matrix(demand.scaled(factor)) == pytest.approx(factor * plain)
    assert matrix(demand.placed(ranks))[np.ix_(ranks, ranks)] == pytest.approx(plain)
    assert matrix(demand.reversed()) == pytest.approx(plain.T)
    assert demand.scaled(1).key == demand.key
    assert demand.checked(RANKS).placed(np.arange(RANKS)).key == demand.checked(RANKS).key


@given(demands(), st.lists(st.booleans(), min_size=RANKS, max_size=RANKS))
def test_what_crosses_is_the_pairs_or_less_where_switches_help(
    demand: Demand, inside: list[bool]
) -> None:
    side = np.array(inside)
    plain = matrix(demand)[side][:, ~side].sum()
    assert demand.crossing(side) <= plain + 1e-9
    if not demand.in_network:
        assert demand.crossing(side) == pytest.approx(plain)


@given(demands(), st.integers(1, 4))
def test_routes_are_linear_and_nothing_less_than_the_crossing_passes(
    demand: Demand, factor: int
) -> None:
    machine = tiers()
    flow = ecmp(machine).route(demand)
    assert ecmp(machine).loads(demand.scaled(factor)) == pytest.approx(factor * flow.loads)
    arcs = machine.fabric.arcs
    up = sum(load for (u, v), load in zip(arcs, flow.loads, strict=True)
             if u == "leaf/0" and v.startswith("spine"))  # fmt: skip
    assert up >= demand.crossing(np.arange(RANKS) < 3) - 1e-9
    found = flow.slowest()
    for at in range(len(found.latency)):
        path = flow.path(at)
        fabric = machine.fabric
        inside = sum(fabric.node_latency[fabric.head[arc]] for arc in path[:-1])
        assert fabric.latency[path].sum() + inside == pytest.approx(found.latency[at])
        busiest = max(flow.busy()[path].max(), flow.node_busy()[fabric.head[path]].max())
        assert busiest <= found.transfer[at] + 1e-12


def test_nested_sums_lose_nothing() -> None:
    one, two = Uniform(np.arange(3)), Pairs(np.array([0]), np.array([5]), np.array([2.0]))
    three = InNetwork(np.arange(RANKS), np.ones(RANKS), np.zeros(RANKS))
    nested = add_demands([Sum((three, one)), Sum((two, three))])
    assert matrix(nested) == pytest.approx(sum(matrix(d) for d in (one, two, three, three)))
    loads = sum(ecmp(tiers()).loads(d) for d in (one, two, three, three))
    assert ecmp(tiers()).loads(nested) == pytest.approx(loads)
    assert add_demands([one]) is one


@pytest.mark.parametrize(("src", "dst"), [(0, 1), (0, 5), (4, 2)])
def test_explicit_paths_carry_the_loads(src: int, dst: int) -> None:
    machine = tiers()
    for demand in (Pairs(np.array([src]), np.array([dst]), np.ones(1)),
                   Sum((Pairs(np.array([src]), np.array([dst]), np.ones(1)),))):  # fmt: skip
        flow = ecmp(machine).route(demand)
        loads = np.zeros(len(flow.loads))
        for share, path in flow.paths(src, dst):
            loads[path] += share
        assert loads == pytest.approx(flow.loads)


def test_in_network_traffic_goes_over_every_top_however_many() -> None:
    """Each of many spines takes its share: no top is left out of a large machine."""
    graph = nx.Graph()
    tops = 300
    for rank in range(4):
        graph.add_edge(rank, f"leaf/{rank // 2}", capacity=1e9)
    for leaf in range(2):
        for spine in range(tops):
            graph.add_edge(f"leaf/{leaf}", f"spine/{spine}", capacity=1e9)
    for node in [n for n in graph if isinstance(n, str)]:
        graph.nodes[node].update(kind="switch", reduces=True, multicasts=True)
    machine = topology.from_networkx(graph, npus=range(4))
    demand = InNetwork(np.arange(4), np.zeros(4), np.zeros(4), 1.0)
    loads = ecmp(machine).loads(demand)
    up = [machine.fabric.arc("leaf/0", f"spine/{spine}") for spine in range(tops)]
    assert loads[up] == pytest.approx(1 / tops)


def test_traffic_without_members_or_amounts_is_refused() -> None:
    with pytest.raises(RoutingError, match="one member or more"):
        InNetwork(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    bad = InNetwork(np.arange(2), np.array([1.0, np.nan]), np.zeros(2))
    with pytest.raises(RoutingError, match="finite"):
        ecmp(tiers()).route(bad)
    with pytest.raises(RoutingError, match="no switch that can add"):
        ecmp(tiers(reducing=False)).route(InNetwork(np.arange(2), np.ones(2), np.zeros(2)))


def test_policies_are_found_by_name() -> None:
    machine = tiers()
    assert "ecmp" in routing_names()
    assert router(machine, "ECMP") is ecmp(machine)
    assert router(machine, ecmp(machine)) is ecmp(machine)
    with pytest.raises(UnknownNameError, match="ecmp"):
        router(machine, "ecnp")
    with pytest.raises(RoutingError, match="another machine"):
        router(tiers(), ecmp(machine))


def test_lengths_count_as_the_longest_where_orbits_stand_for_links(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A star whose links all differ: the latency may be too long, by no more than is said."""
    graph = nx.Graph()
    for rank in range(8):
        graph.add_edge(
            rank, "switch", capacity=1e9, latency=1e-3 if rank == 3 else 1e-6 * (rank + 1)
        )
    machine = topology.from_networkx(graph, npus=range(8))
    demand = Uniform(np.arange(8), 1.0)
    exact = ecmp(machine).route(demand)
    assert exact.approximations() == ()
    monkeypatch.setattr(sys.modules["topology.routing.ecmp"], "_MANY", 0)
    other = topology.from_networkx(graph, npus=range(8))
    coarse = ecmp(other).route(demand)
    assert coarse.loads == pytest.approx(exact.loads)
    (note,) = coarse.approximations()
    truth, said = exact.slowest().latency.max(), coarse.slowest().latency.max()
    assert note.what == "path latency"
    assert note.error is not None
    assert truth <= said <= truth * (1 + note.error) * (1 + 1e-9)
    assert router(other, exact=True).route(demand).slowest().latency.max() == pytest.approx(truth)


@given(helping_networks(), st.data())
def test_the_slowest_way_over_a_tree_is_that_of_the_slowest_pair_that_exchanges_data(
    machine: Supernode, data: st.DataObject
) -> None:
    """A sum comes back to each who adds to it too; a copy goes to the others alone."""
    ranks = data.draw(rank_choices(len(machine.npus)))
    some = st.lists(st.sampled_from([0.0, 0.0, 1.0]), min_size=len(ranks), max_size=len(ranks))
    added, copied = (np.array(data.draw(some)) for _ in range(2))
    demand = InNetwork(np.array(ranks), added, copied, data.draw(st.sampled_from([0.0, 1.0])))
    if not demand.pairs().amount.any():
        return
    flow, graph, fabric = ecmp(machine).route(demand), machine.graph, machine.fabric
    slowest = 0.0
    for i, src in enumerate(ranks):
        for j, dst in enumerate(ranks):
            if demand.through or added[j] or (copied[i] and i != j):
                for _, path in flow.paths(src, dst):
                    arcs = [fabric.arcs[arc] for arc in path]
                    inside = [graph.nodes[v]["latency"] for _, v in arcs[:-1]]
                    seconds = [graph.edges[arc]["latency"] for arc in arcs]
                    slowest = max(slowest, sum(inside) + sum(seconds))
    assert flow.slowest().latency.max() == pytest.approx(slowest, rel=1e-12, abs=1e-18)
