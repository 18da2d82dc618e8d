"""What holds for every schedule: errors are caught, time is monotone, names do not matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives import (
    Schedule,
    ScheduleError,
    Step,
    Team,
    Transfers,
    analyze,
    analyze_sizes,
    execute,
    make_schedule,
    plan,
    verify,
)
from collectives.algorithms import algorithm_names, find_algorithm
from collectives.analysis.analyze import team_of
from collectives.model.checking import check_traffic
from collectives.model.collective import places
from tests.collectives.algorithms.teams import (
    KINDS,
    RATE,
    flat,
    helping_star,
    machines,
    star,
    torus,
)
from topology import Supernode

EVERY = [(kind, name) for kind in [*KINDS, "all_to_all"] for name in algorithm_names(kind)]


def any_schedule(kind: str, name: str, p: int) -> Schedule | None:
    """Return the algorithm's schedule on the first team that it fits."""
    for team in (flat(p), *machines(p)):
        try:
            return find_algorithm(kind, name)(team)
        except ScheduleError:
            continue
    return None


def mutated(schedule: Schedule, at: int, change: Callable[[Transfers], Transfers]) -> Schedule:
    """Return a schedule with step ``at``, repetitions counted, changed."""
    every = list(schedule.transfers())
    every[at] = change(every[at])
    steps = tuple(Step(lambda _, moved=moved: moved) for moved in every)
    return replace(schedule, steps=steps)


def dropped(moved: Transfers, i: int) -> Transfers:
    keep = np.arange(len(moved)) != i
    return Transfers(moved.src[keep], moved.dst[keep], moved.chunk[keep], moved.adds[keep])


def doubled(moved: Transfers, i: int) -> Transfers:
    twice = np.append(np.arange(len(moved)), i)
    return Transfers(moved.src[twice], moved.dst[twice], moved.chunk[twice], moved.adds[twice])


def redirected(moved: Transfers, i: int, to: int) -> Transfers:
    dst = moved.dst.copy()
    dst[i] = to
    return Transfers(moved.src, dst, moved.chunk, moved.adds)


def right_by_hand(schedule: Schedule) -> bool:
    """Tell whether a schedule is right, by lists of contributions and nothing clever."""
    kind, p, chunks, root = (
        schedule.collective, schedule.ranks, schedule.chunks, schedule.root,
    )  # fmt: skip
    begin = zip(*places(kind.before, p, chunks, root), strict=True)
    held = {(int(r), int(c)): [int(r) if kind.adds else 0] for r, c in begin}
    for moved in schedule.transfers():
        before = {key: list(value) for key, value in held.items()}
        written = set()
        for s, d, c, adds in zip(moved.src, moved.dst, moved.chunk, moved.adds, strict=True):
            if s == d or (s, c) not in before or (not adds and (d, c) in written):
                return False
            written.add((d, c))
            held[d, c] = (held.get((d, c), []) if adds else []) + before[s, c]
    want = list(range(p)) if kind.adds else [0]
    count = set if kind.name == "barrier" else list  # a signal may come twice
    ends = zip(*places(kind.after, p, chunks, root), strict=True)
    return all(sorted(count(held.get((r, c), []))) == want for r, c in ends)


def agreed(schedule: Schedule, *, right: bool) -> None:
    """`verify` and `execute` say the same, even of data in which every mistake is invisible."""
    for check in (verify, lambda given: execute(given, np.zeros((given.ranks, given.ranks)))):
        if right:
            check(schedule)
        else:
            with pytest.raises(ScheduleError, match=r"rank \d+"):
                check(schedule)


@pytest.mark.parametrize(("kind", "name"), EVERY)
@settings(max_examples=3)
@given(data=st.data())
def test_a_mutated_schedule_is_always_caught(kind: str, name: str, data: st.DataObject) -> None:
    p = data.draw(st.sampled_from([3, 4, 6, 8]))
    schedule = any_schedule(kind, name, p)
    if schedule is None:
        return
    every = list(schedule.transfers())
    at = data.draw(st.integers(0, len(every) - 1))
    i = data.draw(st.integers(0, len(every[at]) - 1))
    to = data.draw(st.integers(0, p - 1).filter(lambda r: r != every[at].dst[i]))
    # A ring brings some ranks what they have; so do signals of a barrier.
    wasteful = name == "scatter_gather" or kind == "barrier"
    for change, can_be_right in (
        (lambda moved: dropped(moved, i), wasteful),
        (lambda moved: doubled(moved, i), kind == "barrier"),
        (lambda moved: redirected(moved, i, to), True),  # another way to the same sum
    ):
        other = mutated(schedule, at, change)
        right = right_by_hand(other)
        assert can_be_right or not right
        agreed(other, right=right)


