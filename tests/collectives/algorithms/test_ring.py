"""Rings take Patarasuk and Yuan's time on a uniform network, and go round."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives.algorithms import find_algorithm
from collectives.algorithms.ring import ring_steps
from tests.strategies import sizes, stars
from topology import LinkType, Supernode
from topology.units import GB, KiB, ns, us

A, O = 3 * us, 7 * ns  # noqa: E741 - the letters of the papers


def _wire(star: Supernode) -> tuple[float, float]:
    """Return bytes/s of a rank, and the latency of a path."""
    edge = star.graph.edges["npu/0", "switch/0"]
    return edge["capacity"], 2 * edge["latency"]


@settings(max_examples=20)
@given(stars(), sizes)
def test_reduce_scatter_and_all_gather(star: Supernode, size: float) -> None:
    """(p-1)α + (p-1)/p S/B, with the path's latency in every α."""
    p, (rate, path) = len(star.npus), _wire(star)
    expected = (p - 1) * (A + O + path) + (p - 1) / p * size / rate
    for kind in ("reduce_scatter", "all_gather"):
        found = collectives.analyze(star, kind, size, algorithm="ring", alpha=A, message=O)
        assert found.time == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20)
@given(stars(), sizes)
def test_all_reduce(star: Supernode, size: float) -> None:
    """2(p-1)α + 2(p-1)/p S/B."""
    p, (rate, path) = len(star.npus), _wire(star)
    found = collectives.analyze(star, "all_reduce", size, algorithm="ring", alpha=A, message=O)
    expected = 2 * (p - 1) * (A + O + path) + 2 * (p - 1) / p * size / rate
    assert found.time == pytest.approx(expected, rel=1e-12)
    assert found.latency.serialisation == pytest.approx(2 * (p - 1) / p * size / rate, rel=1e-12)


def test_a_node_is_left_once_by_each_channel_whatever_the_order_of_ranks() -> None:
    machine = topology.cloudmatrix384(2)
    order = [r for pair in zip(range(8), range(8, 16), strict=True) for r in pair]
    near, far = (
        collectives.analyze(machine, "all_reduce", 64 * KiB, algorithm="ring", ranks=ranks)
        for ranks in (None, order)
    )
    assert far.time == pytest.approx(near.time, rel=1e-12)
    assert {row.name: row.mean for row in far.links}["L1→L2"] == pytest.approx(1 / 8)


def test_reduce_scatter_ends_with_block_r_at_rank_r() -> None:
    (step,) = ring_steps(5, reduce=True)
    last = step.transfers(step.repeat - 1)
    assert (last.dst == last.chunk).all()
    (step,) = ring_steps(5, reduce=False)
    first = step.transfers(0)
    assert (first.src == first.chunk).all()


@pytest.mark.parametrize("kind", ["all_reduce", "reduce_scatter", "all_gather"])
def test_one_rank_has_nothing_to_do(kind: str) -> None:
    assert find_algorithm(kind, "ring")(collectives.Team(1)).steps == ()
    found = collectives.analyze(topology.star(1, link=GB), kind, 64 * KiB, algorithm="ring")
    assert found.time == 0


@settings(max_examples=20)
@given(st.integers(2, 9))
def test_a_real_ring_carries_a_ring_without_contention(p: int) -> None:
    builder = topology.Builder()
    npus = builder.add_nodes([f"npu/{i}" for i in range(p)], kind="npu", tier=0, forwards=True)
    ends = {tuple(sorted((i, (i + 1) % p))) for i in range(p)}
    builder.connect(((npus[i], npus[j]) for i, j in sorted(ends)), LinkType(capacity=GB))
    machine = builder.build("ring", npus)
    found = collectives.analyze(machine, "all_gather", 8e6, algorithm="ring", alpha=0, message=0)
    assert found.time == pytest.approx((p - 1) / p * 8e6 / GB, rel=1e-12)
