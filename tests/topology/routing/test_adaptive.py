"""Adaptive and optimal routing against a program over all paths, the bounds, and their own gap."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import collectives
import topology
from tests import reference
from tests.strategies import damaged_networks, demands, fat_trees, grids, networks
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import Pairs, ecmp, router, routing_names
from topology.routing import adaptive as module
from topology.units import GB


def _paths(machine: Supernode, src: str, dst: str, *, shortest: bool) -> Iterator[list[str]]:
    """Yield every path through what passes traffic on."""
    graph = machine.graph
    if shortest:
        distance = reference.distances_to(graph, dst)
        steps = nx.DiGraph()
        waiting = [src]
        while waiting:
            node = waiting.pop()
            for after in reference.next_hops(graph, distance, node, dst) if node != dst else ():
                if not steps.has_edge(node, after):
                    steps.add_edge(node, after)
                    waiting.append(after)
    else:
        inner = {n for n in graph if graph.nodes[n]["forwards"]} | {src, dst}
        steps = graph.subgraph(inner)
    yield from nx.all_simple_paths(steps, src, dst)


def _lowest(machine: Supernode, pairs: Pairs, *, shortest: bool) -> float:
    """Return the worst link's seconds at best, by a program with a variable for every path."""
    graph = machine.graph
    links = {arc: i for i, arc in enumerate(machine.fabric.arcs)}
    limits = [n for n in machine.fabric.nodes if graph.nodes[n].get("capacity")]
    columns, owner = [], []
    for at, (src, dst) in enumerate(zip(pairs.src, pairs.dst, strict=True)):
        for path in _paths(machine, machine.npus[src], machine.npus[dst], shortest=shortest):
            column = np.zeros(len(links) + len(limits))
            for link in nx.utils.pairwise(path):
                column[links[link]] = pairs.amount[at] / graph.edges[link]["capacity"]
            for i, node in enumerate(limits):
                if node in path[1:-1]:
                    column[len(links) + i] = pairs.amount[at] / graph.nodes[node]["capacity"]
            columns.append(column)
            owner.append(at)
    use = np.column_stack([*columns, -np.ones(len(links) + len(limits))])
    whole = np.zeros((len(pairs.src), len(columns) + 1))
    whole[owner, np.arange(len(columns))] = 1
    scale = use[:, :-1].max()
    use[:, :-1] /= scale
    cost = np.append(np.zeros(len(columns)), 1.0)
    found = linprog(cost, A_ub=use, b_ub=np.zeros(len(use)), A_eq=whole, b_eq=np.ones(len(whole)))
    assert found.status == 0
    return float(found.fun) * scale


@pytest.mark.parametrize(("name", "shortest"), [("optimal", False), ("minimal_adaptive", True)])
@given(st.data())
def test_the_worst_link_is_that_of_a_program_over_all_paths(
    name: str, shortest: bool, data: st.DataObject
) -> None:
    machine = data.draw(networks() | damaged_networks())
    count = len(machine.npus)
    pairs = data.draw(demands(count)).checked(count)
    try:
        flow = router(machine, name).route(pairs)
    except RoutingError:  # a damaged one may not connect them
        return
    if len(pairs.src):
        assert flow.worst() == pytest.approx(_lowest(machine, pairs, shortest=shortest), rel=1e-6)
    assert flow.approximations() == ()


@given(networks())
def test_the_optimum_of_all_to_all_is_the_bound(machine: Supernode) -> None:
    """What no algorithm beats that lets no NPU relay: its certificate is checked apart."""
    bound = collectives.bound(machine, "all_to_all", relay=False)
    bound.certificate.check(machine)
    count = len(machine.npus)
    worst = router(machine, "optimal").route().worst() / count
    assert worst == pytest.approx(bound.seconds_per_byte, rel=1e-6)


