"""Lines, rings, meshes, tori, twisted tori and hypercubes."""

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
    is_automorphism,
    isomorphic,
    npu_hops,
    plain,
    translations,
    valid,
)
from topology import SupernodeError
from topology.hardware.media import LinkType


def _ends(k: int) -> int:
    """How many cables a vertex of a ring of k has."""
    return min(k - 1, 2)


@given(dims=widths())
def test_torus_degree_links_diameter(dims: tuple[int, ...]) -> None:
    shape = topology.torus(dims, link=LINK)
    valid(shape)
    assert set(degrees(shape)) == {sum(_ends(k) for k in dims)}
    assert cables(shape) == sum(prod(dims) * _ends(k) // 2 for k in dims)
    assert diameter(shape) == sum(k // 2 for k in dims)
    assert [shape.graph.nodes[n]["coord"] for n in shape.npus] == list(np.ndindex(*dims))


@given(dims=widths(most=40))
def test_torus_is_vertex_transitive_and_bipartite_when_rings_are_even(
    dims: tuple[int, ...],
) -> None:
    shape = topology.torus(dims, link=LINK)
    assert carries_everywhere(shape, translations(shape, dims))
    even = all(k % 2 == 0 for k in dims if k > 1)
    assert nx.is_bipartite(plain(shape)) == even


@given(dims=widths())
def test_torus_distance_is_the_sum_of_the_ways_round(dims: tuple[int, ...]) -> None:
    shape = topology.torus(dims, link=LINK)
    place = np.array(list(np.ndindex(*dims)))
    apart = np.abs(place[:, None] - place[None])
    expected = np.minimum(apart, np.array(dims) - apart).sum(axis=2)
    assert np.array_equal(npu_hops(shape), expected)


@given(dims=widths())
def test_mesh_degree_links_diameter(dims: tuple[int, ...]) -> None:
    shape = topology.mesh(dims, link=LINK)
    valid(shape)
    for node in shape.npus:
        place = shape.graph.nodes[node]["coord"]
        inner = sum((x > 0) + (x < k - 1) for x, k in zip(place, dims, strict=True))
        assert shape.graph.out_degree(node) == inner
    assert cables(shape) == sum(prod(dims) // k * (k - 1) for k in dims)
    assert diameter(shape) == sum(k - 1 for k in dims)
    assert nx.is_bipartite(plain(shape))
    mirrored = by_coord(shape, lambda c: tuple(k - 1 - x for x, k in zip(c, dims, strict=True)))
    assert is_automorphism(shape, mirrored)


@given(dims=widths(most=30))
def test_lattices_agree_with_networkx(dims: tuple[int, ...]) -> None:
    for build, periodic in ((topology.mesh, False), (topology.torus, True)):
        oracle = nx.grid_graph(dim=list(reversed(dims)), periodic=periodic)
        oracle.remove_edges_from(list(nx.selfloop_edges(oracle)))
        shape = build(dims, link=LINK)
        place = nx.get_node_attributes(shape.graph, "coord")
        named = {frozenset((place[u], place[v])) for u, v in shape.graph.edges}
        key = (lambda n: n) if len(dims) > 1 else (lambda n: (n,))
        assert named == {frozenset((key(u), key(v))) for u, v in oracle.edges}


@given(n=st.integers(1, 30))
def test_one_dimension_is_a_ring_or_a_line(n: int) -> None:
    ring, line = topology.ring(n, link=LINK), topology.line(n, link=LINK)
    assert adjacency(ring) == adjacency(topology.torus(n, link=LINK))
    assert adjacency(line) == adjacency(topology.mesh([n], link=LINK))
    assert diameter(ring) == n // 2
    assert diameter(line) == n - 1
    assert cables(ring) == (n if n > 2 else n - 1)
    valid(ring)
    valid(line)


@given(n=st.integers(1, 7))
def test_hypercube_is_the_torus_of_twos(n: int) -> None:
    cube = topology.hypercube(n, link=LINK)
    valid(cube)
    assert adjacency(cube) == adjacency(topology.torus((2,) * n, link=LINK))
    assert isomorphic(cube, topology.torus((2,) * n, link=LINK))
    assert set(degrees(cube)) == {n}
    assert cables(cube) == n * 2 ** (n - 1)
    ranks = np.arange(2**n)
    differ = np.array([[(a ^ b).bit_count() for b in ranks.tolist()] for a in ranks.tolist()])
    assert np.array_equal(npu_hops(cube), differ)
    assert nx.is_bipartite(plain(cube))
    flips = [
        by_coord(cube, lambda c, i=i: tuple(x ^ (i == j) for j, x in enumerate(c)))
        for i in range(n)
    ]
    assert carries_everywhere(cube, flips)


def test_torus_of_fours_is_the_hypercube_of_twice_the_dimension() -> None:
    assert isomorphic(topology.torus((4, 4), link=LINK), topology.hypercube(4, link=LINK))


@given(dims=widths(most=60), data=st.data())
def test_each_dimension_has_its_own_link_and_lanes(
    dims: tuple[int, ...], data: st.DataObject
) -> None:
    lanes = data.draw(st.lists(st.integers(1, 3), min_size=len(dims), max_size=len(dims)))
    links = [LinkType(capacity=1e9 * (i + 1), name=f"axis-{i}") for i in range(len(dims))]
    for build in (topology.torus, topology.mesh, topology.nd_full_mesh, topology.hyperx):
        shape = build(dims, link=links, lanes=lanes)
        place = nx.get_node_attributes(shape.graph, "coord")
        for u, v, edge in shape.graph.edges(data=True):
            (axis,) = (i for i in range(len(dims)) if place[u][i] != place[v][i])
            assert edge["capacity"] == 1e9 * (axis + 1) * lanes[axis]
            assert edge["link"].type == f"axis-{axis}"
            assert edge["lanes"] == lanes[axis]


@given(dims=widths(most=150))
def test_all_to_all_loads_of_a_torus_in_closed_form(dims: tuple[int, ...]) -> None:
    shape = topology.torus(dims, link=LINK)
    loads = topology.routing.ecmp(shape).loads()
    place = nx.get_node_attributes(shape.graph, "coord")
    total = prod(dims)
    for (u, v), load in zip(shape.fabric.arcs, loads, strict=True):
        (k,) = (k for k, x, y in zip(dims, place[u], place[v], strict=True) if x != y)
        even = total / 2 if k == 2 else total * k / 8
        assert load == pytest.approx(even if k % 2 == 0 else total * (k * k - 1) / (8 * k))


@given(k=st.integers(3, 6), twice=st.sampled_from([1, 2, 3]), data=st.data())
def test_twisted_torus_is_a_cayley_graph(k: int, twice: int, data: st.DataObject) -> None:
    dims = (k, data.draw(st.integers(1, 4)), twice * k)
    shift = data.draw(st.integers(0, dims[2] - 1))
    shape = topology.twisted_torus(dims, {(0, 2): shift}, link=LINK)
    valid(shape)
    assert set(degrees(shape)) == set(degrees(topology.torus(dims, link=LINK)))

    def forward(c: tuple[int, ...]) -> tuple[int, ...]:
        if c[0] < k - 1:
            return (c[0] + 1, *c[1:])
        return (0, c[1], (c[2] + shift) % dims[2])

    step = by_coord(shape, forward)
    assert all(shape.graph.has_edge(node, step(node)) for node in shape.npus)
    others = translations(shape, (1, *dims[1:]))[1:]
    assert carries_everywhere(shape, [step, *others])


@given(dims=widths(most=60))
def test_no_twist_is_the_torus(dims: tuple[int, ...]) -> None:
    plain_torus = topology.torus(dims, link=LINK)
    assert adjacency(topology.twisted_torus(dims, {}, link=LINK)) == adjacency(plain_torus)


@pytest.mark.parametrize("k", [3, 4, 5, 8])
def test_k_by_2k_with_a_twist_of_k_has_diameter_k(k: int) -> None:
    twisted = topology.twisted_torus((k, 2 * k), {(0, 1): k}, link=LINK)
    assert diameter(twisted) == k
    if k % 2 == 0:
        assert diameter(topology.torus((k, 2 * k), link=LINK)) == k + k // 2
    swapped = by_coord(twisted, lambda c: ((c[1]) % k, (c[0] + k * (c[1] // k)) % (2 * k)))
    assert is_automorphism(twisted, swapped)


def test_twisted_4x4x8_balances_what_the_torus_does_not() -> None:
    twisted = topology.twisted_torus((4, 4, 8), {(0, 2): 4, (1, 2): 4}, link=LINK)
    loads = topology.routing.ecmp(twisted).loads()
    assert loads.max() == pytest.approx(loads.min())
    assert diameter(twisted) == 6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.torus((4, 0), link=LINK), "torus: dims[1] is 0"),
        (lambda: topology.torus((4, 2.5), link=LINK), "torus: dims[1] is 2.5"),
        (lambda: topology.mesh((), link=LINK), "mesh: dims has 0 widths"),
        (lambda: topology.mesh("44", link=LINK), "mesh: dims is '44'"),
        (lambda: topology.mesh(None, link=LINK), "mesh: dims is None"),
        (lambda: topology.ring(0, link=LINK), "ring: npus is 0"),
        (lambda: topology.line(True, link=LINK), "line: npus is True"),
        (lambda: topology.hypercube(0, link=LINK), "hypercube: dimension is 0"),
        (lambda: topology.torus((4, 4), link=[LINK]), "torus: link has 1 values for 2"),
        (lambda: topology.torus((4, 4), link=LINK, lanes=[1, 1, 1]), "torus: lanes has 3"),
        (lambda: topology.torus((4, 4), link=LINK, lanes=0), "torus: lanes is 0"),
        (lambda: topology.ring(4, link="nvlink55"), "did you mean nvlink5"),
        (lambda: topology.ring(4, link=-1.0), "capacity is -1.0"),
        (lambda: topology.twisted_torus((4, 4), {(0, 0): 1}, link=LINK), "twisted itself"),
        (lambda: topology.twisted_torus((4, 4), {(0, 2): 1}, link=LINK), "a dimension is 2"),
        (lambda: topology.twisted_torus((4, 4), {(0, 1): 4}, link=LINK), "twists[0, 1] is 4"),
        (lambda: topology.twisted_torus((2, 4), {(0, 1): 2}, link=LINK), "3 or more"),
        (lambda: topology.twisted_torus((4, 4), {0: 1}, link=LINK), "a key is"),
        (lambda: topology.twisted_torus((4, 4), 3, link=LINK), "twists is 3"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)
