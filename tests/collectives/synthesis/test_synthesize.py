"""Forests reach the bound, are proven on data, and their schedules cost what they should."""

from __future__ import annotations

import numpy as np
import pytest

import collectives
import topology
from collectives.model.execution import execute, verify
from collectives.model.schedule import ScheduleError
from collectives.synthesis import find_forest, synthesize
from topology import LinkType, Supernode
from topology.routing import ecmp
from topology.units import GB, GiB, KiB, MiB, us

_LINK = LinkType(capacity=50 * GiB, latency=0.5 * us)

REGULAR = {
    "two boxes": lambda: topology.dgx_h100(2),
    "four boxes": lambda: topology.dgx_h100(4),
    "eight boxes": lambda: topology.dgx_h100(8),
    "rack": topology.gb200_nvl72,
    "star": lambda: topology.star(6, link=50 * GB),
    "ring": lambda: topology.ring(9, link=_LINK),
    "even torus": lambda: topology.torus((4, 4), link=_LINK),
    "odd torus": lambda: topology.torus((3, 5), link=_LINK),
    "mixed torus": lambda: topology.torus((3, 4, 5), link=_LINK),
    "hypercube": lambda: topology.hypercube(5, link=_LINK),
    "full mesh": lambda: topology.full_mesh(8, link=_LINK),
    "hyperx": lambda: topology.hyperx((3, 4), link=_LINK),
}


@pytest.mark.parametrize("name", REGULAR)
def test_the_steady_state_reaches_the_bound(name: str):
    machine = REGULAR[name]()
    found = find_forest(machine)
    best = collectives.bound(machine, "all_gather").seconds_per_byte
    assert found.seconds_per_byte == pytest.approx(best, rel=1e-9)
    assert found.optimal


@pytest.mark.parametrize(("nodes", "trees"), [(2, 2), (4, 10)])
def test_tree_counts_are_those_of_forestcoll(nodes: int, trees: int):
    assert len(find_forest(topology.dgx_h100(nodes)).forest.trees) == trees


def test_fewer_trees_give_what_they_can():
    one = find_forest(topology.dgx_h100(4), trees=1)
    assert len(one.forest.trees) == 1
    assert not one.optimal
    assert 1 / one.seconds_per_byte == pytest.approx(514.2857142857142 * GB)


@pytest.mark.parametrize("kind", ["all_gather", "reduce_scatter", "all_reduce"])
@pytest.mark.parametrize("name", ["two boxes", "odd torus", "hypercube", "star", "ring"])
def test_schedules_are_proven_and_run(name: str, kind: str):
    machine = REGULAR[name]()
    schedule = synthesize(machine, kind, size=16 * MiB)
    verify(schedule)
    ranks = len(machine.npus)
    wide = schedule.chunks if kind != "all_gather" else schedule.chunks // ranks
    inputs = np.random.default_rng(1).integers(-99, 99, (ranks, wide))
    done = execute(schedule, inputs)
    if kind == "all_reduce":
        assert (done == inputs.sum(axis=0)).all()
    elif kind == "all_gather":
        assert (done == inputs.reshape(-1)).all()
    else:
        assert (done.reshape(-1) == inputs.sum(axis=0)).all()


@pytest.mark.parametrize("name", REGULAR)
def test_the_traffic_of_every_step_is_what_its_transfers_say(name: str):
    schedule = synthesize(REGULAR[name](), "reduce_scatter", size=16 * MiB)
    for step in schedule.steps[:3]:
        moved = step.transfers(0)
        matrix = np.zeros((schedule.ranks, schedule.ranks))
        np.add.at(matrix, (moved.src, moved.dst), schedule.chunk_fraction)
        said = np.zeros_like(matrix)
        np.add.at(said, (step.traffic.src, step.traffic.dst), step.traffic.amount)
        assert said == pytest.approx(matrix)


@pytest.mark.parametrize("name", REGULAR)
def test_no_schedule_beats_the_bound(name: str):
    machine = REGULAR[name]()
    for size in (KiB, GiB):
        schedule = synthesize(machine, "all_gather", size=size)
        answer = collectives.analyze(machine, "all_gather", size, algorithm=schedule)
        assert answer.time >= answer.bound.time * (1 - 1e-9), size
        assert answer.latency.total == pytest.approx(answer.time), size


def test_a_torus_timetable_hides_latency():
    torus = topology.torus((4, 4, 4), link=_LINK)
    schedule = synthesize(torus, "all_gather")
    answer = collectives.analyze(torus, "all_gather", 64 * MiB, algorithm=schedule)
    assert answer.time <= 1.02 * answer.bound.time


def slow_finish(machine: Supernode, schedule: collectives.Schedule, size: float) -> float:
    """Follow every transfer by itself: link free, chunk there, then bytes, then latency."""
    graph, npus = machine.graph, machine.npus
    free: dict[tuple[int, int], float] = {}
    there: dict[tuple[int, int], float] = {}
    last = 0.0
    for moved in schedule.transfers():
        arrivals = []
        for u, v, c in zip(moved.src, moved.dst, moved.chunk, strict=True):
            edge = graph.edges[npus[u], npus[v]]
            begin = max(free.get((u, v), 0.0), there.get((u, c), 0.0))
            free[u, v] = begin + size * schedule.chunk_fraction / edge["capacity"]
            arrivals.append(((v, c), free[u, v] + edge["latency"]))
        for key, time in arrivals:
            there[key] = max(there.get(key, 0.0), time)
            last = max(last, time)
    return last


