"""Rings and trees on rails: they reach all ranks, and use every NIC alike."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Team
from collectives.algorithms import find_algorithm
from collectives.algorithms.rails import rail_tours, rail_trees
from collectives.algorithms.team import team_of
from collectives.algorithms.trees import chain, double_binary_tree
from collectives.model.checking import check_traffic
from tests.collectives.algorithms.teams import RATE, meshes, prove, rails
from topology import Supernode

EQUAL = [(g,) * m for m, g in product([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 8])]
UNEQUAL = [(1, 3), (2, 3, 4), (4, 1, 1), (3, 5), (1, 1, 2), (2, 2, 3), (8, 7, 8, 6)]


def crossings(machine: Supernode, tour: np.ndarray) -> list[tuple[int, int]]:
    """Return the hops of a tour that leave a node."""
    home = [machine.graph.nodes[npu]["node"] for npu in machine.npus]
    hops = zip(tour.tolist(), np.roll(tour, -1).tolist(), strict=True)
    return [(u, v) for u, v in hops if home[u] != home[v]]


@pytest.mark.parametrize("sizes", EQUAL + UNEQUAL)
def test_tours_visit_all_and_cross_once_from_node_to_node(sizes: tuple[int, ...]) -> None:
    machine = rails(*sizes)
    tours = rail_tours(team_of(machine))
    assert len(tours) == (min(sizes) if len(sizes) > 1 else 1)
    for tour in tours:
        around = nx.DiGraph(zip(tour.tolist(), np.roll(tour, -1).tolist(), strict=True))
        p = len(machine.npus)
        assert len(around) == p
        assert p == 1 or [len(c) for c in nx.simple_cycles(around)] == [p]
        assert len(crossings(machine, tour)) == (len(sizes) if len(sizes) > 1 else 0)
    if len(sizes) == 1:
        return
    left, entered = np.array([hop for tour in tours for hop in crossings(machine, tour)]).T
    for node in (left, entered):
        assert np.unique(node, return_counts=True)[1].max() == 1 or 1 in sizes
        if len(set(sizes)) == 1:
            assert sorted(node) == list(range(len(machine.npus)))


@pytest.mark.parametrize("sizes", EQUAL + UNEQUAL)
def test_crossings_stay_on_a_rail(sizes: tuple[int, ...]) -> None:
    """All of them; of three nodes of two no tour can change rails at each and close again."""
    machine = rails(*sizes)
    slot = [machine.graph.nodes[npu]["slot"] for npu in machine.npus]
    every = [hop for tour in rail_tours(team_of(machine)) for hop in crossings(machine, tour)]
    off = sum(slot[u] != slot[v] for u, v in every)
    if min(sizes) > 2 or (len(sizes) % 2 == 0 and 1 not in sizes):
        assert off == 0
    assert off <= max(2, sizes.count(1) * 2)


@settings(max_examples=10)
@given(st.permutations(range(12)))
def test_rails_are_found_in_any_order_of_ranks(order: list[int]) -> None:
    machine = rails(3, 3, 3, 3)
    team = team_of(machine, order)
    slot = [machine.graph.nodes[machine.npus[rank]]["slot"] for rank in order]
    home = [machine.graph.nodes[machine.npus[rank]]["node"] for rank in order]
    for tour in rail_tours(team):
        hops = zip(tour.tolist(), np.roll(tour, -1).tolist(), strict=True)
        assert all(slot[u] == slot[v] for u, v in hops if home[u] != home[v])


@pytest.mark.parametrize("kind", ["all_reduce", "reduce_scatter", "all_gather"])
@pytest.mark.parametrize("sizes", [(1,), (2, 2, 2), (3, 3), *UNEQUAL])
def test_rings_on_rails_are_right(kind: str, sizes: tuple[int, ...]) -> None:
    for team in (team_of(rails(*sizes)), _bare(sizes)):
        for name in ("ring", "bidirectional_ring"):
            schedule = find_algorithm(kind, name)(team)
            prove(schedule)
            check_traffic(schedule)
            assert schedule.step_count == (sum(sizes) - 1) * (2 if kind == "all_reduce" else 1)


def _bare(sizes: tuple[int, ...]) -> Team:
    """Return a team that knows its groups and no machine."""
    ends = np.cumsum(sizes)
    return Team(
        int(ends[-1]), [np.arange(end - n, end) for n, end in zip(sizes, ends, strict=True)]
    )


@pytest.mark.parametrize("sizes", [(8, 8), (3, 3, 3), (2,) * 6, (8, 7, 8, 6), (4, 1, 1)])
def test_every_nic_carries_its_share(sizes: tuple[int, ...]) -> None:
    """2(p-1)/p S over as many NICs as the smallest node has."""
    machine = rails(*sizes)
    found = collectives.analyze(machine, "all_reduce", 1e9, algorithm="ring", alpha=0, message=0)
    p = sum(sizes)
    expected = 2 * (p - 1) / p * 1e9 / (min(sizes) * RATE)
    assert found.time == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("nodes", "each"), [(2, 4), (4, 6), (2, 8)])
def test_all_links_of_a_mesh_are_used_alike(nodes: int, each: int) -> None:
    machine = meshes(nodes, each)
    traffic = find_algorithm("all_gather", "ring")(team_of(machine)).steps[0].traffic.pairs()
    inside = traffic.src // each == traffic.dst // each
    assert inside.sum() == nodes * each * (each - 1)
    assert np.ptp(traffic.amount[inside]) == pytest.approx(0)


@pytest.mark.parametrize("nodes", [2, 4, 16])
def test_a_cluster_reaches_the_rate_of_its_nics(nodes: int) -> None:
    machine = topology.dgx_h100(nodes)
    found = collectives.analyze(
        machine, "all_reduce", "1 GiB", algorithm="ring", alpha=0, message=0
    )
    p, wire = 8 * nodes, found.latency.serialisation
    assert 2 * (p - 1) / p * 2**30 / wire == pytest.approx(8 * 50e9)


def test_groups_that_are_no_nearer_make_one_ring() -> None:
    assert len(rail_tours(team_of(topology.gb200_nvl72()))) == 1


@pytest.mark.parametrize("sizes", [*EQUAL[5:], *UNEQUAL])
def test_trees_reach_all_and_stay_on_a_rail(sizes: tuple[int, ...]) -> None:
    """A spanning tree each, in which a node is entered once, by its NIC of that rail."""
    machine, p = rails(*sizes), sum(sizes)
    home = [machine.graph.nodes[npu]["node"] for npu in machine.npus]
    slot = [machine.graph.nodes[npu]["slot"] for npu in machine.npus]
    trees = rail_trees(team_of(machine), double_binary_tree)
    if len(sizes) > 1 and max(sizes) > 1:
        assert len(trees) == 2 * min(sizes)
    for parent in trees:
        edges = [(int(u), v) for v, u in enumerate(parent) if u >= 0]
        tree = nx.DiGraph(edges)
        assert p == 1 or nx.is_arborescence(tree)
        assert len(edges) == p - 1
        if len(set(sizes)) == 1 and sizes[0] > 1:
            across = [(u, v) for u, v in edges if home[u] != home[v]]
            assert len(across) == len(sizes) - 1
            assert all(slot[u] == slot[v] for u, v in across)


@pytest.mark.parametrize("root", [0, 1, 5])
@pytest.mark.parametrize("sizes", [(3, 3, 3), (2, 3, 4), (1, 6)])
def test_trees_start_at_any_root(sizes: tuple[int, ...], root: int) -> None:
    team = team_of(rails(*sizes))
    assert all(tree[root] < 0 for tree in rail_trees(team, lambda m: [chain(m)], root))
    for kind in ("broadcast", "reduce"):
        for name in ("chain", "binary_tree"):
            schedule = find_algorithm(kind, name)(team, root=root)
            prove(schedule)
            check_traffic(schedule)


@pytest.mark.parametrize("sizes", [(3, 3, 3, 3), (2, 2), (1, 3), (4, 4, 4), (5, 3, 4)])
@pytest.mark.parametrize("name", ["tree", "chain", "binary_tree"])
def test_all_reduce_over_trees_is_right(name: str, sizes: tuple[int, ...]) -> None:
    for team in (team_of(rails(*sizes)), _bare(sizes)):
        schedule = find_algorithm("all_reduce", name)(team)
        prove(schedule)
        check_traffic(schedule)


@pytest.mark.parametrize(("nodes", "sent"), [(2, 1), (4, 2), (8, 2), (5, 2)])
def test_two_trees_send_twice_the_data_over_each_nodes_nics(nodes: int, sent: int) -> None:
    """And no NIC more: a node is inside at most one of the two, and two nodes are all leaves."""
    machine = rails(*[4] * nodes)
    schedule = find_algorithm("all_reduce", "tree")(team_of(machine))
    out = np.zeros(len(machine.npus))
    for moved in schedule.transfers():
        across = moved.src // 4 != moved.dst // 4
        out += np.bincount(moved.src[across], minlength=len(out)) * schedule.chunk_fraction
    assert out.max() == pytest.approx(sent / 4)
