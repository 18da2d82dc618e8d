"""All-to-all: published optima, closed forms, the whole program, and lengths that lie."""

from __future__ import annotations

import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives.bounds import CertificateError, Lengths, bound, exchange, read_certificate
from collectives.bounds.frank_wolfe import Search, approximate
from collectives.bounds.network import network
from collectives.bounds.split_nodes import halves
from tests import reference
from tests.collectives.bounds.test_gather import machine
from tests.strategies import direct_networks, networks, rank_choices
from topology import Supernode, SupernodeError
from topology.approximation import NotExactError
from topology.routing import Uniform, ecmp
from topology.units import GB


def kautz(degree: int, nodes: int) -> Supernode:
    """Return the Imase-Itoh graph i → -degree·i - a, without loops and doubles."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    for i in range(nodes):
        for a in range(1, degree + 1):
            j = (-degree * i - a) % nodes
            if i != j:
                graph.add_edge(i, j, capacity=1.0)
    return topology.from_networkx(graph, npus=range(nodes))


def pair_rate(built: Supernode, **choices: object) -> float:
    found = bound(built, "all_to_all", **choices)  # type: ignore[arg-type]
    assert found.certificate.check(built)
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    return found.algbw / found.ranks


@pytest.mark.parametrize(
    ("built", "rate"),
    [
        (machine(nx.cycle_graph(8)), 1 / 8), (machine(nx.cycle_graph(9)), 1 / 10),
        (machine(nx.grid_graph((4, 4), periodic=True)), 1 / 8),
        (machine(nx.grid_graph((5, 5), periodic=True)), 1 / 15),
        (machine(nx.grid_graph((8, 8), periodic=True)), 1 / 64),
        (machine(nx.grid_graph((4, 8), periodic=True)), 1 / 32),
        (machine(nx.grid_graph((3, 3, 3), periodic=True)), 1 / 9),
        (machine(nx.grid_graph((4, 4, 4), periodic=True)), 1 / 32),
        (machine(nx.hypercube_graph(3)), 1 / 4), (machine(nx.hypercube_graph(4)), 1 / 8),
        (machine(nx.hypercube_graph(5)), 1 / 16), (machine(nx.complete_graph(8)), 1.0),
        (machine(nx.complete_bipartite_graph(4, 4)), 2 / 5), (machine(nx.petersen_graph()), 1 / 5),
        (machine(nx.grid_graph((3, 3))), 1 / 6), (machine(nx.grid_graph((4, 4))), 1 / 16),
        (machine(nx.circulant_graph(16, [3, 4])), 1 / 8),
        (machine(nx.circulant_graph(12, [2, 3])), 3 / 14),
        (kautz(4, 16), 7 / 53), (kautz(4, 20), 7 / 61), (kautz(4, 32), 4 / 85),
    ],
    ids=[
        "ring 8", "ring 9", "torus 4x4", "torus 5x5", "torus 8x8", "torus 4x8", "torus 3x3x3",
        "torus 4x4x4", "Q3", "Q4", "Q5", "K8", "K44", "petersen", "mesh 3x3", "mesh 4x4",
        "C(16;3,4)", "C(12;2,3)", "GK(4,16)", "GK(4,20)", "GK(4,32)",
    ],
)  # fmt: skip
def test_known_optima(built: Supernode, rate: float) -> None:
    assert pair_rate(built) == pytest.approx(rate, rel=1e-9)


def test_generalised_kautz_27() -> None:
    """Few symmetries: 14 kinds of sources."""
    assert 1 / pair_rate(kautz(4, 27)) == pytest.approx(14.9216, abs=5e-5)


@pytest.mark.parametrize("dims", [(3, 5), (6, 4), (2 + 1, 4, 5), (10,), (11,)])
def test_tori_are_bound_by_their_longest_dimension(dims: tuple[int, ...]) -> None:
    """A link of a dimension of k carries N·k/8 pairs, or N(k²-1)/(8k) if k is odd."""
    total = float(np.prod(dims))
    loads = [total * k / 8 if k % 2 == 0 else total * (k * k - 1) / (8 * k) for k in dims]
    built = machine(nx.grid_graph(dims, periodic=True))
    assert pair_rate(built) == pytest.approx(1 / max(loads), rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_complete_graphs_and_cubes(n: int) -> None:
    assert pair_rate(machine(nx.complete_graph(n))) == pytest.approx(1.0, rel=1e-9)
    assert pair_rate(machine(nx.hypercube_graph(n))) == pytest.approx(2 / 2**n, rel=1e-9)


def test_the_two_machines() -> None:
    for built, algbw in ((topology.cloudmatrix384(), 392 * GB * 384 / 383),
                         (topology.gb200_nvl72(), 900 * GB * 72 / 71)):  # fmt: skip
        found = bound(built, "all_to_all")
        assert found.algbw == pytest.approx(algbw, rel=1e-12)
        assert found.gap == pytest.approx(0.0, abs=1e-12)
        assert "NPU" in found.words


@settings(max_examples=20)
@given(networks(), st.data())
def test_the_whole_program_agrees(built: Supernode, data: st.DataObject) -> None:
    """Symmetry, twins and classes change nothing: primal = dual = the plain program."""
    chosen = data.draw(rank_choices(len(built.npus)))
    ids = [built.npus[rank] for rank in chosen]
    found = bound(built, "all_to_all", chosen)
    graph = reference.carrying(built, ids)
    rate = reference.exchange_rate(graph, reference.uniform(ids))
    assert found.algbw == pytest.approx(rate, rel=1e-9)
    assert found.reached == pytest.approx(rate, rel=1e-9)
    assert found.certificate.check(built)


@settings(max_examples=15)
@given(networks(), st.data())
def test_any_demand(built: Supernode, data: st.DataObject) -> None:
    count = len(built.npus)
    amounts = st.sampled_from([0.0, 1.0, 2.5e6, 1e9])
    matrix = np.array([[data.draw(amounts) for _ in range(count)] for _ in range(count)]).reshape(
        count, count
    )
    np.fill_diagonal(matrix, 0)
    found = bound(built, "all_to_all", demand=matrix)
    assert found.certificate.check(built)
    if not matrix.any():
        assert found.seconds_per_byte == 0
        return
    wanted = {
        (built.npus[i], built.npus[j]): matrix[i, j] / 1e9
        for i in range(count) for j in range(count) if matrix[i, j]
    }  # fmt: skip
    rate = reference.exchange_rate(reference.carrying(built, list(built.npus)), wanted)
    assert found.size == pytest.approx(matrix.sum(axis=1).max())
    assert found.seconds_per_byte * found.size == pytest.approx(1e9 / rate, rel=1e-7)


@settings(max_examples=20)
@given(networks(), st.sampled_from(["broadcast", "reduce"]), st.data())
def test_a_root_alone_serves_all_where_no_one_relays(
    built: Supernode, kind: str, data: st.DataObject
) -> None:
    """Every rank's copy is its own, so the bound is one flow from the root, or to it."""
    chosen = data.draw(rank_choices(len(built.npus)))
    root, *others = ids = [built.npus[rank] for rank in chosen]
    graph = nx.DiGraph(reference.carrying(built, ids))
    graph = graph.reverse() if kind == "reduce" else graph
    idle = [u for u in graph if u != root and not graph.nodes[u]["forwards"]]
    graph.remove_edges_from(list(graph.out_edges(idle)))
    rate = reference.exchange_rate(graph, {(root, other): 1.0 for other in others})
    found = bound(built, kind, chosen, relay=False)
    assert found.certificate.check(built)
    assert found.algbw == pytest.approx(rate, rel=1e-9)


