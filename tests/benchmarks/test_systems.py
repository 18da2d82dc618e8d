"""How fast the largest machines are built and compiled; run with ``--benchmark-enable``."""

from __future__ import annotations

from typing import Any

import pytest

from topology.systems import system

LARGEST = ("atlas-960", "atlas-950", "ironwood", "tpu-v5p", "tpu-v4", "frontier-group")


@pytest.mark.parametrize("name", LARGEST)
def test_build_and_compile(timed: Any, record: Any, name: str) -> None:
    """Microseconds for each directed edge, from nothing to arrays."""
    machine = system(name)
    edges, npus = machine.graph.number_of_edges(), len(machine.npus)
    del machine
    seconds = timed(lambda: system(name).fabric, rounds=3)
    what = f"{name}, {npus} NPUs, {edges} directed edges: build and compile, for each edge"
    record(what, seconds / edges * 1e6, "<= 25 us", unit="us")
