"""Valiant and UGAL against plain averages over intermediates, and the known halves and floors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests import reference
from tests.strategies import demands, dragonflies, networks
from topology import Supernode
from topology.errors import RoutingError
from topology.fabric import FloatArray
from topology.routing import Pairs, ecmp, router, ugal
from topology.units import GB


def _plain(machine: Supernode, pairs: Pairs) -> FloatArray:
    """Average the plain ECMP router's loads over intermediates, pair by pair."""
    graph = machine.graph
    switches = [n for n in graph if graph.nodes[n]["kind"] == "switch"]
    if any(graph.nodes[npu]["forwards"] for npu in machine.npus):
        places = [npu for npu in machine.npus if graph.nodes[npu]["forwards"]]
    else:
        places = [n for n in switches if any(graph.nodes[v]["kind"] == "npu" for v in graph[n])]
    total: dict[tuple[str, str], float] = defaultdict(float)
    for src, dst, amount in zip(pairs.src, pairs.dst, pairs.amount, strict=True):
        u, v = machine.npus[src], machine.npus[dst]
        for place in places:
            for ends in ((u, place), (place, v)):
                shares = reference.route_pair(graph, *ends) if ends[0] != ends[1] else {}
                for link, share in shares.items():
                    total[link] += amount * share / len(places)
    return np.array([total[arc] for arc in machine.fabric.arcs])


@given(networks(), st.data())
def test_loads_are_the_mean_over_intermediates(machine: Supernode, data: st.DataObject) -> None:
    pairs = data.draw(demands(len(machine.npus))).checked(len(machine.npus))
    found = router(machine, "valiant").loads(pairs)
    assert found == pytest.approx(_plain(machine, pairs), rel=1e-9, abs=1e-12)


@given(dragonflies(), st.data())
def test_loads_are_the_mean_over_groups(machine: Supernode, data: st.DataObject) -> None:
    """A node that stands for a group takes what comes to any of its switches."""
    pairs = data.draw(demands(len(machine.npus))).checked(len(machine.npus))
    graph = nx.DiGraph(machine.graph)
    group = nx.get_node_attributes(machine.graph, "group")
    for node, number in group.items():
        if graph.nodes[node]["kind"] == "switch":
            graph.add_node(f"any/{number}", kind="switch", forwards=False)
            graph.add_edge(node, f"any/{number}", capacity=1.0)
    total: dict[tuple[str, str], float] = defaultdict(float)
    for src, dst, amount in zip(pairs.src, pairs.dst, pairs.amount, strict=True):
        for number in set(group.values()):
            out = reference.route_pair(graph, machine.npus[src], f"any/{number}", grouped=True)
            each = amount / len(set(group.values()))
            for (u, v), share in out.items():
                if v != f"any/{number}":
                    total[u, v] += each * share
                    continue
                for link, part in reference.route_pair(
                    graph, u, machine.npus[dst], grouped=True
                ).items():
                    total[link] += each * share * part
    expected = [total[arc] for arc in machine.fabric.arcs]
    assert router(machine, "valiant").loads(pairs) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def _to_the_next_group(machine: Supernode, by: int = 1) -> Pairs:
    """Every NPU of a group sends to one of the group that is so many further on."""
    size = machine.parameters["p"] * machine.parameters["a"]
    count = len(machine.npus)
    src = np.arange(count)
    return Pairs(src, (src + by * size) % count, np.full(count, GB))


@pytest.mark.parametrize("h", [2, 3])
def test_a_dragonfly_under_adversarial_traffic(h: int) -> None:
    """Minimal: one global link for a group's a p flows. Valiant: each global link carries what
    goes to and what comes from its intermediate, 2 a p / G, so half the rate in the limit."""
    machine = topology.dragonfly(h, link=GB)
    a, groups = 2 * h, 2 * h * h + 1
    demand = _to_the_next_group(machine)
    assert router(machine, "minimal_adaptive").route(demand).worst() == pytest.approx(a * h)
    assert ecmp(machine).route(demand).worst() < a * h, (
        "as short by hops, but over two global links"
    )
    loads = router(machine, "valiant").loads(demand) / GB
    between = [
        loads[at] for at, (u, v) in enumerate(machine.fabric.arcs)
        if machine.graph.nodes[u]["group"] != machine.graph.nodes[v]["group"]
    ]  # fmt: skip
    assert between == pytest.approx([2 * a * h / groups] * len(between))
    assert loads.max() == pytest.approx(2 * a * h / groups)
    assert 0.5 <= 1 / router(machine, "valiant").route(demand).worst() < 0.6


def test_the_optimum_is_found_and_proved_where_it_is_too_much_to_solve_for() -> None:
    """On the next group's 110 NPUs a program has 60,000 variables; the blend reaches 11 / 20."""
    machine = topology.dragonfly(2, 5, 2, link=GB)
    demand = _to_the_next_group(machine)
    assert router(machine, "minimal_adaptive").route(demand).worst() == pytest.approx(10)
    for name in ("optimal", "ugal"):
        flow = router(machine, name).route(demand)
        assert flow.worst() == pytest.approx(20 / 11, rel=1e-6)
        assert flow.approximations() == ()