def test_a_helper_that_passes_nothing_on_helps_no_one() -> None:
    graph = nx.DiGraph(topology.star(4, link=GB).graph)
    graph.add_node("idle", kind="switch", forwards=False, multicasts=True, reduces=True)
    graph.add_edge("npu/0", "idle", capacity=GB)
    built = topology.from_networkx(graph)
    for kind in ("broadcast", "reduce", "all_gather"):
        found = bound(built, kind, relay=False)
        assert found.certificate.check(built)
        assert found.algbw == pytest.approx(GB / 3 if kind != "all_gather" else 4 * GB / 3)


def test_an_even_demand_is_an_all_to_all() -> None:
    built = topology.cloudmatrix384(2)
    plain = bound(built, "all_to_all", range(8)).at(8e6)
    even = bound(built, "all_to_all", demand=Uniform(np.arange(8), 1e6))
    matrix = np.zeros((16, 16))
    matrix[:8, :8] = 1e6
    np.fill_diagonal(matrix, 0)
    uneven = bound(built, "all_to_all", demand=matrix)
    assert even.time == pytest.approx(plain.time, rel=1e-12)
    assert uneven.time == pytest.approx(plain.time, rel=1e-9)


@settings(max_examples=15)
@given(networks(), st.sampled_from([0.5, 1.25]), st.data())
def test_capacity_helps_and_faults_do_not(
    built: Supernode, factor: float, data: st.DataObject
) -> None:
    link = data.draw(st.sampled_from(sorted(built.graph.edges)))
    before = bound(built, "all_to_all").seconds_per_byte
    after = bound(built.degrade(links=[link], factor=factor), "all_to_all").seconds_per_byte
    assert (after <= before * (1 + 1e-9)) if factor > 1 else (after >= before * (1 - 1e-9))


