"""analyze(): the whole answer, its invariants, and one clear error for anything wrong."""

from __future__ import annotations

import json
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Analysis, ScheduleError, make_schedule
from collectives.analysis.analyze import team_of
from tests.strategies import networks, rank_choices, sizes, supernodes
from topology import Supernode, SupernodeError
from topology.errors import UnitError, UnknownNameError
from topology.units import GB, KiB, MiB

CORE = ["all_reduce", "all_to_all", "all_gather", "reduce_scatter"]
STAR = topology.star(4, link=50 * GB)


def _check(found: Analysis) -> None:
    n = len(found.ranks)
    assert found.bound.time <= found.time * (1 + 1e-9)
    assert 0 <= found.efficiency <= 1 + 1e-9
    if found.time:
        assert found.algbw == pytest.approx(found.size / found.time)
        assert found.busbw == pytest.approx(found.algbw * found.collective.factor(n))
    assert found.latency.total == pytest.approx(found.time, rel=1e-9)
    assert found.bound.certificate.check(found.supernode)


@settings(max_examples=20)
@given(networks() | supernodes(), st.sampled_from(CORE), sizes, st.data())
def test_no_estimate_beats_its_bound(
    machine: Supernode, kind: str, size: float, data: st.DataObject
) -> None:
    ranks = data.draw(st.none() | rank_choices(len(machine.npus)))
    name = data.draw(st.sampled_from(["auto", "direct"]))
    _check(collectives.analyze(machine, kind, size, algorithm=name, ranks=ranks))


@settings(max_examples=20)
@given(networks(), st.sampled_from(CORE), st.data())
def test_damage_does_not_let_an_estimate_beat_its_bound(
    machine: Supernode, kind: str, data: st.DataObject
) -> None:
    links = data.draw(st.lists(st.sampled_from(sorted(machine.graph.edges)), max_size=2))
    damaged = machine.degrade(links=links, factor=0.1, both_directions=False)
    gone = damaged.without(links=links[:1])
    damaged = gone if (topology.routing.ecmp(gone).hops() >= 0).all() else damaged
    _check(collectives.analyze(damaged, kind, 1e6, algorithm="direct"))


@settings(max_examples=20)
@given(networks(), st.sampled_from(CORE), st.data())
def test_relabelling_nodes_changes_no_time(
    machine: Supernode, kind: str, data: st.DataObject
) -> None:
    ids = list(machine.graph)
    names = dict(zip(ids, data.draw(st.permutations([f"z/{i}" for i in range(len(ids))])),
                     strict=True))  # fmt: skip
    other = topology.from_networkx(
        nx.relabel_nodes(machine.graph, names), npus=[names[npu] for npu in machine.npus]
    )
    was = collectives.analyze(machine, kind, 1e6, algorithm="direct")
    now = collectives.analyze(other, kind, 1e6, algorithm="direct")
    assert now.time == pytest.approx(was.time, rel=1e-9)
    assert now.bound.time == pytest.approx(was.bound.time, rel=1e-9)


@pytest.mark.parametrize("kind", CORE)
@pytest.mark.parametrize("size", [1 * KiB, 64 * MiB])
def test_auto_is_the_fastest_and_says_so(kind: str, size: float) -> None:
    machine = topology.dgx_h100(2)
    found = collectives.analyze(machine, kind, size)
    times = {}
    for name in collectives.algorithm_names(kind):
        try:
            times[name] = collectives.analyze(machine, kind, size, algorithm=name).time
        except ScheduleError:
            continue
    assert found.time == min(times.values())
    assert times[found.algorithm] == found.time
    assert any("the fastest of" in note for note in found.assumptions)


def test_a_two_level_exchange_saves_messages_where_they_are_dear() -> None:
    machine = topology.dgx_h100(16)
    small = collectives.analyze(machine, "all_to_all", 8 * KiB)
    assert small.algorithm == "pxn"


def test_a_schedule_can_be_given() -> None:
    schedule = make_schedule(STAR, "all_reduce", algorithm="ring")
    by_hand = collectives.analyze(STAR, "all_reduce", 1e6, algorithm=schedule)
    by_name = collectives.analyze(STAR, "all_reduce", 1e6, algorithm="ring")
    assert by_hand.time == by_name.time
    assert by_hand.schedule is schedule
    with pytest.raises(ScheduleError, match="is for all-reduce, not all-gather"):
        collectives.analyze(STAR, "all_gather", 1e6, algorithm=schedule)


def test_sizes_may_be_strings_with_a_unit() -> None:
    text = collectives.analyze(STAR, "all_reduce", "64 MiB")
    assert text.size == 64 * MiB
    assert text.time == collectives.analyze(STAR, "all_reduce", 64 * MiB).time


@pytest.mark.parametrize("size", ["64", "64.0", " 1e6 "])
def test_a_bare_number_as_text_is_told_the_units(size: str) -> None:
    with pytest.raises(UnitError, match="MiB"):
        collectives.analyze(STAR, "all_reduce", size)


