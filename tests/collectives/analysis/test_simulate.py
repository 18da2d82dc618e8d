"""`collectives.simulate`: the closed form where all is alike, and what must hold elsewhere."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import DoesNotFitError, Job, ScheduleError, Simulation
from collectives.algorithms import candidate_names
from collectives.analysis.simulate import both_ways
from collectives.timing.lower_bound import run_floor
from tests.strategies import damaged_networks, networks, supernodes
from topology import Supernode
from topology.approximation import NotExactError
from topology.errors import RoutingError, SupernodeError, UnitError
from topology.units import GB, KiB, MiB, us

EVEN = {
    "star": topology.star(8, link="nvlink5"),
    "torus": topology.torus((4, 4), link="nvlink5"),
    "cloudmatrix": topology.cloudmatrix384(2),
    "dgx": topology.dgx_h100(4),
}
UNEVEN = {  # of whose steps some transfers are shorter, or share links that others do not
    "torus": {"bine", "pat"},
    "cloudmatrix": {"ring", "bidirectional_ring", "bine", "pat"},
    "dgx": {"bruck", "bruck4", "bruck8", "swing", "swing_latency", "bine", "pat"},
}
TREES = {"binary_tree", "double_binary_tree", "tree", "chain"}  # ranks send now more, now less


@pytest.mark.parametrize("name", EVEN)
@pytest.mark.parametrize("kind", ["all_reduce", "all_to_all", "all_gather"])
def test_where_all_is_alike_the_time_is_that_of_the_closed_form(name: str, kind: str) -> None:
    machine, tried = EVEN[name], 0
    for algorithm in collectives.algorithm_names(kind):
        try:
            analysis = collectives.analyze(machine, kind, 1 * MiB, algorithm=algorithm)
        except SupernodeError:
            continue
        if algorithm in UNEVEN.get(name, set()) | TREES:
            continue
        both = both_ways(analysis)
        assert both.ratio == pytest.approx(1, abs=1e-9), algorithm
        tried += 1
    assert tried >= 4


def _simulated(machine: Supernode, kind: str, size: float, algorithm: str) -> Simulation | None:
    try:
        return collectives.simulate(machine, kind, size, algorithm=algorithm)
    except (DoesNotFitError, RoutingError):
        return None


@settings(max_examples=8)
@given(
    st.one_of(supernodes(), damaged_networks(helping=True)),
    st.sampled_from(
        [("all_to_all", "direct"), ("all_reduce", "ring"), ("all_gather", "bruck"),
         ("all_reduce", "nvls"), ("all_reduce", "binary_tree")]
    ),
    st.sampled_from([8 * KiB, 3e6, 1e9]),
)  # fmt: skip
def test_what_holds_of_every_simulation(
    machine: Supernode, what: tuple[str, str], size: float
) -> None:
    found = _simulated(machine, what[0], size, what[1])
    if found is None:
        return
    assert found.time >= found.bound.time * (1 - 1e-9)
    # bytes are conserved: links carry what the routing puts on them, and no more than they can
    plan = collectives.plan(machine, found.jobs[0].schedule)
    np.testing.assert_allclose(found.carried, _loads(plan, size), rtol=1e-9, atol=size * 1e-12)
    for arc in np.argsort(-found.carried)[:2].tolist():
        if found.carried[arc] == 0:
            continue
        at, full = found.timeline(*machine.fabric.arcs[arc])
        assert full.max() <= 1 + 1e-9
        moved = (np.diff(at) * full[:-1]).sum() * machine.fabric.capacity[arc]
        assert moved == pytest.approx(found.carried[arc], rel=1e-6)
    # the critical path leads from the start to the end without a gap
    legs = found.critical_path
    if found.time > 0:
        assert legs[-1].arrival == pytest.approx(found.time, rel=1e-9)
        for one, after in pairwise(legs):
            assert after.ready == pytest.approx(one.arrival, rel=1e-9)
        assert legs[0].ready == 0


def _loads(plan: collectives.Plan, size: float) -> np.ndarray:
    total = np.zeros(len(plan.fabric.tail))
    for step in plan.schedule.steps:
        placed = step.traffic.placed(plan.ranks)
        total += step.repeat * size * plan.router.route(placed).loads
    return total


@settings(max_examples=10)
@given(networks(), st.sampled_from(["direct", "pairwise"]), st.floats(1.1, 50))
def test_more_bytes_take_longer(machine: Supernode, algorithm: str, factor: float) -> None:
    """Where all start at once. In general fair shares can leave a rank later with less to send."""
    small, large = (_simulated(machine, "all_to_all", size, algorithm)
                    for size in (1e6, 1e6 * factor))  # fmt: skip
    if small is not None and large is not None:
        assert small.time <= large.time * (1 + 1e-9)


def test_one_group_is_no_group_and_jobs_apart_do_not_slow_each_other() -> None:
    machine = topology.dgx_h100(2)
    plain = collectives.simulate(machine, "all_reduce", 1 * MiB, algorithm="ring")
    one = Job("all_reduce", [range(16)], 1 * MiB, "ring")
    grouped = collectives.simulate(machine, [one])
    np.testing.assert_array_equal(plain.finish, grouped.finish)
    assert plain.to_dict()["jobs"] == grouped.to_dict()["jobs"]
    nodes = [Job("all_reduce", [range(at, at + 8)], 1 * MiB, "ring") for at in (0, 8)]
    assert [job.slowdown for job in collectives.simulate(machine, nodes).jobs] == [1, 1]
    both = [Job("all_reduce", [range(8), range(8, 16)], 1 * MiB, "ring")]
    alone = collectives.simulate(machine, nodes[0].collective, 1 * MiB, ranks=range(8),
                                 algorithm="ring")  # fmt: skip
    assert collectives.simulate(machine, both).time == pytest.approx(alone.time, rel=1e-12)


def test_jobs_that_share_links_share_them_fairly() -> None:
    """Two equal jobs on the same links take twice the bytes' time, and the same latency."""
    machine = topology.star(4, link="nvlink5")
    job = Job("all_to_all", [range(4)], 1 * MiB, "direct")
    found = collectives.simulate(machine, [job, job], alpha=0.0, message=0.0)
    moves = found.critical_path[-1].sent
    alone = collectives.simulate(machine, [job], alpha=0.0, message=0.0).critical_path[-1].sent
    assert moves == pytest.approx(2 * alone, rel=1e-12)
    assert all(1.5 < run.slowdown <= 2 for run in found.jobs)


