"""Every routing policy through the one pipeline: analyses, sweeps, simulations, the command."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives.cli import main
from collectives.model.schedule import DoesNotFitError
from tests.strategies import networks
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import router, routing_names
from topology.units import GB, MiB

NAMES = [n for n in routing_names() if n != "first-path"]
KINDS = st.sampled_from(["all_to_all", "all_reduce", "all_gather"])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4)
@given(networks(), KINDS)
def test_no_estimate_beats_the_bound_and_the_words_say_which_way(
    name: str, machine: Supernode, kind: str
) -> None:
    try:
        found = collectives.analyze(machine, kind, 64 * MiB, routing=name)
    except RoutingError:  # it does not suit the machine
        return
    assert found.time >= found.bound.time * (1 - 1e-6)
    assert any(router(machine, name).words in said for said in found.assumptions)


@pytest.mark.parametrize("name", NAMES)
def test_direct_exchange_takes_what_its_links_need(name: str) -> None:
    """A step of all-to-all: the slowest path, and S/p through the worst link for each unit."""
    machine = topology.torus((3, 3), link=topology.LinkType(capacity=GB, latency=1e-6))
    try:
        worst = router(machine, name).route().worst()
    except RoutingError:
        return
    size, p = 900 * MiB, 9
    found = collectives.analyze(machine, "all_to_all", size, algorithm="direct", routing=name)
    assert found.time == pytest.approx(size / p * worst, rel=1e-3)


def test_chunks_over_links_are_refused_where_the_routing_leaves_them() -> None:
    """A lane of two carries half; a detour is no link: neither is timed as the whole link."""
    ring = topology.ring(6, link=GB, lanes=2)
    forest = collectives.synthesize(ring, "all_gather")
    assert forest.overlaps

    def time(machine: Supernode, name: str) -> float:
        return collectives.analyze(
            machine, "all_gather", 64 * MiB, algorithm=forest, routing=name
        ).time

    assert time(ring, "dimension_order") == time(ring, "ecmp")
    for name in ("hashed", "valiant"):
        with pytest.raises(DoesNotFitError, match="sends them otherwise"):
            time(ring, name)
    single = topology.ring(6, link=GB)
    assert time(single, "hashed") == time(single, "ecmp")


def test_options_and_functions_are_routings_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    machine = topology.clos(16, link=GB, radix=8)
    times = {
        collectives.analyze(
            machine, "all_to_all", MiB, algorithm="direct", routing=f"hashed:seed={seed}"
        ).time
        for seed in range(5)
    }
    assert len(times) > 1

    def straight(src: str, dst: str) -> list[str]:
        return [src, "switch/0", dst]

    star = topology.star(4, link=GB)
    own, spray = (
        collectives.analyze(star, "all_to_all", MiB, routing=way).time for way in (straight, "ecmp")
    )
    assert own == spray
    assert (
        main(["analyze", "gb200-nvl72", "all-to-all", "64MiB", "--routing", "hashed:seed=3"]) == 0
    )
    assert "seed 3" in " ".join(capsys.readouterr().out.split())
    assert main(["analyze", "gb200-nvl72", "all-to-all", "64MiB", "--routing", "hashed:sed=3"]) == 2
    assert "unexpected keyword argument 'sed'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["hashed", "dimension_order", "minimal_adaptive", "valiant", "ugal"]
)
def test_one_exchange_simulates_to_its_closed_form_or_finishes_sooner(name: str) -> None:
    """All pairs at once: the worst link is busy all along, or some pairs end before."""
    machine = topology.torus((3, 3), link=GB)
    options = {"algorithm": "direct", "routing": name}
    closed = collectives.analyze(machine, "all_to_all", 9 * MiB, **options)
    found = collectives.simulate(machine, "all_to_all", 9 * MiB, **options)
    assert found.time >= closed.cost.transfer * (1 - 1e-9)
    assert np.isfinite(found.time)


def test_failures_under_a_hash_are_not_counted_as_alike_in_silence() -> None:
    """Which spine is dead matters to a hash, not to a spray."""
    machine = topology.clos(8, link=GB, radix=4)
    options: dict[str, Any] = {"algorithm": "direct", "units": "switch"}
    sprayed = collectives.failures(machine, "all_to_all", MiB, **options)
    hashed = collectives.failures(machine, "all_to_all", MiB, routing="hashed", **options)
    assert sprayed.approximations == ()
    assert hashed.approximations or all(count == 1 for _, count, _ in hashed.rows)
    each = collectives.failures(machine, "all_to_all", MiB, routing="hashed", exact=True, **options)
    assert {count for _, count, _ in each.rows} == {1}


def test_what_switches_add_keeps_to_its_trees_and_says_so() -> None:
    machine = topology.gb200_nvl72()
    one, other = (
        collectives.analyze(machine, "all_reduce", MiB, algorithm="nvls", routing=name)
        for name in ("hashed", "ecmp")
    )
    assert one.time == other.time
    assert any("over trees of such switches" in said for said in one.assumptions)
    plain = collectives.analyze(machine, "all_reduce", MiB, algorithm="ring", routing="hashed")
    assert not any("trees" in said for said in plain.assumptions)
