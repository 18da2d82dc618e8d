"""How long it takes to make, prove and cost schedules.

Targets: all all-reduce algorithms for 384 ranks made and verified in 60 s, each in 5 s; a
15,488-rank ring costed in 2 s.
"""

from __future__ import annotations

from typing import Any

import pytest

import collectives
import topology
from collectives import Schedule, ScheduleError
from collectives.algorithms import algorithm_names, find_algorithm
from collectives.analysis.analyze import team_of
from tests.collectives.algorithms.teams import flat, helping_star, racks, torus


def _schedules(name: str) -> list[Schedule]:
    machines = (racks(3, 16, 8), torus(16, 24), torus(4, 8, 12), helping_star(384), torus(16, 32))
    found = []
    for team in (flat(384), *map(team_of, machines)):
        try:
            return [*found, find_algorithm("all_reduce", name)(team)]
        except ScheduleError:
            continue
    return found


@pytest.mark.parametrize("name", algorithm_names("all_reduce"))
def test_make_and_verify_384_ranks(benchmark: Any, name: str) -> None:
    """Swing and its like need powers of two, and take 512."""

    def work() -> None:
        for schedule in _schedules(name):
            collectives.verify(schedule)

    _schedules(name)  # the machines themselves are not what is measured
    benchmark.pedantic(work, rounds=1)


def test_make_and_verify_all(benchmark: Any) -> None:
    def work() -> None:
        for name in algorithm_names("all_reduce"):
            for schedule in _schedules(name):
                collectives.verify(schedule)

    benchmark.pedantic(work, rounds=1)


def test_cost_a_ring_of_15488(benchmark: Any) -> None:
    machine = topology.star(15488, link=50e9)
    assert len(machine.fabric.npus) == 15488

    def work() -> None:
        schedule = collectives.make_schedule(machine, "all_reduce", algorithm="ring")
        collectives.plan(machine, schedule).cost(1e9)

    benchmark.pedantic(work, rounds=1)
