"""How fast large shapes are built and compiled; run with ``--benchmark-enable``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import topology
from topology import Supernode
from topology.units import GB

LARGE: dict[str, Callable[[], Supernode]] = {
    "Clos of 131,072": lambda: topology.clos(131_072, link=50 * GB, radix=128, tiers=3),
    "torus 32x32x32": lambda: topology.torus((32, 32, 32), link=50 * GB),
    "nD full mesh 8x8x4x4x8": lambda: topology.nd_full_mesh((8, 8, 4, 4, 8), link=50 * GB),
    "dragonfly of 16,512": lambda: topology.dragonfly(8, 16, 8, link=25 * GB),
    "Slim Fly 27": lambda: topology.slim_fly(27, link=50 * GB),
}


@pytest.mark.parametrize("name", LARGE)
def test_build_and_compile(timed: Any, record: Any, name: str) -> None:
    """Microseconds for each directed edge, from nothing to arrays."""
    edges = LARGE[name]().graph.number_of_edges()
    seconds = timed(lambda: LARGE[name]().fabric, rounds=3)
    what = f"{name}: build and compile, for each of {edges} directed edges"
    record(what, seconds / edges * 1e6, "<= 25 us", unit="us")
