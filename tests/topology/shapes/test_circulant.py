"""Circulant graphs."""

from __future__ import annotations

from math import gcd

import networkx as nx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import (
    LINK,
    adjacency,
    by_coord,
    cables,
    carries_everywhere,
    degrees,
    diameter,
    is_automorphism,
    plain,
    translations,
    valid,
)
from topology import SupernodeError


@given(n=st.integers(2, 40), data=st.data())
def test_circulant(n: int, data: st.DataObject) -> None:
    offsets = data.draw(st.sets(st.integers(1, n // 2), min_size=1, max_size=4))
    assume(gcd(n, *offsets) == 1)
    shape = topology.circulant(n, offsets, link=LINK)
    valid(shape)
    half = 2 * max(offsets) == n
    assert set(degrees(shape)) == {2 * len(offsets) - half}
    assert cables(shape) == n * len(offsets) - (n // 2) * half
    assert carries_everywhere(shape, translations(shape, (n,)))
    assert is_automorphism(shape, by_coord(shape, lambda c: (-c[0] % n,)))
    oracle = nx.circulant_graph(n, sorted(offsets))
    named = {frozenset((f"npu/{u}", f"npu/{v}")) for u, v in oracle.edges}
    assert {frozenset(edge) for edge in shape.graph.edges} == named
    assert nx.is_bipartite(plain(shape)) == (n % 2 == 0 and all(s % 2 for s in offsets))


@given(n=st.integers(2, 30))
def test_offset_one_is_the_ring_and_all_offsets_the_full_mesh(n: int) -> None:
    ring = topology.circulant(n, {1}, link=LINK)
    assert adjacency(ring) == adjacency(topology.ring(n, link=LINK))
    every = topology.circulant(n, range(1, n // 2 + 1), link=LINK)
    assert adjacency(every) == adjacency(topology.full_mesh(n, link=LINK))


@pytest.mark.parametrize(("n", "offsets", "steps"), [(16, {3, 4}, 3), (12, {2, 3}, 2)])
def test_the_two_of_the_direct_connect_paper(n: int, offsets: set[int], steps: int) -> None:
    assert diameter(topology.circulant(n, offsets, link=LINK)) == steps


@pytest.mark.parametrize(
    ("n", "offsets", "words"),
    [
        (1, [1], "circulant: npus is 1"),
        (8, [0], "an offset is 0"),
        (8, [5], "an offset is 5"),
        (8, [1, 1], "stands twice"),
        (8, [2, 4], "common divisor 2"),
        (8, [], "common divisor 8"),
        (8, 1, "offsets is 1"),
        (8, "12", "an offset is '1'"),
    ],
)
def test_bad_parameters_give_one_clear_error(n: int, offsets: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        topology.circulant(n, offsets, link=LINK)
    assert words in str(error.value)
