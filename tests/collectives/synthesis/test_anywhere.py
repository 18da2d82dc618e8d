"""Whatever fabric: a proven schedule that keeps the bound, or one clear error."""

from __future__ import annotations

import sys

import networkx as nx
import pytest
from hypothesis import given, settings

import collectives
import topology
from collectives.synthesis import find_exchange, find_forest, synthesize
from tests.strategies import damaged_networks
from topology import Supernode, SupernodeError, shapes
from topology.units import GB, MiB

KINDS = ("all_gather", "reduce_scatter", "all_reduce", "all_to_all")


def reachable(machine: Supernode) -> bool:
    """Tell whether every rank reaches every other, over nodes that forward and ranks that relay."""
    graph = nx.DiGraph(machine.graph)
    for node, data in machine.graph.nodes(data=True):
        if node not in machine.npus and not data["forwards"]:
            graph.remove_node(node)
    return all(set(machine.npus) <= nx.descendants(graph, v) | {v} for v in machine.npus)


def proven(machine: Supernode, kind: str) -> None:
    schedule = synthesize(machine, kind, size=MiB)
    collectives.verify(schedule)
    found = collectives.analyze(machine, kind, MiB, algorithm=schedule, alpha=0.0, message=0.0)
    assert found.time >= found.bound.time * (1 - 1e-9)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4)
@given(machine=damaged_networks())
def test_a_proven_schedule_or_a_clear_error(kind: str, machine: Supernode) -> None:
    if reachable(machine):
        proven(machine, kind)
    else:
        with pytest.raises(SupernodeError, match=r"receive|reach|path"):
            synthesize(machine, kind)


@pytest.mark.parametrize(
    ("kind", "board", "boards"),
    [(kind, (1, 2), (2, 2)) for kind in KINDS] + [("all_to_all", (2, 2), (1, 2))],
)
def test_a_hamming_mesh(kind: str, board: tuple[int, int], boards: tuple[int, int]) -> None:
    proven(shapes.hamming_mesh(board, boards, link=50 * GB), kind)


def test_a_rank_that_can_be_reached_but_not_left() -> None:
    """a -> b only: b has nothing to send to a over, and the all-gather says so."""
    graph = nx.DiGraph()
    graph.add_edge("a", "b", capacity=GB)
    with pytest.raises(SupernodeError, match=r"receive|reach|path"):
        synthesize(topology.from_networkx(graph, npus=["a", "b"]), "all_gather")


def test_ranks_pass_on_what_npus_outside_cannot() -> None:
    """0 - 1 - 2 in a row, and a faster way from 0 to 2 over an NPU that takes no part."""
    graph = nx.Graph()
    for i in range(4):
        graph.add_node(f"n{i}", kind="npu", forwards=False)
    graph.add_edges_from([("n0", "n1"), ("n1", "n2")], capacity=GB)
    graph.add_edges_from([("n0", "n3"), ("n3", "n2")], capacity=9 * GB)
    machine = topology.from_networkx(graph, npus=["n0", "n1", "n2", "n3"])
    schedule = synthesize(machine, "all_gather", ranks=[0, 1, 2])
    collectives.verify(schedule)
    found = collectives.analyze(machine, "all_gather", MiB, algorithm=schedule, ranks=[0, 1, 2])
    assert found.time >= found.bound.time
    with pytest.raises(SupernodeError, match="NPUs that do not take part"):
        synthesize(machine, "all_gather", ranks=[1, 3])


def test_links_may_be_faster_one_way() -> None:
    """A reduce-scatter needs the rate into ranks where an all-gather needs that out of them."""
    graph = nx.DiGraph()
    for i in range(3):
        graph.add_edge(f"n{i}", f"n{(i + 1) % 3}", capacity=4 * GB)
        graph.add_edge(f"n{(i + 1) % 3}", f"n{i}", capacity=GB)
    graph.edges["n0", "n1"]["capacity"] = GB
    machine = topology.from_networkx(graph, npus=["n0", "n1", "n2"])
    for kind in KINDS[:3]:
        proven(machine, kind)


def test_what_is_no_optimum_says_by_how_much() -> None:
    machine = shapes.hamming_mesh((2, 2), (2, 2), link=50 * GB)
    found = find_forest(machine)
    assert not found.optimal
    (note,) = found.approximations
    assert note.error == pytest.approx(1 / found.efficiency - 1)
    assert find_exchange(shapes.full_mesh(4, link=50 * GB)).approximations == ()


THRESHOLDS = {
    "layout": ("_MOST_HOPS", "_MOST_SLOTS", "_MOST_TRANSFERS"),
    "exchange": ("_MOST_PIECES", "_MOST_WORK", "_MOST_PATHS", "_TRIES", "_FAR"),
    "synthesize": ("_MOST_RANKS", "_MOST_WORK", "_MOST_PACKED", "_MOST_PIECES"),
    "concurrent_flow": ("_ROUNDS", "_APART", "_NODES"),
    "packing": ("_TRIES",),
}


@pytest.mark.parametrize("value", [0, 64, 10**6])
@pytest.mark.parametrize("module", THRESHOLDS)
def test_a_threshold_changes_how_good_an_answer_is_and_the_answer_says_so(
    module: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in THRESHOLDS[module]:
        most = 64 if name in ("_TRIES", "_ROUNDS", "_MOST_PIECES") else value
        room = sys.modules[f"collectives.synthesis.{module}"]
        monkeypatch.setattr(room, name, min(value, most))
    cut = [("npu/0", "npu/1")]
    machine = shapes.mesh((2, 3), link=50 * GB).without(links=cut, both_directions=False)
    for kind in KINDS[2:]:
        proven(machine, kind)
    for found in (find_forest(machine), find_exchange(machine)):
        error = sum(note.error or 0.0 for note in found.approximations)
        assert found.seconds_per_byte <= found.bound * (1 + error) * (1 + 1e-9)
        assert found.optimal == (not found.approximations)
