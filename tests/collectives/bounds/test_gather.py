"""All-gather and the like: published optima, closed forms, and every cut in turn."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives.bounds import bound, gather, gather_bound
from tests import reference
from tests.strategies import networks, rank_choices
from topology import Supernode, SupernodeError
from topology.solvers.fractions import as_fraction
from topology.units import GB


def machine(graph: nx.Graph, capacity: float = 1.0) -> Supernode:
    """Return a machine in which every node is an NPU with a router."""
    nx.set_edge_attributes(graph, capacity, "capacity")
    return topology.from_networkx(graph, npus=sorted(graph))


def boxes(count: int, inner: float, outer: float) -> Supernode:
    """Return boxes of 8 GPUs: a switch in each, and one switch over all."""
    graph = nx.Graph()
    for i in range(8 * count):
        graph.add_edge(f"npu/{i}", f"box/{i // 8}", capacity=inner * GB)
        if count > 1:
            graph.add_edge(f"npu/{i}", "ib/0", capacity=outer * GB)
    return topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(8 * count)])


@pytest.mark.parametrize(
    ("count", "inner", "outer", "trees", "algbw"),
    [
        (1, 300, 25, 1, 342.857), (2, 300, 25, 13, 346.667), (4, 300, 25, 1, 266.667),
        (2, 450, 50, 2, 533.333), (4, 450, 50, 10, 516.129), (8, 450, 50, None, 457.143),
        (2, 200, 50, None, 266.667), (8, 200, 50, None, 253.968),
    ],
)  # fmt: skip
def test_forestcoll_on_boxes(
    count: int, inner: float, outer: float, trees: int | None, algbw: float
) -> None:
    """The optima ForestColl finds on A100, H100 and H800 boxes, with its tree counts."""
    built = boxes(count, inner, outer)
    found = gather_bound(built)
    assert float(found.algbw) / GB == pytest.approx(algbw, abs=5e-4)
    if trees is not None:
        assert found.trees == trees
    assert found.scale * found.rate == found.trees
    assert all((found.scale * found.unit * n).denominator == 1 for n in (1, 2, 3))
    for kind in ("all_gather", "reduce_scatter"):
        limit = bound(built, kind)
        assert limit.exact == found.algbw
        assert limit.certificate.check(built)


@pytest.mark.parametrize(
    ("built", "algbw", "trees"),
    [
        (machine(nx.complete_graph(8), 48.0), 384, None),
        (machine(nx.complete_graph(8), 64.0), 512, None),
        (machine(nx.grid_graph((3, 3))), 2.25, None),
        (machine(nx.grid_graph((4, 4))), Fraction(32, 15), 2),
        (machine(nx.grid_graph((4, 4), periodic=True)), Fraction(64, 15), 4),
        (machine(nx.path_graph(5)), 1.25, None),
        (machine(nx.complete_bipartite_graph(3, 3)), Fraction(18, 5), None),
        (machine(nx.petersen_graph()), Fraction(10, 3), None),
    ],
    ids=["K8", "K8 64", "mesh 3x3", "mesh 4x4", "torus", "P5", "K33", "petersen"],
)
def test_forestcoll_on_graphs(built: Supernode, algbw: Fraction, trees: int | None) -> None:
    found = gather_bound(built)
    assert found.algbw == algbw
    if trees is not None:
        assert found.trees == trees


def test_the_hybrid_cube_mesh() -> None:
    """DGX-1V: 171.429 GB/s with k = 6; with unit links and 7 blocks, 7/6 rounds a chunk."""
    built = topology.system("dgx-1v")
    found = gather_bound(built)
    assert float(found.algbw) / GB == pytest.approx(171.429, abs=5e-4)
    assert found.trees == 6
    link = Fraction(25) * 10**9
    assert link / found.rate == Fraction(7, 6)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 13])
def test_closed_forms_of_n(n: int) -> None:
    """K_n: n links · n/(n-1) · ...; rings, paths, stars."""
    share = Fraction(n, n - 1)
    assert gather_bound(machine(nx.complete_graph(n))).algbw == n
    assert gather_bound(machine(nx.path_graph(n))).algbw == share
    if n > 2:
        assert gather_bound(machine(nx.cycle_graph(n))).algbw == 2 * share
    assert gather_bound(topology.star(n, link=50 * GB)).algbw == 50 * 10**9 * share


@pytest.mark.parametrize("dims", [(3, 3), (3, 4), (4, 6), (3, 3, 3), (4, 4, 4), (3, 4, 5)])
def test_tori(dims: tuple[int, ...]) -> None:
    """Every torus is bound by the 2D links of an NPU."""
    total = int(np.prod(dims))
    built = machine(nx.grid_graph(dims, periodic=True))
    assert gather_bound(built).algbw == Fraction(2 * len(dims) * total, total - 1)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_hypercubes(n: int) -> None:
    built = machine(nx.hypercube_graph(n))
    assert gather_bound(built).algbw == Fraction(n * 2**n, 2**n - 1)


def test_the_two_machines() -> None:
    """M (383/384) / 392 GB/s, and 912.68 GB/s."""
    assert gather_bound(topology.cloudmatrix384()).algbw == Fraction(392 * 10**9 * 384, 383)
    assert gather_bound(topology.gb200_nvl72()).algbw == Fraction(900 * 10**9 * 72, 71)


@settings(max_examples=15)
@given(networks(), st.data())
def test_every_cut_in_turn(built: Supernode, data: st.DataObject) -> None:
    """Equal, as a fraction, to the best of all cuts of the graph."""
    chosen = data.draw(rank_choices(len(built.npus)))
    ids = [built.npus[rank] for rank in chosen]
    found = bound(built, "all_gather", chosen)
    assert found.certificate.check(built)
    best = float(reference.all_gather_algbw(built, ids))
    assert float(gather_bound(built, chosen).algbw) == pytest.approx(best, rel=1e-12)
    assert found.algbw == pytest.approx(best, rel=1e-12)
    assert found.exact in (None, gather_bound(built, chosen).algbw)


@settings(max_examples=15)
@given(networks(), st.data())
def test_roots_and_all_reduce_against_every_cut(built: Supernode, data: st.DataObject) -> None:
    chosen = data.draw(rank_choices(len(built.npus)))
    ids = [built.npus[rank] for rank in chosen]
    root = data.draw(st.integers(0, len(chosen) - 1))
    down = float(reference.narrowest(built, ids, ids[root]))
    turned = topology.from_networkx(built.graph.reverse(), npus=built.npus)
    up = float(reference.narrowest(turned, ids, ids[root]))
    for kind, value in (("broadcast", down), ("reduce", up)):
        found = bound(built, kind, chosen, root=root)
        assert found.algbw == pytest.approx(value, rel=1e-12)
        assert found.certificate.check(built)
    reduced = bound(built, "all_reduce", chosen)
    assert reduced.certificate.check(built)
    assert reduced.algbw <= min(down, up) * (1 + 1e-9)
    assert reduced.composed is not None
    assert reduced.seconds_per_byte <= reduced.composed * (1 + 1e-9)


@settings(max_examples=15)
@given(networks(), st.data())
def test_gather_and_scatter_are_flows(built: Supernode, data: st.DataObject) -> None:
    """What all ranks can send to one at the same rate, by NetworkX."""
    chosen = data.draw(rank_choices(len(built.npus)))
    ids = [built.npus[rank] for rank in chosen]
    found = bound(built, "gather", chosen)
    graph = nx.DiGraph(reference.carrying(built, ids))
    rate = found.algbw / len(ids)
    for npu in ids[1:]:
        graph.add_edge("source", npu, capacity=rate)
    flow = nx.maximum_flow_value(graph, "source", ids[0])
    assert flow == pytest.approx((len(ids) - 1) * rate, rel=1e-9)
    for npu in ids[1:]:
        graph.edges["source", npu]["capacity"] = rate * 1.001
    assert nx.maximum_flow_value(graph, "source", ids[0]) < (len(ids) - 1) * rate * 1.001
    turned = topology.from_networkx(built.graph.reverse(), npus=built.npus)
    assert bound(turned, "scatter", chosen).algbw == pytest.approx(found.algbw, rel=1e-12)


@settings(max_examples=15)
@given(networks(), st.data())
def test_reduce_scatter_is_all_gather_backwards(built: Supernode, data: st.DataObject) -> None:
    chosen = data.draw(rank_choices(len(built.npus)))
    turned = topology.from_networkx(built.graph.reverse(), npus=built.npus)
    found = bound(built, "reduce_scatter", chosen)
    assert found.certificate.check(built)
    assert found.exact == bound(turned, "all_gather", chosen).exact


@settings(max_examples=15)
@given(networks(), st.sampled_from([0.5, 0.75, 1.5]), st.data())
def test_capacity_helps_and_faults_do_not(
    built: Supernode, factor: float, data: st.DataObject
) -> None:
    link = data.draw(st.sampled_from(sorted(built.graph.edges)))
    before = bound(built, "all_gather").seconds_per_byte
    after = bound(built.degrade(links=[link], factor=factor), "all_gather").seconds_per_byte
    assert (after <= before * (1 + 1e-12)) if factor > 1 else (after >= before * (1 - 1e-12))


@settings(max_examples=10)
@given(networks())
def test_a_limited_switch_is_a_narrow_link(built: Supernode) -> None:
    """A switch that forwards c bytes/s in all is two switches with a link of c between them."""
    switches = [n for n, data in built.graph.nodes(data=True) if data["kind"] == "switch"]
    limited, split = nx.DiGraph(built.graph), nx.DiGraph()
    for node, data in built.graph.nodes(data=True):
        split.add_node(node, **data)
        if node in switches:
            limited.nodes[node]["capacity"] = 30 * GB
            split.add_node(f"{node}/out", **data)
            split.add_edge(node, f"{node}/out", capacity=30 * GB)
    for u, v, data in built.graph.edges(data=True):
        split.add_edge(f"{u}/out" if u in switches else u, v, capacity=data["capacity"])
    one = topology.from_networkx(limited, npus=built.npus)
    two = topology.from_networkx(split, npus=built.npus)
    for kind in ("all_gather", "reduce_scatter", "all_to_all", "broadcast"):
        found = bound(one, kind)
        assert found.certificate.check(one)
        assert found.algbw == pytest.approx(bound(two, kind).algbw, rel=1e-9)


def test_relays_help_only_where_they_may() -> None:
    """Two NPUs on different switches, joined by a third NPU alone."""
    graph = nx.Graph()
    graph.add_nodes_from(["s/0", "s/1"], kind="switch")
    for npu, switch in ((0, 0), (1, 1), (2, 0), (2, 1)):
        graph.add_node(f"npu/{npu}", kind="npu")
        graph.add_edge(f"npu/{npu}", f"s/{switch}", capacity=1.0)
    built = topology.from_networkx(graph)
    assert bound(built, "all_gather").exact == Fraction(3, 2)
    with pytest.raises(SupernodeError, match="cannot receive"):
        bound(built, "all_gather", relay=False)


def test_cpus_carry_nothing() -> None:
    """The links of CPUs change nothing."""
    with_cpus, without = topology.cloudmatrix384(4), topology.cloudmatrix384(4, cpus=False)
    for kind in ("all_gather", "all_to_all", "all_reduce"):
        assert bound(with_cpus, kind).algbw == bound(without, kind).algbw


def test_switches_that_reduce_leave_only_cuts() -> None:
    """With reduction in the network all-reduce is bound by a port, S/B, and not by 2(p-1)/p."""
    plain = boxes(1, 300, 0)
    graph = nx.DiGraph(plain.graph)
    graph.nodes["box/0"]["reduces"] = True
    reducing = topology.from_networkx(graph, npus=plain.npus)
    assert bound(reducing, "all_reduce").algbw == 300 * GB
    assert bound(plain, "all_reduce").algbw == pytest.approx(300 * GB * 8 / 14)
    assert bound(plain, "all_reduce").gap == pytest.approx(0.0, abs=1e-12)


def test_faults_on_cloudmatrix() -> None:
    """One NPU loses one of 7 links: the optimum is its 6 remaining ones, exactly."""
    broken = topology.cloudmatrix384().without(links=[("npu/9", "l1/1/3")])
    assert gather_bound(broken).algbw == Fraction(336 * 10**9 * 384, 383)


@pytest.mark.parametrize("value", [160e9 / 7, 28e9, 0.1, 1 / 3, 28e9 * 0.9, 5e-324, 1e300, 2**0.5])
def test_fractions_stand_for_their_float(value: float) -> None:
    found = as_fraction(value)
    assert float(found) == pytest.approx(value, rel=1e-15)
    assert as_fraction(160e9 / 7) == Fraction(160 * 10**9, 7)


def test_ugly_capacities_are_exact_too() -> None:
    """Whole numbers beyond 64 bits: no rounding, no overflow."""
    graph = nx.DiGraph()
    rng = np.random.default_rng(5)
    for u in range(5):
        for v in range(5):
            if u != v:
                graph.add_edge(u, v, capacity=float(rng.random() * 10.0 ** rng.integers(-8, 9)))
    built = topology.from_networkx(graph, npus=range(5))
    found = bound(built, "all_gather")
    expected = reference.all_gather_algbw(built, list(built.npus))
    assert found.algbw == pytest.approx(float(expected), rel=1e-12)


def test_one_rank_and_bad_questions() -> None:
    star = topology.star(4, link=50 * GB)
    assert bound(star, "all_gather", [2]).seconds_per_byte == 0
    assert bound(star, "barrier").seconds_per_byte == 0
    for call in (
        lambda: bound(star, "broadcast", root=4),
        lambda: bound(star, "all_gather", [0, 9]),
        lambda: bound(star, "all_gathr"),
        lambda: gather_bound(star, [1]),
        lambda: bound(star.without(links=[("npu/0", "switch/0")]), "all_gather"),
        lambda: bound(star.without(links=[("npu/0", "switch/0")]), "all_to_all"),
    ):
        with pytest.raises(SupernodeError):
            call()


@settings(max_examples=15)
@given(networks(), st.sampled_from(["all_gather", "reduce_scatter", "broadcast", "all_reduce"]))
def test_a_tampered_cut_is_found_out(built: Supernode, kind: str) -> None:
    proof = bound(built, kind).certificate
    for factor in (0.5, 1 + 1e-6, 2.0):
        forged = replace(proof, claim=proof.claim * factor)  # type: ignore[type-var]
        with pytest.raises(SupernodeError, match="claimed"):
            forged.check(built)
    slower = built.degrade(links=list(built.graph.edges), factor=0.5)
    with pytest.raises(SupernodeError, match="claimed"):
        proof.check(slower)


def test_some_ranks_as_targets_give_a_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no work allowed, one rank is tried: a bound no tighter, and never called exact."""
    for built in (topology.mesh((3, 4), link=50 * GB), topology.dgx_h100(2)):
        whole = bound(built, "all_gather")
        with monkeypatch.context() as patch:
            patch.setattr(gather, "_WORK", 0)
            patch.setattr(gather, "_FEWEST", 1)
            some = bound(built, "all_gather")
        assert some.certificate.check(built)
        assert some.seconds_per_byte <= whole.seconds_per_byte * (1 + 1e-12)
        if some.approximations:
            assert some.exact is some.reached is None
        else:
            assert some == whole
    assert not whole.approximations
