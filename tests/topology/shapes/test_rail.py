"""Rail-optimised and rail-only clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import LINK, carries_everywhere, degrees, npu_hops, valid
from topology import Supernode, SupernodeError

RAIL = 12.5e9

cluster = st.fixed_dictionaries(
    {
        "nodes": st.integers(1, 20),
        "npus_per_node": st.sampled_from([1, 2, 4]),
        "inside": st.sampled_from(["switch", "mesh"]),
        "nic_link": st.sampled_from([None, 2 * RAIL]),
        "radix": st.sampled_from([16, 32]),
    }
)


def _ports(shape: Supernode, node: str) -> int:
    return int(sum(edge["lanes"] for _, _, edge in shape.graph.out_edges(node, data=True)))


def _places(shape: Supernode) -> tuple[np.ndarray, np.ndarray]:
    data = [shape.graph.nodes[npu] for npu in shape.npus]
    return np.array([d["node"] for d in data]), np.array([d["slot"] for d in data])


@given(asked=cluster)
def test_rail_only_distances(asked: dict[str, object]) -> None:
    shape = topology.rail_only(link=LINK, rail_link=RAIL, **asked)
    valid(shape)
    node, slot = _places(shape)
    same_node, same_rail = node[:, None] == node[None], slot[:, None] == slot[None]
    inner = 2 if asked["inside"] == "switch" else 1
    extra = 0 if asked["nic_link"] is None else 2
    down = asked["radix"] // 2
    one_leaf = (
        np.full(same_node.shape, True)
        if asked["nodes"] <= asked["radix"]
        else node[:, None] // down == node[None] // down
    )
    rail = np.where(one_leaf, 2, 4) + extra
    expected = np.where(same_node, inner, np.where(same_rail, rail, rail + inner))
    np.fill_diagonal(expected, 0)
    assert np.array_equal(npu_hops(shape), expected)


@given(asked=cluster)
def test_rails_meet_nowhere_but_in_nodes(asked: dict[str, object]) -> None:
    shape = topology.rail_only(link=LINK, rail_link=RAIL, **asked)
    data = shape.graph.nodes
    for u, v in shape.graph.edges:
        if u.startswith(("leaf/", "spine/")):
            rails = {data[n].get("plane", data[n].get("slot")) for n in (u, v)}
            assert len(rails) == 1
    assert all(data[npu]["forwards"] for npu in shape.npus)
    assert all(_ports(shape, n) <= asked["radix"] for n in shape.graph if n[:4] == "leaf")
    topology.routing.ecmp(shape).loads()


@given(asked=cluster, ratio=st.sampled_from([1.0, 2.0, 3.0]))
def test_rail_optimised_distances_and_ports(asked: dict[str, object], ratio: float) -> None:
    try:
        shape = topology.rail_optimised(link=LINK, rail_link=RAIL, oversubscription=ratio, **asked)
    except SupernodeError:  # too many nodes for two tiers: tested below
        return
    valid(shape)
    node, slot = _places(shape)
    down = int(asked["radix"] * ratio / (1 + ratio) + 1e-9)
    down -= down + int(np.ceil(down / ratio - 1e-9)) > asked["radix"]
    unit = node // down
    inner = 2 if asked["inside"] == "switch" else 1
    extra = 0 if asked["nic_link"] is None else 2
    leaf = (slot[:, None] == slot[None]) & (unit[:, None] == unit[None])
    expected = np.where(node[:, None] == node[None], inner, np.where(leaf, 2, 4) + extra)
    np.fill_diagonal(expected, 0)
    # Hops of the graph may pass through NPUs, which traffic may not: take them off the paths.
    found = topology.routing.distances.npu_distances(shape.fabric) if extra == 0 else None
    if found is not None:
        npus = shape.fabric.npus
        ranks = np.arange(len(npus))
        for rank in ranks:
            cost = found.cost[found.row[npus], found.column[rank]]
            assert np.array_equal(cost[ranks != rank], expected[ranks != rank, rank])
    for name in shape.graph:
        if name.startswith(("leaf/", "spine/")):
            assert _ports(shape, name) <= asked["radix"]
        if name.startswith("leaf/"):
            up = sum(
                e["capacity"] for _, v, e in shape.graph.out_edges(name, data=True) if v[0] == "s"
            )
            below = [v for v in shape.graph[name] if not v.startswith("spine")]
            assert not up or len(below) * RAIL <= up * ratio * (1 + 1e-9)
            assert {
                shape.graph.nodes[v].get("slot", shape.graph.nodes[v].get("plane")) for v in below
            } == {int(name.split("/")[2])}


@pytest.mark.parametrize("build", [topology.rail_optimised, topology.rail_only])
def test_nodes_and_rails_are_interchangeable(build: object) -> None:
    shape = build(6, 4, link=LINK, rail_link=RAIL)

    def node(name: str) -> str:
        word, *digits = name.split("/")
        at = int(digits[0])
        if word == "npu":
            return f"npu/{(at + 4) % 24}"
        return f"switch/{(at + 1) % 6}" if word == "switch" else name

    def rail(name: str) -> str:
        word, *digits = name.split("/")
        at = [int(d) for d in digits]
        if word == "npu":
            return f"npu/{at[0] // 4 * 4 + (at[0] + 1) % 4}"
        if word == "leaf" and build is topology.rail_optimised:
            return f"leaf/{at[0]}/{(at[1] + 1) % 4}"
        if word == "leaf":
            return f"leaf/{(at[0] + 1) % 4}/{at[1]}"
        return name

    assert carries_everywhere(shape, [node, rail])


def test_dgx_like_cluster() -> None:
    """32 nodes of 8 make one unit: 8 leaves of 64 ports, 4 spines, as the reference says."""
    shape = topology.rail_optimised(
        32, link="nvlink4", rail_link="ndr-optical", nic_link="pcie5-x16", lanes=18
    )
    assert degrees(shape, "leaf") == {32 + 4: 8}
    assert {_ports(shape, n) for n in shape.graph if n.startswith(("leaf/", "spine/"))} == {64}
    assert len([n for n in shape.graph if n.startswith("spine/")]) == 4
    assert degrees(shape, "nic") == {2: 256}
    alone = topology.rail_optimised(1, link="nvlink4", rail_link="ndr-optical", lanes=18)
    assert len(alone.graph) == 9


def test_within_a_node_nothing_touches_the_rails() -> None:
    shape = topology.rail_only(4, 4, link=LINK, rail_link=RAIL)
    loads = topology.routing.ecmp(shape).loads(
        {(u, v): 1.0 for u in shape.npus[:4] for v in shape.npus[:4] if u != v}
    )
    used = {arc for arc, load in zip(shape.fabric.arcs, loads, strict=True) if load > 0}
    assert used == {(u, v) for u, v in shape.fabric.arcs if "switch/0" in (u, v)}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.rail_only(0, link=LINK, rail_link=RAIL), "rail_only: nodes is 0"),
        (lambda: topology.rail_only(4, 0, link=LINK, rail_link=RAIL), "npus_per_node is 0"),
        (lambda: topology.rail_only(4, link=LINK, rail_link=RAIL, inside="x"), "inside is 'x'"),
        (
            lambda: topology.rail_optimised(4, link=LINK, rail_link=RAIL, oversubscription=0),
            "oversubscription is 0",
        ),
        (
            lambda: topology.rail_optimised(500, link=LINK, rail_link=RAIL),
            "64-port spines join 256 nodes of 8",
        ),
        (
            lambda: topology.rail_only(1000, 2, link=LINK, rail_link=RAIL, radix=4),
            "3 tiers of 4-port",
        ),
        (lambda: topology.rail_only(4, link="nvlink", rail_link=RAIL), "did you mean"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)