@pytest.mark.parametrize("kind", ["all_gather", "reduce_scatter", "all_reduce"])
def test_overlapping_time_equals_following_every_transfer(kind: str):
    torus = topology.torus((3, 4), link=_LINK)
    schedule = synthesize(torus, kind)
    assert schedule.overlaps
    for size in (KiB, MiB):
        answer = collectives.analyze(torus, kind, size, algorithm=schedule)
        assert answer.time == pytest.approx(slow_finish(torus, schedule, size), rel=1e-12)


def test_pipelining_approaches_the_bound():
    boxes = topology.dgx_h100(4)
    schedule = synthesize(boxes, "all_gather", size=64 * GiB)
    answer = collectives.analyze(boxes, "all_gather", 64 * GiB, algorithm=schedule)
    assert answer.efficiency > 0.99


def test_trees_span_and_parents_come_first():
    for tree in find_forest(topology.dgx_h100(4)).forest.trees:
        assert tree.parent[0] == -1
        assert (tree.depth[1:] == tree.depth[tree.parent[1:]] + 1).all()


def test_subsets_and_orders_of_ranks():
    machine = topology.dgx_h100(4)
    ranks = [9, 1, 8, 0, 3, 11]
    schedule = synthesize(machine, "all_gather", ranks=ranks)
    verify(schedule)
    answer = collectives.analyze(machine, "all_gather", MiB, algorithm=schedule, ranks=ranks)
    assert answer.time >= answer.bound.time
    assert synthesize(machine, "all_reduce", ranks=[5]).steps == ()


IRREGULAR = {
    "torus without a link": lambda: _damaged(topology.torus((4, 4), link=_LINK)),
    "mesh": lambda: topology.mesh((3, 4), link=_LINK),
    "petersen": lambda: topology.petersen(link=_LINK),
    "line": lambda: topology.line(5, link=_LINK),
    "cube mesh": topology.dgx_1v,
    "uneven star": lambda: _damaged(topology.star(5, link=_LINK), factor=0.5),
}


def _damaged(machine: Supernode, factor: float = 0.0) -> Supernode:
    links = [machine.fabric.arcs[0]]
    return machine.degrade(links=links, factor=factor) if factor else machine.without(links=links)


@pytest.mark.parametrize("name", IRREGULAR)
def test_irregular_machines_reach_the_bound_too(name: str):
    machine = IRREGULAR[name]()
    found = find_forest(machine)
    best = collectives.bound(machine, "all_gather").seconds_per_byte
    assert found.seconds_per_byte == pytest.approx(best, rel=1e-9)
    verify(synthesize(machine, "all_gather"))
    verify(synthesize(machine, "all_reduce"))


def test_a_box_with_a_dead_nic_relays():
    machine = topology.dgx_h100(2).without(nodes=["nic/3"])
    found = find_forest(machine, trees=4)
    assert 0 < found.efficiency <= 1
    verify(synthesize(machine, "all_gather", trees=4))


def test_what_is_found_says_how_good_it_is():
    damaged = topology.mesh((3, 4), link=_LINK)
    found = find_forest(damaged)
    loads = ecmp(damaged).loads(found.forest.traffic())
    assert (loads / damaged.fabric.capacity).max() == pytest.approx(found.seconds_per_byte)
    assert 0 < found.efficiency <= 1 + 1e-12


@pytest.mark.parametrize("kind", ["gather", "broadcast"])
def test_other_collectives_are_refused(kind: str):
    with pytest.raises(ScheduleError, match="synthesize makes all_gather"):
        synthesize(topology.ring(4, link=_LINK), kind)


@pytest.mark.parametrize("trees", [0, -1, 1.5, True])
def test_tree_counts_are_whole_and_positive(trees: object):
    with pytest.raises(ScheduleError, match="trees is"):
        find_forest(topology.ring(4, link=_LINK), trees=trees)  # type: ignore[arg-type]


def test_a_schedule_that_overlaps_needs_neighbours():
    schedule = synthesize(topology.ring(8, link=_LINK), "all_gather")
    with pytest.raises(ScheduleError, match="are not neighbours"):
        collectives.analyze(topology.star(8, link=_LINK), "all_gather", MiB, algorithm=schedule)


def test_auto_takes_the_forest_where_it_is_the_fastest() -> None:
    machine = topology.system("frontier-node")
    found = collectives.analyze(machine, "all_gather", GiB)
    assert found.algorithm == "forest"
    named = collectives.analyze(machine, "all_gather", GiB, algorithm="forest")
    assert named.time == pytest.approx(found.time)
    large = collectives.analyze(topology.star(300, link="nvlink5"), "all_gather", GiB)
    assert large.algorithm != "forest"
    with pytest.raises(collectives.DoesNotFitError, match=r"300 ranks.*collectives\.synthesize"):
        collectives.analyze(large.supernode, "all_gather", GiB, algorithm="forest")
    with pytest.raises(collectives.DoesNotFitError, match="use 'direct'"):
        collectives.analyze(topology.star(8, link="nvlink5"), "all_gather", GiB, algorithm="forest")


def test_a_forest_is_laid_out_anew_for_every_size_and_found_once() -> None:
    machine = topology.torus((3, 4), link="nvlink5")
    sizes = [KiB, MiB, GiB]
    times = [
        collectives.analyze(machine, "all_gather", s, algorithm="forest", alpha=1e-6).time
        for s in sizes
    ]
    for size, time in zip(sizes, times, strict=True):
        anew = collectives.synthesize(
            topology.torus((3, 4), link="nvlink5"), "all_gather", size=size
        )
        again = collectives.analyze(machine, "all_gather", size, algorithm=anew, alpha=1e-6)
        assert again.time == pytest.approx(time)
