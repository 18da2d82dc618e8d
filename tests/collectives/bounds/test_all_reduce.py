"""All-reduce where switches reduce: closed forms, every partition in turn, and what trees reach."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import topology
from collectives.bounds import CertificateError, CollectiveNeed, PartsSum, bound
from topology import Supernode
from topology.units import GB


@pytest.mark.parametrize(
    ("nodes", "algbw"), [(2, 400), (4, 266.67), (8, 228.57), (16, 213.33), (64, 203.17)]
)
def test_nodes_that_reduce_inside_still_move_their_sums(nodes: int, algbw: float) -> None:
    """m parts of DGX H100 take in 2(m-1) S over m · 400 GB/s."""
    found = bound(topology.dgx_h100(nodes), "all_reduce")
    assert found.algbw / GB == pytest.approx(nodes * 400 / (2 * (nodes - 1)), rel=1e-9)
    assert found.algbw / GB == pytest.approx(algbw, rel=1e-4)
    if nodes == 8:
        assert found.busbw / GB == pytest.approx(450, rel=1e-9)


@st.composite
def reducing(draw: st.DrawFn, npus: int = 5) -> Supernode:
    """Draw NPUs on one to three switches, some of which reduce, and a few links of their own."""
    widths = st.sampled_from([1.0, 2.0, 3.0, 8.0])
    graph, switches = nx.DiGraph(), draw(st.integers(1, 3))
    for s in range(switches):
        graph.add_node(f"s/{s}", kind="switch", reduces=draw(st.booleans()), multicasts=True)
    ends = [(f"s/{s}", f"s/{s + 1}") for s in range(switches - 1)]
    for n in range(draw(st.integers(2, npus))):
        graph.add_node(f"npu/{n}", kind="npu", forwards=False)
        ends.append((f"npu/{n}", f"s/{draw(st.integers(0, switches - 1))}"))
        if n and draw(st.booleans()):
            ends.append((f"npu/{n}", f"npu/{draw(st.integers(0, n - 1))}"))
    for u, v in ends:
        graph.add_edge(u, v, capacity=draw(widths))
        graph.add_edge(v, u, capacity=draw(widths))
    return topology.from_networkx(graph)


def _colourings(count: int) -> Iterator[list[int]]:
    """Yield every partition of some things once, as the part of each."""

    def grow(found: list[int]) -> Iterator[list[int]]:
        if len(found) == count:
            yield found
            return
        for part in range(max(found, default=-1) + 2):
            yield from grow([*found, part])

    yield from grow([])  # fmt: skip


def _best_partition(machine: Supernode) -> float:
    """Return the best 2(m-1) / capacity into parts, over parts of ranks and where switches lie.

    A switch is in a part, in the part of switches alone, or, if it does not reduce, in none.
    """
    graph = machine.graph
    names = sorted(graph)
    place = {name: i for i, name in enumerate(names)}
    switches = [n for n in names if graph.nodes[n]["kind"] == "switch"]
    tail, head = (np.array([place[e[i]] for e in graph.edges]) for i in range(2))
    capacity = np.array([d["capacity"] for _, _, d in graph.edges(data=True)])
    best = 0.0
    for ranks in _colourings(len(machine.npus)):
        m = max(ranks) + 1
        if m == 1:
            continue
        options = [range(-1 if not graph.nodes[s].get("reduces") else 0, m + 1) for s in switches]
        lies = np.array(list(product(*options)), dtype=int)
        part = np.empty((len(lies), len(names)), dtype=int)
        part[:, [place[n] for n in machine.npus]] = ranks
        part[:, [place[s] for s in switches]] = lies
        crosses = (part[:, tail] != part[:, head]) & (part[:, head] >= 0)
        best = max(best, 2 * (m - 1) / float((crosses @ capacity).min()))
    return best


@settings(max_examples=25, deadline=None)
@given(reducing(npus=7))
def test_no_partition_is_claimed_that_is_not_there(machine: Supernode) -> None:
    """The sum over parts is one of all partitions; the whole bound is that or a cut."""
    found = bound(machine, "all_reduce")
    assert found.certificate.check(machine)
    best = _best_partition(machine)
    if isinstance(found.certificate, PartsSum):
        assert found.seconds_per_byte <= best * (1 + 1e-9)
    for root in range(len(machine.npus)):  # it is a broadcast and a reduce too
        for kind in ("broadcast", "reduce"):
            cut = bound(machine, kind, root=root).seconds_per_byte
            assert cut <= found.seconds_per_byte * (1 + 1e-9)


def _trees(spots: list[str], ranks: list[str], root: str) -> Iterator[dict[str, str]]:
    """Yield every tree into a root over all ranks and some other spots, as parents."""
    others = [spot for spot in spots if spot != root]
    for parents in product([None, *spots], repeat=len(others)):
        tree = {a: b for a, b in zip(others, parents, strict=True) if b is not None}
        if not set(ranks) - {root} <= set(tree):
            continue
        links = nx.DiGraph(list(tree.items()))
        if nx.is_directed_acyclic_graph(links) and set(tree.values()) <= set(tree) | {root}:
            yield tree


def _reached(machine: Supernode) -> float:
    """Return the rate of the best mix of trees: sums up to ranks or switches that reduce, and back.

    Every edge of a tree takes one shortest path.
    """
    graph, ranks = machine.graph, list(machine.npus)
    spots = ranks + sorted(n for n, d in graph.nodes(data=True) if d.get("reduces"))
    links = list(graph.edges)
    place = {link: i for i, link in enumerate(links)}
    inner = {n for n, d in graph.nodes(data=True) if d["kind"] == "switch"}
    way = {}
    for a, b in product(spots, spots):
        if a != b:
            path = nx.shortest_path(graph.subgraph(inner | {a, b}), a, b)
            way[a, b] = [place[link] for link in nx.utils.pairwise(path)]
    columns, roots = [], []
    for at, root in enumerate(spots):
        for tree in _trees(spots, ranks, root):
            for sign in (1, -1):
                load = np.zeros(len(links))
                for a, b in tree.items():
                    load[way[(a, b) if sign > 0 else (b, a)]] += 1
                columns.append(load)
                roots.append((at, sign))
    balance = np.zeros((len(spots), len(columns)))
    for j, (at, sign) in enumerate(roots):
        balance[at, j] = sign
    rate = np.array([float(sign > 0) for _, sign in roots])
    room = [graph.edges[link]["capacity"] for link in links]
    found = linprog(-rate, np.array(columns).T, room, balance, np.zeros(len(spots)))
    return float(-found.fun)


@settings(max_examples=15, deadline=None)
@given(reducing(npus=3))
def test_trees_never_beat_the_bound(machine: Supernode) -> None:
    """Sums at ranks and at switches that reduce, copies at both: an all-reduce that can be run."""
    assert _reached(machine) <= bound(machine, "all_reduce").algbw * (1 + 1e-9)


def test_trees_reach_it_on_a_switch_that_reduces() -> None:
    graph = nx.Graph()
    graph.add_node("s", kind="switch", reduces=True, multicasts=True)
    for n in range(3):
        graph.add_edge(f"npu/{n}", "s", capacity=2.0)
    machine = topology.from_networkx(graph, npus=[f"npu/{n}" for n in range(3)])
    assert _reached(machine) == pytest.approx(2.0)
    assert bound(machine, "all_reduce").algbw == pytest.approx(2.0)


def test_a_switch_that_reduces_between_parts_is_not_left_out() -> None:
    """Three NPUs on a switch that reduces take S each, not 2 · 2/3 S."""
    star = topology.star(3, link=1 * GB)
    graph = nx.DiGraph(star.graph)
    graph.nodes["switch/0"]["reduces"] = True
    machine = topology.from_networkx(graph, npus=star.npus)
    need = CollectiveNeed("all_reduce", star.npus)
    parts = tuple((npu,) for npu in star.npus)
    assert PartsSum((need,), 4 / 3 / GB, "ports", parts=parts).check(star)
    with pytest.raises(CertificateError, match="proves 1e-09"):
        PartsSum((need,), 4 / 3 / GB, "ports", parts=parts).check(machine)
    apart = PartsSum((need,), 4 / 6 / GB, "ports", parts=(*parts, ("switch/0",)))
    assert apart.check(machine)
