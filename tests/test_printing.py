"""Whatever a person prints says what they need in 80 columns; its repr is one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import collectives
import topology
from topology.text import Printed
from topology.units import MiB


def objects() -> dict[str, Any]:
    machine, grid = topology.gb200_nvl72(), topology.torus((3, 3), link="nvlink5")
    found = collectives.analyze(machine, "all_reduce", 64 * MiB)
    return {
        "analysis": found, "bound": found.bound, "cost": found.cost, "plan": found.plan,
        "step cost": found.cost.steps[0], "schedule": found.schedule,
        "step": found.schedule.steps[0], "bottleneck": found.bottleneck,
        "class": found.links[0], "latency": found.latency, "question": found.question,
        "job": found.jobs[0], "table": collectives.analyze_all(machine, "all_to_all", MiB),
        "tuner": collectives.tune(machine, "all_to_all", low=MiB),
        "comparison": collectives.compare([machine], sizes=[1e6]),
        "groups": collectives.groups(machine, tp=8), "forest": collectives.find_forest(grid),
        "exchange": collectives.find_exchange(grid), "machine": machine, "fabric": machine.fabric,
        "link type": topology.link_type("nvlink5"), "link": machine.fabric.links[0],
        "unit": topology.failure_units(machine, "switch")[0],
        "router": topology.routing.ecmp(machine),
        "flow": topology.routing.ecmp(machine).route(),
        "demand": topology.routing.Uniform(np.arange(72)),
        "pairs": topology.routing.Uniform(np.arange(72)).pairs(),
        "moe": collectives.analyze_moe(machine, collectives.deepseek_v3(8)),
        "failures": collectives.failures(machine, "all_to_all"),
        "collective": found.collective, "device": topology.device("b200"),
        "cut": topology.metrics.bisection_cut(machine),
    }  # fmt: skip


NAMES = (
    "analysis", "bound", "bottleneck", "class", "collective", "comparison", "cost", "cut",
    "demand", "device", "exchange", "fabric", "failures", "flow", "forest", "groups", "job",
    "latency", "link", "link type", "machine", "moe", "pairs", "plan", "question", "router",
    "schedule", "step", "step cost", "table", "tuner", "unit",
)  # fmt: skip


@pytest.fixture(scope="module")
def printed() -> dict[str, Any]:
    return objects()


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_well(name: str, printed: dict[str, Any]) -> None:
    one = printed[name]
    assert isinstance(one, Printed)
    text = str(one)
    assert text.strip()
    assert max(map(len, text.splitlines())) <= 80, text
    assert len(repr(one).splitlines()) == 1
    assert len(repr(one)) < 400
    assert "object at 0x" not in text + repr(one)
    assert "array(" not in text + repr(one)
    assert "<table" in one._repr_html_() or "<p" in one._repr_html_()
