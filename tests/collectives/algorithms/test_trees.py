"""NCCL's trees, Hamiltonian cycles, butterflies and tiers are what they are said to be."""

from __future__ import annotations

from math import ceil, log2

import networkx as nx
import numpy as np
import pytest

import topology
from collectives import DoesNotFitError, ScheduleError, Team
from collectives.algorithms import find_algorithm
from collectives.algorithms.butterfly import doubling_partners
from collectives.algorithms.hamiltonian import lattice_cycles, searched_cycles, walecki_cycles
from collectives.algorithms.multi_ring import hamiltonian_cycles
from collectives.algorithms.swing import grid_partners, ring_partners, swing_distance
from collectives.algorithms.tiers import tiers_of
from collectives.algorithms.trees import (
    binary_tree,
    chain,
    depths,
    double_binary_tree,
    rooted_at,
)
from collectives.analysis.analyze import team_of
from tests.collectives.algorithms.teams import RATE, prove, racks, star, torus

RANKS = [*range(1, 18), 31, 32, 33, 72, 384]


def nccl_tree(p: int, rank: int) -> tuple[int, list[int]]:
    """Return parent and children of a rank as the words of NCCL's comment give them."""
    bit = rank & -rank if rank else 1 << max(0, ceil(log2(max(p, 1))))
    if rank == 0:
        highest = bit >> 1
        return -1, [highest] if p > 1 else []
    up = (rank ^ bit) | (bit << 1)
    parent = rank ^ bit if up >= p else up
    low, children = bit >> 1, []
    if low:
        children.append(rank - low)
        while low and rank + low >= p:
            low >>= 1
        if low:
            children.append(rank + low)
    return parent, children


def test_the_binary_tree_is_nccls() -> None:
    for p in RANKS:
        tree = binary_tree(p)
        for rank in range(p):
            parent, children = nccl_tree(p, rank)
            assert tree[rank] == parent
            assert sorted(np.flatnonzero(tree == rank)) == sorted(children)


@pytest.mark.parametrize("p", RANKS)
def test_two_trees_share_the_work(p: int) -> None:
    """Every rank is reached; no rank has more than 4 tree links, or 3 in one tree."""
    degree = np.zeros(p, dtype=np.int64)
    both = double_binary_tree(p)
    for tree in both:
        below = np.flatnonzero(tree >= 0)
        graph = nx.Graph(zip(below.tolist(), tree[below].tolist(), strict=True))
        assert len(below) == p - 1
        assert p == 1 or (len(graph) == p and nx.is_tree(graph))
        assert depths(tree).max() <= ceil(log2(p)) if p > 1 else True
        children = np.bincount(tree[below], minlength=p)
        assert (children <= 2).all()
        degree += children + (tree >= 0)
    assert (degree <= 4).all()
    if p % 2 == 0:
        first, second = ({int(parent) for parent in tree if parent >= 0} for tree in both)
        assert not first & second  # inside one tree, a leaf in the other


def test_trees_can_be_rooted_anywhere() -> None:
    tree = rooted_at(chain(5), 3)
    assert tree.tolist() == [4, 0, 1, -1, 3]
    assert depths(tree).tolist() == [2, 3, 4, 0, 1]


def links_of(cycles: list[np.ndarray], p: int) -> list[frozenset[int]]:
    found = []
    for cycle in cycles:
        assert sorted(cycle.tolist()) == list(range(p))
        found += [
            frozenset(ends)
            for ends in zip(cycle.tolist(), np.roll(cycle, -1).tolist(), strict=True)
        ]
    return found


def test_full_meshes_fall_into_cycles() -> None:
    for n in range(3, 34):
        cycles = walecki_cycles(n)
        links = links_of(cycles, n)
        assert len(cycles) == (n - 1) // 2
        assert len(links) == len(set(links))


@pytest.mark.parametrize(
    "dims", [(3,) * 2, (3, 4), (4, 6), (5, 12), (8, 8), (3, 4, 5), (4, 4, 4), (3,) * 4]
)
def test_tori_fall_into_cycles(dims: tuple[int, ...]) -> None:
    """Every link of the torus is in one of the D cycles."""
    cycles = lattice_cycles(dims)
    assert cycles is not None
    links = links_of(cycles, int(np.prod(dims)))
    graph = nx.grid_graph(dims[::-1], periodic=True)
    index = {node: int(np.ravel_multi_index(node, dims)) for node in graph}
    assert sorted(map(sorted, links)) == sorted(
        sorted((index[u], index[v])) for u, v in graph.edges
    )


