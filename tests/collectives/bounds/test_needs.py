"""Several needs at once: one is the collective, several are never below any of them."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives.bounds import (
    CollectiveNeed,
    Cut,
    PairsNeed,
    bound,
    bound_needs,
    exchange,
    likeness,
    sensitivity,
)
from collectives.bounds.likeness import unlike
from collectives.bounds.network import network
from collectives.model.collective import collective_names
from tests import reference
from tests.strategies import networks, rank_choices
from topology import Supernode, SupernodeError
from topology.units import GB, KiB

KINDS = collective_names()


@settings(max_examples=20)
@given(networks(), st.sampled_from(KINDS), st.sampled_from([1.0, 0.25]), st.data())
def test_one_need_is_the_collective(
    machine: Supernode, kind: str, weight: float, data: st.DataObject
) -> None:
    ranks = data.draw(rank_choices(len(machine.npus)))
    root = data.draw(st.integers(0, len(ranks) - 1))
    alone = bound(machine, kind, ranks, root=root)
    need = CollectiveNeed.of(machine, kind, ranks, root=root, weight=weight)
    found = bound_needs(machine, [need])
    assert found.seconds_per_byte == alone.seconds_per_byte * weight
    assert (found.latency, found.ranks) == (alone.latency, alone.ranks)
    assert found.certificate.check(machine)
    if weight == 1.0:
        assert found == alone


def test_a_small_group_has_the_latency_it_has_alone() -> None:
    machine = topology.cloudmatrix384()
    for kind in ("all_reduce", "all_to_all", "all_gather"):
        alone = bound(machine, kind, range(8)).at(1 * KiB)
        group = bound_needs(machine, [CollectiveNeed(kind, machine.npus[:8])], size=1 * KiB)
        assert group.time == alone.time == alone.latency > 0


@settings(max_examples=15)
@given(st.permutations(range(12)), st.sampled_from(["all_to_all", "all_gather", "all_reduce"]))
def test_the_order_in_which_a_graph_was_built_changes_no_bound(order: list[int], kind: str) -> None:
    """Twelve nodes in a row: the halves are those of their numbers, whichever came first."""
    built = []
    for numbers in (range(12), order):
        graph = nx.Graph()
        for n in numbers:
            graph.add_node(f"s{n}", kind="switch", node=f"n{n}")
            for npu in (f"g{n}/0", f"g{n}/1"):
                graph.add_node(npu, kind="npu", node=f"n{n}")
                graph.add_edge(npu, f"s{n}", capacity=10 * GB)
        for n in sorted(range(11), key=order.index):
            graph.add_edge(f"s{n}", f"s{n + 1}", capacity=GB if n == 5 else 20 * GB)
        built.append(
            topology.from_networkx(graph, [f"g{n}/{k}" for n in range(12) for k in (0, 1)])
        )
    rows = [range(k, 24, 2) for k in (0, 1)]
    found = [
        bound_needs(machine, [CollectiveNeed.of(machine, kind, row) for row in rows])
        for machine in built
    ]
    assert found[0] == found[1]
    narrow = {"all_to_all": 6 * 6 / 12, "all_gather": 6 / 12, "all_reduce": 1.0}[kind]
    assert found[0].seconds_per_byte >= 2 * narrow / GB * (1 - 1e-9)


@settings(max_examples=15)
@given(networks(), st.data())
def test_several_are_no_faster_than_any(machine: Supernode, data: st.DataObject) -> None:
    draw = lambda: CollectiveNeed.of(  # noqa: E731
        machine, data.draw(st.sampled_from(KINDS)), data.draw(rank_choices(len(machine.npus))),
        weight=data.draw(st.sampled_from([0.5, 1.0, 3.0])),
    )  # fmt: skip
    needs = [draw() for _ in range(data.draw(st.integers(2, 4)))]
    both = bound_needs(machine, needs)
    assert both.certificate.check(machine)
    for need in needs:
        alone = bound_needs(machine, [need])
        assert both.seconds_per_byte >= alone.seconds_per_byte * (1 - 1e-9)
        assert both.latency >= alone.latency * (1 - 1e-9)


@settings(max_examples=10)
@given(networks(), st.data())
def test_several_exchanges_are_no_slower_than_their_flow(
    machine: Supernode, data: st.DataObject
) -> None:
    """All-to-alls at once against the whole linear program of what they send together."""
    groups = [data.draw(rank_choices(len(machine.npus))) for _ in range(2)]
    amounts: dict[tuple[str, str], float] = {}
    for ranks in groups:
        for i in ranks:
            for j in set(ranks) - {i}:
                pair = machine.npus[i], machine.npus[j]
                amounts[pair] = amounts.get(pair, 0.0) + 1 / len(ranks)
    rate = reference.exchange_rate(reference.carrying(machine, list(machine.npus)), amounts)
    needs = [CollectiveNeed.of(machine, "all_to_all", ranks) for ranks in groups]
    assert bound_needs(machine, needs).seconds_per_byte <= (1 + 1e-7) / rate


def test_groups_that_share_a_cut_are_bounded_together() -> None:
    """8 groups of 2, one rank in each node: all of them have to go over the same NICs."""
    machine = topology.dgx_h100(2)
    needs = [CollectiveNeed("all_to_all", (machine.npus[r], machine.npus[r + 8])) for r in range(8)]
    alone = bound_needs(machine, needs[:1])
    both = bound_needs(machine, needs)
    assert alone.algbw == pytest.approx(800 * GB)  # over all eight NICs, with relays
    assert both.algbw == pytest.approx(100 * GB)
    assert isinstance(both.certificate, Cut)


def test_alike_groups_are_bounded_once() -> None:
    machine = topology.cloudmatrix384()
    needs = [CollectiveNeed("all_reduce", machine.npus[at : at + 8]) for at in range(0, 384, 8)]
    net = network(machine.fabric, np.arange(384))
    chosen, left_out = unlike(machine.fabric, net, needs)
    assert (len(chosen), left_out) == (1, 0)
    damaged = machine.without(links=[("npu/9", "l1/1/3")])
    chosen, left_out = unlike(damaged.fabric, network(damaged.fabric, np.arange(384)), needs)
    assert 1 < len(chosen) <= 48
    assert left_out == 0


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = topology.mesh((3, 4), link=50 * GB)
    needs = [CollectiveNeed("all_gather", machine.npus[at : at + 2]) for at in range(10)]
    whole = bound_needs(machine, needs)
    monkeypatch.setattr(likeness, "_MOST", 1)
    some = bound_needs(machine, needs)
    assert not whole.approximations
    assert [one.error for one in some.approximations] == [None]
    assert some.seconds_per_byte <= whole.seconds_per_byte * (1 + 1e-9)
    with pytest.raises(SupernodeError, match="joint bound only"):
        bound_needs(machine, needs, exact=True)


def test_without_a_search_the_best_cut_stands_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = topology.dgx_h100(2)
    need = PairsNeed.of(machine, np.random.default_rng(1).random((16, 16)))
    whole = bound_needs(machine, [need], gap=None)
    assert not whole.approximations
    monkeypatch.setattr(exchange, "_MOST_VARIABLES", 0)
    some = bound_needs(machine, [need], gap=None)
    assert len(some.approximations) == 1
    assert some.certificate.check(machine)
    assert some.seconds_per_byte <= whole.seconds_per_byte * (1 + 1e-9)


@pytest.mark.parametrize("gap", [float("nan"), -1, 0, 2, "1"])
def test_a_gap_is_a_fraction(gap: float) -> None:
    with pytest.raises(SupernodeError, match="gap"):
        bound(topology.star(3, link=GB), "all_to_all", gap=gap)


@pytest.mark.parametrize("size", [float("nan"), -5, float("inf"), None])
def test_a_size_is_a_number_of_bytes(size: float) -> None:
    with pytest.raises(SupernodeError, match="size"):
        bound(topology.star(3, link=GB), "all_to_all").at(size)


def test_two_npus_without_a_link_cannot_reach_one_another() -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(["npu/0", "npu/1"], kind="npu")
    machine = topology.from_networkx(graph)
    for kind in ("all_to_all", "all_gather", "broadcast", "gather", "all_reduce"):
        with pytest.raises(SupernodeError, match=r"connected|reach"):
            bound(machine, kind)


def test_a_barrier_is_worth_nothing() -> None:
    rows = sensitivity(topology.dgx_h100(2), "barrier")
    assert {row.gain for row in rows} == {0.0}
    assert "\n" not in repr(rows[0])
