"""Random regular graphs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import (
    LINK,
    adjacency,
    cables,
    degrees,
    diameter,
    isomorphic,
    plain,
    valid,
)
from topology import SupernodeError


@given(n=st.integers(3, 40), r=st.integers(2, 39), seed=st.integers(0, 2**32))
def test_direct(n: int, r: int, seed: int) -> None:
    assume(r < n and n * r % 2 == 0)
    shape = topology.random_regular(n, r, seed=seed, link=LINK)
    valid(shape)
    assert degrees(shape) == {r: n}
    assert cables(shape) == n * r // 2
    again = topology.random_regular(n, r, seed=seed, link=LINK)
    assert adjacency(shape) == adjacency(again)


@given(n=st.integers(4, 20), each=st.integers(1, 3), seed=st.integers(0, 100))
def test_jellyfish(n: int, each: int, seed: int) -> None:
    shape = topology.random_regular(
        2 * n, 3, seed=seed, npus_per_switch=each, link=LINK, npu_link=2 * LINK
    )
    valid(shape)
    assert degrees(shape) == {1: 2 * n * each}
    assert degrees(shape, "switch") == {3 + each: 2 * n}
    direct = topology.random_regular(2 * n, 3, seed=seed, link=LINK)
    assert diameter(shape) == diameter(direct) + 2
    switches = [s for s in shape.graph if s.startswith("switch/")]
    core = nx.relabel_nodes(plain(direct), lambda npu: npu.replace("npu", "switch"))
    between = plain(shape).subgraph(switches)
    assert set(map(frozenset, between.edges)) == set(map(frozenset, core.edges))


def test_seeds_differ_and_ends_of_the_range() -> None:
    graphs = [topology.random_regular(30, 4, seed=seed, link=LINK) for seed in range(5)]
    assert len({frozenset(g.graph.edges) for g in graphs}) == 5
    for n in (2, 3, 6):
        full = topology.random_regular(n, n - 1, link=LINK)
        assert isomorphic(full, topology.full_mesh(n, link=LINK))
    rings = topology.random_regular(9, 2, link=LINK)
    assert isomorphic(rings, topology.ring(9, link=LINK))


def test_every_cubic_graph_of_six_vertices_is_drawn_in_its_share() -> None:
    """Of the 70 labelled cubic graphs of 6 vertices, 10 are K3,3 and 60 are prisms."""
    k33 = nx.complete_bipartite_graph(3, 3)
    drawn = [topology.random_regular(6, 3, seed=seed, link=LINK) for seed in range(350)]
    share = sum(nx.is_isomorphic(plain(g), k33) for g in drawn)
    assert 20 <= share <= 90


def test_expands_nearly_as_far_as_any_graph_can() -> None:
    """A random graph of degree 6 has second eigenvalue close to 2 sqrt(5)."""
    shape = topology.random_regular(400, 6, seed=1, link=LINK)
    values = sorted(abs(np.linalg.eigvalsh(nx.to_numpy_array(plain(shape)))))
    assert values[-1] == pytest.approx(6)
    assert values[-2] < 1.1 * 2 * 5**0.5


@pytest.mark.parametrize(
    ("n", "r", "more", "words"),
    [
        (5, 3, {}, "odd number of ports"),
        (4, 4, {}, "degree is 4"),
        (6, 1, {}, "no connected graph"),
        (1, 1, {}, "count is 1"),
        (6, 3, {"seed": -1}, "seed is -1"),
        (6, 3, {"seed": None}, "seed is None"),
        (6, 3, {"npus_per_switch": 1.5}, "npus_per_switch is 1.5"),
        (6, 3, {"lanes": 0}, "lanes is 0"),
    ],
)
def test_bad_parameters_give_one_clear_error(
    n: int, r: int, more: dict[str, object], words: str
) -> None:
    with pytest.raises(SupernodeError) as error:
        topology.random_regular(n, r, link=LINK, **more)
    assert words in str(error.value)
