"""Mixture of experts: bytes, copies, balance, and what the published latencies say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives import analyze, verify
from collectives.model.schedule import consecutive_groups
from collectives.workloads.dedup import token_schedule
from collectives.workloads.moe import analyze_moe, scale_experts
from collectives.workloads.moe_traffic import (
    MoELayer,
    deepseek_v3,
    place_experts,
    route_tokens,
    skewed_load,
)
from tests.strategies import moe_layers, two_levels
from topology import Supernode
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.units import GB, us

CM = topology.cloudmatrix384(8)

# DeepEP docs/legacy.md: ranks, dispatch µs and GB/s, combine µs and GB/s; 128 tokens, H800
LOW_LATENCY = [
    (8, 77, 98, 114, 127),
    (16, 118, 63, 195, 74),
    (32, 155, 48, 273, 53),
    (64, 173, 43, 314, 46),
    (128, 192, 39, 369, 39),
    (256, 194, 39, 360, 40),
]


def test_deepep_bytes_of_a_token() -> None:
    layer = deepseek_v3()
    assert layer.token_bytes("dispatch") == 7392
    assert layer.token_bytes("combine") == 14336
    assert layer.logical_bytes("dispatch") == 128 * 8 * 7392
    assert MoELayer(1, 200, 1, 1).token_bytes("dispatch") == 200 + 2 * 4  # a block begun counts
    assert MoELayer(1, 200, 1, 1, scale_block=0).token_bytes("dispatch") == 200


@pytest.mark.parametrize("row", LOW_LATENCY)
def test_deepep_low_latency_rows_are_the_formula(row: tuple[float, ...]) -> None:
    """tokens · top-k · bytes / bandwidth: all twelve within 5 % (the worst is 2.0 %)."""
    _, dispatch, dispatch_bw, combine, combine_bw = row
    layer = deepseek_v3(128)
    assert layer.latency("dispatch", dispatch_bw * GB) == pytest.approx(dispatch * us, rel=0.05)
    assert layer.latency("combine", combine_bw * GB) == pytest.approx(combine * us, rel=0.05)
    assert layer.bandwidth("combine", combine * us) == pytest.approx(combine_bw * GB, rel=0.05)


@pytest.mark.parametrize("row", LOW_LATENCY)
def test_no_measured_row_beats_the_model_at_line_rate(row: tuple[float, ...]) -> None:
    ep, dispatch, _, combine, _ = row
    found = analyze_moe(topology.dgx_h100(int(ep) // 8), deepseek_v3(128))
    assert found.dispatch.bound.time <= found.dispatch.time < dispatch * us
    assert found.combine.bound.time <= found.combine.time < combine * us


@pytest.mark.parametrize("row", LOW_LATENCY[1:])
def test_rows_over_the_network_with_two_fitted_constants(row: tuple[float, ...]) -> None:
    """With 21 µs a phase and NICs at 42.3 GB/s: ten rows within 7 %, eight of them within 5 %.

    EP8 does not apply: it does not use the NICs. EP16 dispatch (-5.6 %) and EP128 combine (-6.2 %)
    are the two beyond 5 %.
    """
    ep, dispatch, _, combine, _ = row
    cluster = topology.dgx_h100(int(ep) // 8)
    nics = [(u, v) for u, v in cluster.fabric.arcs if u.startswith("nic") and v.startswith("leaf")]
    machine = cluster.degrade(links=nics, factor=42.3 / 50)
    found = analyze_moe(machine, deepseek_v3(128), alpha=18.5 * us, message=0.0)
    beyond = {(16, "dispatch"), (128, "combine")}
    for phase, measured in (("dispatch", dispatch), ("combine", combine)):
        time = getattr(found, phase).time
        allowed = 0.07 if (ep, phase) in beyond else 0.05
        assert time == pytest.approx(measured * us, rel=allowed)


@pytest.mark.parametrize(("nodes", "top_k"), [(4, 8), (8, 8), (16, 4), (40, 8)])
def test_distinct_nodes_are_the_closed_form_when_experts_are_many(nodes: int, top_k: int) -> None:
    layer = MoELayer(1, 128, top_k, nodes * 2000)
    copies = route_tokens(layer, np.arange(nodes))
    assert copies.nodes_per_token == pytest.approx(nodes * (1 - (1 - 1 / nodes) ** top_k), rel=1e-3)


def test_distinct_nodes_without_repeats_are_hypergeometric() -> None:
    copies = route_tokens(MoELayer(1, 128, 8, 256), np.arange(64) // 8)
    exact = 8 * (1 - comb(224, 8) / comb(256, 8))
    assert copies.nodes_per_token == pytest.approx(exact, rel=1e-12)


def test_group_limited_tokens_stay_on_their_nodes() -> None:
    """8 groups on 8 nodes, 4 used: at most 4 nodes."""
    layer = deepseek_v3(64)
    home = np.arange(64) // 8
    drawn = route_tokens(layer, home, seed=3)
    assert drawn.per_node.sum(axis=1).max() <= 4 * 64
    free = route_tokens(deepseek_v3(64, expert_groups=1, top_groups=None), home)
    assert route_tokens(layer, home).nodes_per_token < free.nodes_per_token


def _by_brute_force(layer: MoELayer, home: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Return the expected ranks and nodes hit, over every choice of groups, experts and copies."""
    slots = place_experts(layer, len(home))
    each = layer.experts // layer.expert_groups
    ranks, nodes, choices = np.zeros(len(home)), np.zeros(home.max() + 1), 0.0
    for groups in combinations(range(layer.expert_groups), layer.groups_used):
        allowed = [g * each + e for g in groups for e in range(each)]
        for experts in combinations(allowed, layer.top_k):
            options = [np.flatnonzero((slots == e).any(axis=1)) for e in experts]
            for pick in np.stack(np.meshgrid(*options), -1).reshape(-1, layer.top_k):
                weight = 1 / np.prod([len(option) for option in options])
                ranks[np.unique(pick)] += weight
                nodes[np.unique(home[pick])] += weight
            choices += 1
    return ranks / choices, nodes / choices