def test_hypercubes_of_even_dimension_fall_into_cycles() -> None:
    machine = topology.shapes.hypercube(4, link=RATE)
    cycles, _ = hamiltonian_cycles(team_of(machine))
    assert len(cycles) == 2
    links = links_of(cycles, 16)
    assert len(set(links)) == 32
    assert all(machine.graph.has_edge(*(machine.npus[i] for i in link)) for link in links)


def test_the_dgx_1_has_three_cycles() -> None:
    machine = topology.system("dgx-1v")
    schedule = find_algorithm("all_reduce", "multi_ring")(team_of(machine, range(8)))
    assert schedule.notes == ("3 cycles, both ways round",)
    prove(schedule)


def test_small_graphs_without_cycles_have_none() -> None:
    petersen = nx.to_scipy_sparse_array(nx.petersen_graph(), dtype=np.int64)
    assert searched_cycles(petersen) == ([], False)
    path = nx.to_scipy_sparse_array(nx.path_graph(4), dtype=np.int64)
    assert searched_cycles(path) == ([], False)


def test_a_search_that_was_given_up_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unequal lanes on twelve ranks: every order of the first tours would have to be looked at."""
    graph = nx.gnp_random_graph(12, 0.9, seed=2)
    draw = np.random.default_rng(2)
    for _, _, data in graph.edges(data=True):
        data.update(capacity=RATE, lanes=int(draw.choice([1, 2, 4])))
    machine = topology.from_networkx(graph, npus=range(12))
    schedule = find_algorithm("all_gather", "multi_ring")(team_of(machine))
    assert "a search for more was given up" in schedule.notes[0]
    prove(schedule)
    monkeypatch.setattr("collectives.algorithms.hamiltonian._STEPS", 1)
    with pytest.raises(DoesNotFitError, match="in a short search"):
        find_algorithm("all_gather", "multi_ring")(team_of(machine))


def test_cycles_can_be_given() -> None:
    rings = find_algorithm("all_reduce", "multi_ring")
    prove(rings(Team(5), cycles=[[0, 1, 2, 3, 4], [0, 2, 4, 1, 3]]))
    with pytest.raises(ScheduleError, match=r"cycle \[0, 1, 1\] is not a tour"):
        rings(Team(3), cycles=[[0, 1, 1]])
    with pytest.raises(ScheduleError, match="empty"):
        rings(Team(3), cycles=[])


def test_swing_distances() -> None:
    assert [swing_distance(s) for s in range(6)] == [1, -1, 3, -5, 11, -21]


@pytest.mark.parametrize("p", [2, 4, 8, 64, 512])
def test_partners_are_mutual_and_tell_something_new(p: int) -> None:
    grids = [np.arange(p).reshape(shape) for shape in ((p,), (2, p // 2))]
    every = [ring_partners(p), doubling_partners(p)]
    every += [grid_partners(g, first=1, mirrored=m) for g in grids[1:] for m in (False, True)]
    for partners in every:
        known = np.eye(p, dtype=bool)
        for row in partners:
            assert (row[row] == np.arange(p)).all()
            assert not (known & known[row]).any()
            known |= known[row]
        assert known.all()


def test_tiers_come_from_attributes_groups_or_hops() -> None:
    grid, words = tiers_of(team_of(racks(2, 3, 4)))
    assert grid.shape == (4, 3, 2)
    assert words == ["in the node", "in the rack", "between the rest"]
    assert grid[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert grid[0, :, 1].tolist() == [12, 16, 20]
    assert tiers_of(Team(6))[0].shape == (6,)
    assert tiers_of(team_of(star(6)))[0].shape == (6,)
    tree = topology.shapes.fat_tree(4, link=RATE)  # 2 to a leaf, 2 leaves to a pod, 4 pods
    assert tiers_of(team_of(tree))[0].shape == (2, 2, 4)
    assert tiers_of(team_of(torus(3, 3)))[0].shape == (9,)
