"""Cut bounds: closed forms, checked certificates, and forged ones that are found out."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives.bounds import CertificateError, CollectiveNeed
from tests.strategies import networks, rank_choices, stars
from topology import Supernode, SupernodeError
from topology.units import GB

KINDS = ["all_reduce", "all_gather", "reduce_scatter", "all_to_all"]


@settings(max_examples=20)
@given(stars(), st.sampled_from(KINDS), st.data())
def test_a_star_is_bound_by_its_ports(star: Supernode, kind: str, data: st.DataObject) -> None:
    """(p-1)/p · S/B, and twice that for all-reduce."""
    ranks = data.draw(rank_choices(len(star.npus)))
    p, rate = len(ranks), star.graph.edges["npu/0", "switch/0"]["capacity"]
    found = collectives.bound(star, kind, ranks)
    times = 2 if kind == "all_reduce" else 1
    assert found.seconds_per_byte == pytest.approx(times * (p - 1) / p / rate, rel=1e-9)
    assert found.busbw == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize(
    ("machine", "rate"),
    [(topology.cloudmatrix384(), 393.0234986945e9), (topology.gb200_nvl72(), 912.6760563380e9)],
    ids=["cloudmatrix384", "gb200-nvl72"],
)
@pytest.mark.parametrize("kind", ["all_gather", "reduce_scatter", "all_to_all"])
def test_the_two_machines_are_bound_by_their_ports(
    machine: Supernode, rate: float, kind: str
) -> None:
    """M (383/384) / 392 GB/s and its like: 393.02 and 912.68 GB/s."""
    found = collectives.bound(machine, kind)
    assert found.algbw == pytest.approx(rate, rel=1e-9)
    assert found.certificate.check(machine)
    assert found.certificate.words


@settings(max_examples=20)
@given(networks(), st.sampled_from(KINDS), st.data())
def test_every_certificate_can_be_checked(
    machine: Supernode, kind: str, data: st.DataObject
) -> None:
    ranks = data.draw(rank_choices(len(machine.npus)))
    found = collectives.bound(machine, kind, ranks)
    assert found.certificate.check(machine)
    assert found.certificate.seconds_per_byte(machine) == pytest.approx(
        found.seconds_per_byte, rel=1e-9
    )
    assert found.at(1e6).time == pytest.approx(found.seconds_per_byte * 1e6)
    assert float(found.at(1e6)) == found.at(1e6).time


@given(networks(symmetric=True), st.sampled_from(KINDS))
def test_a_forged_claim_is_found_out(machine: Supernode, kind: str) -> None:
    honest = collectives.bound(machine, kind).certificate
    for factor in (1.001, 0.5, 2.0):
        forged = replace(honest, claim=honest.claim * factor)  # type: ignore[type-var, attr-defined]
        with pytest.raises(CertificateError):
            forged.check(machine)


@settings(max_examples=20)
@given(networks(), st.sampled_from(KINDS), st.sampled_from([0.5, 2.0, 4.0]))
def test_bounds_scale_with_capacity(machine: Supernode, kind: str, factor: float) -> None:
    scaled = machine.degrade(links=machine.graph.edges, factor=factor, both_directions=False)
    was, now = collectives.bound(machine, kind), collectives.bound(scaled, kind)
    assert now.seconds_per_byte * factor == pytest.approx(was.seconds_per_byte, rel=1e-9)


def test_what_must_cross_a_cut_by_counting_blocks() -> None:
    """Count what one side has and the other still wants, block by block."""
    for p in (2, 3, 5):
        for size in range(p + 1):
            for inside in list(combinations(range(p), size))[:3]:
                side = set(inside)
                here, there = len(side), p - len(side)
                pairs = [(o, d) for o in range(p) for d in range(p)]
                blocks = sum(o in side and d not in side for o, d in pairs)
                counts = {
                    "all_to_all": blocks / p,
                    "all_gather": here / p if there else 0,
                    "reduce_scatter": there / p if here else 0,
                    "all_reduce": 1 if here and there else 0,
                }
                for name, count in counts.items():
                    need = CollectiveNeed(name, tuple(map(str, range(p))))
                    found = need.crossing(np.isin(np.arange(p), sorted(side)))
                    assert found == pytest.approx(count)


def test_a_bound_without_a_size_says_so() -> None:
    found = collectives.bound(topology.star(3, link=GB), "all_gather")
    with pytest.raises(SupernodeError, match=r"at\(size\)"):
        _ = found.time


def test_one_rank_is_bound_by_nothing() -> None:
    found = collectives.bound(topology.star(3, link=GB), "all_to_all", [1])
    assert found.seconds_per_byte == 0
    assert found.algbw == float("inf")


def test_bad_ranks_are_told() -> None:
    for ranks in ([0, 0], [5], []):
        with pytest.raises(SupernodeError, match="rank"):
            collectives.bound(topology.star(3, link=GB), "all_to_all", ranks)
