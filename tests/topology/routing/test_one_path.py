"""One path for each pair: where there is only one shortest path it is what ECMP takes."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import topology
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import OnePath, Pairs, ecmp
from topology.units import GB, ns


class First(OnePath):
    title = "first"
    words = "the first shortest path"

    def way(self, src: str, dst: str) -> list[str]:
        found: list[str] = nx.shortest_path(nx.DiGraph(self.fabric.arcs), src, dst)
        return found


class Wrong(OnePath):
    title = "wrong"
    words = ""
    said: tuple[str, ...] = ()

    def way(self, src: str, dst: str) -> list[str]:  # noqa: ARG002
        return list(self.said)


def _worn(machine: Supernode) -> Supernode:
    u, v = next(iter(machine.graph.edges))
    return machine.degrade(links=[(u, v)], factor=0.25)


@pytest.mark.parametrize(
    "machine",
    [
        topology.ring(7, link=GB), topology.line(5, link="nvlink5"),
        topology.star(6, link="nvlink5"),
        _worn(topology.ring(5, link=topology.LinkType(capacity=GB, latency=30 * ns))),
        topology.dgx_h100(1).without(nodes=[f"nvswitch/0/{i}" for i in (1, 2, 3)]),
    ],
    ids=lambda machine: machine.name,
)  # fmt: skip
def test_a_single_shortest_path_is_that_of_ecmp(machine: Supernode) -> None:
    fabric = machine.fabric
    count = len(fabric.npus)
    src, dst = np.divmod(np.arange(count**2), count)
    demand = Pairs(src, dst, np.where(src == dst, 0.0, 1.0 + src))
    ours, theirs = First(fabric).route(demand), ecmp(machine).route(demand)
    np.testing.assert_allclose(ours.loads, theirs.loads, rtol=1e-12)
    a, b = ours.slowest(), theirs.slowest()
    assert a.latency.max() == pytest.approx(b.latency.max(), rel=1e-12)
    assert a.transfer.max() == pytest.approx(b.transfer.max(), rel=1e-12)
    at = int(np.argmax(a.latency))
    arcs = ours.path(at)
    assert fabric.tail[arcs[0]] == a.src[at]
    assert fabric.head[arcs[-1]] == a.dst[at]
    assert list(ours.paths(0, 1)) == [(1.0, [arc for _, way in theirs.paths(0, 1) for arc in way])]


def test_uniform_demand_and_nothing_to_send() -> None:
    machine = topology.star(4, link=GB)
    router = First(machine.fabric)
    assert (router.loads() == 3).all()
    idle = router.route(Pairs(np.array([0, 1]), np.array([0, 2]), np.array([1.0, 0.0])))
    assert idle.loads.sum() == 0
    assert len(idle.slowest().latency) == 0


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (("npu/0", "npu/1"), "there is no link npu/0 -> npu/1"),
        (("npu/0", "switch/0"), "must go from one to the other"),
        (("npu/0", "moon", "npu/1"), "must go from one to the other"),
        (("npu/0", "switch/0", "npu/0", "switch/0", "npu/1"), "over no node twice"),
        (("npu/0", "switch/0", "npu/2", "switch/0", "npu/1"), "over no node twice"),
    ],
)
def test_a_policy_that_goes_wrong_is_told_where(said: tuple[str, ...], message: str) -> None:
    router = Wrong(topology.star(3, link=GB).fabric)
    router.said = said
    with pytest.raises(RoutingError, match=message):
        router.route(Pairs(np.array([0]), np.array([1]), np.ones(1)))


def test_a_policy_may_not_go_through_what_passes_nothing_on() -> None:
    machine = topology.mi300x()
    router = Wrong(machine.fabric)
    router.said = ("npu/0", "npu/2", "npu/1")
    with pytest.raises(RoutingError, match="npu/2 does not pass traffic on"):
        router.route(Pairs(np.array([0]), np.array([1]), np.ones(1)))
