"""Routings side by side: rates that follow from loads, refusals that are told, the command."""

from __future__ import annotations

import json

import pytest

import topology
from collectives.cli import main
from topology.errors import RoutingError
from topology.routing import compare_routings, overview, router, routing_names, turns
from topology.units import GB


def test_rates_follow_from_the_worst_link_and_the_best_is_first() -> None:
    torus = topology.torus((4, 4), link=GB)
    found = compare_routings(torus)
    told = {one.router.title for one in found.found}
    assert len(told) + len(found.refused) == len(routing_names())
    assert set(found.refused) == {"d_mod_k", "s_mod_k"}
    rates = [one.rate for one in found.found]
    assert rates == sorted(rates, reverse=True)
    # N k / 8 units on a link for one of each of N - 1 others: 15 / 8 of a link's rate.
    assert rates[0] == pytest.approx(15 / 8 * GB)
    by_title = {one.router.title: one for one in found.found}
    assert by_title["Valiant"].rate == pytest.approx(15 / router(torus, "valiant").route().worst())
    assert by_title["dimension order"].deadlock is not None
    assert by_title["dimension order"].deadlock.channels == "2"
    assert "torus-4x4" in str(found)


def test_one_that_is_named_is_told_in_full_or_refused() -> None:
    tree = topology.fat_tree(4, link=GB)
    alone = str(compare_routings(tree, ["d_mod_k"], ranks=range(4)))
    assert alone.startswith("D-mod-K: each rank sends 1 GB/s to all others together")
    assert "free of deadlock" in alone
    with pytest.raises(RoutingError, match="has coordinates"):
        compare_routings(tree, ["dimension_order"])


def test_a_switch_that_limits_and_turns_that_are_too_many_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder = topology.Builder()
    npus = builder.add_nodes((f"npu/{i}" for i in range(4)), kind="npu", tier=0)
    hub = builder.add_nodes(["hub/0"], kind="switch", tier=1, capacity=GB)
    builder.connect(((npu, hub[0]) for npu in npus), GB)
    monkeypatch.setattr(turns, "_MOST", 1)
    (one,) = compare_routings(builder.build("small", npus), ["ecmp"]).found
    assert (one.rate, one.worst) == (pytest.approx(GB / 4), "what hub forwards")
    assert one.deadlock is None
    assert "not looked at" in one.row()
    assert "are looked at at most" in str(one)


def test_what_takes_long_is_left_out_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 9 ranks and 36 links the work is 324: looked at with 648, the verdicts twice that."""
    torus, said = topology.torus((3, 3), link=GB), []
    monkeypatch.setattr(overview, "_MOST_WORK", 323)
    found = compare_routings(torus, progress=lambda what, done: said.append((what, done)))
    assert [one.router.title for one in found.found] == ["ECMP"]
    assert "ask for it by name" in found.refused["optimal"]
    assert "ask for it by name" in found.found[0].unseen
    assert [what for what, _ in said] == [f"routing {name}" for name in routing_names()]
    assert [done for _, done in said] == sorted(done for _, done in said)
    (named,) = compare_routings(torus, ["optimal"]).found
    assert named.deadlock is not None
    monkeypatch.setattr(overview, "_MOST_WORK", 647)
    found = compare_routings(torus)
    by_title = {one.router.title: one.deadlock for one in found.found}
    assert by_title["ECMP"] is not None
    assert by_title["optimal"] is None


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routing", "dgx-h100:nodes=2", "hashed:seed=3", "ecmp", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [one["title"] for one in data["routings"]] == ["ECMP", "hashed ECMP"]
    assert all(one["deadlock"]["free"] for one in data["routings"])
    assert main(["routing", "gb200-nvl72", "--ranks", "0-7"]) == 0
    said = capsys.readouterr().out
    assert "lets each of 8 ranks send the most to all others" in " ".join(said.split())
    assert main(["routing", "gb200-nvl72", "dimension-order"]) == 2
    assert "needs a torus, mesh or HyperX" in capsys.readouterr().err