@pytest.mark.parametrize("size", [math.nan, math.inf, -1, -math.inf, None, [1.0], True, "-1 B"])
def test_what_is_not_a_size_is_refused(size: object) -> None:
    with pytest.raises(SupernodeError, match="size"):
        collectives.analyze(STAR, "all_reduce", size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"ranks": [0, 1, 1]}, "1 stands 2 times"),
        ({"ranks": [0, 9]}, "no rank 9"),
        ({"ranks": []}, "one rank or more"),
        ({"ranks": ["npu/0"]}, "whole number"),
        ({"group_size": 3}, "group_size is 3"),
        ({"group_size": 0}, "group_size is 0"),
        ({"algorithm": "rinng"}, "ring"),
        ({"routing": "emcp"}, "ecmp"),
        ({"rate": "lin"}, "line"),
        ({"alpha": -1e-6}, "alpha"),
    ],
)
def test_what_does_not_fit_is_told(given_: dict[str, object], told: str) -> None:
    with pytest.raises(SupernodeError, match=told):
        collectives.analyze(STAR, "all_reduce", 1e6, **given_)  # type: ignore[arg-type]


def test_unknown_collectives_and_machines_are_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean all_reduce"):
        collectives.analyze(STAR, "all_reduc", 1e6)
    with pytest.raises(SupernodeError, match="from_networkx"):
        collectives.analyze(STAR.graph, "all_reduce", 1e6)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="ring"):
        make_schedule(STAR, "all_reduce", algorithm="rings")


def test_ranks_that_are_cut_off_are_named() -> None:
    machine = STAR.without(links=[("npu/2", "switch/0")])
    with pytest.raises(SupernodeError, match="npu/2") as told:
        collectives.analyze(machine, "all_to_all", 1e6)
    assert "reach" in str(told.value)
    rest = collectives.analyze(machine, "all_to_all", 1e6, ranks=[0, 1, 3])
    assert rest.time == pytest.approx(2 / 3 * 1e6 / (50 * GB))


def test_a_star_costs_what_it_must() -> None:
    found = collectives.analyze(STAR, "all_to_all", 4e9, algorithm="direct")
    assert found.time == pytest.approx(3e9 / 50e9)
    assert found.algbw == pytest.approx(4 / 3 * 50e9)
    assert found.busbw == pytest.approx(50e9)
    assert found.efficiency == pytest.approx(1)


def test_what_people_read_starts_with_the_answer() -> None:
    found = collectives.analyze(topology.cloudmatrix384(4), "all_to_all", 64 * MiB)
    said = str(found)
    assert said.startswith(found.bottleneck.sentence[:40])
    for word in ("time", "algbw", "busbw", "bound", "links by class", "NPU→L1", "L1→L2", "optical",
                 "endpoint", "transceivers", "assumptions", "routing: ECMP", "α"):  # fmt: skip
        assert word in said
    assert "\x1b" not in said


def test_json_holds_all_of_it() -> None:
    found = collectives.analyze(topology.cloudmatrix384(4), "all_to_all", 64 * MiB)
    data = json.loads(json.dumps(found.to_dict(), default=str))
    assert data["time_s"] == found.time
    assert data["algbw_Bps"] == found.algbw
    assert data["bound"]["time_s"] == found.bound.time
    assert data["bottleneck"]["sentence"] == found.bottleneck.sentence
    assert len(data["links"]) == len(found.links)
    assert data["latency_s"]["total"] == pytest.approx(found.time)
    assert data["assumptions"] == list(found.assumptions)
    steps = sum(step["repeat"] * step["time_s"] for step in data["steps"])
    assert steps == pytest.approx(found.time)


def test_teams_group_ranks_by_their_node() -> None:
    machine = topology.cloudmatrix384(2)
    groups = team_of(machine).groups
    assert groups is not None
    assert np.array(groups).tolist() == [list(range(8)), list(range(8, 16))]
    mixed = team_of(machine, [0, 8, 1, 9]).groups
    assert mixed is not None
    assert np.array(mixed).tolist() == [[0, 2], [1, 3]]
    uneven = team_of(machine, [0, 1, 8]).groups
    assert uneven is not None
    assert [row.tolist() for row in uneven] == [[0, 1], [2]]
    assert team_of(STAR).groups is None
    by_hand = team_of(STAR, group_size=2).groups
    assert by_hand is not None
    assert np.array(by_hand).tolist() == [[0, 1], [2, 3]]


def test_two_lanes_of_half_the_rate_are_one_link() -> None:
    """Two 400G lanes against one of 800G, to the last bit of the answer."""
    two, one = topology.star(5, link=50 * GB, lanes=2), topology.star(5, link=100 * GB)
    for kind in CORE:
        a, b = (collectives.analyze(machine, kind, 1e7) for machine in (two, one))
        assert a.time == b.time
        assert a.bound.time == b.bound.time


@pytest.mark.parametrize("kind", CORE)
def test_more_ranks_never_make_an_exchange_of_pairs_slower_than_the_wire(kind: str) -> None:
    machine = topology.gb200_nvl72()
    for count in (2, 8, 36, 72):
        ranks = np.arange(count)
        found = collectives.analyze(
            machine, kind, 1e9, algorithm="direct", ranks=ranks, alpha=0, message=0
        )
        shots = 2 if kind == "all_reduce" else 1
        wire = shots * (count - 1) / count * 1e9 / 900e9
        assert found.latency.serialisation == pytest.approx(wire, rel=1e-12)
