"""A bound calls itself the optimum only where trees that branch at NPUs alone reach it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import topology
from collectives.bounds import bound
from topology import Supernode
from topology.units import GB


@st.composite
def switched(draw: st.DrawFn) -> Supernode:
    """Draw up to four NPUs around one or two switches; in half of them both ways are alike."""
    widths, alike = st.sampled_from([1.0, 2.0, 3.0]), draw(st.booleans())
    graph = nx.DiGraph()
    switches = [f"s/{s}" for s in range(draw(st.integers(1, 2)))]
    graph.add_nodes_from(switches, kind="switch")
    ends = list(pairwise(switches))
    for n in range(draw(st.integers(2, 4))):
        graph.add_node(f"npu/{n}", kind="npu", forwards=False)
        ends.append((f"npu/{n}", draw(st.sampled_from(switches))))
        if n and draw(st.booleans()):
            ends.append((f"npu/{n}", f"npu/{n - 1}"))
    for u, v in ends:
        width = draw(widths)
        graph.add_edge(u, v, capacity=width)
        graph.add_edge(v, u, capacity=width if alike else draw(widths))
    return topology.from_networkx(graph)


def _trees(machine: Supernode, root: str) -> Iterator[np.ndarray]:
    """Yield the loads of every tree from a root: each edge a path through switches alone."""
    graph, ranks = machine.graph, list(machine.npus)
    place = {link: i for i, link in enumerate(graph.edges)}
    inner = {n for n, d in graph.nodes(data=True) if d["kind"] == "switch"}
    ways = {
        (u, v): [[place[e] for e in pairwise(path)]
                 for path in nx.all_simple_paths(graph.subgraph(inner | {u, v}), u, v)]
        for u in ranks for v in ranks if u != v
    }  # fmt: skip
    others = [rank for rank in ranks if rank != root]
    for parents in product(ranks, repeat=len(others)):
        edges = [(p, v) for p, v in zip(parents, others, strict=True) if p != v]
        if len(edges) < len(others) or not nx.is_directed_acyclic_graph(nx.DiGraph(edges)):
            continue
        for paths in product(*(ways[edge] for edge in edges)):
            yield np.bincount([arc for path in paths for arc in path], minlength=len(place))


def _best(machine: Supernode, roots: list[str]) -> float:
    """Return the highest rate at which every root can fill trees at once."""
    columns = [(at, load) for at, root in enumerate(roots) for load in _trees(machine, root)]
    capacity = [data["capacity"] for _, _, data in machine.graph.edges(data=True)]
    use = np.array([load for _, load in columns] + [np.zeros(len(capacity))]).T
    fill = np.zeros((len(roots), len(columns) + 1))
    for j, (at, _) in enumerate(columns):
        fill[at, j] = 1
    fill[:, -1] = -1
    cost = np.append(np.zeros(len(columns)), -1.0)
    return float(-linprog(cost, use, capacity, fill, np.zeros(len(roots))).fun)


@settings(max_examples=30, deadline=None)
@given(switched(), st.sampled_from(["broadcast", "all_gather"]))
def test_exact_is_reached_by_trees(machine: Supernode, kind: str) -> None:
    found = bound(machine, kind)
    roots = [machine.npus[0]] if kind == "broadcast" else list(machine.npus)
    reached = _best(machine, roots) * (1 if kind == "broadcast" else len(roots))
    assert reached <= found.algbw * (1 + 1e-9)
    if found.exact is not None:
        assert float(found.exact) == pytest.approx(reached, rel=1e-9)
        assert found.reached == pytest.approx(reached, rel=1e-9)
    graph = machine.graph
    if all(graph.edges[v, u]["capacity"] == d["capacity"] for u, v, d in graph.edges(data=True)):
        assert found.exact is not None


def test_a_switch_that_would_have_to_copy() -> None:
    """1 GB/s for a broadcast if w copies; 0.5 GB/s is the optimum when only NPUs do."""
    graph = nx.DiGraph()
    graph.add_node("w", kind="switch")
    graph.add_edges_from([("r", "w"), ("w", "a"), ("w", "b"), ("a", "r"), ("b", "r")],
                         capacity=1 * GB)  # fmt: skip
    machine = topology.from_networkx(graph, npus=["r", "a", "b"])
    found = bound(machine, "broadcast")
    assert found.algbw == pytest.approx(1 * GB)
    assert found.exact is found.reached is found.gap is None
    assert _best(machine, ["r"]) == pytest.approx(0.5 * GB)
    assert "switches may copy" in found.holds_for


def test_a_link_lost_one_way_is_no_optimum_any_more() -> None:
    whole = topology.hgx_b200()
    link = next((u, v) for u, v in whole.graph.edges if u == "npu/0" and "switch" in v)
    damaged = whole.without(links=[link], both_directions=False)
    found = bound(damaged, "all_gather")
    assert found.exact is None
    assert found.reached is None
    assert bound(whole, "all_gather").exact is not None


def test_a_switch_that_forwards_less_than_it_takes_in() -> None:
    """Every copy passes the limit of a switch that does not copy behind it."""
    graph = nx.DiGraph(topology.star(4, link=1 * GB).graph)
    for capacity, sure in ((4 * GB, True), (3.9 * GB, False), (1 * GB, False)):
        graph.nodes["switch/0"]["capacity"] = capacity
        machine = topology.from_networkx(graph, npus=[f"npu/{n}" for n in range(4)])
        for kind in ("all_gather", "broadcast", "reduce_scatter"):
            assert (bound(machine, kind).exact is not None) is sure
        assert bound(machine, "gather").exact is not None  # a flow


def test_uneven_demands_say_what_is_left() -> None:
    """What the flow of the program really carries, and no optimum that is not there."""
    rng = np.random.default_rng(2)
    for machine in (topology.dgx_h100(2), topology.torus((3, 4), link=50 * GB)):
        p = len(machine.npus)
        demand = rng.random((p, p)) * 10.0 ** rng.integers(-6, 7, (p, p))
        np.fill_diagonal(demand, 0)
        found = bound(machine, "all_to_all", demand=demand)
        assert found.reached is not None
        assert found.reached * found.seconds_per_byte <= 1 + 1e-9
        assert found.gap == pytest.approx(0, abs=1e-4)