@settings(max_examples=15)
@given(networks())
def test_switches_never_beat_it(built: Supernode) -> None:
    """ECMP's loads are a routing, so they stay at or under the optimum; doubling doubles."""
    loads = ecmp(built).loads(Uniform(np.arange(len(built.npus)), 1 / len(built.npus)))
    sprayed = 1 / float((loads / built.fabric.capacity).max())
    found = bound(built, "all_to_all").algbw
    assert sprayed <= found * (1 + 1e-9)
    doubled = built.degrade(links=list(built.graph.edges), factor=2.0)
    assert bound(doubled, "all_to_all").algbw == pytest.approx(2 * found, rel=1e-9)
    alone = bound(built, "all_to_all", relay=False)
    assert sprayed <= alone.algbw * (1 + 1e-9) <= found * (1 + 2e-9)
    assert alone.certificate.check(built)


@settings(max_examples=10)
@given(direct_networks(), st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(built: Supernode, random: object) -> None:
    names = list(built.graph)
    random.shuffle(names)  # type: ignore[attr-defined]
    renamed = nx.relabel_nodes(built.graph, dict(zip(sorted(names), names, strict=True)))
    other = topology.from_networkx(renamed, npus=names)
    for kind in ("all_to_all", "all_gather"):
        assert bound(other, kind).algbw == pytest.approx(bound(built, kind).algbw, rel=1e-9)


@settings(max_examples=15)
@given(networks(), st.data())
def test_tampered_lengths_are_found_out(built: Supernode, data: st.DataObject) -> None:
    proof = bound(built, "all_to_all").certificate
    assert isinstance(proof, Lengths)
    for factor in (0.5, 1 + 1e-6, 2.0):
        with pytest.raises(CertificateError, match="claimed"):
            replace(proof, claim=proof.claim * factor).check(built)
    at = data.draw(st.integers(0, len(proof.links) - 1))
    length, links = proof.links[at]
    others = proof.links[:at] + proof.links[at + 1 :]
    need = proof.needs[0]
    bad = (
        replace(proof, links=(*others, (-length, links))),
        replace(proof, links=(*proof.links, (1.0, links[:1]))),
        replace(proof, links=(*others, (length, (*links[1:], ("nowhere", "else"))))),
        replace(proof, links=()),
        replace(proof, needs=(replace(need, ranks=(*need.ranks, need.ranks[0])),)),
        replace(proof, needs=(replace(need, ranks=("nobody", *need.ranks[1:])),)),
    )
    for forged in bad:
        with pytest.raises(SupernodeError):
            forged.check(built)
    halved = built.degrade(links=list(built.graph.edges), factor=0.5)
    with pytest.raises(CertificateError, match="claimed"):
        proof.check(halved)


@settings(max_examples=10)
@given(networks())
def test_other_lengths_prove_less(built: Supernode) -> None:
    """Any lengths are a proof of something, and never of more than the optimum."""
    best = bound(built, "all_to_all")
    links = tuple(sorted(built.graph.edges))
    flat = replace(best.certificate, links=((1.0, links),))  # type: ignore[type-var]
    assert flat.seconds_per_byte(built) <= best.seconds_per_byte * (1 + 1e-9)


def test_certificates_are_saved_and_read() -> None:
    for built in (topology.dgx_h100(2), topology.dgx_h100(1)):
        for kind in ("all_gather", "all_to_all", "all_reduce", "broadcast", "scatter", "barrier"):
            found = bound(built, kind, relay=kind != "all_gather")
            saved = json.loads(json.dumps(found.to_dict()))["certificate"]
            again = read_certificate(saved)
            assert again == found.certificate
            assert again.check(built)
    uneven = bound(topology.dgx_h100(1), "all_to_all", demand={(0, 1): 3.0, (2, 7): 1.5})
    assert read_certificate(json.loads(json.dumps(uneven.to_dict()))["certificate"]).words


@pytest.mark.parametrize("data", [{}, {"kind": "guess"}, {"kind": "cut"}, {"kind": "lengths"}])
def test_what_is_not_a_certificate_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(CertificateError, match="certificate"):
        read_certificate(data)


def test_fabrics_too_large_to_search_still_have_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_MOST_SEARCHED", 10)
    monkeypatch.setattr(exchange, "_MOST_VARIABLES", 10)
    for built in (topology.cloudmatrix384(4).without(links=[("npu/9", "l1/1/3")]),
                  topology.dgx_h100(4)):  # fmt: skip
        found = bound(built, "all_to_all")
        assert found.gap is None
        assert found.certificate.check(built)
        loads = ecmp(built).loads(Uniform(np.arange(found.ranks), 1 / found.ranks))
        assert found.seconds_per_byte <= (loads / built.fabric.capacity).max() * (1 + 1e-9)
        assert [one.error for one in found.approximations] == [None]
        few = bound(built, "all_to_all", demand={(0, 1): 1.0, (3, 2): 2.0, (1, 5): 1.0})
        assert few.certificate.check(built)
        with pytest.raises(NotExactError, match="natural cut"):
            bound(built, "all_to_all", exact=True)


@pytest.mark.parametrize("plain", [0, 10**12])
def test_both_ways_to_add_up_distances_agree(plain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From every rank, and from one for each orbit."""
    monkeypatch.setattr("collectives.bounds.dual._PLAIN", plain)
    for built in (topology.cloudmatrix384(3), machine(nx.grid_graph((3, 4), periodic=True)),
                  topology.dgx_h100(3), kautz(4, 27)):  # fmt: skip
        found = bound(built, "all_to_all")
        assert found.certificate.check(built)
        assert found.gap == pytest.approx(0.0, abs=1e-9)


def _searched(built: Supernode, gap: float) -> Search:
    laid = halves(network(built.fabric, np.arange(len(built.npus))))
    wanted = np.outer(laid.size, laid.size) / len(built.npus)
    np.fill_diagonal(wanted, laid.size * (laid.size - 1) / len(built.npus))
    search = Search(laid, wanted, gap)
    approximate(search)
    return search


@settings(max_examples=15)
@given(networks())
def test_the_search_brackets_the_optimum(built: Supernode) -> None:
    """What it reaches and what it proves lie on either side of the exact optimum."""
    exact = bound(built, "all_to_all").algbw
    search = _searched(built, 0.02)
    assert search.reached <= exact * (1 + 1e-9)
    assert search.bound >= exact * (1 - 1e-9)
    assert search.open <= 0.02


@pytest.mark.parametrize("seed", [1, 2])
def test_irregular_graphs_to_a_certified_gap(seed: int) -> None:
    built = machine(nx.random_regular_graph(4, 24, seed=seed))
    search = _searched(built, 0.01)
    assert search.open <= 0.01
    exact = bound(built, "all_to_all").algbw
    assert search.reached * (1 - 1e-9) <= exact <= search.bound * (1 + 1e-9)


def test_a_damaged_fabric_to_a_certified_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 % of the links of 6 nodes of CloudMatrix384 are gone; the search takes over."""
    whole = topology.cloudmatrix384(6, cpus=False)
    links = sorted((u, v) for u, v in whole.graph.edges if u < v)
    gone = np.random.default_rng(7).choice(len(links), len(links) // 50, replace=False)
    built = whole.without(links=[links[i] for i in gone])
    exact = bound(built, "all_to_all")
    monkeypatch.setattr(exchange, "_MOST_VARIABLES", 10)
    said: list[tuple[str, float]] = []
    found = bound(built, "all_to_all", progress=lambda what, done: said.append((what, done)))
    assert found.gap is not None
    assert 0 <= found.gap <= 0.01
    assert found.certificate.check(built)
    assert exact.algbw * (1 - 1e-9) <= found.algbw <= exact.algbw * 1.0102
    assert said
    assert all(0 <= done <= 1 for _, done in said)


@settings(max_examples=10)
@given(networks())
def test_block_sizes_and_trees_change_no_bound(built: Supernode) -> None:
    """Distances in blocks of one rank; searching without spraying first."""
    whole = bound(built, "all_to_all")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collectives.bounds.dual._CELLS", 1)
        patch.setattr("collectives.bounds.certificates.proofs._CELLS", 1)
        found = bound(built, "all_to_all")
        assert found.seconds_per_byte == pytest.approx(whole.seconds_per_byte, rel=1e-12)
        assert found.certificate.check(built)
        patch.setattr(exchange, "_MOST_VARIABLES", 0)
        patch.setattr("collectives.bounds.frank_wolfe._SPRAYED", 0)
        near = bound(built, "all_to_all", gap=0.05)
    assert near.reached is not None
    assert near.reached * (1 - 1e-9) <= whole.algbw <= near.algbw * (1 + 1e-9)
    assert all(one.error == near.gap for one in near.approximations)


def test_a_search_passes_over_what_cannot_reach_a_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch that takes nothing in is farther than any hop; it is on no path, and no NaN."""
    graph = nx.DiGraph()
    for rank in range(4):
        graph.add_edge(rank, "hub", capacity=1e9 * (rank + 1))
        graph.add_edge("hub", rank, capacity=2e9)
    graph.add_edge("hub", "sink", capacity=1e9)
    graph.add_edge("sink", "deep", capacity=1e9)
    for name in ("hub", "sink", "deep"):
        graph.nodes[name]["kind"] = "switch"
    machine = topology.from_networkx(graph, npus=range(4))
    exact = bound(machine, "all_to_all")
    monkeypatch.setattr("collectives.bounds.exchange._MOST_VARIABLES", 0)
    searched = bound(machine, "all_to_all", gap=0.001)
    assert searched.seconds_per_byte <= exact.seconds_per_byte * (1 + 1e-9)
    assert searched.seconds_per_byte >= exact.seconds_per_byte * 0.99
