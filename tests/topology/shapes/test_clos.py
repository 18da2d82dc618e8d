"""Clos networks, fat trees and XGFTs."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import (
    LINK,
    adjacency,
    carries_everywhere,
    degrees,
    diameter,
    isomorphic,
    npu_hops,
    plain,
    valid,
)
from topology import Supernode, SupernodeError


def _ports(shape: Supernode, node: str, *, up: bool | None = None) -> int:
    """Count the lanes at a node, all or those to higher or lower tiers."""
    data = shape.graph.nodes
    return sum(
        edge["lanes"]
        for _, v, edge in shape.graph.out_edges(node, data=True)
        if up is None or (data[v]["tier"] > data[node]["tier"]) == up
    )


def _capacity(shape: Supernode, node: str, *, up: bool) -> float:
    data = shape.graph.nodes
    return sum(
        edge["capacity"]
        for _, v, edge in shape.graph.out_edges(node, data=True)
        if (data[v]["tier"] > data[node]["tier"]) == up
    )


def _switches(shape: Supernode) -> list[str]:
    return [n for n, data in shape.graph.nodes(data=True) if data["kind"] == "switch"]


parameters = st.fixed_dictionaries(
    {
        "npus": st.integers(1, 300),
        "radix": st.sampled_from([4, 6, 8, 12, 16, 31]),
        "tiers": st.sampled_from([2, 3]),
        "planes": st.integers(1, 3),
        "oversubscription": st.sampled_from([1.0, 1.5, 2.0, 3.0, (2.0, 1.0), (1, 2)]),
        "lanes": st.sampled_from([1, 1, 2]),
        "uplink": st.sampled_from([LINK, 2 * LINK]),
    }
)


@given(asked=parameters)
def test_clos_keeps_to_its_ports_and_its_ratio(asked: dict[str, object]) -> None:
    try:
        shape = topology.clos(link=LINK, **asked)
    except SupernodeError:  # too many NPUs for the tiers: tested below
        return
    valid(shape)
    tops = {"leaf": 1, "spine": 2, "core": 3}
    highest = max((data["tier"] for _, data in shape.graph.nodes(data=True)), default=0)
    ratio = asked["oversubscription"]
    ratios = ratio if isinstance(ratio, tuple) else (ratio, ratio)
    for node in _switches(shape):
        tier = shape.graph.nodes[node]["tier"]
        assert tops[node.split("/")[0]] == tier
        assert _ports(shape, node) <= asked["radix"]
        if tier < highest:
            down, up = (_capacity(shape, node, up=way) for way in (False, True))
            assert down <= up * ratios[tier - 1] * (1 + 1e-9)
    for npu in shape.npus:
        assert shape.graph.out_degree(npu) == asked["planes"]
        assert _ports(shape, npu) == asked["planes"] * asked["lanes"]


@given(asked=parameters)
def test_clos_distances_and_paths(asked: dict[str, object]) -> None:
    try:
        shape = topology.clos(link=LINK, **asked)
    except SupernodeError:
        return
    leaf = [next(v for v in shape.graph[npu]) for npu in shape.npus]
    pod = [shape.graph.nodes[npu].get("pod") for npu in shape.npus]
    found = npu_hops(shape)
    same_leaf = np.array(leaf)[:, None] == np.array(leaf)[None]
    same_pod = np.array(pod)[:, None] == np.array(pod)[None]
    expected = np.where(same_leaf, 2, np.where(same_pod, 4, 6))
    np.fill_diagonal(expected, 0)
    assert np.array_equal(found, expected)
    if len(shape.npus) > 1:
        apart = nx.edge_connectivity(plain(shape), shape.npus[0], shape.npus[-1])
        assert apart == asked["planes"]


@given(n=st.integers(1, 16), planes=st.integers(1, 4))
def test_one_leaf_is_a_star(n: int, planes: int) -> None:
    for tiers in (2, 3):
        shape = topology.clos(n, link=LINK, radix=32, tiers=tiers)
        assert isomorphic(shape, topology.star(n, link=LINK))
    assert isomorphic(topology.xgft((n,), (1,), link=LINK), topology.star(n, link=LINK))
    several = topology.clos(n, link=LINK, radix=32, planes=planes)
    assert isomorphic(several, topology.complete_bipartite(n, planes, link=LINK, switches=True))


@pytest.mark.parametrize(("tiers", "count"), [(2, 100), (3, 4000)])
def test_every_switch_has_an_uplink_however_oversubscribed(tiers: int, count: int) -> None:
    shape = topology.clos(count, link=LINK, tiers=tiers, oversubscription=1e20)
    assert nx.is_strongly_connected(shape.graph)


@given(ratio=st.integers(1, 3), leaves=st.integers(2, 8))
def test_leaf_spine_load_is_the_oversubscription(ratio: int, leaves: int) -> None:
    """Uniform all-to-all: an uplink carries o (N - n) units, n NPUs to a leaf."""
    per_leaf = 12 * ratio // (1 + ratio)
    total = per_leaf * leaves
    shape = topology.clos(total, link=LINK, radix=12, oversubscription=ratio)
    loads = topology.routing.ecmp(shape).loads()
    for (u, v), lanes, load in zip(shape.fabric.arcs, shape.fabric.lanes, loads, strict=True):
        if u.startswith("npu/") or v.startswith("npu/"):
            assert load == pytest.approx(total - 1)
        else:
            assert load / lanes == pytest.approx(ratio * (total - per_leaf))


@given(k=st.sampled_from([2, 4, 6, 8]))
@settings(max_examples=4)
def test_fat_tree_by_its_definition(k: int) -> None:
    shape = topology.fat_tree(k, link=LINK)
    valid(shape)
    assert len(shape.npus) == k**3 // 4
    assert len(_switches(shape)) == 5 * k * k // 4
    assert degrees(shape) == {1: k**3 // 4}
    for word, count in (("leaf", k * k // 2), ("spine", k * k // 2), ("core", k * k // 4)):
        assert degrees(shape, word) == {k: count}
    half = k // 2
    wanted = set()
    for pod, i, j in product(range(k), range(half), range(half)):
        leaf, other, spine = (f"leaf/{pod * half + i}", pod * half + j, f"spine/{pod * half + i}")
        wanted.add((f"npu/{(pod * half + i) * half + j}", leaf))
        wanted.add((leaf, f"spine/{other}"))
        wanted.add((spine, f"core/{j * half + i}"))
    assert {edge for edge in shape.graph.edges if edge in wanted} == wanted
    assert shape.graph.number_of_edges() == 2 * len(wanted)
    for core in (n for n in shape.graph if n.startswith("core/")):
        assert sorted(shape.graph.nodes[v]["pod"] for v in shape.graph[core]) == list(range(k))


@pytest.mark.parametrize("k", [4, 6])
def test_fat_tree_has_full_bisection_and_balanced_loads(k: int) -> None:
    shape = topology.fat_tree(k, link=1.0)
    graph = nx.DiGraph(shape.graph)
    half = len(shape.npus) // 2
    for npu in shape.npus[:half]:
        graph.add_edge("source", npu, capacity=1.0)
    for npu in shape.npus[half:]:
        graph.add_edge(npu, "target", capacity=1.0)
    assert nx.maximum_flow_value(graph, "source", "target") == pytest.approx(half)
    loads = topology.routing.ecmp(shape).loads()
    assert loads.max() == pytest.approx(len(shape.npus) - 1)


@pytest.mark.parametrize("k", [4, 6, 8])
def test_clos_of_a_full_size_is_the_fat_tree(k: int) -> None:
    three = topology.clos(k**3 // 4, link=LINK, radix=k, tiers=3)
    assert adjacency(three) == adjacency(topology.fat_tree(k, link=LINK))
    two = topology.clos(k * k // 2, link=LINK, radix=k)
    assert adjacency(two) == adjacency(topology.xgft((k // 2, k), (1, k // 2), link=LINK))
    with pytest.raises(SupernodeError, match=f"carry {k * k // 2} "):
        topology.clos(k * k // 2 + 1, link=LINK, radix=k)
    with pytest.raises(SupernodeError, match=f"carry {k**3 // 4} "):
        topology.clos(k**3 // 4 + 1, link=LINK, radix=k, tiers=3)


shapes = st.integers(1, 3).flatmap(
    lambda h: st.tuples(st.tuples(*[st.integers(1, 4)] * h), st.tuples(*[st.integers(1, 3)] * h))
)


@given(shape=shapes, planes=st.integers(1, 2))
def test_xgft_by_its_labels(shape: tuple[tuple[int, ...], tuple[int, ...]], planes: int) -> None:
    m, w = shape
    tree = topology.xgft(m, w, link=LINK, planes=planes)
    valid(tree)

    def name(plane: int, x: tuple[int, ...], y: tuple[int, ...]) -> str:
        index = 0
        for digit, base in [*zip(x, m[len(y) :], strict=True)][::-1]:
            index = index * base + digit
        for digit, base in [*zip(y, w, strict=False)][::-1]:
            index = index * base + digit
        where = f"{plane}/" if planes > 1 and y else ""
        return f"{['npu', 'leaf', 'spine', 'core'][len(y)]}/{where}{index}"

    wanted = set()
    for plane, h in product(range(planes), range(len(m))):
        above = [range(size) for size in m[h:]]
        inside = [range(size) for size in w[:h]]
        for x, y, parent in product(product(*above), product(*inside), range(w[h])):
            wanted.add((name(plane, x, y), name(plane, x[1:], (*y, parent))))
    assert set(tree.graph.edges) == wanted | {(v, u) for u, v in wanted}
    kinds = Counter(data["tier"] for _, data in tree.graph.nodes(data=True))
    for h in range(1, len(m) + 1):
        assert kinds[h] == planes * prod(w[:h]) * prod(m[h:])


@given(shape=shapes)
def test_xgft_is_transitive_on_npus(shape: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """Turning the children of every switch of a tier by one is a symmetry."""
    m, w = shape
    tree = topology.xgft(m, w, link=LINK)
    words = ["npu", "leaf", "spine", "core"]

    def turn(axis: int) -> object:
        def image(node: str) -> str:
            word, index = node.split("/")
            tier = words.index(word)
            if axis < tier:
                return node
            inner = prod(w[:tier])
            subtree, y = divmod(int(index), inner)
            digits = np.array(np.unravel_index(subtree, m[tier:][::-1])) if m[tier:] else [0]
            at = len(m) - 1 - axis
            digits[at] = (digits[at] + 1) % m[axis]
            moved = np.ravel_multi_index(tuple(digits), m[tier:][::-1])
            return f"{word}/{int(moved) * inner + y}"

        return image

    assert carries_everywhere(tree, [turn(axis) for axis in range(len(m))])


def test_a_large_network_is_what_it_says() -> None:
    shape = topology.clos(8192, link=LINK, radix=64, tiers=3)
    assert len(shape.npus) == 8192
    assert {_ports(shape, node) for node in _switches(shape)} == {64}
    assert degrees(shape, "leaf") == {32 + 32: 256}
    assert degrees(shape, "spine") == {32 + 4: 256}
    assert degrees(shape, "core") == {8: 128}
    per_lane = topology.routing.ecmp(shape).loads() / shape.fabric.lanes
    assert per_lane.max() == pytest.approx(8191)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.clos(0, link=LINK), "clos: npus is 0"),
        (lambda: topology.clos(8, link=LINK, tiers=4), "clos: tiers is 4"),
        (lambda: topology.clos(8, link=LINK, planes=0), "clos: planes is 0"),
        (lambda: topology.clos(8, link=LINK, radix=1), "clos: radix is 1"),
        (lambda: topology.clos(8, link=LINK, lanes=0), "clos: lanes is 0"),
        (lambda: topology.clos(8, link=LINK, radix=8, lanes=5), "cannot have 5 down"),
        (lambda: topology.clos(8, link=LINK, oversubscription=0.5), "oversubscription is 0.5"),
        (lambda: topology.clos(8, link=LINK, oversubscription="2:1"), "is '2:1'"),
        (lambda: topology.clos(8, link=LINK, oversubscription=float("nan")), "is nan"),
        (lambda: topology.clos(8, link=LINK, oversubscription=(1, 2, 3)), "is (1, 2, 3)"),
        (lambda: topology.clos(5000, link=LINK), "carry 2048"),
        (lambda: topology.fat_tree(5, link=LINK), "fat_tree: k is 5"),
        (lambda: topology.fat_tree(0, link=LINK), "fat_tree: k is 0"),
        (lambda: topology.xgft((2, 2), (1,), link=LINK), "children has 2 tiers and parents 1"),
        (lambda: topology.xgft((2, 0), (1, 1), link=LINK), "children[1] is 0"),
        (lambda: topology.xgft((2, 2), (1, 1), link=[LINK]), "xgft: link has 1"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)


def test_diameter_of_small_trees() -> None:
    assert diameter(topology.clos(32, link=LINK, radix=8)) == 4
    assert diameter(topology.clos(64, link=LINK, radix=8, tiers=3)) == 6