def test_tensor_and_data_parallel_groups_on_the_same_ranks_share_links() -> None:
    machine = topology.dgx_h100(2)
    jobs = [
        Job("all_reduce", [range(8), range(8, 16)], 64 * MiB, "direct", "tensor"),
        Job("all_reduce", [range(r, 16, 8) for r in range(8)], 64 * MiB, "ring", "data"),
    ]
    found = collectives.simulate(machine, jobs)
    assert [run.slowdown >= 1 - 1e-12 for run in found.jobs] == [True, True]
    assert found.time == max(run.time for run in found.jobs)
    assert "slowdown" in str(found)


def test_limits_of_a_rank_bind() -> None:
    machine = topology.star(5, link="nvlink5")
    rate = float(machine.fabric.capacity[0])
    terms = {"algorithm": "direct", "alpha": 0.0, "message": 0.0}
    free = collectives.simulate(machine, "all_to_all", 5 * MiB, **terms)
    for limit in ("injection", "ejection"):
        held = collectives.simulate(machine, "all_to_all", 5 * MiB, **terms, **{limit: rate / 4})
        legs = held.critical_path[-1], free.critical_path[-1]
        assert legs[0].sent == pytest.approx(4 * legs[1].sent, rel=1e-9)
        assert "limits: " in str(held)