def test_the_search_proves_how_near_it_is_without_any_symmetry() -> None:
    """A random permutation with random amounts: no two links are alike."""
    machine, draw = topology.dragonfly(3, 6, 3, link=50 * GB), np.random.default_rng(1)
    src, dst = np.arange(342), np.roll(draw.permutation(342), 1)
    amount = draw.uniform(0.5, 2, 342) * GB
    demand = Pairs(src[src != dst], dst[src != dst], amount[src != dst])
    found = router(machine, "optimal").route(demand)
    assert found.worst() < 0.8 * router(machine, "valiant").route(demand).worst()
    assert sum(note.error or 0 for note in found.approximations()) < 0.05


def test_ugal_is_minimal_where_that_is_best_and_leaves_it_where_not() -> None:
    machine = topology.dragonfly(2, link=GB)
    for sent in (None, _to_the_next_group(machine)):
        worst = {
            name: router(machine, name).route(sent).worst()
            for name in ("minimal_adaptive", "valiant", "ugal")
        }
        assert worst["ugal"] <= min(worst.values()) * (1 + 1e-9)
    flow = router(machine, "ugal").route()
    assert flow.loads == pytest.approx(router(machine, _hierarchical(machine)).loads(), rel=1e-9)


def _hierarchical(machine: Supernode) -> Callable[[str, str], list[str]]:
    """Return the minimal route of a Dragonfly: local, global, local link, each where needed."""
    graph, home = machine.graph, {npu: next(iter(machine.graph[npu])) for npu in machine.npus}
    gate = {
        (graph.nodes[u]["group"], graph.nodes[v]["group"]): [u, v]
        for u, v in graph.edges
        if graph.nodes[u]["group"] != graph.nodes[v]["group"]
    }

    def way(src: str, dst: str) -> list[str]:
        ends = [graph.nodes[npu]["group"] for npu in (src, dst)]
        between = gate[ends[0], ends[1]] if ends[0] != ends[1] else []
        return list(dict.fromkeys([src, home[src], *between, home[dst], dst]))

    return way


@given(networks() | dragonflies(), st.data())
def test_no_common_share_beats_ugal(machine: Supernode, data: st.DataObject) -> None:
    pairs = data.draw(demands(len(machine.npus))).checked(len(machine.npus))
    capacity = machine.fabric.capacity
    detour = router(machine, "valiant").loads(pairs)
    direct = reference.loads(machine, pairs, grouped=True)
    every = [(x * direct + (1 - x) * detour) / capacity for x in np.linspace(0, 1, 21)]
    best = min(busy.max(initial=0) for busy in every)
    assert router(machine, "ugal").route(pairs).worst() <= best * (1 + 1e-6)


def test_ugal_with_one_share_for_all_says_how_far_it_can_be_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half the ranks send to the next group: senders apart do better, no routing beats the note."""
    machine = topology.dragonfly(2, link=GB)
    src = np.arange(0, 72, 2)
    demand = Pairs(src, (src + np.where(src < 36, 8, 36)) % 72, np.linspace(0.1, 2, 36) * GB)
    best = router(machine, "optimal").route(demand).worst()
    monkeypatch.setattr(ugal, "_MOST_WORK", 1)
    flow = router(machine, "ugal").route(demand)
    (note,) = flow.approximations()
    assert best <= flow.worst() <= best * (1 + (note.error or 0)) * (1 + 1e-6)
    assert (note.error or 0) < 2 * (flow.worst() / best - 1) + 0.05


def test_one_sender_of_ugal_balances_its_own_links() -> None:
    """Over a ring of 3 by a random rank: x + 2/3 (1 - x) one way, 1/3 (1 - x) the other."""
    ring = topology.ring(3, link=GB)
    one = Pairs(np.array([0]), np.array([1]), np.array([GB]))
    flow = router(ring, "ugal").route(one)
    assert flow.worst() == pytest.approx(2 / 3)
    assert router(ring, "valiant").route(one).worst() == pytest.approx(2 / 3)


def test_detours_keep_to_the_scale_up_network_where_that_reaches() -> None:
    machine = topology.dgx_h100(2)
    inside = Pairs(np.array([0]), np.array([1]), np.ones(1))
    across = Pairs(np.array([0]), np.array([9]), np.ones(1))
    for pairs, words in ((inside, {"nvswitch"}), (across, {"leaf"})):
        loads = router(machine, "valiant").loads(pairs)
        used = {machine.fabric.arcs[at][1].split("/")[0] for at in np.flatnonzero(loads)}
        assert words <= used
        assert ("nic" in used) == (pairs is across)


def test_a_machine_without_an_intermediate_for_all_is_told() -> None:
    machine = topology.line(4, link=GB)
    cut = machine.without(links=[("npu/1", "npu/2"), ("npu/2", "npu/1")])
    with pytest.raises(RoutingError, match="no rank can be reached from every sender"):
        router(cut, "valiant").route()
