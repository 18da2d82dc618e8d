"""Every way to ask gets the same right answer, and none beats its bound."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectives
import topology
from collectives import Analysis, Job
from collectives.cli import main
from tests.strategies import damaged_networks, helping_networks, latencies, rank_choices, supernodes
from tests.topology.systems.machines import small
from topology import Supernode
from topology.errors import SupernodeError
from topology.units import KiB, MiB

KINDS = ("all_reduce", "reduce_scatter", "all_gather", "all_to_all", "broadcast", "reduce",
         "gather", "scatter", "barrier")  # fmt: skip
_ROOTED = ("broadcast", "reduce")
CLOSE = 1 - 1e-9


@dataclass(frozen=True)
class Asked:
    """One question, as any of the public calls takes it."""

    machine: Supernode
    kind: str
    size: float
    ranks: list[int]
    options: dict[str, Any] = field(default_factory=dict)


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    machine = draw(st.one_of(supernodes(), damaged_networks(helping=True)))
    ranks = draw(rank_choices(len(machine.npus), least=draw(st.sampled_from([1, 3, 8]))))[:12]
    options: dict[str, Any] = {"rate": draw(st.sampled_from(["line", "effective"]))}
    if draw(st.booleans()):
        options["alpha"] = draw(st.sampled_from([0.0, 1e-6, 1e-4]))
        options["message"] = draw(st.sampled_from([0.0, 1e-7, 1e-4]))
    size = draw(st.sampled_from([0.0, 1.0, 1024.0, 3e6, 1e10]))
    return Asked(machine, draw(st.sampled_from(KINDS)), size, ranks, options)


@st.composite
def helped_questions(draw: st.DrawFn) -> Asked:
    """Draw what switches help with, where latency is most of the time."""
    machine = draw(helping_networks())
    ranks = draw(rank_choices(len(machine.npus), least=3))
    kind = draw(st.sampled_from(["all_gather", "reduce_scatter", "all_reduce", *_ROOTED]))
    return Asked(machine, kind, draw(st.sampled_from([0.0, 1.0])), ranks)


def holds(found: Analysis) -> None:
    """Check what every answer must keep to."""
    assert found.time >= found.bound.time * CLOSE, (found.asked, found.time, found.bound.time)
    assert found.latency.total == pytest.approx(found.time)
    assert found.efficiency <= 1 + 1e-9
    assert found.bottleneck.sentence
    assert str(found)
    assert len(repr(found).splitlines()) == 1
    assert all(0 <= row.utilisation <= 1 + 1e-9 for row in found.links)


def every_answer(asked: Asked) -> list[Analysis]:
    """Ask in every public way."""
    machine, kind, size, ranks = asked.machine, asked.kind, asked.size, asked.ranks
    found = [collectives.analyze(machine, kind, size, ranks=ranks, **asked.options)]
    table = collectives.analyze_all(machine, kind, size, ranks=ranks, around=1, **asked.options)
    found += table.analyses
    found.append(collectives.analyze_groups(machine, kind, size, [ranks], **asked.options))
    if len(ranks) > 3:
        half = [ranks[: len(ranks) // 2], ranks[len(ranks) // 2 :]]
        jobs = [Job(kind, half, size, algorithm=_lockstep(kind)), Job("all_gather", [ranks], size)]
        found.append(collectives.analyze_jobs(machine, jobs, **asked.options))
    if kind == "all_to_all" and size > 0:
        matrix = np.random.default_rng(len(ranks)).integers(0, 9, (len(ranks),) * 2) * size
        matrix[0, -1] += size
        found.append(
            collectives.analyze_all_to_all_v(machine, matrix, ranks=ranks, **asked.options)
        )
    return found


def _lockstep(kind: str) -> str:
    """Return an algorithm that goes in lockstep whatever the number of ranks."""
    return (
        "direct"
        if kind not in ("barrier", "all_reduce")
        else {"barrier": "dissemination"}.get(kind, "direct")
    )


@given(st.one_of(questions(), helped_questions()))
@settings(max_examples=20)
def test_no_answer_beats_its_bound(asked: Asked) -> None:
    try:
        answers = every_answer(asked)
    except SupernodeError as error:
        if "reach" not in str(error):  # ranks without a path to each other are refused, no others
            raise
        return
    for found in answers:
        holds(found)


@given(questions())
@settings(max_examples=20)
def test_one_group_is_no_group_and_auto_is_the_best_row(asked: Asked) -> None:
    machine, kind, size, ranks = asked.machine, asked.kind, asked.size, asked.ranks
    try:
        alone = collectives.analyze(machine, kind, size, ranks=ranks, **asked.options)
    except SupernodeError:
        return
    group = collectives.analyze_groups(machine, kind, size, [ranks], **asked.options)
    for one, other in ((alone.time, group.time), (alone.bound.time, group.bound.time),
                       (alone.busbw, group.busbw)):  # fmt: skip
        assert one == pytest.approx(other, rel=1e-12)
    assert alone.algorithm == group.algorithm
    assert alone.assumptions == group.assumptions
    assert alone.bottleneck == group.bottleneck
    rows = collectives.analyze_all(machine, kind, size, ranks=ranks, around=1, **asked.options)
    by_name = {row.algorithm: row for row in rows.analyses}
    tried = [row for row in rows.analyses if row.algorithm in alone.assumptions[0]]
    assert alone.time == pytest.approx(min(row.time for row in tried), rel=1e-12)
    named = collectives.analyze(
        machine, kind, size, ranks=ranks, algorithm=alone.algorithm, **asked.options
    )
    assert named.time == pytest.approx(by_name[alone.algorithm].time, rel=1e-12)
    assert {row.bound.time for row in rows.analyses} == {alone.bound.time}


@given(supernodes(), st.sampled_from(KINDS[:4]), latencies)
@settings(max_examples=6)
def test_time_never_falls_with_the_size(machine: Supernode, kind: str, alpha: float) -> None:
    sizes = [0.0, 1.0, 512.0, 4096.0, 1e5, 3e6, 1e9]
    ranks = range(min(8, len(machine.npus)))
    try:
        found = collectives.analyze_sizes(machine, kind, sizes, ranks=ranks, alpha=alpha)
    except SupernodeError as error:
        if "reach" not in str(error):
            raise
        return
    times = [one.time for one in found]
    assert all(b >= a * CLOSE for a, b in pairwise(times))
    again = [collectives.analyze(machine, kind, size, ranks=ranks, alpha=alpha) for size in sizes]
    assert [one.time for one in again] == pytest.approx(times, rel=1e-12)


@pytest.mark.parametrize("name", topology.system_names())
def test_no_answer_on_a_machine_of_the_catalogue_beats_its_bound(name: str) -> None:
    machine = small(name)
    ranks = range(min(16, len(machine.npus)))
    for kind in ("all_reduce", "all_to_all"):
        for size in (KiB, 64 * MiB):
            holds(collectives.analyze(machine, kind, size, ranks=ranks))


@pytest.mark.parametrize("size", [KiB, 64 * MiB])
def test_eight_ranks_have_the_same_bound_alone_and_as_a_group(size: float) -> None:
    machine = topology.cloudmatrix384(4)
    alone = collectives.analyze(machine, "all_reduce", size, ranks=range(8))
    groups = [list(range(k, k + 8)) for k in range(0, 32, 8)]
    found = collectives.analyze_groups(machine, "all_reduce", size, groups)
    assert found.bound.time >= alone.bound.time * CLOSE
    assert found.efficiency >= 0.5 * alone.efficiency


def test_overlapping_schedules_say_where_their_time_goes() -> None:
    machine = topology.torus((3, 3), link="nvlink5")
    best = collectives.synthesize(machine, "all_gather")
    found = collectives.analyze(machine, "all_gather", KiB, algorithm=best, alpha=1e-6)
    assert found.latency.propagation > 0
    assert found.latency.endpoint >= 1e-6
    holds(found)


def test_a_barrier_moves_nothing_whoever_asks() -> None:
    """Its messages say that they came and no more: no answer depends on a size, or has a rate."""
    machine, size = topology.dgx_h100(1), 64 * MiB
    best = collectives.analyze(machine, "barrier", 0.0).time
    found = [
        collectives.analyze(machine, "barrier", size),
        *collectives.analyze_sizes(machine, "barrier", [KiB, size]),
        collectives.analyze_all(machine, "barrier", size).best,
        collectives.analyze_groups(machine, "barrier", size, [range(8)]),
        collectives.failures(machine, "barrier", size).before,
    ]
    for one in found:
        assert (one.time, one.size, one.bottleneck.kind) == (pytest.approx(best), 0, "latency")
        assert 0 < one.bound.time <= best
        assert not {"B/s", "MiB"} & set(str(one).split("links by class")[0].split())
    table = collectives.tune(machine, "barrier")
    assert table.times.min() == pytest.approx(best)
    assert table.sizes.tolist() == [0]
    assert "B/s" not in str(table)
    limit = collectives.bound(machine, "barrier").at(size)
    assert (limit.size, limit.algbw) == (0, 0)
    assert [row.time_s for row in collectives.sweep([machine], ["barrier"], [KiB, size])] == [
        pytest.approx(best)] * 2  # fmt: skip
    with pytest.raises(SupernodeError, match="no data"):
        collectives.plot_bandwidth(found[0])


@pytest.mark.parametrize(("kind", "size"), [("barrier", 64 * MiB), ("all_gather", 0.0)])
def test_what_sends_nothing_beside_others_has_their_size(kind: str, size: float) -> None:
    machine = topology.dgx_h100(1)
    idle, busy = Job(kind, [range(4)], size), Job("all_reduce", [range(4, 8)], MiB)
    alone = collectives.bound(machine, "all_reduce", range(4, 8)).at(MiB)
    for jobs in ([idle, busy], [busy, idle]):
        found = collectives.analyze_jobs(machine, jobs)
        holds(found)
        assert found.size == found.bound.size == MiB
        assert found.bound.time == pytest.approx(alone.time)
        found.bound.certificate.check(machine)


def test_every_answer_says_what_was_done_to_the_machine() -> None:
    whole = topology.mi250()
    sick = whole.without(nodes=["gcd/0"]).degrade(links=[("gcd/1", "gcd/2")], factor=0.5)
    told = "mi250 (without 1 node; 2 directed links at x0.5)"
    assert sick.title == told
    assert topology.mi250().title == "mi250"
    found = collectives.analyze(sick, "all_gather", MiB)
    machines = collectives.compare([whole, sick], sizes=[MiB])
    said: list[object] = [found.asked, found.plan, collectives.tune(sick, "barrier"),
                          *machines.names[1:], collectives.failures(sick, "barrier").sentence,
                          collectives.sweep([sick], ["all_gather"], [MiB])[0].system]  # fmt: skip
    for one in said:
        assert told in " ".join(str(one).split())


@pytest.mark.parametrize("algorithm", ["direct", "multicast"])
def test_what_sends_nothing_beside_others_goes_its_way_all_the_same(algorithm: str) -> None:
    graph = nx.Graph()
    graph.add_node("switch", kind="switch", multicasts=True)
    for rank, latency in enumerate([0.0, 0.0, 1e-3]):
        graph.add_edge(rank, "switch", capacity=1e9, latency=latency)
    machine = topology.from_networkx(graph, npus=range(3))
    idle = Job("broadcast", [range(3)], 0.0, algorithm=algorithm)
    found = collectives.analyze_jobs(machine, [idle, Job("all_gather", [range(2)], KiB)])
    holds(found)
    assert found.time >= 1e-3


def test_a_broken_algorithm_is_not_left_out_in_silence() -> None:
    @collectives.algorithm("all_gather", "broken_for_the_test")
    def broken(_: object) -> collectives.Schedule:
        raise collectives.ScheduleError("this one is broken")

    try:
        with pytest.raises(collectives.ScheduleError, match="this one is broken"):
            collectives.analyze(topology.star(4, link="nvlink5"), "all_gather", MiB)
    finally:
        collectives.register("all_gather", "broken_for_the_test", broken, candidate=False)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["analyze", "gb200-nvl72", "all-reduce", "1KiB"],
         lambda m: collectives.analyze(m, "all_reduce", KiB).to_dict()),
        (["analyze", "gb200-nvl72", "all-reduce", "1KiB", "--all"],
         lambda m: collectives.analyze_all(m, "all_reduce", KiB).to_dict()),
        (["tune", "gb200-nvl72", "all-to-all", "--high", "1MiB"],
         lambda m: collectives.tune(m, "all_to_all", high=MiB).to_dict()),
        (["moe", "gb200-nvl72", "--tokens", "16"],
         lambda m: collectives.analyze_moe(m, collectives.deepseek_v3(16)).to_dict()),
        (["faults", "gb200-nvl72", "all-to-all", "1MiB"],
         lambda m: collectives.failures(m, "all_to_all", MiB).to_dict()),
    ],
)  # fmt: skip
def test_every_command_says_what_the_call_says(
    words: list[str], call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    known = json.loads(json.dumps(call(topology.gb200_nvl72())))
    assert said == known


def test_what_is_not_tried_is_said_and_exact_tries_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, dear = topology.star(8, link="nvlink5"), {"message": 1e-4}
    free = collectives.analyze(machine, "all_reduce", KiB, **dear)
    assert free.approximations == ()
    monkeypatch.setattr("collectives.analysis.candidate._MOST_WORK", 0.0)
    few = collectives.analyze(machine, "all_reduce", KiB, **dear)
    (note,) = few.approximations
    assert "not tried" in note.why
    assert free.algorithm in note.why
    assert str(note) in " ".join(str(few).split())
    assert few.time > free.time
    assert "ask by name" in collectives.analyze_all(machine, "all_reduce", MiB).refused["ring"]
    exact = collectives.analyze(machine, "all_reduce", KiB, exact=True, **dear)
    assert exact.time == free.time
    named = collectives.analyze(machine, "all_reduce", MiB, algorithm="ring")
    assert named.approximations == ()
    big = collectives.analyze(machine, "all_reduce", 64 * MiB)  # a lower bound excludes them all
    assert big.approximations == ()


def test_exact_refuses_what_can_only_be_approximate() -> None:
    machine = topology.cloudmatrix384(2)
    tp = collectives.groups(machine, tp=4).tp
    found = collectives.analyze_groups(machine, "all_to_all", MiB, tp)
    if found.approximations:
        with pytest.raises(topology.SupernodeError, match="exact answer was asked for"):
            collectives.analyze_groups(machine, "all_to_all", MiB, tp, exact=True)


def test_an_algorithm_whose_pairs_have_no_path_is_passed_over() -> None:
    """NPUs in a ring that pass nothing on in the network: neighbours can still relay."""
    graph = nx.cycle_graph(5)
    nx.set_edge_attributes(graph, 50e9, "capacity")
    nx.set_node_attributes(graph, "npu", "kind")
    nx.set_node_attributes(graph, values=False, name="forwards")
    machine = topology.from_networkx(graph, npus=range(5))
    found = collectives.analyze(machine, "all_reduce", MiB)
    assert "ring" in found.algorithm
    rows = collectives.analyze_all(machine, "all_reduce", MiB, around=1)
    assert "cannot reach" in rows.refused["direct"]
    assert {row.algorithm for row in rows.analyses} >= {"ring"}
    assert collectives.tune(machine, "all_reduce", low=MiB, high=2 * MiB).choose(MiB)
    with pytest.raises(topology.SupernodeError, match="cannot reach"):
        collectives.analyze(machine, "all_to_all", MiB, algorithm="direct")
