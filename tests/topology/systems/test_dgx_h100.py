"""DGX H100 clusters: rails, leaves, spines and what oversubscription costs."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest

import collectives
import topology
from topology import Supernode
from topology.errors import GraphError
from topology.routing import Pairs, Uniform, ecmp
from topology.units import GB, MiB

SIZES = [(1, 1), (2, 1), (4, 1), (4, 2), (16, 1), (32, 3), (40, 1), (64, 1), (100, 2), (64, 1e20)]


def _lanes(machine: Supernode, node: str, head: str) -> int:
    return sum(d["lanes"] for v, d in machine.graph.adj[node].items() if v.startswith(head))


def _all(machine: Supernode, prefix: str) -> list[str]:
    return [node for node in machine.graph if node.startswith(prefix)]


@pytest.mark.parametrize(("nodes", "ratio"), SIZES)
def test_every_size_is_wired_by_the_rules(nodes: int, ratio: float) -> None:
    machine = topology.dgx_h100(nodes, oversubscription=ratio)
    assert len(machine.npus) == 8 * nodes
    for gpu in machine.npus:
        wide = {v.split("/")[2]: d["lanes"] for v, d in machine.graph.adj[gpu].items()
                if v.startswith("nvswitch")}  # fmt: skip
        assert wide == {"0": 5, "1": 4, "2": 4, "3": 5}
        assert _lanes(machine, gpu, "nic/") == (1 if nodes > 1 else 0)
    for leaf in _all(machine, "leaf/"):
        down, up = _lanes(machine, leaf, "nic/"), _lanes(machine, leaf, "spine/")
        assert down + up <= 64
        assert up >= down / ratio, "no more than the oversubscription asked for"
    for spine in _all(machine, "spine/"):
        assert _lanes(machine, spine, "leaf/") <= 64


@pytest.mark.parametrize("nodes", [2, 5, 33])
def test_a_rail_stays_on_its_leaf(nodes: int) -> None:
    machine = topology.dgx_h100(nodes)
    unit = min(nodes, 32)
    ranks = np.arange(unit) * 8 + 3
    loads = dict(zip(machine.fabric.arcs, ecmp(machine).loads(Uniform(ranks)), strict=True))
    used = {v.split("/")[0] for (_, v), load in loads.items() if load > 0}
    assert used == {"nic", "leaf", "npu"}
    leaves = {v for (_, v), load in loads.items() if load > 0 and v.startswith("leaf")}
    assert len(leaves) == 1


def test_one_node_has_no_network() -> None:
    machine = topology.dgx_h100(1)
    assert machine.name == "dgx-h100"
    assert not _all(machine, "nic/")
    loads = ecmp(machine).loads() / machine.fabric.capacity
    assert loads == pytest.approx(np.full(len(loads), 7 / 450e9), rel=1e-12)


@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_oversubscription_divides_the_rate_between_leaves(ratio: int) -> None:
    """All ranks to the next rail's leaf: a leaf's uplinks carry what its downlinks bring,
    at B/o each."""
    nodes = 16
    machine = topology.dgx_h100(nodes, oversubscription=ratio)
    src = np.arange(8 * nodes)
    home, rail = np.divmod(src, 8)
    dst = (home + 1) % nodes * 8 + (rail + 1) % 8
    flow = ecmp(machine).route(Pairs(src, dst, np.full(len(src), 50e9)))
    busy = flow.busy()
    ups = next(c for c in machine.fabric.classes if c.name == "leaf→spine")
    uplinks = _lanes(machine, "leaf/0/0", "spine/")
    assert uplinks == ceil(nodes / ratio)
    assert busy[ups.arcs] == pytest.approx(np.full(len(ups.arcs), nodes / uplinks), rel=1e-9)
    assert busy.max() == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
def test_all_to_all_between_leaves_takes_the_closed_form(ratio: int) -> None:
    """S (1 - n_leaf/N) o / B, on a leaf-spine whose leaves hold whole nodes."""
    leaves, each, rate = 4, 8, 50 * GB
    builder = topology.Builder()
    npus = builder.add_nodes((f"npu/{i}" for i in range(leaves * each)), kind="npu", tier=0)
    leaf = builder.add_nodes((f"leaf/{i}" for i in range(leaves)), kind="switch", tier=1)
    spines = builder.add_nodes((f"spine/{i}" for i in range(each // ratio)), kind="switch", tier=2)
    builder.connect(((npu, leaf[i // each]) for i, npu in enumerate(npus)), rate)
    builder.connect(((u, v) for u in leaf for v in spines), rate)
    machine = builder.build("leaf-spine", npus)
    size = 64 * MiB
    found = collectives.analyze(machine, "all_to_all", size, algorithm="direct", alpha=0, message=0)
    crossing = size * (1 - each / (leaves * each)) * ratio / rate
    inside = size * (leaves * each - 1) / (leaves * each) / rate
    assert found.time == pytest.approx(max(crossing, inside), rel=1e-12)
    expected = "leaf→spine" if crossing > inside else "NPU→leaf"
    assert found.bottleneck.name == expected


@pytest.mark.parametrize("nodes", [0, -4, 1.5, "8", None, True])
def test_a_bad_number_of_nodes_is_told(nodes: object) -> None:
    with pytest.raises(GraphError, match="nodes is"):
        topology.dgx_h100(nodes)  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", [0, 0.5, -1, float("nan"), float("inf"), "2", None])
def test_a_bad_oversubscription_is_told(ratio: object) -> None:
    with pytest.raises(GraphError, match="oversubscription is"):
        topology.dgx_h100(4, oversubscription=ratio)  # type: ignore[arg-type]


def test_what_two_tiers_cannot_reach_is_told() -> None:
    with pytest.raises(GraphError, match="third tier"):
        topology.dgx_h100(1000)