@pytest.mark.parametrize(
    ("layer", "ranks", "each"),
    [
        (MoELayer(3, 64, 2, 6), 3, 1),
        (MoELayer(3, 64, 3, 6), 4, 2),  # 8 slots: two experts have two copies
        (MoELayer(3, 64, 2, 8, expert_groups=4, top_groups=2), 4, 2),
        (MoELayer(3, 64, 3, 9, expert_groups=3, top_groups=2), 12, 3),
    ],
)
def test_expected_copies_against_every_choice(layer: MoELayer, ranks: int, each: int) -> None:
    home = np.arange(ranks) // each
    copies = route_tokens(layer, home)
    to_rank, to_node = _by_brute_force(layer, home)
    assert copies.per_rank[0] == pytest.approx(layer.tokens * to_rank)
    assert copies.per_node[0] == pytest.approx(layer.tokens * to_node)


@given(layer=moe_layers(), seed=st.one_of(st.none(), st.integers(0, 9)), data=st.data())
def test_copies_are_conserved_and_dedup_never_sends_more(
    layer: MoELayer, seed: int | None, data: st.DataObject
) -> None:
    nodes, each = data.draw(st.sampled_from([(1, 4), (2, 4), (3, 2), (4, 3)]))
    load = None
    if data.draw(st.booleans()):
        load = 1 + np.random.default_rng(1).random(layer.experts) / 2
        load = None if load.max() / load.sum() * layer.top_k > 1 else load
    home = np.arange(nodes * each) // each
    copies = route_tokens(layer, home, load=load, seed=seed)
    each_sends = np.full(len(home), layer.tokens * layer.top_k)
    assert copies.per_expert.sum(axis=1) == pytest.approx(each_sends)
    slack = 1 + 1e-9
    assert (copies.per_rank <= copies.per_expert * slack + 1e-12).all()
    for node in range(nodes):
        inside = copies.per_rank[:, home == node].sum(axis=1)
        assert (copies.per_node[:, node] <= inside * slack + 1e-12).all()
        most = copies.per_rank[:, home == node].max(axis=1)
        assert (copies.per_node[:, node] * slack >= most - 1e-12).all()
    assert copies.nodes_per_token <= min(nodes, layer.top_k) + 1e-9
    back = copies.matrix("combine", dedup="rank") / layer.token_bytes("combine")
    assert back == pytest.approx(copies.per_rank.T)


