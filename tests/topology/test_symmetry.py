"""Symmetry: partitions counted link by link, orbits of known graphs, and nothing imagined."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Callable
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from networkx.algorithms.isomorphism import DiGraphMatcher

import topology
from tests.strategies import networks
from topology import Supernode
from topology.symmetry import coloured, equitable_partition, is_equitable, orbits


def machine(graph: nx.Graph) -> Supernode:
    nx.set_edge_attributes(graph, 1.0, "capacity")
    return topology.from_networkx(graph, npus=sorted(graph))


def _counts(built: Supernode) -> tuple[int, int]:
    found = orbits(coloured(built.fabric))
    return int(found.node.max()) + 1, len(found.generators)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (nx.cycle_graph(9), 1), (nx.complete_graph(6), 1), (nx.petersen_graph(), 1),
        (nx.hypercube_graph(5), 1), (nx.grid_graph((4, 6), periodic=True), 1),
        (nx.grid_graph((5, 5, 3), periodic=True), 1), (nx.grid_graph((4, 4)), 3),
        (nx.path_graph(7), 4), (nx.circulant_graph(16, [3, 4]), 1), (nx.dodecahedral_graph(), 1),
        (nx.frucht_graph(), 12),
    ],
    ids=["C9", "K6", "petersen", "Q5", "torus 4x6", "torus 5x5x3", "mesh 4x4", "P7", "C(16;3,4)",
         "dodecahedron", "frucht"],
)  # fmt: skip
def test_orbits_of_known_graphs(graph: nx.Graph, expected: int) -> None:
    """The Frucht graph is 3-regular, all of one class, and has no symmetry at all."""
    assert _counts(machine(graph))[0] == expected


def test_classes_may_be_coarser_than_orbits() -> None:
    """Two triangles and a hexagon look alike from every node, and are not."""
    graph = nx.disjoint_union_all([nx.cycle_graph(3), nx.cycle_graph(3), nx.cycle_graph(6)])
    built = machine(graph)
    assert equitable_partition(built.fabric).max() == 0
    found = orbits(coloured(built.fabric)).node
    assert len(set(found[:6].tolist())) == 1
    assert not set(found[:6].tolist()) & set(found[6:].tolist())


@pytest.mark.parametrize(
    ("build", "npu_orbits"),
    [
        (topology.cloudmatrix384, 1), (topology.gb200_nvl72, 1), (lambda: topology.dgx_h100(6), 1),
        (lambda: topology.cloudmatrix384().without(links=[("npu/9", "l1/1/3")]), 3),
        (lambda: topology.cloudmatrix384().without(nodes=["l2/3/15"]), 1),
    ],
    ids=["cloudmatrix384", "nvl72", "dgx", "one link gone", "one switch gone"],
)  # fmt: skip
def test_machines_and_faults(build: Callable[[], Supernode], npu_orbits: int) -> None:
    """A fault sets apart what it touches (the NPU, its node) and leaves the rest alike."""
    built = build()
    found = orbits(coloured(built.fabric), built.fabric.npus)
    assert len(set(found.node[built.fabric.npus].tolist())) == npu_orbits


@settings(max_examples=25)
@given(networks())
def test_partitions_are_equitable_and_hold_the_orbits(built: Supernode) -> None:
    graph = coloured(built.fabric)
    classes = equitable_partition(graph)
    assert is_equitable(graph, classes)
    found = orbits(graph).node
    for orbit in set(found.tolist()):
        assert len(set(classes[found == orbit].tolist())) == 1


@settings(max_examples=25)
@given(networks())
def test_every_generator_is_a_symmetry(built: Supernode) -> None:
    """Checked with NetworkX, attribute by attribute."""
    nodes = built.fabric.nodes
    same = ("kind", "forwards", "latency", "capacity")
    for image in orbits(coloured(built.fabric)).generators:
        to = {u: nodes[v] for u, v in zip(nodes, image.tolist(), strict=True)}
        moved = nx.relabel_nodes(built.graph, to)
        assert set(moved.edges) == set(built.graph.edges)
        for u, v, data in moved.edges(data=True):
            mine = built.graph.edges[u, v]
            assert (mine["capacity"], mine["latency"]) == (data["capacity"], data["latency"])
        for node, data in moved.nodes(data=True):
            assert all(data.get(key) == built.graph.nodes[node].get(key) for key in same)


@settings(max_examples=25)
@given(networks(symmetric=True))
def test_no_orbit_is_missed_on_small_graphs(built: Supernode) -> None:
    """Every automorphism of a small graph, found by NetworkX, stays within the orbits."""
    assume(len(built.graph) <= 8)
    same = ("kind", "forwards", "latency", "capacity")
    matcher = DiGraphMatcher(
        built.graph,
        built.graph,
        node_match=lambda a, b: all(a.get(key) == b.get(key) for key in same),
        edge_match=lambda a, b: (a["capacity"], a["latency"]) == (b["capacity"], b["latency"]),
    )
    index = built.fabric.index
    found = orbits(coloured(built.fabric)).node
    for image in matcher.isomorphisms_iter():
        for u, v in image.items():
            assert found[index[u]] == found[index[v]]


def test_arcs_have_orbits_too() -> None:
    """A torus of unequal sides has other links along than across."""
    built = machine(nx.grid_graph((4, 6), periodic=True))
    found = orbits(coloured(built.fabric))
    fabric = built.fabric
    apart = []
    for a, b in combinations(range(len(fabric.arcs)), 2):
        (u, v), (x, y) = fabric.arcs[a], fabric.arcs[b]
        along = [literal_eval(p)[0] == literal_eval(q)[0] for p, q in ((u, v), (x, y))]
        if along[0] != along[1]:
            apart.append(found.arc[a] != found.arc[b])
    assert all(apart)


def test_what_is_not_a_symmetry_is_refused() -> None:
    built = machine(nx.path_graph(4))
    graph = coloured(built.fabric)
    assert graph.arcs_under(np.array([3, 2, 1, 0])) is not None
    assert graph.arcs_under(np.array([1, 0, 2, 3])) is None
    assert graph.arcs_under(np.array([0, 0, 2, 3])) is None
    assert not is_equitable(graph, np.array([0, 0, 0, 1]))


def test_unequal_links_are_not_interchangeable() -> None:
    """A ring with one faster link turns nowhere; it still flips over that link."""
    graph = nx.cycle_graph(4)
    nx.set_edge_attributes(graph, 1.0, "capacity")
    graph.edges[0, 1]["capacity"] = 2.0
    found = coloured(topology.from_networkx(graph, npus=range(4)).fabric)
    assert found.arcs_under(np.array([1, 2, 3, 0])) is None
    assert found.arcs_under(np.array([1, 0, 3, 2])) is not None
