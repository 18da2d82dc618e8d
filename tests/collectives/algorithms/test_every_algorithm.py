"""Every algorithm is right at every number of ranks it allows, and says no to the others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from collectives import ScheduleError, Team
from collectives.algorithms import algorithm_names, candidate_names, find_algorithm
from collectives.analysis.analyze import analyze, team_of
from collectives.model.checking import check_traffic
from tests.collectives.algorithms.teams import KINDS, flat, machines, prove, racks, star

EVERY = [(kind, name) for kind in KINDS for name in algorithm_names(kind)]
NEEDS_A_MACHINE = {"multi_ring", "forest", "matching", "bfb", "nvls", "sharp", "multicast",
                   "aggregated", "bucket", "three_level", "three_level_direct", "rotated",
                   "nvls_tree", "collnet_direct", "collnet_chain"}  # fmt: skip
COUNTS = [*range(1, 9), 12, 15, 16, 17, 33, 72]
"""Numbers of ranks: all small ones, powers of two and their neighbours, odd products, more than
64, where the sets of contributions no longer fit in one word."""
NEEDS_A_POWER = {"swing", "swing_latency", "torus_doubling", "bine", "recursive_halving"}


def needs_power(kind: str, name: str) -> bool:
    return name in NEEDS_A_POWER or (kind, name) == ("all_gather", "recursive_doubling")


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_right_at_every_number_of_ranks(kind: str, name: str) -> None:
    made = []
    for p in COUNTS:
        try:
            schedule = find_algorithm(kind, name)(flat(p))
        except ScheduleError:
            assert name in NEEDS_A_MACHINE or (needs_power(kind, name) and p & (p - 1))
            continue
        prove(schedule, p)
        check_traffic(schedule)
        made.append(p)
    allowed = [p for p in COUNTS if not (needs_power(kind, name) and p & (p - 1))]
    assert made in ([[], [1]] if name in NEEDS_A_MACHINE else [allowed])  # 1 rank has no steps


@pytest.mark.parametrize("p", [2, 3, 4, 7, 8, 9, 12, 16])
def test_right_on_machines(p: int) -> None:
    made: Counter[str] = Counter()
    for team in machines(p):
        for kind, name in EVERY:
            if name not in NEEDS_A_MACHINE and not needs_power(kind, name):
                continue
            try:
                schedule = find_algorithm(kind, name)(team)
            except ScheduleError:
                continue
            prove(schedule, p)
            check_traffic(schedule)
            made[name] += 1
    assert {"bfb", "bucket", "nvls", "sharp", "multicast", "aggregated"} <= set(made)
    assert ("multi_ring" in made) == (p > 2)
    assert ("three_level" in made) == (p % 8 == 0)


@pytest.mark.parametrize("name", ["elimination", "tree", "three_level", "bruck"])
def test_right_with_384_ranks(name: str) -> None:
    for team in (flat(384), team_of(racks(3, 16, 8))):
        try:
            schedule = find_algorithm("all_reduce", name)(team)
        except ScheduleError:
            continue
        prove(schedule)
        return


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("all_reduce", "swing", "swing needs a power of two ranks in every dimension, and 7 has 7"),
        ("all_reduce", "bine", "bine needs a power of two ranks, not 7; use 4 or 8"),
        ("reduce_scatter", "recursive_halving", "not 7; use 4 or 8"),
        ("all_reduce", "bucket", "bucket needs the ranks of a torus or mesh"),
        ("all_reduce", "multi_ring", "multi_ring needs NPUs that are linked directly, and npu/0"),
        ("all_gather", "bfb", "bfb needs NPUs that are linked directly"),
        (
            "all_reduce",
            "nvls",
            "nvls on star-7: there is no switch that can add and copy for all 7",
        ),
        ("all_reduce", "hierarchical", "group_size="),
        ("all_reduce", "three_level", "three tiers.*use 'hierarchical'"),
    ],
)
def test_refusals_say_what_is_allowed(kind: str, name: str, said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        find_algorithm(kind, name)(team_of(star(7)))


@pytest.mark.parametrize("kind", KINDS)
def test_auto_skips_what_does_not_fit(kind: str) -> None:
    found = analyze(star(7), kind, "1 MiB")
    assert found.algorithm in candidate_names(kind)
    assert "the fastest of" in found.assumptions[0]


@pytest.mark.parametrize("root", [0, 3, 6])
@pytest.mark.parametrize("kind", ["broadcast", "reduce", "gather", "scatter"])
def test_any_rank_can_be_the_root(kind: str, root: int) -> None:
    for p in (7, 8):
        for name in algorithm_names(kind):
            make = find_algorithm(kind, name)
            try:
                schedule = make(machines(p)[0], root=root)
            except ScheduleError:
                continue
            assert schedule.root == root
            prove(schedule)


@pytest.mark.parametrize("root", [-1, 5, 1.5, True])
def test_a_root_that_is_not_there_is_refused(root: object) -> None:
    with pytest.raises(ScheduleError, match=r"root is .*; it must be a whole number, 0 to 4"):
        find_algorithm("broadcast", "binomial_tree")(Team(5), root=root)


@pytest.mark.parametrize("p", [1, 2, 5, 16])
def test_all_reduce_is_reduce_scatter_then_all_gather(p: int) -> None:
    """The two halves, one after the other, are an all-reduce: of the same bytes and steps."""
    for team in (flat(p), *machines(p)):
        for name in set(algorithm_names("reduce_scatter")) & set(algorithm_names("all_gather")):
            if name not in algorithm_names("all_reduce") or name in ("nvls", "forest"):
                continue
            try:
                halves = [find_algorithm(kind, name)(team)
                          for kind in ("reduce_scatter", "all_gather")]  # fmt: skip
                whole = find_algorithm("all_reduce", name)(team)
            except ScheduleError:
                continue
            assert whole.step_count == sum(half.step_count for half in halves)
            sent = [
                sum(len(moved) for moved in s.transfers()) * s.chunk_fraction
                for s in (*halves, whole)
            ]
            assert sent[2] == pytest.approx(sent[0] + sent[1])


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_bytes_are_conserved(kind: str, name: str) -> None:
    """What is sent is received; each rank receives no less than the collective demands."""
    p = 8
    for team in (flat(p), *machines(p)):
        try:
            schedule = find_algorithm(kind, name)(team)
        except ScheduleError:
            continue
        out, into = np.zeros(p), np.zeros(p)
        for moved in schedule.transfers():
            out += np.bincount(moved.src, minlength=p) * schedule.chunk_fraction
            into += np.bincount(moved.dst, minlength=p) * schedule.chunk_fraction
        least = {"all_reduce": 2 * (p - 1), "all_gather": p - 1, "reduce_scatter": p - 1,
                 "broadcast": p - 1, "reduce": p - 1, "barrier": p - 1}  # fmt: skip
        total = least.get(kind, (p - 1) / p)
        assert out.sum() == pytest.approx(into.sum())
        assert out.sum() >= total * (1 - 1e-9)