def test_drawn_tokens_are_on_average_the_expected_ones() -> None:
    for layer in (deepseek_v3(4000), MoELayer(4000, 64, 3, 10)):
        home = np.arange(8) // 4
        want, drawn = route_tokens(layer, home), route_tokens(layer, home, seed=5)
        for name in ("per_expert", "per_rank", "per_node"):
            assert getattr(drawn, name).mean(axis=0) == pytest.approx(
                getattr(want, name)[0], rel=0.03
            )
        again = route_tokens(layer, home, seed=5)
        assert np.array_equal(drawn.per_rank, again.per_rank)


def test_a_measured_load_is_kept_exactly() -> None:
    layer = MoELayer(100, 64, 2, 4)
    copies = route_tokens(layer, [0, 0, 1, 1], load=[4, 2, 1, 1])
    assert copies.per_expert[0] == pytest.approx([100, 50, 25, 25])
    assert copies.imbalance == pytest.approx(2.0)


def test_equal_loads_given_are_those_of_none_and_nearby_ones_are_near() -> None:
    layer, home = deepseek_v3(), np.arange(16) // 8
    free = route_tokens(layer, home)
    given_ = route_tokens(layer, home, load=np.full(256, 3.0))
    near = route_tokens(layer, home, load=skewed_load(256, 1e-4, 0))
    for name in ("per_rank", "per_node"):
        assert getattr(given_, name) == pytest.approx(getattr(free, name))
        assert getattr(near, name) == pytest.approx(getattr(free, name), rel=1e-2)
    assert given_.approximations("node") == ()


def test_a_load_of_its_own_is_approximate_and_never_below_its_bound() -> None:
    """Two experts always go together: one copy to their rank, where a load says up to two."""
    layer = MoELayer(10, 64, 2, 4)
    home, load = np.array([0, 1]), [3, 3, 1, 1]  # experts 0 and 1 are on rank 0, chosen as a pair
    copies = route_tokens(layer, home, load=load)
    assert copies.least.per_rank[0] == pytest.approx([7.5, 2.5])  # that pairing's own counts
    machine = topology.dgx_h100(nodes=2)
    skewed = {"load": skewed_load(256, 0.3, 0), "dedup": "node"}
    found = analyze_moe(machine, deepseek_v3(), **skewed).dispatch
    assert [note.what for note in found.approximations] == ["copies per node"]
    with pytest.raises(SupernodeError, match="copies per node"):
        analyze_moe(machine, deepseek_v3(), **skewed, exact=True)
    assert analyze_moe(machine, deepseek_v3(), load=skewed["load"], exact=True)


@given(skew=st.sampled_from([0.1, 0.3, 0.6]), seed=st.integers(0, 5))
@settings(max_examples=4)
def test_imbalance_raises_the_busiest_and_the_time(skew: float, seed: int) -> None:
    layer = MoELayer(256, 7168, 4, 64)
    load = skewed_load(64, skew, seed)
    even = analyze_moe(CM, layer, alpha=0.0, message=0.0)
    uneven = analyze_moe(CM, layer, load=load, alpha=0.0, message=0.0)
    assert even.copies.imbalance == pytest.approx(1.0)
    assert uneven.copies.imbalance > 1
    assert uneven.dispatch.cost.transfer > even.dispatch.cost.transfer
    assert uneven.copies.per_expert.sum() == pytest.approx(even.copies.per_expert.sum())


def test_spare_slots_hold_the_busiest_experts_again() -> None:
    layer = deepseek_v3()
    slots = place_experts(layer, 320)
    assert slots.shape == (320, 1)
    assert np.bincount(slots.reshape(-1)).tolist() == [2] * 64 + [1] * 192
    load = np.ones(256)
    load[7] = 20
    again = place_experts(layer, 320, load)
    assert np.bincount(again.reshape(-1))[7] > 2
    assert place_experts(layer, 64).tolist() == np.arange(256).reshape(64, 4).tolist()


