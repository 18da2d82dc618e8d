"""BCube."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import (
    LINK,
    cables,
    carries_everywhere,
    degrees,
    isomorphic,
    npu_hops,
    plain,
    valid,
)
from topology import SupernodeError

sizes = st.sampled_from([(2, 0), (5, 0), (2, 1), (3, 1), (5, 1), (2, 2), (3, 2), (2, 4)])


@given(size=sizes)
def test_degrees_and_distances(size: tuple[int, int]) -> None:
    n, k = size
    shape = topology.bcube(n, k, link=LINK)
    valid(shape)
    assert degrees(shape) == {k + 1: n ** (k + 1)}
    assert degrees(shape, "switch") == {n: (k + 1) * n**k}
    assert cables(shape) == (k + 1) * n ** (k + 1)
    assert nx.is_bipartite(plain(shape))
    place = np.array([shape.graph.nodes[npu]["coord"] for npu in shape.npus])
    differ = (place[:, None] != place[None]).sum(axis=2)
    assert np.array_equal(npu_hops(shape), 2 * differ)


@given(size=sizes)
def test_a_switch_joins_the_npus_that_differ_in_its_levels_digit(size: tuple[int, int]) -> None:
    n, k = size
    shape = topology.bcube(n, k, link=LINK)
    for node, data in shape.graph.nodes(data=True):
        if data["kind"] == "switch":
            level = int(node.split("/")[1])
            place = np.array([shape.graph.nodes[npu]["coord"] for npu in shape.graph[node]])
            varies = (place != place[0]).any(axis=0)
            assert np.flatnonzero(varies).tolist() == [k - level]
            assert sorted(place[:, k - level]) == list(range(n))


@given(size=sizes)
def test_adding_to_a_digit_is_a_symmetry(size: tuple[int, int]) -> None:
    n, k = size
    shape = topology.bcube(n, k, link=LINK)
    place = {npu: shape.graph.nodes[npu]["coord"] for npu in shape.npus}
    at = {coord: npu for npu, coord in place.items()}
    hub = {frozenset(shape.graph[node]): node for node in shape.graph if node[0] == "s"}

    def turn(axis: int) -> object:
        def npu(name: str) -> str:
            return at[tuple((x + (i == axis)) % n for i, x in enumerate(place[name]))]

        return lambda node: (
            npu(node) if node in place else hub[frozenset(map(npu, shape.graph[node]))]
        )

    assert carries_everywhere(shape, [turn(axis) for axis in range(k + 1)])


def test_disjoint_paths_and_level_zero() -> None:
    shape = topology.bcube(3, 2, link=LINK)
    assert nx.node_connectivity(plain(shape), shape.npus[0], shape.npus[-1]) == 3
    assert isomorphic(topology.bcube(6, 0, link=LINK), topology.star(6, link=LINK))


@pytest.mark.parametrize(
    ("n", "k", "words"), [(1, 1, "bcube: n is 1"), (2, -1, "bcube: k is -1"), (2, "1", "k is '1'")]
)
def test_bad_parameters_give_one_clear_error(n: object, k: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        topology.bcube(n, k, link=LINK)
    assert words in str(error.value)