@pytest.mark.parametrize("name", ["ring", "halving_doubling", "tree", "direct"])
def test_a_wrong_schedule_never_gets_a_cost(name: str) -> None:
    machine = star(6)
    right = find_algorithm("all_reduce", name)(team_of(machine))
    assert (
        analyze(machine, "all_reduce", "1 MiB", algorithm=right)
        .assumptions[-1]
        .endswith("verified")
    )
    wrong = mutated(right, right.step_count // 2, lambda moved: dropped(moved, 0))
    with pytest.raises(ScheduleError, match=r"lacks|not received|does not hold"):
        analyze(machine, "all_reduce", "1 MiB", algorithm=wrong)


def test_traffic_that_is_not_what_moves_is_refused() -> None:
    machine = star(4)
    right = find_algorithm("all_reduce", "ring")(team_of(machine))
    less = [replace(s.traffic, amount=s.traffic.amount / 2) for s in right.steps]
    steps = tuple(replace(s, traffic=t) for s, t in zip(right.steps, less, strict=True))
    with pytest.raises(ScheduleError, match=r"traffic stated for steps\[0\]"):
        check_traffic(replace(right, steps=steps))
    with pytest.raises(ScheduleError, match="traffic stated"):
        analyze(machine, "all_reduce", "1 MiB", algorithm=replace(right, steps=steps))


def two_tiers(rate: float, latency: float = 1e-7) -> Supernode:
    """Return 8 NPUs on 2 leaves under 2 spines."""
    graph = nx.Graph()
    for i in range(8):
        graph.add_edge(f"npu/{i}", f"leaf/{i // 4}", capacity=rate, latency=latency)
    for leaf in range(2):
        for spine in range(2):
            graph.add_edge(f"leaf/{leaf}", f"spine/{spine}", capacity=rate, latency=latency)
    return topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(8)])


def time_of(machine: Supernode, schedule: Schedule, size: float, alpha: float = 1e-6) -> float:
    return plan(machine, schedule, alpha=alpha, message=0.0).cost(size).time


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_time_is_monotone(kind: str, name: str) -> None:
    """More bytes, more α, or slower links never take less time."""
    machine = two_tiers(RATE)
    try:
        schedule = find_algorithm(kind, name)(team_of(machine))
    except ScheduleError:
        return
    times = [time_of(machine, schedule, size) for size in (0.0, 1e3, 1e9)]
    assert times == sorted(times)
    assert times[0] < times[-1]
    slow = [time_of(machine, schedule, 1e6, alpha) for alpha in (0.0, 1e-5)]
    assert slow == sorted(slow)
    assert slow[0] < slow[-1]
    narrow = [time_of(two_tiers(RATE / k), schedule, 1e6) for k in (1, 3)]
    assert narrow == sorted(narrow)
    assert narrow[0] < narrow[-1]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_relabelling_ranks_and_npus_together_changes_nothing(kind: str, name: str) -> None:
    order = np.random.default_rng(EVERY.index((kind, name))).permutation(8).tolist()
    machine = two_tiers(RATE)
    try:
        schedule = find_algorithm(kind, name)(team_of(machine))
    except ScheduleError:
        return
    names = {f"npu/{i}": f"npu/{order[i]}" for i in range(8)}
    renamed = nx.relabel_nodes(machine.graph, names)
    other = topology.from_networkx(renamed, npus=[f"npu/{i}" for i in range(8)])
    before = plan(machine, schedule, alpha=1e-6).cost(1e6)
    after = plan(other, schedule, ranks=order, alpha=1e-6).cost(1e6)
    assert after.time == pytest.approx(before.time, rel=1e-12)
    assert after.transfer == pytest.approx(before.transfer, rel=1e-12)


def test_a_grid_can_be_given_instead_of_a_machine() -> None:
    bucket = find_algorithm("all_reduce", "bucket")
    verify(bucket(Team(12), dims=(3, 4)))
    with pytest.raises(ScheduleError, match="product must be the 12 ranks"):
        bucket(Team(12), dims=(5, 2))


def test_a_pipeline_can_be_made_for_a_size() -> None:
    machine = topology.gb200_nvl72()
    small, large, plain = (
        make_schedule(machine, "all_reduce", algorithm="tree", size=size)
        for size in ("64 KiB", "1 GiB", None)
    )
    assert small.chunks < plain.chunks == 32 < large.chunks
    found = analyze(machine, "all_reduce", "1 GiB", algorithm="tree")
    assert found.schedule.chunks == large.chunks
    assert found.time <= plan(machine, plain).cost(found.size).time


SIZED = [("broadcast", "chain"), ("reduce", "binary_tree"), ("all_reduce", "chain"),
         ("all_reduce", "binary_tree"), ("all_reduce", "tree"),
         ("all_reduce", "nvls")]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), SIZED)
def test_what_is_cut_for_a_size_takes_longer_for_more_bytes(kind: str, name: str) -> None:
    """From 0 bytes on: nothing takes longer than something."""
    sizes = [0.0, 1.0, 1024.0, *np.geomspace(1e4, 1e8, 9)]
    for message in (0.0, 3e-7):
        machine = helping_star(9)
        options = {"algorithm": name, "alpha": 1e-6, "message": message}
        found = analyze_sizes(machine, kind, sizes, **options)
        times = [answer.time for answer in found]
        assert times == sorted(times)
        one_by_one = [analyze(machine, kind, size, **options).time for size in sizes[:3]]
        assert one_by_one == times[:3]


def test_a_torus_may_be_used_in_part() -> None:
    """Ranks that fill a rectangle of a torus are a grid of their own."""
    machine = torus(4, 4)
    corner = team_of(machine, [0, 1, 4, 5])
    verify(find_algorithm("all_reduce", "bucket")(corner))
    with pytest.raises(ScheduleError, match="bucket"):
        find_algorithm("all_reduce", "bucket")(team_of(machine, [0, 1, 5]))
