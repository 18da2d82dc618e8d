"""Merged twins can be swapped without anyone noticing, and nothing else is merged."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests import reference
from tests.strategies import networks, supernodes
from topology import Supernode
from topology.routing import ecmp
from topology.routing.quotient import expand, quotient, twin_groups
from topology.units import GB


def _swapped(machine: Supernode, a: str, b: str) -> nx.DiGraph:
    return nx.relabel_nodes(machine.graph, {a: b, b: a})


@given(networks() | supernodes())
def test_swapping_twins_is_an_automorphism(machine: Supernode) -> None:
    groups = twin_groups(machine.fabric)
    for group in np.unique(groups):
        members = [machine.fabric.nodes[i] for i in np.flatnonzero(groups == group)]
        for other in members[1:3]:
            changed = _swapped(machine, members[0], other)
            assert {(u, v): (d["capacity"], d["latency"], d["lanes"])
                    for u, v, d in changed.edges(data=True)} == {
                    (u, v): (d["capacity"], d["latency"], d["lanes"])
                    for u, v, d in machine.graph.edges(data=True)}  # fmt: skip


@given(networks() | supernodes())
def test_a_quotient_keeps_count_of_what_it_merged(machine: Supernode) -> None:
    fabric = machine.fabric
    q = quotient(fabric, twin_groups(fabric))
    assert q.size.sum() == len(fabric.nodes)
    assert q.count.sum() == len(fabric.tail)
    assert (q.group[q.member] == np.arange(len(q.size))).all()
    assert q.fan_out * q.size[q.tail] == pytest.approx(q.count)
    assert q.fan_in * q.size[q.head] == pytest.approx(q.count)
    assert (q.tail[q.arc] == q.group[fabric.tail]).all()
    assert (q.head[q.arc] == q.group[fabric.head]).all()
    assert (q.capacity[q.arc] == fabric.capacity).all()
    assert (q.latency[q.arc] == fabric.latency).all()
    assert (q.arc[q.sample] == np.arange(len(q.tail))).all()
    assert (q.forwards[q.group] == fabric.forwards).all()


def _groups(machine: Supernode, prefix: str) -> list[int]:
    """Return the sizes of the groups that nodes of a prefix form, largest first."""
    groups = twin_groups(machine.fabric)
    mine = [g for g, node in zip(groups, machine.fabric.nodes, strict=True)
            if node.startswith(prefix)]  # fmt: skip
    return sorted(np.unique(mine, return_counts=True)[1].tolist(), reverse=True)


def test_real_machines_shrink() -> None:
    cm = topology.cloudmatrix384()
    assert _groups(cm, "npu/") == [8] * 48
    assert _groups(cm, "l2/") == [16] * 7
    assert _groups(cm, "l1/") == [1] * 336
    assert _groups(topology.gb200_nvl72(cpus=False, nics=False), "npu/") == [72]


def test_a_node_with_a_broken_link_is_a_twin_no_more() -> None:
    cm = topology.cloudmatrix384(2)
    damaged = cm.without(links=[("npu/3", "l1/0/2")])
    assert _groups(damaged, "npu/") == [8, 7, 1]
    slowed = cm.degrade(links=[("l1/0/2", "l2/2/0")], factor=0.5, both_directions=False)
    assert 1 in _groups(slowed, "l2/")


def test_hashes_that_collide_merge_nothing_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are checked against the links, and given up where a hash has lied."""
    monkeypatch.setattr("topology.routing.quotient.scramble", lambda x: x * 0)
    graph = nx.path_graph(5)
    nx.set_edge_attributes(graph, GB, "capacity")
    machine = topology.from_networkx(graph, npus=range(5))
    assert len(np.unique(twin_groups(machine.fabric))) == 5
    assert ecmp(machine).loads() == pytest.approx(reference.loads(machine), rel=1e-12)


def test_linked_twins_are_merged_too() -> None:
    graph = nx.complete_graph(6)
    nx.set_edge_attributes(graph, GB, "capacity")
    whole = topology.from_networkx(graph, npus=range(6))
    assert len(np.unique(twin_groups(whole.fabric))) == 1
    broken = whole.without(links=[("0", "1")])
    assert sorted(np.bincount(twin_groups(broken.fabric)).tolist()) == [2, 4]


def test_colours_keep_twins_apart() -> None:
    fabric = topology.star(4, link=GB).fabric
    colour = np.array([0, 0, 1, 1, 0])
    groups = twin_groups(fabric, colour)
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_latency_and_abilities_keep_twins_apart() -> None:
    graph = nx.Graph()
    for i, latency in enumerate((0.0, 0.0, 1e-7)):
        graph.add_node(f"s/{i}", kind="switch", latency=latency)
        graph.add_edges_from([("a", f"s/{i}"), ("b", f"s/{i}")], capacity=GB)
    machine = topology.from_networkx(graph, npus=["a", "b"])
    groups = dict(zip(machine.fabric.nodes, twin_groups(machine.fabric), strict=True))
    assert groups["s/0"] == groups["s/1"] != groups["s/2"]
    assert groups["a"] == groups["b"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.data())
def test_expand_lists_the_entries_of_rows(lengths: list[int], data: st.DataObject) -> None:
    starts = np.concatenate(([0], np.cumsum(lengths)))
    rows = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=5)), dtype=int)
    which, entries = expand(starts, rows)
    expected = [(i, e) for i, row in enumerate(rows) for e in range(starts[row], starts[row + 1])]
    assert list(zip(which.tolist(), entries.tolist(), strict=True)) == expected
