"""Schedules: what they are made of, and how little of it there is."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest

import collectives
from collectives import Schedule, ScheduleError, Step, Team, Transfers
from collectives.algorithms import find_algorithm, registry
from collectives.model.schedule import (
    as_team,
    consecutive_groups,
    permutation,
    require_groups,
)
from tests import reference
from tests.collectives.checks import assert_right_data, assert_traffic_is_declared
from topology.errors import UnknownNameError
from topology.routing import Pairs, Uniform

CORE = [
    ("all_reduce", "ring"), ("all_reduce", "direct"), ("all_reduce", "hierarchical"),
    ("all_reduce", "hierarchical_direct"), ("reduce_scatter", "ring"),
    ("reduce_scatter", "direct"), ("all_gather", "ring"), ("all_gather", "direct"),
    ("all_to_all", "direct"), ("all_to_all", "hierarchical"),
]  # fmt: skip


def _team(p: int, g: int) -> Team:
    return Team(p, consecutive_groups(p, g))


@pytest.mark.parametrize(("kind", "name"), CORE)
def test_a_schedule_for_384_ranks_is_small(kind: str, name: str) -> None:
    """Steps are counted and chunks made when asked for: no object for each pair."""
    tracemalloc.start()
    schedule = find_algorithm(kind, name)(_team(384, 8))
    blocks = sum(stat.count for stat in tracemalloc.take_snapshot().statistics("filename"))
    tracemalloc.stop()
    assert blocks < 5000
    assert len(schedule.steps) <= 8
    assert sys.getsizeof(schedule.steps) < 1000


@pytest.mark.parametrize(("kind", "name"), CORE)
@pytest.mark.parametrize(("p", "g"), [(1, 1), (2, 1), (2, 2), (3, 3), (6, 2), (6, 3), (8, 4)])
def test_traffic_is_what_moves_and_the_data_is_right(kind: str, name: str, p: int, g: int) -> None:
    schedule = find_algorithm(kind, name)(_team(p, g))
    assert_traffic_is_declared(schedule)
    assert_right_data(schedule)
    assert schedule.collective.name == kind
    assert schedule.ranks == p


@pytest.mark.parametrize(("kind", "name"), CORE)
def test_groups_in_any_order_are_right(kind: str, name: str) -> None:
    """Ranks of a node need not stand next to one another."""
    groups = np.random.default_rng(5).permutation(12).reshape(4, 3)
    schedule = find_algorithm(kind, name)(Team(12, groups))
    assert_traffic_is_declared(schedule)
    assert_right_data(schedule)


@pytest.mark.parametrize(("kind", "name"), CORE)
def test_messages_are_the_most_any_rank_sends(kind: str, name: str) -> None:
    schedule = find_algorithm(kind, name)(_team(6, 3))
    for step in schedule.steps:
        sent: dict[int, set[int]] = {}
        for u, v in reference.traffic_of(schedule, step, 0):
            sent.setdefault(u, set()).add(v)
        assert step.messages == max(len(to) for to in sent.values())


def test_the_plain_executor_sees_what_is_wrong() -> None:
    """A ring that stops one step early, and one that counts a term twice."""
    right = find_algorithm("all_reduce", "ring")(Team(4))
    first, last = right.steps
    short = Schedule("short", right.collective, 4, 4, (first, _repeated(last, 2)))
    with pytest.raises(AssertionError):
        assert_right_data(short)
    again = Schedule("again", right.collective, 4, 4, (first, first, last))
    with pytest.raises(AssertionError):
        assert_right_data(again)


def _repeated(step: Step, count: int) -> Step:
    return Step(step.transfers, step.traffic, count, step.phase)


def test_steps_are_counted() -> None:
    schedule = find_algorithm("all_reduce", "ring")(Team(10))
    assert schedule.step_count == 18
    assert len(list(schedule.transfers())) == 18
    assert len(schedule.steps) == 2
    assert "10 ranks, 18 steps" in repr(schedule)
    assert schedule.chunk_fraction == 0.1
    exchange = find_algorithm("all_to_all", "direct")(Team(10))
    assert exchange.chunk_fraction == 0.1


def test_messages_of_uneven_traffic() -> None:
    def nothing(_: int) -> Transfers:
        none = np.zeros(0, dtype=np.int64)
        return Transfers(none, none, none)

    pairs = Pairs(np.array([0, 0, 1, 1]), np.array([1, 2, 1, 0]), np.ones(4))
    assert Step(nothing, pairs).messages == 2
    assert Step(nothing, Uniform(np.arange(5))).messages == 4
    empty = Pairs(*np.zeros((2, 0), dtype=np.int64), np.zeros(0))
    assert Step(nothing, empty).messages == 0


def test_teams() -> None:
    assert as_team(5).size == 5
    with pytest.raises(ScheduleError, match="1 rank or more, not 0"):
        Team(0)
    with pytest.raises(ScheduleError, match="group_size"):
        require_groups(Team(4), "hierarchical")
    assert require_groups(_team(6, 2), "x").tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("size", [0, -1, 4, 7])
def test_groups_must_divide_the_ranks(size: int) -> None:
    with pytest.raises(ScheduleError, match=f"group_size is {size}"):
        consecutive_groups(6, size)


def test_a_permutation_sends_the_same_everywhere() -> None:
    found = permutation([0, 1], np.array([1, 0]), 0.25)
    assert (found.src.tolist(), found.dst.tolist(), found.amount.tolist()) == (
        [0, 1], [1, 0], [0.25, 0.25],
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), CORE)
def test_core_algorithms_are_known_by_name(kind: str, name: str) -> None:
    assert name in collectives.algorithm_names(kind)
    assert find_algorithm(kind, name)(_team(4, 2)).name == name


def test_an_unknown_algorithm_lists_the_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*ring"):
        find_algorithm("all_reduce", "rinng")


def test_an_algorithm_of_ones_own_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    known = registry._registry("all_reduce")
    monkeypatch.setattr(known, "_known", dict(known._known))
    mine = find_algorithm("all_reduce", "ring")
    collectives.register("all-reduce", "mine", mine)
    assert "mine" in collectives.algorithm_names("all_reduce")
    assert find_algorithm("all_reduce", "mine") is mine