def test_a_window_of_all_messages_is_none_and_of_one_sends_them_in_turn() -> None:
    machine = topology.star(6, link="nvlink5")
    ask = {"kind": "all_to_all", "size": 6 * MiB, "algorithm": "direct", "alpha": 1 * us}
    times = [
        collectives.simulate(machine, ask["kind"], ask["size"], algorithm="direct", alpha=1 * us,
                             message=0.1 * us, window=window).time
        for window in (None, 5, 1)
    ]  # fmt: skip
    assert times[1] == pytest.approx(times[0], rel=1e-12)
    wire = 1 * MiB / float(machine.fabric.capacity[0])
    latency = 2 * float(machine.fabric.latency[0]) + float(machine.fabric.node_latency.max())
    turns = 1 * us + 5 * (0.1 * us + wire + latency)  # each waits for the one before to arrive
    assert times[2] == pytest.approx(turns, rel=1e-9)


@pytest.mark.parametrize("kind", ["all_gather", "all_reduce"])
def test_schedules_of_links_and_chunks_keep_their_own_timing(kind: str) -> None:
    machine = topology.torus((3, 3), link="nvlink5")
    schedule = collectives.synthesize(machine, kind, size=1 * MiB)
    made = getattr(schedule, "schedule", schedule)
    both = both_ways(collectives.analyze(machine, kind, 1 * MiB, algorithm=made))
    assert both.ratio == pytest.approx(1, abs=1e-12)
    if made.overlaps:
        legs = both.simulation.critical_path
        assert legs[-1].arrival == pytest.approx(both.simulation.time)
        with pytest.raises(ScheduleError, match="one at a time"):
            collectives.simulate(machine, made, 1 * MiB, window=1)


def test_steps_end_in_order_and_times_are_kept_by_rank_and_step() -> None:
    found = collectives.simulate(topology.dgx_h100(2), "all_reduce", 1 * MiB, algorithm="ring")
    steps = found.steps()
    assert steps.shape == (16, found.jobs[0].schedule.step_count)
    assert (np.diff(steps, axis=1) > 0).all()
    np.testing.assert_array_equal(steps[:, -1], found.finish)


@pytest.mark.parametrize(
    ("what", "more", "said"),
    [
        ("all_reduce", {"size": None}, "give a size"),
        ("all_reduce", {"forwarding": "wormhole"}, "forwarding is 'wormhole'"),
        ("all_reduce", {"window": 0}, "window is 0"),
        ("all_reduce", {"injection": 0}, "injection is 0"),
        ("all_reduce", {"tick": -1.0}, "tick is -1"),
        ("all_reduce", {"forwarding": "store-and-forward", "ejection": GB}, "cut-through"),
        ([Job("all_reduce", [range(4)], 1 * MiB)], {}, "jobs have their own sizes"),
        (["all_reduce"], {"size": None}, "what is ['all_reduce']"),
        ("nothing", {}, "collective 'nothing' is not known"),
    ],
)
def test_what_cannot_be_simulated_is_refused(what: object, more: dict, said: str) -> None:
    choices = {"size": 1 * MiB, **more}
    with pytest.raises(SupernodeError, match=re.escape(said)):
        collectives.simulate(topology.star(4, link="nvlink5"), what, **choices)  # type: ignore[arg-type]


def test_in_network_schedules_flow_and_are_not_stored() -> None:
    machine = topology.dgx_h100(1)
    found = collectives.simulate(machine, "all_reduce", 64 * MiB, algorithm="nvls")
    wanted = collectives.analyze(machine, "all_reduce", 64 * MiB, algorithm="nvls")
    assert found.time == pytest.approx(wanted.time, rel=1e-9)
    half = collectives.simulate(machine, "all_reduce", 64 * MiB, algorithm="nvls",
                                injection=225 * GB)  # fmt: skip
    moving = sum(leg.sent - leg.start for leg in half.critical_path)
    segments = half.jobs[0].schedule.step_count - 1  # each is gathered as the next is added up
    halved = 1 + (segments - 1) * (1 + 1 / 8) + 1 / 2  # the last is gathered at 450 GB/s
    assert moving == pytest.approx(64 * MiB / segments * halved / (225 * GB), rel=1e-9)
    with pytest.raises(ScheduleError, match="cut-through only"):
        collectives.simulate(machine, "all_reduce", 64 * MiB, algorithm="nvls",
                             forwarding="store-and-forward")  # fmt: skip


