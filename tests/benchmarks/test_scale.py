"""Large machines: seconds and edges to build and compile; run with ``--benchmark-enable``."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest

import topology
from topology import ScaleOut, Supernode, compose, metrics

MOST_SECONDS_PER_EDGE = 25e-6
MOST_BYTES = 12e9


def atlas_960() -> Supernode:
    """Build the largest machine of the catalogue: 15,488 NPUs."""
    return topology.system("atlas-960")


def sixteen_atlas_950() -> Supernode:
    """Join 16 supernodes of 8,192 NPUs: 131,072 on a fat tree of three tiers for every rail."""
    plan = ScaleOut(link="roce-optical", nic_link="roce-internal", layout="rail-only")
    return compose(topology.system("atlas-950"), 16, scale_out=plan)


def cloudmatrices() -> Supernode:
    """Join 342 CloudMatrix384, 131,328 NPUs."""
    plan = ScaleOut(link="roce-optical", nic_link="roce-internal", layout="rail-only")
    return compose(topology.cloudmatrix384(), 342, scale_out=plan)


@pytest.mark.parametrize("build", [atlas_960, sixteen_atlas_950, cloudmatrices])
def test_building_and_compiling(
    build: Callable[[], Supernode], benchmark: Any, record: Any
) -> None:
    """Seconds of a processor per directed edge, and the most memory of the run so far."""
    if not benchmark.enabled and build is not atlas_960:
        pytest.skip("minutes long; run with --benchmark-enable")
    spent: list[float] = []
    edges: list[int] = []

    def both() -> None:
        gc.collect()
        start = time.process_time()
        machine = build()
        edges.append(len(machine.fabric.tail))
        spent.append(time.process_time() - start)

    benchmark.pedantic(both, rounds=1)
    name = build.__name__
    record(f"{name}: directed edges", edges[0], unit="")
    record(f"{name}: processor seconds to build and compile", spent[0], unit="s")
    micro = spent[0] / edges[0] * 1e6
    record(f"{name}: microseconds per edge", micro, f"<= {MOST_SECONDS_PER_EDGE * 1e6:g}", "us")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    record(f"{name}: most memory so far", memory, f"<= {MOST_BYTES / 1e9:g}", "GB")


@pytest.mark.parametrize("what", ["bisection", "diameter", "per_npu_bandwidth", "optics"])
def test_metrics_of_15488_npus(what: str, timed: Any, record: Any, benchmark: Any) -> None:
    """Each metric of the Atlas 960, from the compiled graph."""
    racks = 176 if benchmark.enabled else 4
    machine = topology.system("atlas-960", racks=racks)
    assert machine.fabric
    seconds = timed(lambda: getattr(metrics, what)(machine), rounds=1)
    record(f"atlas_960: {what}", seconds, unit="s")