def test_even_tokens_without_dedup_are_an_all_to_all() -> None:
    layer = MoELayer(64, 7168, 4, 64)
    found = analyze_moe(CM, layer)
    same = analyze(CM, "all_to_all", layer.logical_bytes("dispatch"), algorithm="direct")
    assert found.dispatch.time == pytest.approx(same.time)
    assert found.dispatch.busbw == pytest.approx(same.busbw)
    ratio = layer.token_bytes("combine") / layer.token_bytes("dispatch")
    serial = found.dispatch.latency.serialisation
    assert found.combine.latency.serialisation == pytest.approx(serial * ratio)


@given(machine=two_levels(nodes=3, each=4, spine=True), layer=moe_layers(), data=st.data())
@settings(max_examples=25)
def test_phases_are_proven_and_no_faster_than_their_bounds(
    machine: Supernode, layer: MoELayer, data: st.DataObject
) -> None:
    dedup = data.draw(st.sampled_from(["none", "rank", "node"]))
    seed = data.draw(st.one_of(st.none(), st.just(1)))
    found = analyze_moe(machine, layer, dedup=dedup, seed=seed, alpha=0.0, message=0.0)
    for _, phase in found.phases:
        verify(phase.schedule)
        assert phase.bound.time <= phase.time * (1 + 1e-9)
        assert phase.bound.certificate.check(machine)


@given(machine=two_levels(nodes=4, each=2, inner=100 * GB, outer=7 * GB, spine=True))
@settings(max_examples=10)
def test_dedup_never_takes_longer_on_the_rails(machine: Supernode) -> None:
    layer = MoELayer(64, 1024, 4, 16)
    times = [
        analyze_moe(machine, layer, dedup=dedup, algorithm=how).dispatch.cost.transfer
        for dedup, how in (("none", "hierarchical"), ("rank", "hierarchical"), ("node", None))
    ]
    assert times[0] >= times[1] * (1 - 1e-9)
    assert times[1] >= times[2] * (1 - 1e-9)


def test_a_token_goes_once_to_a_node_and_on_by_hand() -> None:
    """Two nodes of two ranks, one expert a rank, both experts of a node chosen by every token."""
    layer = MoELayer(10, 100, 2, 4, expert_groups=2, top_groups=1, scale_block=0)
    copies = route_tokens(layer, [0, 0, 1, 1])
    assert copies.per_node[0] == pytest.approx([5, 5])
    assert copies.per_rank[0] == pytest.approx([5, 5, 5, 5])
    out = token_schedule(copies, "dispatch", consecutive_groups(4, 2))
    size = layer.logical_bytes("dispatch")
    rail, inside = (step.traffic for step in out.steps)
    assert dict(zip(zip(rail.src, rail.dst, strict=True), rail.amount * size, strict=True)) == {
        pair: pytest.approx(5 * 100) for pair in [(0, 2), (1, 3), (2, 0), (3, 1)]
    }
    assert inside.amount * size == pytest.approx([10 * 100] * 4)  # 5 of its own, 5 that landed
    home = token_schedule(copies, "combine", consecutive_groups(4, 2))
    assert [step.phase for step in home.steps] == ["in the node", "along the rail"]
    assert home.steps[1].traffic.amount * layer.logical_bytes("combine") == pytest.approx(
        [5 * 200] * 4
    )


def test_relabelling_nodes_changes_nothing() -> None:
    layer = deepseek_v3(32, expert_groups=1, top_groups=None)
    ranks = np.arange(32).reshape(4, 8)
    one = analyze_moe(CM, layer, ranks=ranks.reshape(-1), dedup="node")
    other = analyze_moe(CM, layer, ranks=ranks[[2, 0, 3, 1]].reshape(-1), dedup="node")
    assert one.time == pytest.approx(other.time)


def test_more_ranks_send_more_out_of_the_node() -> None:
    found = scale_experts(CM, deepseek_v3(128), [64, 16, 32, 16])
    assert [step.ep for step in found.steps] == [16, 32, 64]
    leaving = [step.copies.leaving for step in found.steps]
    assert leaving == pytest.approx([1 / 2, 3 / 4, 7 / 8])
    assert str(found).startswith("EP16 → EP64 on cloudmatrix384-8-nodes: dispatch ")
    assert len(found.to_dict()["scaling"]) == 3


