"""Complete bipartite graphs and the Petersen graph."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import (
    LINK,
    by_coord,
    cables,
    carries_everywhere,
    degrees,
    diameter,
    isomorphic,
    npu_hops,
    plain,
    valid,
)
from topology import SupernodeError


@given(m=st.integers(1, 9), n=st.integers(1, 9))
def test_complete_bipartite(m: int, n: int) -> None:
    shape = topology.complete_bipartite(m, n, link=LINK)
    valid(shape)
    assert cables(shape) == m * n
    assert degrees(shape) == {n: m} | {m: n} if m != n else {m: 2 * n}
    assert diameter(shape) == (1 if m == n == 1 else 2)
    assert nx.is_isomorphic(plain(shape), nx.complete_bipartite_graph(m, n))
    if min(m, n) > 1:
        assert nx.girth(plain(shape)) == 4


@given(n=st.integers(1, 8))
def test_equal_sides_are_vertex_transitive(n: int) -> None:
    shape = topology.complete_bipartite(n, link=LINK)
    swap = by_coord(shape, lambda c: (1 - c[0], c[1]))
    turn = by_coord(shape, lambda c: (c[0], (c[1] + 1) % n))
    assert carries_everywhere(shape, [swap, turn])


@given(m=st.integers(1, 9), n=st.integers(1, 9))
def test_switches_on_one_side(m: int, n: int) -> None:
    shape = topology.complete_bipartite(m, n, link=LINK, switches=True)
    valid(shape)
    assert degrees(shape) == {n: m}
    assert degrees(shape, "switch") == {m: n}
    if n == 1:
        assert isomorphic(shape, topology.star(m, link=LINK))


def test_k44_is_a_circulant_of_odd_offsets() -> None:
    k44 = topology.complete_bipartite(4, link=LINK)
    assert isomorphic(k44, topology.circulant(8, {1, 3}, link=LINK))


def test_petersen_is_the_moore_graph_of_degree_three() -> None:
    shape = topology.petersen(link=LINK)
    valid(shape)
    assert degrees(shape) == {3: 10}
    assert npu_hops(shape).max() == 2
    assert len(shape.npus) == 1 + 3 + 3 * 2
    assert nx.girth(plain(shape)) == 5
    assert nx.is_isomorphic(plain(shape), nx.petersen_graph())
    turn = by_coord(shape, lambda c: (c[0], (c[1] + 1) % 5))
    swap = by_coord(shape, lambda c: (1 - c[0], 2 * c[1] % 5))
    assert carries_everywhere(shape, [turn, swap])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.complete_bipartite(0, link=LINK), "left is 0"),
        (lambda: topology.complete_bipartite(4, 0, link=LINK), "right is 0"),
        (lambda: topology.complete_bipartite(4, link=LINK, lanes=0), "lanes is 0"),
        (lambda: topology.petersen(link=LINK, lanes=1.5), "petersen: lanes is 1.5"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)
