"""Distances through the network against a plain search, node by node."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests import reference
from tests.strategies import networks, supernodes
from topology import Supernode
from topology.routing import ecmp
from topology.routing.distances import UNREACHABLE, npu_distances, split_representatives
from topology.units import GB


@given(networks() | supernodes())
def test_distances_are_those_of_a_plain_search(machine: Supernode) -> None:
    fabric = machine.fabric
    table = npu_distances(fabric)
    nodes = np.arange(len(fabric.nodes))
    toll = len(nodes) + 1
    for rank, target in enumerate(machine.npus):
        plain = reference.distances_to(machine.graph, target)
        found = table.cost[table.row, table.column[rank]].copy()
        found[fabric.npus[rank]] = 0
        for node, cost in zip(fabric.nodes, found.tolist(), strict=True):
            if node not in plain:
                assert cost == UNREACHABLE
            else:
                nics, _, hops = plain[node]
                assert cost == nics * toll + hops - nics


@pytest.mark.parametrize(
    ("machine", "near", "far"),
    [
        (topology.cloudmatrix384(3), 2, 4),
        (topology.gb200_nvl72(), 2, 2),
        (topology.star(5, link=GB), 2, 2),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_hops_of_real_machines(machine: Supernode, near: int, far: int) -> None:
    hops = ecmp(machine).hops()
    assert hops[0, 1] == near
    assert hops[0, -1] == far
    assert (np.diag(hops) == 0).all()
    assert hops.max() == far


def test_rails_are_nearer_than_spines() -> None:
    """GPU, NIC, leaf, NIC, GPU on a rail: 4 hops; over a spine 6; in the node 2."""
    hops = ecmp(topology.dgx_h100(3)).hops()
    assert (hops[0, 1], hops[0, 8], hops[0, 9]) == (2, 4, 6)
    assert (hops == hops.T).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.data())
def test_one_of_each_group_is_set_apart(groups: list[int], data: st.DataObject) -> None:
    chosen = data.draw(
        st.lists(st.sampled_from(range(len(groups))), min_size=1, unique=True)
    )  # fmt: skip
    before = np.array(groups)
    split, alone = split_representatives(before, np.array(chosen))
    assert sorted(before[alone].tolist()) == sorted({groups[i] for i in chosen})
    for node in alone.tolist():
        assert (split == split[node]).sum() == 1
    rest = np.setdiff1d(np.arange(len(groups)), alone)
    assert (split[rest] == before[rest]).all()