def test_ep64_to_ep320_on_cloudmatrix384() -> None:
    """The NPU links bind at both; the optics come nearer, and the spare copies cost balance."""
    found = scale_experts(topology.cloudmatrix384(), deepseek_v3(128), [64, 320])
    small, large = found.steps
    assert small.dispatch.bottleneck.name == "NPU→L1"
    assert large.copies.imbalance == pytest.approx(1.25)
    assert large.dispatch.time > small.dispatch.time
    uplinks = [
        next(row.utilisation for row in step.dispatch.links if row.name == "L2→L1")
        for step in found.steps
    ]
    assert uplinks == pytest.approx([56 / 63, 312 / 319], rel=2e-3)
    assert "EP64 → EP320" in str(found)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MoELayer(0, 1, 1, 1), "tokens is 0"),
        (lambda: MoELayer(1, 1, 2.5, 8), "top_k is 2.5"),  # type: ignore[arg-type]
        (lambda: MoELayer(1, 1, 9, 8), "top_k is 9"),
        (lambda: MoELayer(1, 1, 1, 8, expert_groups=3), "3 equal groups"),
        (lambda: MoELayer(1, 1, 3, 8, expert_groups=4, top_groups=1), "4 groups of 2 experts"),
        (lambda: MoELayer(1, 1, 1, 8, expert_groups=2, top_groups=3), "2 groups of 4"),
        (lambda: MoELayer(1, 1, 1, 1, dispatch_element=float("nan")), "dispatch_element is nan"),
        (lambda: deepseek_v3().token_bytes("despatch"), "phase is 'despatch'"),
        (lambda: analyze_moe(CM, deepseek_v3(), dedup="nodes"), "did you mean node"),
        (lambda: analyze_moe(CM, deepseek_v3(), load=[1.0]), "256 numbers"),
        (lambda: analyze_moe(CM, deepseek_v3(), load=np.eye(256)[0]), "12.5% at most"),
        (lambda: analyze_moe(CM, deepseek_v3(), load=np.zeros(256)), "zero on every expert"),
        (lambda: analyze_moe(topology.star(4, link=GB), deepseek_v3(), dedup="node"), "group_size"),
        (lambda: scale_experts(CM, deepseek_v3(), [65]), "1 to 64"),
        (lambda: scale_experts(CM, deepseek_v3(), []), "one number of ranks"),
        (lambda: skewed_load(4, -1.0, 0), "skew is -1.0"),
    ],
)
def test_refusals_say_what_is_allowed(make: Callable[[], object], words: str) -> None:
    with pytest.raises(SupernodeError, match=words):
        make()


@pytest.mark.parametrize("phase", ["dispatch", "combine"])
def test_what_lands_and_what_goes_on_add_up_for_drawn_tokens(phase: str) -> None:
    layer = MoELayer(50, 64, 3, 24)
    groups = np.array([[4, 0, 7], [1, 5, 2], [8, 3, 6]])  # any numbering of the positions
    home, place = np.zeros(9, dtype=int), np.zeros(9, dtype=int)
    home[groups], place[groups] = np.arange(3)[:, None], np.arange(3)
    copies = route_tokens(layer, home, load=1 + np.arange(24) / 20, seed=2)
    schedule = token_schedule(copies, phase, groups)
    verify(schedule)
    moved = [np.zeros((9, 9)) for _ in range(2)]
    for total, step in zip(moved, schedule.steps, strict=True):
        np.add.at(total, (step.traffic.src, step.traffic.dst), step.traffic.amount)
    rail, inside = moved if phase == "dispatch" else (moved[1].T, moved[0].T)
    unit = layer.token_bytes(phase) / layer.logical_bytes(phase)
    for d in range(9):
        mates = place == place[d]
        on = copies.per_rank[~mates, d].sum()  # lands at another place, and goes on to d
        assert inside[:, d].sum() == pytest.approx(on * unit)
        away = mates & (home != home[d])
        assert rail[:, d].sum() == pytest.approx(copies.per_node[away, home[d]].sum() * unit)
