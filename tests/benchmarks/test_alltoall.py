"""How fast all-to-all schedules are made, proven and analysed; run with ``--benchmark-enable``."""

from __future__ import annotations

from typing import Any

import pytest

import topology
from collectives import verify
from collectives.algorithms.alltoall import (
    bruck_all_to_all,
    dimension_all_to_all,
    pairwise_all_to_all,
)
from collectives.algorithms.direct import direct_all_to_all
from collectives.model.schedule import Schedule
from collectives.workloads.moe import scale_experts
from collectives.workloads.moe_traffic import deepseek_v3

RANKS = 384
MAKERS = {
    "direct": lambda: direct_all_to_all(RANKS),
    "pairwise": lambda: pairwise_all_to_all(RANKS),
    "bruck": lambda: bruck_all_to_all(RANKS),
    "dimension": lambda: dimension_all_to_all(RANKS, dims=(16, 24)),
}


@pytest.mark.parametrize("name", MAKERS)
def test_make_and_prove_for_384_ranks(name: str, timed: Any, record: Any) -> None:
    def run() -> Schedule:
        schedule = MAKERS[name]()
        verify(schedule)
        return schedule

    record(f"make and verify {name} all-to-all, 384 ranks", timed(run, rounds=3), "< 5 s", "s")


def test_ep64_to_ep320(timed: Any, record: Any) -> None:
    machine = topology.cloudmatrix384()
    layer = deepseek_v3(128)

    def run() -> object:
        return scale_experts(machine, layer, [64, 128, 256, 320])

    record("EP64 to EP320 on CloudMatrix384, four sizes", timed(run, rounds=2), "", "s")
