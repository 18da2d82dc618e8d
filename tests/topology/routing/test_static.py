"""Static up/down: shifts that do not meet, the way back, and machines without levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import fat_trees
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import Pairs, PathFlow, router
from topology.units import GB

FULL = [
    topology.fat_tree(4, link=GB),
    topology.clos(32, link=GB, radix=8, tiers=3),
    topology.xgft((4, 2), (1, 2), link=GB, lanes=(1, 2)),
    topology.xgft((4, 2, 3), (1, 2, 2), link=GB, lanes=(1, 2, 2)),
    topology.xgft((6, 3, 4), (1, 3, 3), link=GB, lanes=(1, 2, 2)),
    topology.xgft((2, 3, 5, 2), (1, 2, 3, 5), link=GB),
]


def _shift(count: int, by: int) -> Pairs:
    src = np.arange(count)
    return Pairs(src, (src + by) % count, np.full(count, GB))


@pytest.mark.parametrize("name", ["d_mod_k", "s_mod_k"])
@pytest.mark.parametrize("machine", FULL, ids=lambda machine: machine.name)
def test_no_shift_meets_on_a_full_tree(machine: Supernode, name: str) -> None:
    """Every flow has every lane of its path to itself, whatever the shift."""
    count, policy = len(machine.npus), router(machine, name)
    assert {policy.route(_shift(count, by)).worst() for by in range(1, count)} == {1.0}


def test_a_tree_that_is_not_full_cannot_keep_shifts_apart() -> None:
    machine = topology.xgft((4, 4), (1, 2), link=GB)
    assert router(machine, "d_mod_k").route(_shift(16, 4)).worst() == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["d_mod_k", "s_mod_k"])
@pytest.mark.parametrize("machine", FULL, ids=lambda machine: machine.name)
def test_ends_are_numbered_leaf_by_leaf_whatever_their_ranks(machine: Supernode, name: str) -> None:
    """With ranks drawn anew, shifts from leaf to leaf still have every lane to themselves."""
    order = np.random.default_rng(7).permutation(len(machine.npus))
    drawn = topology.from_networkx(machine.graph, npus=[machine.npus[at] for at in order])
    policy, count = router(drawn, name), len(order)
    rank = np.argsort(policy.number)  # type: ignore[attr-defined]
    for by in range(1, count, 3):
        src = np.arange(count)
        pairs = Pairs(rank[src], rank[(src + by) % count], np.full(count, GB))
        assert policy.route(pairs).worst() == 1.0


def test_on_rails_the_ranks_of_a_leaf_go_by_different_spines() -> None:
    """All of a leaf, 8 apart in rank, to all of another leaf, each to another node."""
    machine = topology.dgx_h100(16)
    src = np.arange(0, 128, 8)
    pairs = Pairs(src, (src + 8 + 3) % 128, np.full(16, GB))
    loads = [router(machine, name).route(pairs).worst() for name in ("d_mod_k", "ecmp")]
    assert loads[0] == pytest.approx(loads[1])


@given(fat_trees(), st.data())
def test_s_mod_k_is_d_mod_k_there_and_back(machine: Supernode, data: st.DataObject) -> None:
    ranks = st.integers(0, len(machine.npus) - 1)
    src, dst = np.array([data.draw(ranks)]), np.array([data.draw(ranks)])
    there = router(machine, "d_mod_k").route(Pairs(src, dst, np.ones(1)))
    back = router(machine, "s_mod_k").route(Pairs(dst, src, np.ones(1)))
    assert isinstance(there, PathFlow)
    assert isinstance(back, PathFlow)
    fabric = machine.fabric
    ways = [
        (fabric.tail[a.ways.arcs], fabric.head[a.ways.arcs], a.ways.lane) for a in (there, back)
    ]
    for one, other in zip((ways[0][0], ways[0][1]), (ways[1][1], ways[1][0]), strict=True):
        assert one.tolist() == other[::-1].tolist()
    if len(there.pairs.src):
        lanes = [way[2] for way in ways if way[2] is not None]
        assert lanes[0].tolist() == lanes[1][::-1].tolist()


def test_the_way_up_to_a_destination_is_the_same_from_everywhere() -> None:
    """What D-mod-K is for: all that goes to a rank meets at one top, and spreads over ranks."""
    machine = topology.fat_tree(4, link=GB)
    flow = router(machine, "d_mod_k").route()
    tops: dict[int, set[str]] = {}
    for dst in range(16):
        far = [src for src in range(16) if src // 4 != dst // 4]
        ways = [arcs for src in far for _, arcs in flow.paths(src, dst)]
        tops[dst] = {machine.fabric.arcs[arcs[2]][1] for arcs in ways}
    assert all(len(top) == 1 for top in tops.values())
    assert len(set().union(*tops.values())) == 4


@pytest.mark.parametrize(
    "machine",
    [topology.torus((4, 4), link=GB), topology.dragonfly(1, link=GB), topology.ring(4, link=GB)],
    ids=lambda machine: machine.name,
)  # fmt: skip
def test_machines_without_levels_are_refused(machine: Supernode) -> None:
    with pytest.raises(RoutingError, match=r"it needs levels of switches .* are linked"):
        router(machine, "d_mod_k")


def test_a_way_that_would_go_up_twice_is_refused() -> None:
    """On rails without a spine two NPUs of different rails and nodes meet over a third."""
    machine = topology.bcube(2, 1, link=GB)
    with pytest.raises(RoutingError, match="goes up again"):
        router(machine, "d_mod_k").route()
