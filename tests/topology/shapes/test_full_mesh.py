"""Full meshes, nD full meshes and HyperX."""

from __future__ import annotations

from math import prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import widths
from tests.topology.shapes.graphs import (
    LINK,
    adjacency,
    by_coord,
    cables,
    carries_everywhere,
    degrees,
    diameter,
    hops,
    isomorphic,
    npu_hops,
    plain,
    translations,
    valid,
)
from topology import SupernodeError
from topology.hardware.media import LinkType


@given(n=st.integers(1, 20))
def test_full_mesh_is_the_complete_graph_and_the_hyperx_of_one_dimension(n: int) -> None:
    shape = topology.full_mesh(n, link=LINK)
    valid(shape)
    assert isomorphic(shape, topology.from_networkx(_complete(n), npus=range(n)))
    assert adjacency(shape) == adjacency(topology.hyperx(n, link=LINK))
    assert adjacency(shape) == adjacency(topology.nd_full_mesh((n,), link=LINK))
    assert carries_everywhere(shape, translations(shape, (n,)))


def _complete(n: int) -> nx.Graph:
    graph = nx.complete_graph(n)
    nx.set_edge_attributes(graph, LINK, "capacity")
    return graph


@given(dims=widths())
def test_nd_full_mesh_is_the_hamming_graph(dims: tuple[int, ...]) -> None:
    shape = topology.nd_full_mesh(dims, link=LINK)
    valid(shape)
    assert set(degrees(shape)) == {sum(k - 1 for k in dims)}
    assert cables(shape) == prod(dims) * sum(k - 1 for k in dims) // 2
    place = np.array(list(np.ndindex(*dims)))
    assert np.array_equal(npu_hops(shape), (place[:, None] != place[None]).sum(axis=2))
    assert adjacency(shape) == adjacency(topology.hyperx(dims, link=LINK))


@given(dims=widths(most=30))
def test_nd_full_mesh_is_transitive_and_bipartite_only_as_a_cube(dims: tuple[int, ...]) -> None:
    shape = topology.nd_full_mesh(dims, link=LINK)
    assert carries_everywhere(shape, translations(shape, dims))
    assert nx.is_bipartite(plain(shape)) == (max(dims) <= 2)
    if set(dims) == {2}:
        assert adjacency(shape) == adjacency(topology.hypercube(len(dims), link=LINK))


@given(dims=widths(most=24), each=st.integers(1, 3))
def test_hyperx_with_switches(dims: tuple[int, ...], each: int) -> None:
    shape = topology.hyperx(dims, link=LINK, npus_per_switch=each, npu_link=2 * LINK)
    valid(shape)
    switches = prod(dims)
    assert len(shape.npus) == each * switches
    assert set(degrees(shape)) == {1}
    assert set(degrees(shape, "switch")) == {each + sum(k - 1 for k in dims)}
    wide = sum(k > 1 for k in dims)
    assert diameter(shape) == (wide + 2 if len(shape.npus) > 1 and (wide or each > 1) else 0)
    capacities = [d["capacity"] for u, _, d in shape.graph.edges(data=True) if u[:3] == "npu"]
    assert set(capacities) == {2 * LINK}
    shift = [*dims, each]
    assert hops(shape).max() == diameter(shape) or switches == 1
    slots = by_coord(shape, lambda c: c if len(c) == len(dims) else (*c[:-1], (c[-1] + 1) % each))
    turns = [
        by_coord(
            shape,
            lambda c, a=a: tuple((x + 1) % shift[i] if i == a else x for i, x in enumerate(c)),
        )
        for a in range(len(dims))
    ]
    assert carries_everywhere(shape, [slots, *turns])


def test_links_by_dimension_as_in_ub_mesh() -> None:
    wires = [LinkType(capacity=56e9, name="x"), LinkType(capacity=28e9, name="y")]
    shape = topology.nd_full_mesh((8, 8), link=wires)
    total = [d["capacity"] for _, _, d in shape.graph.out_edges("npu/0", data=True)]
    assert sum(total) == pytest.approx(7 * 56e9 + 7 * 28e9)
    assert shape.parameters["link"] == ("x", "y")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.full_mesh(0, link=LINK), "full_mesh: npus is 0"),
        (lambda: topology.nd_full_mesh((4, -1), link=LINK), "nd_full_mesh: dims[1] is -1"),
        (lambda: topology.hyperx((), link=LINK), "hyperx: dims has 0 widths"),
        (
            lambda: topology.hyperx((4,), link=LINK, npus_per_switch=-1),
            "hyperx: npus_per_switch is -1",
        ),
        (lambda: topology.nd_full_mesh((4, 4), link=[LINK] * 3), "nd_full_mesh: link has 3"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)
