"""Generalised Kautz and de Bruijn graphs, and line digraphs; all directed."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import LINK, diameter, npu_hops, valid
from topology import Supernode, SupernodeError


def _arcs(shape: Supernode) -> nx.DiGraph:
    return nx.DiGraph(shape.graph.edges)


def _moore_distance(degree: int, n: int) -> int:
    """The least diameter of any digraph of n vertices and this out-degree."""
    reach, steps = 1, 0
    while reach < n:
        steps += 1
        reach += degree**steps
    return steps


def _power_at_least(degree: int, n: int) -> int:
    k = 0
    while degree**k < n:
        k += 1
    return k


@given(d=st.integers(2, 5), n=st.integers(3, 70))
def test_generalised_kautz_by_its_definition(d: int, n: int) -> None:
    n = max(n, d + 1)
    shape = topology.generalised_kautz(d, n, link=LINK)
    valid(shape)
    wanted = {(i, (-d * i - a) % n) for i in range(n) for a in range(1, d + 1)}
    wanted = {(f"npu/{u}", f"npu/{v}") for u, v in wanted if u != v}
    assert set(shape.graph.edges) == wanted
    assert _moore_distance(d, n) <= diameter(shape) <= _power_at_least(d, n)
    assert all(shape.graph.nodes[npu]["forwards"] for npu in shape.npus)


@pytest.mark.parametrize(("d", "k"), [(2, 2), (2, 3), (2, 4), (3, 2), (4, 2)])
def test_kautz_graphs_among_them(d: int, k: int) -> None:
    shape = topology.generalised_kautz(d, d**k + d ** (k - 1), link=LINK)
    words = [w for w in product(range(d + 1), repeat=k) if all(map(int.__ne__, w, w[1:]))]
    kautz = nx.DiGraph((w, (*w[1:], a)) for w in words for a in range(d + 1) if a != w[-1])
    assert nx.is_isomorphic(_arcs(shape), kautz)
    assert diameter(shape) == k
    assert {shape.graph.out_degree(n) for n in shape.npus} == {d}
    assert {shape.graph.in_degree(n) for n in shape.npus} == {d}


@pytest.mark.parametrize(("d", "k"), [(2, 1), (2, 2), (3, 1)])
def test_the_line_digraph_of_a_kautz_graph_is_the_next(d: int, k: int) -> None:
    one = topology.generalised_kautz(d, d**k + d ** (k - 1), link=LINK)
    following = topology.generalised_kautz(d, d ** (k + 1) + d**k, link=LINK)
    assert nx.is_isomorphic(_arcs(topology.line_digraph(one, link=LINK)), _arcs(following))


@given(d=st.integers(2, 4), k=st.integers(1, 3))
def test_de_bruijn_by_its_words(d: int, k: int) -> None:
    shape = topology.de_bruijn(d, k, link=LINK)
    valid(shape)
    words = list(product(range(d), repeat=k))
    name = {word: f"npu/{i}" for i, word in enumerate(words)}
    wanted = {(name[w], name[(*w[1:], a)]) for w in words for a in range(d)}
    assert set(shape.graph.edges) == {(u, v) for u, v in wanted if u != v}
    assert shape.graph.number_of_edges() == d ** (k + 1) - d
    assert diameter(shape) == k
    if k > 1:
        constant = {name[(a,) * k] for a in range(d)}
        for node in shape.npus:
            assert shape.graph.out_degree(node) == d - (node in constant)
            assert shape.graph.in_degree(node) == d - (node in constant)


def test_line_digraphs_of_k44() -> None:
    k44 = topology.complete_bipartite(4, link=LINK)
    once = topology.line_digraph(k44, link=LINK)
    twice = topology.line_digraph(once, link=LINK)
    for shape, size, steps in ((once, 32, 3), (twice, 128, 4)):
        valid(shape)
        assert len(shape.npus) == size
        assert {shape.graph.out_degree(n) for n in shape.npus} == {4}
        assert {shape.graph.in_degree(n) for n in shape.npus} == {4}
        assert diameter(shape) == steps
    assert nx.is_isomorphic(_arcs(once), nx.line_graph(k44.graph))


@given(d=st.integers(2, 4), n=st.integers(5, 40))
def test_distances_are_those_of_the_graph_with_loops(d: int, n: int) -> None:
    shape = topology.generalised_kautz(d, n, link=LINK)
    step = np.zeros((n, n), dtype=bool)
    for i in range(n):
        step[i, (-d * i - np.arange(1, d + 1)) % n] = True
    reached, found, k = np.eye(n, dtype=bool), np.zeros((n, n)), 0
    while not reached.all():
        k += 1
        grown = reached | (reached.astype(int) @ step.astype(int) > 0)
        found[grown & ~reached] = k
        reached = grown
    assert np.array_equal(npu_hops(shape), found)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.generalised_kautz(1, 8, link=LINK), "degree is 1"),
        (lambda: topology.generalised_kautz(4, 4, link=LINK), "npus is 4"),
        (lambda: topology.generalised_kautz(16, 4, link=LINK), "17 or more"),
        (lambda: topology.de_bruijn(1, 2, link=LINK), "degree is 1"),
        (lambda: topology.de_bruijn(2, 0, link=LINK), "length is 0"),
        (lambda: topology.line_digraph(topology.star(4, link=LINK), link=LINK), "has the switch"),
        (lambda: topology.line_digraph(topology.ring(1, link=LINK), link=LINK), "no arc"),
        (lambda: topology.line_digraph(nx.DiGraph(), link=LINK), "base is a DiGraph"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)
