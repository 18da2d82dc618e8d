"""How fast bounds with certificates are; run with ``--benchmark-enable``."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest

import collectives
import topology
from topology import Supernode
from topology.routing import Ecmp
from topology.units import GB, MiB

MOST_BYTES = 8e9


def cloudmatrix() -> Supernode:
    return topology.cloudmatrix384(cpus=False)


def damaged() -> Supernode:
    """Build CloudMatrix384 without 2 % of the links of its NPUs and switches, at random."""
    whole = cloudmatrix()
    links = sorted((u, v) for u, v in whole.graph.edges if u < v)
    gone = np.random.default_rng(1).choice(len(links), len(links) // 50, replace=False)
    return whole.without(links=[links[i] for i in gone])


def clos() -> Supernode:
    return topology.shapes.clos(131_072, link=50 * GB, radix=128, tiers=3)


@pytest.mark.parametrize(
    ("build", "kind", "asked"),
    [
        (cloudmatrix, "all_gather", "< 0.2 s"), (cloudmatrix, "all_to_all", "< 0.5 s"),
        (cloudmatrix, "all_reduce", ""),
        (topology.gb200_nvl72, "all_gather", "< 0.05 s"),
        (topology.gb200_nvl72, "all_to_all", "< 0.5 s"),
    ],
)  # fmt: skip
def test_the_two_machines(
    build: Callable[[], Supernode], kind: str, asked: str, timed: Any, record: Any
) -> None:
    machine = build()
    machine.fabric  # noqa: B018 - compiled before the clock starts
    seconds = timed(lambda: collectives.bound(machine, kind), rounds=9)
    record(f"{kind} bound of {machine.name}", seconds, asked, "s")


def test_a_single_max_flow(timed: Any, record: Any) -> None:
    """What one NetworkX minimum cut takes, of the 384 that a plain all-gather bound needs."""
    machine = cloudmatrix()
    ours = timed(lambda: collectives.bound(machine, "all_gather"), rounds=5)
    ends = machine.npus[0], machine.npus[-1]
    theirs = timed(lambda: nx.minimum_cut_value(machine.graph, *ends), rounds=1)
    record("one NetworkX minimum cut / all-gather bound of CloudMatrix384", theirs / ours)


@pytest.mark.parametrize(
    ("kind", "asked"), [("all_to_all", "< 60 s to 1 %"), ("all_gather", "< 30 s, exact")]
)
def test_a_damaged_fabric(kind: str, asked: str, timed: Any, record: Any) -> None:
    machine = damaged()
    machine.fabric  # noqa: B018
    found = collectives.bound(machine, kind)
    assert found.gap is not None
    assert found.gap <= 0.01
    assert found.certificate.check(machine)
    seconds = timed(lambda: collectives.bound(machine, kind), rounds=3)
    record(f"{kind} bound of CloudMatrix384 without 2 % of its links", seconds, asked, "s")


@pytest.mark.parametrize("name", ["atlas-950", "atlas-960", "clos"])
@pytest.mark.parametrize("kind", ["all_to_all", "all_gather"])
def test_the_largest(name: str, kind: str, benchmark: Any, timed: Any, record: Any) -> None:
    if not benchmark.enabled:
        pytest.skip("a minute long; run with --benchmark-enable")
    machine = clos() if name == "clos" else topology.system(name)
    machine.fabric  # noqa: B018
    found: list[collectives.Bound] = []
    seconds = timed(lambda: found.append(collectives.bound(machine, kind)), rounds=1)
    most = 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if name != "clos":  # a check that takes nothing from the finder goes over every pair
        assert found[-1].certificate.check(machine)
    assert found[-1].gap == pytest.approx(0.0, abs=1e-9)
    assert most < MOST_BYTES
    record(f"{kind} bound of {machine.name}", seconds, "< 30 s, 8 GB", "s")


def test_ecmp_with_failed_links(timed: Any, record: Any) -> None:
    whole = cloudmatrix()
    links = sorted((u, v) for u, v in whole.graph.edges if u < v)
    gone = np.random.default_rng(2).choice(len(links), 10, replace=False)
    fabric = whole.without(links=[links[i] for i in gone]).fabric
    seconds = timed(lambda: Ecmp(fabric).loads(), rounds=5)
    record("ECMP loads of CloudMatrix384 without 10 links", seconds, "< 0.3 s", "s")
    intact = Ecmp(whole.fabric)
    intact.loads()
    again = timed(intact.loads, rounds=9)
    record("ECMP loads of CloudMatrix384 once compiled", again, "< 0.02 s", "s")


def test_analysis_with_its_bound(timed: Any, record: Any) -> None:
    machine = topology.cloudmatrix384()
    seconds = timed(lambda: collectives.analyze(machine, "all_to_all", 64 * MiB), rounds=3)
    record("analyse an all-to-all on CloudMatrix384, with its bound", seconds, "< 1 s", "s")
