"""Breadth-first broadcast reaches the figures of its paper, and SCCL's limits on the DGX-1."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from scipy.optimize import linprog

import topology
from collectives import ScheduleError, plan
from collectives.algorithms import algorithm_names, find_algorithm
from collectives.analysis.analyze import team_of
from collectives.model.checking import check_traffic
from tests.collectives.algorithms.teams import prove
from topology import Supernode

shapes = topology.shapes


def ring(n: int) -> nx.Graph:
    return nx.cycle_graph(n)


def imase_itoh(degree: int, n: int) -> nx.DiGraph:
    """Return the generalised Kautz digraph: i -> -d·i - a for a = 1..d, without loops."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(
        (i, (-degree * i - a) % n)
        for i in range(n) for a in range(1, degree + 1) if (-degree * i - a) % n != i
    )  # fmt: skip
    return graph


def machine_of(graph: nx.Graph) -> Supernode:
    graph = nx.convert_node_labels_to_integers(graph, ordering="sorted")
    nx.set_edge_attributes(graph, 1.0, "capacity")
    return topology.from_networkx(graph, npus=range(len(graph)))


GRAPHS = {
    "bi-ring 8": (ring(8), 2, 4, 0.8750),
    "bi-ring 9": (ring(9), 2, 4, 0.8889),
    "bi-ring 16": (ring(16), 2, 8, 0.9375),
    "torus 4x4": (nx.grid_graph((4, 4), periodic=True), 4, 4, 0.9375),
    "torus 5x5": (nx.grid_graph((5, 5), periodic=True), 4, 4, 0.9600),
    "torus 3x4": (nx.grid_graph((3, 4), periodic=True), 4, 3, 0.9167),
    "torus 4x8": (nx.grid_graph((4, 8), periodic=True), 4, 6, 0.9688),
    "torus 8x8": (nx.grid_graph((8, 8), periodic=True), 4, 8, 0.9844),
    "torus 4x4x4": (nx.grid_graph((4, 4, 4), periodic=True), 6, 6, 0.9844),
    "Q3": (nx.hypercube_graph(3), 3, 3, 7 / 8),
    "Q5": (nx.hypercube_graph(5), 5, 5, 31 / 32),
    "K4,4": (nx.complete_bipartite_graph(4, 4), 4, 2, 0.8750),
    "K8": (nx.complete_graph(8), 7, 1, 0.8750),
    "C(16,{3,4})": (nx.circulant_graph(16, [3, 4]), 4, 3, 0.9375),
    "C(12,{2,3})": (nx.circulant_graph(12, [2, 3]), 4, 2, 0.9167),
    "L(K4,4)": (nx.line_graph(nx.complete_bipartite_graph(4, 4).to_directed()), 4, 3, 1.0),
    "L2(K4,4)": (
        nx.line_graph(nx.line_graph(nx.complete_bipartite_graph(4, 4).to_directed())),
        4, 4, 33 / 32,
    ),
    "GenKautz(2,8)": (imase_itoh(2, 8), 2, 3, 1.75),
    "GenKautz(2,12)": (imase_itoh(2, 12), 2, 3, 1.1667),
    "GenKautz(4,16)": (imase_itoh(4, 16), 4, 2, 1.25),
    "GenKautz(4,20)": (imase_itoh(4, 20), 4, 2, 1.0),
    "GenKautz(4,27)": (imase_itoh(4, 27), 4, 3, 1.2840),
    "GenKautz(4,32)": (imase_itoh(4, 32), 4, 3, 1.625),
    "GenKautz(4,64)": (imase_itoh(4, 64), 4, 3, 1.3125),
    "GenKautz(4,81)": (imase_itoh(4, 81), 4, 4, 1.3169),
    "GenKautz(4,128)": (imase_itoh(4, 128), 4, 4, 1.6562),
    "GenKautz(4,256)": (imase_itoh(4, 256), 4, 4, 1.3281),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_time_is_that_of_the_paper(name: str) -> None:
    """T_L in steps; T_B in M/B, where B is the d links of a node together."""
    graph, degree, steps, volume = GRAPHS[name]
    machine = machine_of(graph)
    schedule = find_algorithm("all_gather", "bfb")(team_of(machine))
    assert schedule.step_count == steps
    found = plan(machine, schedule, alpha=0.0, message=0.0).cost(1.0).time
    assert found * degree == pytest.approx(volume, abs=6e-5)
    if schedule.ranks <= 64:
        prove(schedule)
        check_traffic(schedule)


@pytest.mark.parametrize("name", ["bi-ring 9", "torus 4x4", "GenKautz(2,12)", "GenKautz(4,20)"])
def test_all_reduce_is_twice_the_all_gather_also_on_directed_links(name: str) -> None:
    graph, degree, steps, volume = GRAPHS[name]
    machine = machine_of(graph)
    team = team_of(machine)
    whole = find_algorithm("all_reduce", "bfb")(team)
    prove(whole)
    prove(find_algorithm("reduce_scatter", "bfb")(team))
    assert whole.step_count == 2 * steps
    if not graph.is_directed():
        found = plan(machine, whole, alpha=0.0, message=0.0).cost(1.0).time
        assert found * degree == pytest.approx(2 * volume, abs=2e-4)


def least_load(graph: nx.Graph, rank: int, t: int) -> float:
    """Return U of one rank and step, by the linear program as the paper writes it."""
    graph = graph.to_directed()
    hops = dict(nx.all_pairs_shortest_path_length(graph))
    owners = [v for v in graph if hops[v].get(rank) == t]
    senders = list(graph.predecessors(rank))
    cells = [(v, w) for v in owners for w in senders if hops[v].get(w) == t - 1]
    if not owners:
        return 0.0
    a_eq = np.array([[float(v == o) for v, _ in cells] + [0.0] for o in owners])
    a_ub = np.array([[float(w == s) for _, w in cells] + [-1.0] for s in senders])
    cost = np.append(np.zeros(len(cells)), 1.0)
    return float(linprog(cost, a_ub, np.zeros(len(senders)), a_eq, np.ones(len(owners))).fun)


@pytest.mark.parametrize("seed", range(4))
def test_every_step_is_the_least_any_sharing_allows(seed: int) -> None:
    graph = nx.random_regular_graph(3, 10, seed=seed)
    if not nx.is_connected(graph):
        return
    schedule = find_algorithm("all_gather", "bfb")(team_of(machine_of(graph)))
    prove(schedule)
    for t, moved in enumerate(schedule.transfers(), start=1):
        sent = Counter(zip(moved.src.tolist(), moved.dst.tolist(), strict=True))
        for rank in graph:
            most = max((n for (_, dst), n in sent.items() if dst == rank), default=0)
            pieces = schedule.chunks // schedule.ranks
            assert most / pieces == pytest.approx(least_load(graph, rank, t))


def test_switches_are_refused() -> None:
    with pytest.raises(ScheduleError, match="linked directly"):
        find_algorithm("all_gather", "bfb")(team_of(topology.star(4, link=1e9)))


def test_a_part_that_cannot_be_reached_is_refused() -> None:
    graph = nx.Graph([(0, 1), (2, 3)])
    with pytest.raises(ScheduleError, match="cannot be reached"):
        find_algorithm("all_gather", "bfb")(team_of(machine_of(graph)))


def test_no_all_gather_beats_what_sccl_proves_of_the_dgx_1() -> None:
    """At least 2 steps and 7/6 rounds a chunk; 3 rounds for 2 chunks in 2 steps.

    Cai et al., Synthesizing optimal collective algorithms, PPoPP 2021: a round is one chunk, of
    one rank's data, on each of the six links of a rank.
    """
    machine = topology.system("dgx-1v")
    ranks = list(range(8))
    team = team_of(machine, ranks)
    link = min(
        data["capacity"] / data["lanes"]
        for u, v, data in machine.graph.edges(data=True)
        if {machine.graph.nodes[n]["kind"] for n in (u, v)} == {"npu"}
    )
    shard = 1.0 / 8 / link
    best = {}
    for name in algorithm_names("all_gather"):
        try:
            schedule = find_algorithm("all_gather", name)(team)
        except ScheduleError:
            continue
        if name == "direct":  # some pairs are two links apart; its one step is not one hop
            continue
        time = plan(machine, schedule, ranks=ranks).cost(1.0).transfer
        assert time / shard >= 7 / 6 * (1 - 1e-9)
        best[name] = (schedule.step_count, time / shard)
    assert best["bfb"][0] == 2
    assert best["bfb"][1] >= 3 / 2 * (1 - 1e-9)
    assert best["multi_ring"][1] == pytest.approx(7 / 6)  # three cycles, both ways: optimal
