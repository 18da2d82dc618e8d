"""Parallel groups: where they are placed, and what they cost together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives import analyze, collective_names, verify
from collectives.algorithms import find_algorithm
from collectives.algorithms.direct import direct_all_to_all
from collectives.analysis.question import Job
from collectives.model.lockstep import Placed, at_once
from collectives.model.schedule import Team
from collectives.workloads.groups import analyze_groups, analyze_jobs, groups
from tests.strategies import two_levels
from topology import Supernode
from topology.errors import SupernodeError
from topology.units import GB, MiB

QUIET = {"alpha": 0.0, "message": 0.0}


def _islands(count: int, each: int, link: float = 25 * GB) -> Supernode:
    """Return groups of NPUs, each group on a switch of its own, joined by thin uplinks."""
    graph = nx.Graph()
    for i in range(count * each):
        graph.add_node(f"npu/{i}", kind="npu", node=i // each)
        graph.add_edge(f"npu/{i}", f"s/{i // each}", capacity=link)
    graph.add_edges_from((f"s/{i}", "top/0", {"capacity": 10 * GB}) for i in range(count))
    return topology.from_networkx(graph, name="islands")


@pytest.mark.parametrize(
    ("sizes", "dp"),
    [({"tp": 8}, 48), ({"tp": 4, "ep": 8, "pp": 3}, 4), ({"ep": 384}, 1), ({}, 384)],
)
def test_every_rank_is_in_one_group_of_each_dimension(sizes: dict[str, int], dp: int) -> None:
    found = groups(topology.cloudmatrix384(), **sizes)
    assert dict(found.sizes) == {"tp": 1, "ep": 1, "pp": 1} | sizes | {"dp": dp}
    for name in found:
        assert found[name].shape == (384 // found.sizes[name], found.sizes[name])
        assert sorted(found[name].reshape(-1)) == list(range(384))
    for a in ("tp", "ep"):  # two groups of different dimensions share one rank at most
        for row in found[a][:4]:
            assert all(len(np.intersect1d(row, other)) <= 1 for other in found["dp"])


def test_the_first_in_the_order_gets_neighbours() -> None:
    star = topology.star(16, link=GB)
    usual = groups(star, tp=2, ep=2, dp=2, pp=2)
    assert usual.tp[0].tolist() == [0, 1]
    assert usual.ep[0].tolist() == [0, 2]
    assert usual.dp[0].tolist() == [0, 4]
    assert usual.pp[0].tolist() == [0, 8]
    assert list(usual) == ["tp", "ep", "dp", "pp"]
    turned = groups(star, tp=2, ep=2, dp=2, pp=2, order=["pp", "dp", "ep", "tp"])
    assert turned.tp[0].tolist() == [0, 8]
    assert usual.along("ep", "dp")[0].tolist() == [0, 2, 4, 6]
    some = groups(star, tp=2, ranks=[8, 3, 5, 1])
    assert some.tp.tolist() == [[8, 3], [5, 1]]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda s: groups(s, tp=5), "must divide"),
        (lambda s: groups(s, tp=4, dp=4), "16 ranks, and there are 8"),
        (lambda s: groups(s, tp=0), "tp is 0"),
        (lambda s: groups(s, tp=2, order=["tp"]), "order is"),
        (lambda s: groups(s, tp=2)["cp"], "there is no 'cp'"),
        (lambda s: groups(s, tp=2, ranks=[0, 99]), "no rank 99"),
        (lambda s: analyze_groups(s, "all_reduce", 1e6, []), "one group or more"),
        (lambda s: analyze_groups(s, "all_reduce", 1e6, [[0, 1], [1, 2]]), "rank 1 is in 2"),
        (lambda s: analyze_groups(s, "all_reduce", 1e6, [[0, 1]], algorithm="rnig"), "ring"),
        (lambda s: analyze_jobs(s, []), "one job or more"),
        (lambda s: analyze_groups(s, "all_reduce", 1e6, groups(s, tp=2)), "one dimension"),
        (lambda s: analyze_groups(s, "all_reduce", -1.0, [[0, 1]]), "size is -1.0"),
        (lambda s: analyze_groups(s, "all_reduce", float("nan"), [[0, 1]]), "size is nan"),
    ],
)
def test_refusals_say_what_is_allowed(make: Callable[[Supernode], object], words: str) -> None:
    with pytest.raises(SupernodeError, match=words):
        make(topology.star(8, link=GB))


@pytest.mark.parametrize("kind", ["all_reduce", "all_gather", "reduce_scatter", "all_to_all"])
@pytest.mark.parametrize("algorithm", ["direct", "ring"])
def test_groups_that_share_no_link_take_the_time_of_one(kind: str, algorithm: str) -> None:
    if kind == "all_to_all" and algorithm == "ring":
        algorithm = "pairwise"
    machine = _islands(4, 6)
    tp = groups(machine, tp=6).tp
    together = analyze_groups(machine, kind, 8 * MiB, tp, algorithm=algorithm, alpha=1e-6)
    alone = analyze(machine, kind, 8 * MiB, algorithm=algorithm, ranks=tp[0], alpha=1e-6)
    assert together.time == pytest.approx(alone.time, rel=1e-12)
    assert together.busbw == pytest.approx(alone.busbw)
    assert together.algbw == pytest.approx(alone.algbw)
    assert together.schedule.step_count == alone.schedule.step_count
    assert together.bottleneck.name == alone.bottleneck.name


@settings(max_examples=15)
@given(
    machine=two_levels(nodes=2, each=4, spine=True), algorithm=st.sampled_from(["direct", "ring"])
)
def test_groups_on_twin_links_take_the_time_of_one(machine: Supernode, algorithm: str) -> None:
    tp = groups(machine, tp=4).tp
    together = analyze_groups(machine, "all_reduce", 1e6, tp, algorithm=algorithm)
    alone = analyze(machine, "all_reduce", 1e6, algorithm=algorithm, ranks=tp[1])
    assert together.time == pytest.approx(alone.time)


@settings(max_examples=15)
@given(sizes=st.lists(st.sampled_from([1e5, 3e6, 5e6]), min_size=1, max_size=4))
def test_groups_that_share_one_link_add_up_on_it(sizes: list[float]) -> None:
    """Two switches joined by one cable; each group has one NPU on either side."""
    graph = nx.Graph([("s/0", "s/1", {"capacity": GB})])
    for i in range(2 * len(sizes)):
        graph.add_node(f"npu/{i}", kind="npu")
        graph.add_edge(f"npu/{i}", f"s/{i % 2}", capacity=100 * GB)
    machine = topology.from_networkx(graph)
    jobs = [Job("all_gather", [[2 * i, 2 * i + 1]], s, "direct") for i, s in enumerate(sizes)]
    together = analyze_jobs(machine, jobs, **QUIET)
    alone = [analyze_jobs(machine, [job], **QUIET).time for job in jobs]
    assert together.time == pytest.approx(sum(alone), rel=1e-12)
    assert together.time == pytest.approx(sum(sizes) / 2 / GB)
    assert together.size == pytest.approx(sum(sizes))


def test_one_group_of_everyone_is_the_collective() -> None:
    machine = topology.cloudmatrix384(2)
    whole = groups(machine, ep=16).ep
    for kind in ("all_to_all", "all_reduce"):
        one = analyze_groups(machine, kind, MiB, whole, algorithm="direct")
        same = analyze(machine, kind, MiB, algorithm="direct")
        assert one.time == pytest.approx(same.time, rel=1e-12)
        assert one.busbw == pytest.approx(same.busbw, rel=1e-12)
        assert one.latency.serialisation == pytest.approx(same.latency.serialisation)
        assert np.allclose(one.busy, same.busy)


def test_groups_of_different_sizes_end_when_the_longest_does() -> None:
    star = topology.star(8, link=GB)
    rows = [[0, 1, 2, 3, 4], [5, 6, 7]]
    found = analyze_groups(star, "all_reduce", 1e6, rows, algorithm="ring", alpha=1e-6)
    longest = analyze(star, "all_reduce", 1e6, algorithm="ring", ranks=rows[0], alpha=1e-6)
    shortest = analyze(star, "all_reduce", 1e6, algorithm="ring", ranks=rows[1], alpha=1e-6)
    assert found.schedule.step_count == longest.schedule.step_count == 8
    each = shortest.time / 4
    assert found.time == pytest.approx(4 * each + longest.time / 2)


def test_strided_groups_share_what_packed_ones_do_not() -> None:
    machine = _islands(4, 4)
    packed = groups(machine, tp=4)
    near = analyze_groups(machine, "all_reduce", MiB, packed.tp, algorithm="ring")
    far = analyze_groups(machine, "all_reduce", MiB, packed.dp, algorithm="ring")
    assert near.bottleneck.name in ("NPU→s", "s→NPU")
    assert "top" in far.bottleneck.name
    assert far.time > near.time


def test_jobs_at_once_take_no_less_than_each_and_no_more_than_all() -> None:
    machine = topology.cloudmatrix384(4)
    placed = groups(machine, tp=4, ep=8)
    jobs = [
        Job("all_reduce", placed.tp, 4 * MiB, "direct", name="TP"),
        Job("all_to_all", placed.ep, 16 * MiB, "direct", name="EP"),
    ]
    together = analyze_jobs(machine, jobs)
    alone = [analyze_jobs(machine, [job]).time for job in jobs]
    assert max(alone) <= together.time <= sum(alone)
    assert "TP of 4 MiB in each of 8 groups of 4" in str(together)
    assert together.size == 20 * MiB
    weighed = 4 * MiB * 2 * 3 / 4 + 16 * MiB * 7 / 8
    assert together.busbw == pytest.approx(weighed / together.time)


@settings(max_examples=15)
@given(machine=two_levels(nodes=2, each=4, spine=True), data=st.data())
def test_an_estimate_never_beats_its_bound(machine: Supernode, data: st.DataObject) -> None:
    placed = groups(machine, tp=2)
    kinds = st.sampled_from(collective_names())
    jobs = [
        Job(data.draw(kinds), placed[data.draw(st.sampled_from(["tp", "dp"]))], 1e6)
        for _ in range(data.draw(st.integers(1, 2)))
    ]
    found = analyze_jobs(machine, jobs, **QUIET)
    assert found.bound.time <= found.time * (1 + 1e-9)
    assert found.bound.certificate.check(machine)


def test_time_does_not_depend_on_the_order_of_groups_or_the_names_of_ranks() -> None:
    machine = topology.cloudmatrix384(4)
    rows = groups(machine, ep=8).dp
    one = analyze_groups(machine, "all_to_all", MiB, rows, algorithm="direct")
    other = analyze_groups(machine, "all_to_all", MiB, rows[::-1], algorithm="direct")
    assert one.time == pytest.approx(other.time, rel=1e-12)
    swapped = (rows + 8) % 32  # nodes are interchangeable
    moved = analyze_groups(machine, "all_to_all", MiB, swapped, algorithm="direct")
    assert one.time == pytest.approx(moved.time)


def test_transfers_of_the_whole_are_those_of_the_parts() -> None:
    rows = [[0, 2, 4], [1, 3, 5]]
    schedule, ranks = at_once([Placed(direct_all_to_all(3), row) for row in rows])
    assert ranks.tolist() == list(range(6))
    moved = schedule.steps[0].transfers(0)
    assert sorted(zip(moved.src.tolist(), moved.dst.tolist(), strict=True)) == sorted(
        (a, b) for row in rows for a in row for b in row if a != b
    )
    assert len(np.unique(moved.chunk)) == 12


def test_auto_is_the_fastest_choice_and_the_print_says_so() -> None:
    machine = topology.dgx_h100(2)
    rows = groups(machine, tp=8).tp
    found = analyze_groups(machine, "all_reduce", "64 MiB", rows)
    for name in ("ring", "direct"):
        verify(find_algorithm("all_reduce", name)(Team(8)))
        slower = analyze_groups(machine, "all_reduce", "64 MiB", rows, algorithm=name)
        assert found.time <= slower.time
    assert "in each of 2 groups of 8" in str(found)
    assert "lockstep" in str(found)
    assert found.to_dict()["jobs"][0]["groups"] == rows.tolist()


@pytest.mark.parametrize("machine", [topology.dgx_h100(2), topology.gb200_nvl72()])
def test_groups_that_switches_serve_take_the_time_of_one(machine: Supernode) -> None:
    tp = groups(machine, tp=8).tp
    together = analyze_groups(machine, "all_reduce", 64 * MiB, tp, algorithm="nvls")
    alone = analyze(machine, "all_reduce", 64 * MiB, algorithm="nvls", ranks=tp[0])
    assert together.time == pytest.approx(alone.time, rel=1e-12)
    assert together.latency.switches == pytest.approx(alone.latency.switches)
    assert np.count_nonzero(together.busy) == len(tp) * np.count_nonzero(alone.busy)


def test_switches_serve_one_job_while_another_sends() -> None:
    machine = topology.gb200_nvl72()
    placed = groups(machine, tp=8)
    jobs = [
        Job("all_reduce", placed.tp, 16 * MiB, "nvls"),
        Job("all_to_all", placed.dp, 16 * MiB, "direct"),
    ]
    together = analyze_jobs(machine, jobs, **QUIET)
    alone = [analyze_jobs(machine, [job], **QUIET) for job in jobs]
    assert np.allclose(together.busy, alone[0].busy + alone[1].busy)
    assert max(one.time for one in alone) < together.time <= sum(one.time for one in alone)
    assert together.bound.time <= together.time


def test_transfers_that_overlap_go_step_by_step_beside_others() -> None:
    loose = replace(direct_all_to_all(2), overlaps=True)
    together, _ = at_once([Placed(loose, [0, 1]), Placed(direct_all_to_all(2), [2, 3])])
    assert together.lockstep
    assert together.step_count == 1


@pytest.mark.parametrize(
    ("kind", "bytes_in_or_out"),
    [("broadcast", 1.0), ("reduce", 1.0), ("gather", 5 / 6), ("scatter", 5 / 6), ("barrier", 0.0)],
)
def test_bounds_of_groups_with_a_root(kind: str, bytes_in_or_out: float) -> None:
    """On a star the root's port, or any other's, is what limits."""
    star = topology.star(6, link=25 * GB)
    found = analyze_groups(star, kind, 1e9, [[3, 0, 1, 2, 4, 5]], **QUIET)
    assert found.bound.time == pytest.approx(bytes_in_or_out * 1e9 / (25 * GB))
    assert found.bound.time <= found.time * (1 + 1e-9)
