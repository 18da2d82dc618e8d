"""Dimension order against closed forms, and against a plain walk over coordinates."""

from __future__ import annotations

from collections import defaultdict
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.strategies import widths
from topology import Supernode
from topology.errors import RoutingError, UnreachableError
from topology.fabric import FloatArray
from topology.routing import Pairs, router
from topology.units import GB


def _dimension(machine: Supernode, u: str, v: str) -> tuple[int, int, int]:
    """Return the dimension of a link, and its coordinates there."""
    a, b = (machine.graph.nodes[node]["coord"] for node in (u, v))
    at = next(i for i in range(len(a)) if a[i] != b[i])
    return at, a[at], b[at]


@pytest.mark.parametrize("dims", [(4, 4), (3, 5), (4, 6), (5, 5, 3), (8, 2, 3), (7,), (16,)])
def test_torus_all_to_all_has_its_closed_form(dims: tuple[int, ...]) -> None:
    """N k / 8 on a link of an even dimension, N (k² - 1) / 8k of an odd one, for a unit a pair."""
    machine = topology.torus(dims, link=GB)
    total = prod(dims)
    for (u, v), load in zip(machine.fabric.arcs, router(machine, "dimension_order").loads(),
                            strict=True):  # fmt: skip
        k = dims[_dimension(machine, u, v)[0]]
        even = total * k / 8 * (2 if k == 2 else 1)  # two lanes to one neighbour are one link
        assert load == pytest.approx(even if k % 2 == 0 else total * (k * k - 1) / (8 * k))


@pytest.mark.parametrize("dims", [(4, 3), (5,), (2, 3, 4)])
def test_mesh_and_hyperx_all_to_all_have_theirs(dims: tuple[int, ...]) -> None:
    """A mesh: what is on one side of a link goes to the other; a HyperX: one line, one link."""
    total = prod(dims)
    mesh, hyperx = topology.mesh(dims, link=GB), topology.nd_full_mesh(dims, link=GB)
    for (u, v), load in zip(mesh.fabric.arcs, router(mesh, "dimension_order").loads(), strict=True):
        at, a, b = _dimension(mesh, u, v)
        low = min(a, b) + 1
        assert load == pytest.approx(low * (dims[at] - low) * total / dims[at])
    for (u, v), load in zip(hyperx.fabric.arcs, router(hyperx, "dimension_order").loads(),
                            strict=True):  # fmt: skip
        assert load == pytest.approx(total / dims[_dimension(hyperx, u, v)[0]])


def _walked(machine: Supernode, dims: tuple[int, ...], pairs: Pairs) -> FloatArray:
    """Walk every pair round its rings, half each way where both are as long."""
    place = {npu: machine.graph.nodes[npu]["coord"] for npu in machine.npus}
    npu = {coord: name for name, coord in place.items()}
    total: dict[tuple[str, str], float] = defaultdict(float)
    for src, dst, amount in zip(pairs.src, pairs.dst, pairs.amount, strict=True):
        here, goal = place[machine.npus[src]], place[machine.npus[dst]]
        for at, k in enumerate(dims):
            ahead = (goal[at] - here[at]) % k
            ways = [(ahead, 1), (k - ahead, -1)]
            best = [way for way in ways if way[0] == min(ahead, k - ahead) and ahead]
            best = best[:1] if k == 2 else best
            for steps, sign in best:
                for i in range(steps):
                    u, v = (
                        (*here[:at], (here[at] + sign * j) % k, *here[at + 1 :]) for j in (i, i + 1)
                    )
                    total[npu[u], npu[v]] += amount / len(best)
            here = (*here[:at], goal[at], *here[at + 1 :])
    return np.array([total[arc] for arc in machine.fabric.arcs])


@given(widths(most=40), st.data())
def test_torus_loads_are_those_of_a_plain_walk(dims: tuple[int, ...], data: st.DataObject) -> None:
    machine = topology.torus(dims, link=GB)
    count = len(machine.npus)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    src, dst = rng.integers(0, count, (2, 20))
    pairs = Pairs(src, dst, rng.random(20)).checked(count)
    assert router(machine, "dimension_order").loads(pairs) == pytest.approx(
        _walked(machine, dims, pairs)
    )


def test_npus_on_switches_go_over_the_grid_of_the_switches() -> None:
    machine = topology.hyperx((3, 4), link=GB, npus_per_switch=2)
    flow = router(machine, "dimension_order").route()
    for src, dst, hops in ((0, 1, 2), (0, 2, 3), (0, 23, 4)):
        ((share, arcs),) = flow.paths(src, dst)
        assert (share, len(arcs)) == (1.0, hops)
    first, second = (machine.fabric.arcs[arc] for arc in arcs[1:3])
    places = [machine.graph.nodes[node]["coord"] for node in (*first, second[1])]
    assert places == [(0, 0), (2, 0), (2, 3)], "the first dimension first"


def test_a_broken_ring_is_gone_round_and_a_broken_line_told() -> None:
    ring = topology.torus((5, 2), link=GB)
    u, v = "npu/0", ring.npus[2]
    broken = ring.without(links=[(u, v), (v, u)])
    one = Pairs(np.array([0]), np.array([2]), np.ones(1))
    assert router(broken, "dimension_order").loads(one).sum() == 4
    mesh = topology.mesh((3, 2), link=GB).without(links=[("npu/0", "npu/2")])
    with pytest.raises(UnreachableError, match=r"cannot come nearer to .* along dimension 0"):
        router(mesh, "dimension_order").route()


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (topology.star(4, link=GB), "has coordinates"),
        (topology.dragonfly(1, link=GB), "does not lie along one dimension"),
        (topology.slim_fly(5, link=GB), "does not lie along one dimension"),
        (topology.cloudmatrix384(1), "has coordinates"),
        (topology.twisted_torus((8, 4), link=GB, twists={(1, 0): 4}), "along one dimension"),
    ],
    ids=str,
)
def test_what_is_no_grid_is_refused(machine: Supernode, message: str) -> None:
    with pytest.raises(RoutingError, match=message):
        router(machine, "dimension_order")