def test_what_waits_on_its_channel_is_not_put_down_to_software() -> None:
    machine = topology.dgx_h100(4)
    found = collectives.simulate(machine, "all_reduce", 64 * MiB, algorithm="hierarchical_direct")
    closed = collectives.analyze(machine, "all_reduce", 64 * MiB, algorithm="hierarchical_direct")
    path = found.critical_path
    assert found.time == pytest.approx(closed.time, rel=1e-9)
    software = sum(leg.start - leg.ready for leg in path)
    assert software == pytest.approx(closed.latency.endpoint, rel=1e-6)
    assert all(one.arrival == pytest.approx(two.ready) for one, two in pairwise(path))
    moves = sum(leg.sent - leg.start for leg in path)
    assert moves == pytest.approx(closed.latency.serialisation, rel=1e-6)


TERMS: list[dict[str, Any]] = [
    {"forwarding": "store-and-forward"}, {"window": 1}, {"injection": "30 GB/s"}, {"tick": "1us"},
    {"forwarding": "store-and-forward", "tick": 1e-6},
]  # fmt: skip


@pytest.mark.parametrize("terms", TERMS, ids=str)
def test_auto_is_the_fastest_of_all_when_each_is_simulated_on_the_terms(
    terms: dict[str, Any],
) -> None:
    machine = topology.star(4, link="nvlink5")
    for kind in ("all_reduce", "all_to_all"):
        found = collectives.simulate(machine, kind, MiB, **terms)
        times = []
        for name in candidate_names(kind):
            try:
                one = collectives.simulate(machine, kind, MiB, algorithm=name, **terms)
            except SupernodeError:
                continue
            times.append(one.time)
            # no candidate is dropped by a bound that its simulation beats
            part = one.program.parts[0]
            on = (part.schedule, one.question.router, part.ranks, part.endpoint)
            stored = terms.get("forwarding") is not None
            tick = {"1us": 1e-6, 1e-6: np.inf}.get(terms.get("tick"), 0.0)
            assert run_floor(*on, one.question.rates, MiB, tick=tick) <= one.time, (name, stored)
        assert len(times) > 3
        assert found.time == min(times)
        assert found.approximations == ()


def test_auto_names_what_takes_too_long_to_simulate(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = topology.star(4, link="nvlink5")
    monkeypatch.setattr("collectives.analysis.simulate._MOST_WORK", 3_000)
    some = collectives.simulate(machine, "all_reduce", MiB, window=1)
    (note,) = some.approximations
    assert note.what == "fastest algorithm"
    assert "not tried" in note.why
    assert some.algorithm not in note.why
    monkeypatch.setattr("collectives.analysis.simulate._MOST_WORK", 0)
    (note,) = collectives.simulate(machine, "all_reduce", MiB, window=1).approximations
    assert "closed form" in note.why
    with pytest.raises(NotExactError):
        collectives.simulate(machine, "all_reduce", MiB, window=1, exact=True)


def test_quantities_are_taken_as_texts_with_units_as_sizes_are() -> None:
    machine = topology.star(4, link="nvlink5")
    ask: dict[str, Any] = {"what": "all_to_all", "size": MiB, "algorithm": "direct"}
    texts = collectives.simulate(machine, **ask, injection="50GB/s", ejection="400 Gbps",
                                 tick="1ns", alpha="2us", message="5 ns")  # fmt: skip
    plain = collectives.simulate(machine, **ask, injection=50 * GB, ejection=50 * GB,
                                 tick=1e-9, alpha=2 * us, message=5e-9)  # fmt: skip
    assert texts.time == plain.time
    for name, value, said in [
        ("injection", "50", "has no unit"), ("ejection", "50GB", "did you mean 50 GB/s"),
        ("alpha", "2", "has no unit"), ("tick", "1GB", "unknown unit"),
    ]:  # fmt: skip
        with pytest.raises(UnitError, match=f"{name}: .*{said}"):
            collectives.simulate(machine, **ask, **{name: value})
