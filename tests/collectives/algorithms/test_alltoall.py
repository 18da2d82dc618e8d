"""All-to-all algorithms: proven on data, and steps and bytes as the papers have them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Schedule, ScheduleError, algorithm_names, analyze, execute, plan, verify
from collectives.algorithms import candidate_names, find_algorithm
from collectives.algorithms.alltoall import (
    all_to_all_v,
    bruck_all_to_all,
    dimension_all_to_all,
    mean_size,
    pairwise_all_to_all,
    rotated_all_to_all,
    uneven,
)
from collectives.algorithms.direct import direct_all_to_all
from collectives.algorithms.relays import hierarchical_all_to_all
from collectives.model.schedule import Team, consecutive_groups
from tests.strategies import byte_matrices, two_levels, widths
from topology.fabric import FloatArray
from topology.units import GB, MiB

RANKS = [*range(1, 10), 12, 16, 17, 27, 33, 72]


def _most_square(p: int) -> int:
    return max(d for d in range(1, int(p**0.5) + 1) if p % d == 0)


def _grouped(p: int) -> Team:
    return Team(p, consecutive_groups(p, _most_square(p)))


ALGORITHMS: dict[str, Callable[[int], Schedule]] = {
    "direct": direct_all_to_all,
    "pairwise": pairwise_all_to_all,
    "bruck": bruck_all_to_all,
    "bruck3": partial(bruck_all_to_all, radix=3),
    "bruck4": partial(bruck_all_to_all, radix=4),
    "bruck8": partial(bruck_all_to_all, radix=8),
    "hierarchical": lambda p: hierarchical_all_to_all("pxn", _grouped(p)),
    "dimension": lambda p: dimension_all_to_all(p, dims=(_most_square(p), p // _most_square(p))),
    "rotated": lambda p: rotated_all_to_all(p, dims=(_most_square(p), p // _most_square(p))),
}


def _sent(schedule: Schedule) -> FloatArray:
    """Return what each rank sends over all steps, as a fraction of S, from the transfers."""
    sent = np.zeros(schedule.ranks)
    for moved in schedule.transfers():
        sent += np.bincount(moved.src, minlength=schedule.ranks) * schedule.chunk_fraction
    return sent


def _matrix(schedule: Schedule) -> FloatArray:
    """Return what each pair exchanges over all steps, as a fraction of S, from the traffic."""
    p = schedule.ranks
    total = np.zeros((p, p))
    for step in schedule.steps:
        pairs = step.traffic.pairs()
        np.add.at(total, (pairs.src, pairs.dst), step.repeat * pairs.amount)
    return total


@pytest.mark.parametrize("name", ALGORITHMS)
def test_verified_and_exact_on_data(name: str) -> None:
    for p in RANKS if name != "hierarchical" else [*RANKS, 384]:
        schedule = ALGORITHMS[name](p)
        verify(schedule)
        pieces = schedule.chunks // p**2
        rng = np.random.default_rng(p)
        blocks = rng.integers(-(2**40), 2**40, (p, p, pieces))
        out = execute(schedule, blocks.reshape(p, -1))
        assert np.array_equal(out.reshape(p, p, pieces), blocks.transpose(1, 0, 2)), p


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("p", [1, 6, 16])
def test_traffic_is_what_the_transfers_move(name: str, p: int) -> None:
    schedule = ALGORITHMS[name](p)
    for step in schedule.steps:
        moved = step.transfers(0)
        found = np.zeros((p, p))
        np.add.at(found, (moved.src, moved.dst), schedule.chunk_fraction)
        one = Schedule("one", schedule.collective, p, schedule.chunks, (step,))
        assert _matrix(one) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("p", RANKS)
def test_pairwise_takes_one_step_less_than_ranks(p: int) -> None:
    schedule = pairwise_all_to_all(p)
    assert schedule.step_count == p - 1
    assert _sent(schedule) == pytest.approx(np.full(p, (p - 1) / p))
    assert all(step.messages == 1 for step in schedule.steps)
    if p & (p - 1) == 0:  # partners exchange
        for step in schedule.steps:
            back = step.transfers(0)
            assert np.array_equal(back.dst[back.dst], back.src)


@given(p=st.integers(1, 400), radix=st.one_of(st.integers(2, 16), st.integers(2, 400)))
@example(p=64, radix=4)
@example(p=384, radix=384)
def test_bruck_steps_and_bytes(p: int, radix: int) -> None:
    schedule = bruck_all_to_all(p, radix=radix)
    digits, rest = 0, p - 1  # ceil(log_r p), counted without logarithms
    while rest:
        digits, rest = digits + 1, rest // radix
    top = radix ** max(0, digits - 1)
    exact = (radix - 1) * (digits - 1) + -(-p // top) - 1 if p > 1 else 0
    assert schedule.step_count == exact <= (radix - 1) * digits
    if radix == 2:
        assert schedule.step_count == int(np.ceil(np.log2(p)))
    nonzero = sum(np.count_nonzero([j // radix**k % radix for k in range(12)]) for j in range(p))
    assert _sent(schedule) == pytest.approx(np.full(p, nonzero / p))


@pytest.mark.parametrize(("p", "radix", "digits"), [(64, 2, 6), (64, 4, 3), (64, 8, 2), (27, 3, 3)])
def test_bruck_on_powers_of_the_radix_is_the_textbook_formula(
    p: int, radix: int, digits: int
) -> None:
    schedule = bruck_all_to_all(p, radix=radix)
    assert schedule.step_count == (radix - 1) * digits
    assert _sent(schedule) == pytest.approx(np.full(p, (radix - 1) / radix * digits))


def test_bruck_with_a_radix_of_all_ranks_is_pairwise() -> None:
    wide, one_by_one = bruck_all_to_all(12, radix=12), pairwise_all_to_all(12)
    assert _matrix(wide) == pytest.approx(_matrix(one_by_one))
    assert wide.step_count == one_by_one.step_count


@settings(max_examples=20)
@given(dims=widths())
def test_dimension_steps_and_bytes(dims: tuple[int, ...]) -> None:
    p = int(np.prod(dims))
    wide = [n for n in dims if n > 1]
    volume = sum((n - 1) / n for n in wide)
    for make in (dimension_all_to_all, rotated_all_to_all):
        schedule = make(p, dims=dims)
        verify(schedule)
        assert schedule.step_count == len(wide)
        assert _sent(schedule) == pytest.approx(np.full(p, volume))


@pytest.mark.parametrize("dims", [(4, 4), (3, 5), (2, 3, 4)])
def test_dimension_finds_the_grid_of_a_torus_and_stays_in_its_rows(dims: tuple[int, ...]) -> None:
    torus = topology.torus(dims, link=50 * GB)
    found = analyze(torus, "all_to_all", 8 * MiB, algorithm="dimension")
    coord = np.array([torus.graph.nodes[npu]["coord"] for npu in torus.npus])
    for axis, step in enumerate(found.schedule.steps):
        moved = step.transfers(0)
        differ = coord[moved.src] != coord[moved.dst]
        assert differ[:, axis].all()
        assert differ.sum(axis=1).max() == 1


def test_dimension_time_on_a_full_mesh() -> None:
    b, dims = 10 * GB, (4, 8)
    mesh = topology.nd_full_mesh(dims, link=b)
    size = 64 * MiB
    found = analyze(mesh, "all_to_all", size, algorithm="dimension", alpha=0.0, message=0.0)
    assert found.cost.transfer == pytest.approx(sum(size / n / b for n in dims))


def test_rotated_is_as_many_times_faster_as_there_are_equal_dimensions() -> None:
    mesh = topology.nd_full_mesh((4, 4, 4), link=10 * GB)
    one, all_at_once = (
        analyze(mesh, "all_to_all", 64 * MiB, algorithm=name).cost.transfer
        for name in ("dimension", "rotated")
    )
    assert one == pytest.approx(3 * all_at_once)


def test_dimension_takes_a_slice_of_the_grid_and_refuses_a_ragged_choice() -> None:
    torus = topology.torus((4, 4), link=50 * GB)
    verify(analyze(torus, "all_to_all", 1e6, algorithm="dimension", ranks=[0, 1, 4, 5]).schedule)
    with pytest.raises(ScheduleError, match="do not fill the 2x2 grid"):
        analyze(torus, "all_to_all", 1e6, algorithm="dimension", ranks=[0, 1, 4])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: bruck_all_to_all(8, radix=1), "radix is 1"),
        (lambda: bruck_all_to_all(8, radix=2.5), "radix is 2.5"),  # type: ignore[arg-type]
        (lambda: pairwise_all_to_all(4096), "up to 2048"),
        (lambda: dimension_all_to_all(8), "give dims="),
        (lambda: dimension_all_to_all(8, dims=(3, 3)), "product must be the 8"),
        (lambda: dimension_all_to_all(8, dims=()), "product must be the 8"),
        (lambda: analyze(topology.star(4, link=GB), "all_to_all", 1.0, algorithm="dimension"),
         "no 'coord' attribute"),
        (lambda: uneven(find_algorithm("all_gather", "ring")(Team(2)), np.eye(2)), "all-gather"),
        (lambda: uneven(direct_all_to_all(2), np.eye(3)), r"need \(2, 2\)"),
        (lambda: uneven(direct_all_to_all(2), [["a", 1], [1, 1]]), "an array of numbers"),
        (lambda: uneven(direct_all_to_all(2), [[0, -1], [1, 1]]), r"bytes\[0, 1\] is -1"),
        (lambda: uneven(direct_all_to_all(2), [[0, np.nan], [1, 1]]), "nan"),
        (lambda: all_to_all_v(np.zeros((0, 0))), "empty"),
        (lambda: all_to_all_v(np.ones((4, 4)), groups=[[0, 1], [2, 2]]), "each position"),
    ],
)  # fmt: skip
def test_refusals_say_what_is_allowed(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        make()


def test_auto_leaves_out_what_direct_always_beats() -> None:
    assert "pairwise" in algorithm_names("all_to_all")
    assert "pairwise" not in candidate_names("all_to_all")


@settings(max_examples=20)
@given(data=st.data())
def test_direct_never_loses_to_pairwise(data: st.DataObject) -> None:
    machine = data.draw(two_levels(spine=True))
    size = data.draw(st.sampled_from([1.0, 1e5, 1e9]))
    direct, one_by_one = (
        analyze(machine, "all_to_all", size, algorithm=name, alpha=1e-6, message=1e-8).time
        for name in ("direct", "pairwise")
    )
    assert direct <= one_by_one * (1 + 1e-9)


@pytest.mark.parametrize("nodes", [2, 3, 4, 8])
def test_rails_reach_the_nic_bound(nodes: int) -> None:
    """algbw_max = B_nic · m/(m-1), and PXN puts (m-1)/m · S on every NIC."""
    cluster = topology.dgx_h100(nodes)
    nic, size = 50 * GB, 256 * MiB
    whole = collectives.make_schedule(cluster, "all_to_all", algorithm="pxn")
    found = analyze(cluster, "all_to_all", size, algorithm=whole)
    assert found.bound.algbw == pytest.approx(nic * nodes / (nodes - 1), rel=1e-12)
    rail = found.cost.steps[1]
    assert rail.transfer == pytest.approx((nodes - 1) / nodes * size / nic, rel=1e-12)
    local = found.cost.steps[0]
    assert local.transfer == pytest.approx(7 / 8 * size / (450 * GB), rel=1e-12)
    leaving = [arc for arc, (u, _) in enumerate(cluster.fabric.arcs) if u.startswith("leaf")
               and cluster.fabric.arcs[arc][1].startswith("spine")]  # fmt: skip
    assert not found.busy[leaving].any()  # nothing leaves its rail


def test_two_nodes_of_eight_reach_the_measured_rate() -> None:
    """MSCCL++ on 2 x 8 A100 measures 46.53 GB/s where NICs give 23.5: 2 x 23.5 is the limit."""
    cluster = topology.dgx_h100(2)
    nics = [(u, v) for u, v in cluster.fabric.arcs if u.startswith("nic") and v.startswith("leaf")]
    machine = cluster.degrade(links=nics, factor=23.5 / 50)
    limit = analyze(machine, "all_to_all", 1e9).bound.algbw
    assert limit == pytest.approx(46.53 * GB, rel=0.012)


@pytest.mark.parametrize("name", ["direct", "pairwise", "bruck", "bruck4", "rotated"])
def test_uneven_is_even_where_the_matrix_is_uniform(name: str) -> None:
    machine = topology.star(12, link=25 * GB)
    even = ALGORITHMS[name](12)
    v = uneven(even, np.full((12, 12), 1e6))
    size = 12e6
    assert plan(machine, v).cost(size).time == pytest.approx(plan(machine, even).cost(size).time)
    assert v.step_count == even.step_count


@given(matrix=byte_matrices())
def test_uneven_conserves_bytes(matrix: FloatArray) -> None:
    p, size = len(matrix), mean_size(matrix)
    v = all_to_all_v(matrix)
    verify(v)
    moved = matrix * (1 - np.eye(p))
    assert _matrix(v) * size == pytest.approx(moved)
    rail = all_to_all_v(matrix, groups=consecutive_groups(p, _most_square(p)))
    verify(rail)
    net = _matrix(rail) * size
    flow = net.sum(axis=0) - net.sum(axis=1)  # what relays take in they give out
    assert flow == pytest.approx(moved.sum(axis=0) - moved.sum(axis=1), abs=1e-3)
    bruck = uneven(bruck_all_to_all(p), matrix)
    assert _matrix(bruck).sum() * size >= moved.sum() * (1 - 1e-12)


def test_rail_aligned_volumes_by_hand() -> None:
    matrix = np.arange(36.0).reshape(6, 6)  # nodes {0,1,2} and {3,4,5}
    rail = _matrix(all_to_all_v(matrix, groups=[[0, 1, 2], [3, 4, 5]])) * mean_size(matrix)
    assert rail[0, 1] == pytest.approx(matrix[0, 1] + matrix[0, 4])
    assert rail[0, 3] == pytest.approx(matrix[:3, 3].sum())
    assert rail[0, 4] == 0


def test_uneven_leaves_out_messages_without_bytes() -> None:
    matrix = np.zeros((8, 8))
    matrix[0, 1] = 8e6
    v = all_to_all_v(matrix)
    assert v.steps[0].messages == 1
    cost = plan(topology.star(8, link=GB), v).cost(mean_size(matrix))
    assert cost.transfer == pytest.approx(8e6 / GB)


def test_uneven_of_nothing_takes_no_transfer() -> None:
    v = all_to_all_v(np.zeros((4, 4)))
    assert plan(topology.star(4, link=GB), v).cost(0.0).transfer == 0


@given(matrix=byte_matrices(ranks=6), order=st.permutations(range(6)))
def test_relabelling_ranks_and_npus_together_changes_nothing(
    matrix: FloatArray, order: list[int]
) -> None:
    graph = nx.random_regular_graph(3, 6, seed=1)
    nx.set_edge_attributes(graph, {edge: (1 + i) * GB for i, edge in enumerate(graph.edges)},
                           "capacity")  # fmt: skip
    machine = topology.from_networkx(graph, npus=range(6))
    moved = topology.from_networkx(graph, npus=order)
    size = mean_size(matrix)
    there = plan(machine, all_to_all_v(matrix)).cost(size).time
    same = plan(moved, all_to_all_v(matrix[np.ix_(order, order)])).cost(size).time
    assert there == pytest.approx(same)


@pytest.mark.parametrize("name", ["direct", "hierarchical", "bruck", "bruck8"])
def test_time_grows_with_size_and_alpha(name: str) -> None:
    machine = topology.cloudmatrix384(2)
    sizes = [0.0, 1.0, 1e3, 1e6, 1e9]
    for a, b in pairwise(sizes):
        slow = analyze(machine, "all_to_all", b, algorithm=name).time
        assert analyze(machine, "all_to_all", a, algorithm=name).time <= slow
    quick = analyze(machine, "all_to_all", 1e3, algorithm=name, alpha=1e-6).time
    assert quick < analyze(machine, "all_to_all", 1e3, algorithm=name, alpha=2e-6).time


@pytest.mark.parametrize("p", [1, 2, 7, 8])
@pytest.mark.parametrize("window", [1, 2, 3, 7, 9])
def test_exchanges_in_windows(p: int, window: int) -> None:
    """⌈(p-1)/w⌉ steps of w messages at most; all at once they are the direct exchange."""
    schedule = pairwise_all_to_all(p, window=window)
    verify(schedule)
    assert schedule.step_count == -(-(p - 1) // window)
    assert max((step.messages for step in schedule.steps), default=0) == min(window, p - 1)
    star, size = topology.star(p, link=25 * GB), 1e6
    alone, windows = (
        analyze(star, "all_to_all", size, algorithm=made, alpha=1e-6, message=0).time
        for made in (pairwise_all_to_all(p), schedule)
    )
    saved = (max(0, p - 2) + 1 - schedule.step_count) * 1e-6 if p > 1 else 0.0
    assert windows == pytest.approx(alone - saved, rel=1e-9)


def test_a_window_is_a_whole_number() -> None:
    with pytest.raises(ScheduleError, match="pairwise: window"):
        pairwise_all_to_all(4, window=0)