@pytest.mark.parametrize("name", [n for n in routing_names() if n not in ("optimal", "first-path")])
@given(st.data())
def test_no_policy_beats_the_optimum(name: str, data: st.DataObject) -> None:
    machine = data.draw(networks() | grids() | fat_trees())
    count = len(machine.npus)
    pairs = data.draw(demands(count)).checked(count)
    try:
        found = router(machine, name).route(pairs).worst()
    except RoutingError:  # it does not suit the machine
        return
    assert found >= router(machine, "optimal").route(pairs).worst() * (1 - 1e-6)


@given(networks(), st.data())
def test_adaptive_is_between_the_optimum_and_the_spray(
    machine: Supernode, data: st.DataObject
) -> None:
    pairs = data.draw(demands(len(machine.npus))).checked(len(machine.npus))
    least, best, spray = (
        router(machine, name).route(pairs).worst()
        for name in ("optimal", "minimal_adaptive", "ecmp")
    )
    assert least * (1 - 1e-6) <= best <= spray * (1 + 1e-9)


@pytest.mark.parametrize("name", ["optimal", "minimal_adaptive"])
@given(st.data())
def test_a_search_says_how_far_it_can_be_off(name: str, data: st.DataObject) -> None:
    """With no program at all: the optimum is within what the note allows."""
    machine = data.draw(networks())
    count = len(machine.npus)
    pairs = data.draw(demands(count)).checked(count)
    best = router(machine, name).route(pairs).worst()
    kept = module._MOST_VARIABLES
    module._MOST_VARIABLES = -1
    try:
        flow = router(machine, name).route(pairs)
    finally:
        module._MOST_VARIABLES = kept
    off = sum(note.error or 0.0 for note in flow.approximations())
    assert best * (1 - 1e-6) <= flow.worst() <= best * (1 + off + 1e-6)


def _permuted(machine: Supernode, seed: int = 0) -> Pairs:
    count = len(machine.npus)
    to = np.random.default_rng(seed).permutation(count)
    apart = np.flatnonzero(to != np.arange(count))
    return Pairs(apart, to[apart], np.full(len(apart), GB))


def test_the_optimum_of_a_random_permutation_is_found_and_proved() -> None:
    """Too large for one program: the gap is proved small."""
    torus = topology.torus((4, 4, 3), link=GB)
    flow = router(torus, "optimal").route(_permuted(torus))
    exact = router(torus, "optimal", exact=True).route(_permuted(torus)).worst()
    assert sum(note.error or 0.0 for note in flow.approximations()) < 0.02
    assert exact * (1 - 1e-6) <= flow.worst() <= exact * 1.02


def test_an_end_that_has_lost_a_link_is_a_bound() -> None:
    """Uniform traffic on 1 of 7 links less takes 7/6 as long, whatever else is crowded."""
    machine = topology.cloudmatrix384(4)
    npu = machine.npus[3]
    machine = machine.without(links=[next(iter(machine.graph.out_edges(npu)))])
    flow = router(machine, "optimal").route()
    capacity = machine.graph.out_degree(npu, weight="capacity")
    assert flow.worst() == pytest.approx((len(machine.npus) - 1) / capacity, rel=0.01)


def test_symmetric_machines_need_no_search() -> None:
    """The spray is proved the best, so the loads are its own, link by link."""
    machine = topology.cloudmatrix384(12)
    flow = router(machine, "optimal").route()
    assert flow.loads == pytest.approx(ecmp(machine).loads(), rel=1e-9)
    assert flow.approximations() == ()


def test_longer_paths_help_a_pair_that_is_alone() -> None:
    """On a ring of 3, half goes the long way round."""
    ring = topology.ring(3, link=GB)
    one = Pairs(np.array([0]), np.array([1]), np.array([GB]))
    assert router(ring, "optimal").route(one).worst() == pytest.approx(0.5)
    assert router(ring, "minimal_adaptive").route(one).worst() == pytest.approx(1.0)
