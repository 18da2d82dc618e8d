"""Greedy matching: right on any direct network, and as short as published ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import DoesNotFitError
from collectives.algorithms import find_algorithm
from collectives.analysis.analyze import team_of
from tests.collectives.algorithms.teams import prove
from tests.strategies import direct_networks
from topology import Supernode
from topology.shapes import mesh
from topology.units import GiB, us


def _link(latency: float, rate: float) -> topology.LinkType:
    return topology.LinkType(capacity=rate * 2**30, latency=latency * us)


@pytest.mark.parametrize(
    ("machine", "pieces", "gib", "expected"),
    [
        (mesh((5, 5), link=_link(0.5, 50)), 1, 1, 9606.0),
        (mesh((10, 10), link=_link(1, 100)), 2, 1, 5049.0),
        (topology.torus((3, 3, 3), link=_link(0.5, 50)), 1, 1, 3706.20),
        (topology.torus((3, 4, 5), link=_link(0.5, 50)), 2, 2, 6676.67),
    ],
)
def test_published_times_are_reached(
    machine: Supernode, pieces: int, gib: int, expected: float
) -> None:
    """TACOS's own unit tests (astra-sim/tacos 1811f1fb, tests/), all-gather in microseconds."""
    made = find_algorithm("all_gather", "matching")(team_of(machine), pieces=pieces)
    free = {"alpha": 0.0, "message": 0.0}
    # There a link takes its latency and then its bytes before it takes the next chunk: in step.
    in_step = replace(made, overlaps=False)
    slow = collectives.analyze(machine, "all_gather", gib * GiB, algorithm=in_step, **free)
    assert slow.time / us == pytest.approx(expected, rel=1e-2)
    found = collectives.analyze(machine, "all_gather", gib * GiB, algorithm=made, **free)
    assert found.time <= slow.time * (1 + 1e-9)
    stored = collectives.simulate(machine, made, gib * GiB, forwarding="store-and-forward", **free)
    assert stored.time == pytest.approx(found.time, rel=1e-9)
    best = collectives.analyze(machine, "all_gather", gib * GiB, **free)
    assert best.time <= found.time * (1 + 1e-9)


@given(direct_networks(), st.sampled_from(["all_gather", "reduce_scatter", "all_reduce"]))
@settings(max_examples=25)
def test_right_on_any_direct_network(machine: Supernode, kind: str) -> None:
    for pieces in (1, 3):
        made = find_algorithm(kind, "matching")(team_of(machine), pieces=pieces)
        prove(made)
        found = collectives.analyze(machine, kind, 1e6, algorithm=made)
        assert found.time >= found.bound.time * (1 - 1e-9)


def test_links_one_way_only_are_used_and_needed() -> None:
    ring = topology.ring(5, link="nvlink5")
    one_way = ring.without(
        links=[(f"npu/{(i + 1) % 5}", f"npu/{i}") for i in range(5)], both_directions=False
    )
    for kind in ("all_gather", "reduce_scatter", "all_reduce"):
        made = find_algorithm(kind, "matching")(team_of(one_way), pieces=1)
        prove(made)
        assert made.step_count == (8 if kind == "all_reduce" else 4)
    cut = one_way.without(links=[("npu/0", "npu/1")], both_directions=False)
    with pytest.raises(DoesNotFitError, match="no link goes to position 1"):
        find_algorithm("all_gather", "matching")(team_of(cut))


def test_what_is_too_large_is_refused_and_sizes_choose_the_pieces() -> None:
    with pytest.raises(DoesNotFitError, match="too many transfers"):
        find_algorithm("all_gather", "matching")(team_of(topology.torus((32, 32), link="nvlink5")))
    machine = topology.system("mi250")
    few, many = (
        collectives.analyze(machine, "all_gather", size, algorithm="matching", alpha=1e-6).schedule
        for size in (1024.0, 1e9)
    )
    assert few.chunks < many.chunks
    assert np.isclose(sum(s.traffic.ports(16)[0].sum() for s in many.steps), 15.0)
