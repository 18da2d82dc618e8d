"""Dragonfly and Dragonfly+."""

from __future__ import annotations

from collections import Counter
from math import ceil

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import (
    LINK,
    carries_everywhere,
    degrees,
    diameter,
    hops,
    isomorphic,
    valid,
)
from topology import Supernode, SupernodeError
from topology.shapes.dragonfly import global_links

arrangements = st.sampled_from(["palmtree", "absolute"])
sizes = st.fixed_dictionaries(
    {"p": st.integers(1, 2), "a": st.integers(1, 4), "h": st.integers(1, 3)}
)


def _between(shape: Supernode) -> Counter[tuple[int, int]]:
    """Count the global lanes between every two groups."""
    group = nx.get_node_attributes(shape.graph, "group")
    found: Counter[tuple[int, int]] = Counter()
    for u, v, data in shape.graph.edges(data=True):
        if group[u] != group[v]:
            found[group[u], group[v]] += data["lanes"]
    return found


@given(groups=st.integers(1, 12), ports=st.integers(1, 30), how=arrangements)
def test_global_links_pair_ports_once_and_groups_equally(groups: int, ports: int, how: str) -> None:
    groups = min(groups, ports + 1)
    i, k, j, m = global_links(groups, ports, how)
    ends = [*zip(i.tolist(), k.tolist(), strict=True), *zip(j.tolist(), m.tolist(), strict=True)]
    assert len(set(ends)) == len(ends)
    assert all(0 <= port < ports for _, port in ends)
    met = Counter(zip(i.tolist(), j.tolist(), strict=True))
    pairs = {(x, y): ports // (groups - 1) for x in range(groups) for y in range(x + 1, groups)}
    assert met == Counter(pairs)


def test_arrangements_by_their_formulas() -> None:
    """Port k leads to group i - k - 1 (palmtree) or to the k-th other group (absolute)."""
    for groups, ports in ((5, 4), (9, 8)):
        for how in ("palmtree", "absolute"):
            i, k, j, m = (end.tolist() for end in global_links(groups, ports, how))
            to = {(x, p): y for x, p, y in zip(i, k, j, strict=True)}
            to |= {(y, p): x for x, y, p in zip(i, j, m, strict=True)}
            assert len(to) == groups * ports
            for (x, p), y in to.items():
                others = [g for g in range(groups) if g != x]
                assert y == ((x - p - 1) % groups if how == "palmtree" else others[p])


@given(size=sizes, how=arrangements)
def test_full_dragonfly(size: dict[str, int], how: str) -> None:
    p, a, h = size["p"], size["a"], size["h"]
    shape = topology.dragonfly(p, a, h, link=LINK, arrangement=how)
    valid(shape)
    groups = a * h + 1
    assert len(shape.npus) == a * p * groups
    assert degrees(shape, "router") == {p + a - 1 + h: a * groups}
    assert set(_between(shape).values()) == {1}
    assert len(_between(shape)) == groups * (groups - 1)
    routers = [n for n in range(len(shape.fabric.nodes)) if shape.fabric.kind[n] == "switch"]
    assert hops(shape)[np.ix_(routers, routers)].max() <= 3
    assert diameter(shape) <= 5


@given(size=sizes, groups=st.integers(1, 13), how=arrangements)
def test_dragonfly_of_fewer_groups(size: dict[str, int], groups: int, how: str) -> None:
    ports = size["a"] * size["h"]
    groups = min(groups, ports + 1)
    shape = topology.dragonfly(**size, groups=groups, link=LINK, arrangement=how)
    valid(shape)
    if groups > 1:
        assert set(_between(shape).values()) == {ports // (groups - 1)}
    for node, data in shape.graph.nodes(data=True):
        used = sum(edge["lanes"] for *_, edge in shape.graph.out_edges(node, data=True))
        assert used <= (1 if data["kind"] == "npu" else size["p"] + size["a"] - 1 + size["h"])


@given(size=sizes)
def test_palmtree_groups_turn(size: dict[str, int]) -> None:
    p, a, h = size["p"], size["a"], size["h"]
    shape = topology.dragonfly(p, a, h, link=LINK)
    groups = a * h + 1

    def turn(node: str) -> str:
        word, *digits = node.split("/")
        if word == "npu":
            return f"npu/{(int(digits[0]) + a * p) % (groups * a * p)}"
        return f"router/{(int(digits[0]) + 1) % groups}/{digits[1]}"

    maps = [turn]
    if a == p == 1:
        assert carries_everywhere(shape, maps)
    else:  # the groups turn; routers within a group differ in where their links lead
        reached = {shape.npus[0]}
        for _ in range(groups):
            reached |= {turn(node) for node in reached}
        assert len(reached) == groups


def test_balanced_dragonfly() -> None:
    shape = topology.dragonfly(2, link=LINK, local_link=2 * LINK, global_link=3 * LINK)
    assert shape.parameters["a"] == 4
    assert shape.parameters["groups"] == 9
    assert len(shape.npus) == 72
    group = nx.get_node_attributes(shape.graph, "group")
    for u, v, data in shape.graph.edges(data=True):
        near = "npu" in (u[:3], v[:3])
        assert data["capacity"] == LINK * (1 if near else 2 if group[u] == group[v] else 3)


def test_one_router_groups_are_a_full_mesh_of_switches() -> None:
    shape = topology.dragonfly(2, 1, 5, link=LINK)
    assert isomorphic(shape, topology.hyperx((6,), link=LINK, npus_per_switch=2))


@given(
    p=st.integers(1, 2),
    leaves=st.integers(1, 3),
    spines=st.integers(1, 3),
    h=st.integers(1, 3),
    how=arrangements,
)
def test_full_dragonfly_plus(p: int, leaves: int, spines: int, h: int, how: str) -> None:
    shape = topology.dragonfly_plus(p, leaves, spines, h, link=LINK, arrangement=how)
    valid(shape)
    groups = spines * h + 1
    assert len(shape.npus) == p * leaves * groups
    assert degrees(shape, "leaf") == {p + spines: leaves * groups}
    assert degrees(shape, "spine") == {leaves + h: spines * groups}
    assert set(_between(shape).values()) == {1}
    assert diameter(shape) == 5
    group = nx.get_node_attributes(shape.graph, "group")
    for u, v in shape.graph.edges:
        assert group[u] == group[v] or (u.startswith("spine/") and v.startswith("spine/"))


@pytest.mark.parametrize("radix", [4, 8])
def test_balanced_dragonfly_plus(radix: int) -> None:
    half = radix // 2
    shape = topology.dragonfly_plus(half, link=LINK)
    groups = half * half + 1
    assert len(shape.npus) == half * half * groups
    assert degrees(shape, "leaf") == degrees(shape, "spine") == {radix: half * groups}


@given(groups=st.integers(2, 9))
def test_dragonfly_plus_of_fewer_groups(groups: int) -> None:
    shape = topology.dragonfly_plus(1, 2, 4, 2, groups, link=LINK)
    valid(shape)
    assert set(_between(shape).values()) == {8 // (groups - 1)}
    spines = [n for n in shape.graph if n.startswith("spine/")]
    assert max(shape.graph.out_degree(n) for n in spines) <= 2 + ceil(8 / 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.dragonfly(0, link=LINK), "dragonfly: p is 0"),
        (lambda: topology.dragonfly(2, 4, 2, 10, link=LINK), "join at most 9 groups"),
        (lambda: topology.dragonfly(2, 4, 2, 0, link=LINK), "groups is 0"),
        (lambda: topology.dragonfly(2, link=LINK, arrangement="x"), "arrangement is 'x'"),
        (lambda: topology.dragonfly_plus(2, 0, link=LINK), "dragonfly_plus: leaves is 0"),
        (lambda: topology.dragonfly_plus(2, groups=6, link=LINK), "join at most 5 groups"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)
