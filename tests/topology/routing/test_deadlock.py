"""Deadlock against the paths themselves: NetworkX draws who waits for whom, channel by channel."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import dragonflies, fat_trees, grids, networks
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import deadlock, router, routing_names, turns
from topology.units import GB

NAMES = [n for n in routing_names() if n != "first-path"]


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
def test_the_drawing_is_that_of_the_paths(name: str, data: st.DataObject) -> None:
    """Every turn of a path is in it, a circle is one, and the channels are free of circles."""
    machine = data.draw(networks() | grids() | fat_trees() | dragonflies())
    try:
        found = deadlock(machine, name)
        flow = router(machine, name).route()
    except RoutingError:  # it does not suit the machine
        return
    drawn, plain, wide = found.graph, nx.DiGraph(), nx.DiGraph()
    arcs, count = machine.fabric.arcs, len(machine.npus)
    pairs = [(u, v) for u in range(count) for v in range(count) if u != v]
    most = 0
    for u, v in pairs[:60]:
        for _, path in flow.paths(u, v):
            plain.add_edges_from((arcs[a], arcs[b]) for a, b in pairwise(path))
            channels = found.channels_of(path)
            wide.add_edges_from(pairwise(zip(path, channels, strict=True)))
            most = max(most, *channels)
    assert set(plain.edges) <= set(drawn.edges)
    if name in ("ecmp", "hashed", "dimension_order", "d_mod_k") and len(pairs) <= 60:
        assert set(plain.edges) == set(drawn.edges)
        assert most < found.most
    assert found.free == nx.is_directed_acyclic_graph(drawn)
    assert nx.is_directed_acyclic_graph(wide)
    assert all(drawn.has_edge(*pair) for pair in pairwise([*found.cycle, *found.cycle[:1]]))
    assert (found.least, found.most) == (1, 1) if found.free else found.least == 2 <= found.most


TEXTBOOK = [
    ("dimension_order", topology.mesh((4, 4), link=GB), "1"),
    ("dimension_order", topology.hypercube(4, link=GB), "1"),
    ("dimension_order", topology.hyperx((3, 4), link=GB, npus_per_switch=1), "1"),
    ("dimension_order", topology.torus((3, 3), link=GB), "1"),  # no path has two hops of a ring
    ("dimension_order", topology.torus((4, 4), link=GB), "2"),
    ("dimension_order", topology.torus((5, 4, 6), link=GB), "2"),
    ("minimal_adaptive", topology.ring(5, link=GB), "2"),
    ("ecmp", topology.ring(4, link=GB), "2"),
    ("minimal_adaptive", topology.mesh((3, 3), link=GB), "2"),
    ("d_mod_k", topology.fat_tree(4, link=GB), "1"),
    ("s_mod_k", topology.xgft((4, 2, 3), (1, 2, 2), link=GB), "1"),
    ("ecmp", topology.fat_tree(4, link=GB), "1"),
    ("ecmp", topology.cloudmatrix384(2), "1"),
    ("minimal_adaptive", topology.dragonfly(2, link=GB), "2"),
]


@pytest.mark.parametrize(("name", "machine", "channels"), TEXTBOOK, ids=str)
def test_textbook_cases(name: str, machine: Supernode, channels: str) -> None:
    """Dally and Seitz 1987: a mesh by dimensions is free, a torus takes two; up/down is free;
    Kim et al. 2008: minimal on a Dragonfly takes two."""
    found = deadlock(machine, name)
    assert (found.channels, found.free) == (channels, channels == "1")


def test_a_ring_waits_all_round() -> None:
    found = deadlock(topology.ring(4, link=GB))
    assert len(found.cycle) == 4
    assert "can deadlock on one channel: 4 links wait for one another" in str(found)
    assert "free of deadlock" in str(deadlock(topology.star(4, link=GB)))
    assert found.to_dict()["channels_enough"] == 2


def test_ranks_that_stay_on_a_line_do_not_deadlock() -> None:
    ring = topology.ring(6, link=GB)
    assert deadlock(ring, ranks=[0, 1, 2]).free
    assert not deadlock(ring, ranks=np.arange(6)).free


def test_too_many_turns_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_MOST", 10)
    with pytest.raises(RoutingError, match="are looked at at most; choose fewer ranks="):
        deadlock(topology.fat_tree(4, link=GB))


def test_the_two_ways_of_a_function_can_wait_for_each_other() -> None:
    """Four NPUs that all go clockwise: one channel is not enough, a dateline is."""
    ring = topology.ring(4, link=GB)

    def clockwise(src: str, dst: str) -> list[str]:
        first, last = (ring.npus.index(end) for end in (src, dst))
        return [ring.npus[(first + i) % 4] for i in range((last - first) % 4 + 1)]

    found = deadlock(ring, clockwise)
    assert (len(found.cycle), found.channels) == (4, "2")
