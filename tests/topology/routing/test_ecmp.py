"""ECMP loads against NetworkX, a plain per-pair router, closed forms and themselves."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests import reference
from tests.strategies import demands, networks, rank_choices, supernodes
from topology import Supernode
from topology.errors import RoutingError
from topology.routing import Pairs, Uniform, ecmp
from topology.units import GB, ns


def _one(src: int, dst: int, amount: float = 1.0) -> Pairs:
    return Pairs(np.array([src]), np.array([dst]), np.array([amount]))


def _direct(graph: nx.Graph) -> Supernode:
    nx.set_edge_attributes(graph, 1.0, "capacity")
    return topology.from_networkx(graph, npus=list(graph))


def _tree() -> Supernode:
    graph = nx.balanced_tree(3, 3)
    nx.set_edge_attributes(graph, 50 * GB, "capacity")
    return topology.from_networkx(graph, npus=[n for n in graph if graph.degree(n) == 1])


MACHINES: dict[str, Callable[[], Supernode]] = {
    "cloudmatrix384": lambda: topology.cloudmatrix384(12),
    "gb200-nvl72": lambda: topology.gb200_nvl72(cpus=False),
    "tree": _tree,
    "hypercube 5": lambda: _direct(nx.hypercube_graph(5)),
    "ring 7": lambda: _direct(nx.cycle_graph(7)),
    "clique 9": lambda: _direct(nx.complete_graph(9)),
    "bipartite 3,4": lambda: _direct(nx.complete_bipartite_graph(3, 4)),
}


def _splits_evenly(machine: Supernode) -> bool:
    """Tell whether per-hop splitting gives every shortest path the same share."""
    graph = machine.graph
    for target in machine.npus:
        for source in machine.npus:
            if source == target:
                continue
            shares = reference.route_pair(graph, source, target)
            paths = nx.DiGraph(list(shares))
            every = list(nx.all_simple_paths(paths, source, target))
            counts = dict.fromkeys(shares, 0)
            for path in every:
                for link in nx.utils.pairwise(path):
                    counts[link] += 1
            if any(abs(shares[k] - counts[k] / len(every)) > 1e-12 for k in shares):
                return False
    return True


@pytest.mark.parametrize("name", ["tree", "ring 7", "clique 9", "bipartite 3,4"])
def test_the_comparison_with_betweenness_is_meant(name: str) -> None:
    assert _splits_evenly(MACHINES[name]())


@pytest.mark.parametrize(
    "name", ["cloudmatrix384", "gb200-nvl72", "tree", "ring 7", "clique 9", "bipartite 3,4"]
)
def test_uniform_loads_are_edge_betweenness(name: str) -> None:
    machine = MACHINES[name]()
    expected = nx.edge_betweenness_centrality_subset(
        machine.graph, machine.npus, machine.npus, normalized=False
    )
    found = ecmp(machine).loads()
    assert found == pytest.approx([expected[arc] for arc in machine.fabric.arcs], rel=1e-9)


@pytest.mark.parametrize("name", ["hypercube 5", "ring 7", "clique 9", "bipartite 3,4"])
def test_edge_transitive_graphs_load_every_link_alike(name: str) -> None:
    """Load = sum of distances / links wherever some automorphism takes any link to any other."""
    machine = MACHINES[name]()
    found = ecmp(machine).loads()
    even = ecmp(machine).hops().sum() / len(found)
    assert found == pytest.approx(np.full(len(found), even), rel=1e-12)


@pytest.mark.parametrize("shape", [(4, 5), (3, 7), (4, 4), (2, 3), (3, 3, 4)])
def test_torus_loads_follow_the_closed_form(shape: tuple[int, ...]) -> None:
    """N k / 8 in an even dimension of k, N (k² - 1) / 8k in an odd one (k > 2).

    Per-hop splitting is not uniform over paths, but total load per dimension is fixed by
    distances and links of a dimension are alike.
    """
    machine = _direct(nx.grid_graph(shape, periodic=True))
    found = dict(zip(machine.fabric.arcs, ecmp(machine).loads(), strict=True))
    total = int(np.prod(shape))
    for (u, v), load in found.items():
        a, b = (tuple(map(int, node.strip("()").split(","))) for node in (u, v))
        at = next(i for i in range(len(shape)) if a[i] != b[i])
        k = tuple(reversed(shape))[at]
        if k == 2:  # NetworkX draws one link where a torus has two
            assert load == pytest.approx(total / 2)
        else:
            expected = total * k / 8 if k % 2 == 0 else total * (k * k - 1) / (8 * k)
            assert load == pytest.approx(expected, rel=1e-12)


@given(networks() | supernodes(), st.data())
def test_loads_equal_the_plain_router(machine: Supernode, data: st.DataObject) -> None:
    demand = data.draw(demands(len(machine.npus)))
    found = ecmp(machine).loads(demand)
    assert found == pytest.approx(reference.loads(machine, demand), rel=1e-9, abs=1e-12)


@given(networks(), st.data())
def test_uniform_loads_equal_the_plain_router(machine: Supernode, data: st.DataObject) -> None:
    ranks = np.array(data.draw(rank_choices(len(machine.npus), least=1)))
    demand = Uniform(ranks, 2.5)
    found = ecmp(machine).loads(demand)
    assert found == pytest.approx(reference.loads(machine, demand), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "machine",
    [
        topology.cloudmatrix384(3, scale_out=True),
        topology.cloudmatrix384(2, ranks="die"),
        topology.dgx_h100(5, oversubscription=1.7),
    ],
    ids=lambda machine: machine.name,
)
def test_uniform_loads_of_real_machines_equal_the_plain_router(machine: Supernode) -> None:
    found = ecmp(machine).loads()
    assert found == pytest.approx(reference.loads(machine), rel=1e-9)


@given(supernodes(), st.data())
def test_flow_is_conserved_at_every_node(machine: Supernode, data: st.DataObject) -> None:
    demand = data.draw(demands(len(machine.npus)))
    fabric, nodes = machine.fabric, len(machine.fabric.nodes)
    found = ecmp(machine).loads(demand)
    made = np.zeros(nodes)
    apart = demand.src != demand.dst
    np.add.at(made, fabric.npus[demand.src[apart]], demand.amount[apart])
    np.add.at(made, fabric.npus[demand.dst[apart]], -demand.amount[apart])
    out = np.bincount(fabric.tail, found, minlength=nodes)
    into = np.bincount(fabric.head, found, minlength=nodes)
    assert out - into == pytest.approx(made, abs=1e-9)
    assert (found >= 0).all()


@given(networks(), st.data())
def test_loads_are_linear_in_demand(machine: Supernode, data: st.DataObject) -> None:
    count = len(machine.npus)
    one, other = data.draw(demands(count)), data.draw(demands(count))
    both = Pairs(
        np.concatenate([one.src, other.src]),
        np.concatenate([one.dst, other.dst]),
        np.concatenate([2 * one.amount, 3 * other.amount]),
    )
    route = ecmp(machine)
    expected = 2 * route.loads(one) + 3 * route.loads(other)
    assert route.loads(both) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(supernodes())
def test_uniform_demand_is_the_matrix_of_ones(machine: Supernode) -> None:
    count = len(machine.npus)
    route = ecmp(machine)
    assert route.loads() == pytest.approx(route.loads(np.ones((count, count))), rel=1e-9)


def _shuffled_names(data: st.DataObject, count: int) -> list[str]:
    return data.draw(st.permutations([f"z/{i}" for i in range(count)]))


@given(networks(), st.data())
def test_relabelling_nodes_changes_nothing(machine: Supernode, data: st.DataObject) -> None:
    ids = list(machine.graph)
    names = dict(zip(ids, _shuffled_names(data, len(ids)), strict=True))
    other = topology.from_networkx(
        nx.relabel_nodes(machine.graph, names), npus=[names[npu] for npu in machine.npus]
    )
    demand = data.draw(demands(len(machine.npus)))
    was = dict(zip(machine.fabric.arcs, ecmp(machine).loads(demand), strict=True))
    now = dict(zip(other.fabric.arcs, ecmp(other).loads(demand), strict=True))
    for (u, v), load in was.items():
        assert now[names[u], names[v]] == pytest.approx(load, rel=1e-9, abs=1e-12)


@given(networks(), st.sampled_from([0.5, 2.0, 3.0]), st.data())
def test_scaling_every_capacity_moves_no_traffic(
    machine: Supernode, factor: float, data: st.DataObject
) -> None:
    demand = data.draw(demands(len(machine.npus)))
    scaled = machine.degrade(links=machine.graph.edges, factor=factor, both_directions=False)
    was, now = ecmp(machine).route(demand), ecmp(scaled).route(demand)
    assert now.loads == pytest.approx(was.loads, rel=1e-9, abs=1e-12)
    assert now.busy() * factor == pytest.approx(was.busy(), rel=1e-9, abs=1e-30)


@given(networks(), st.data())
def test_a_link_carries_at_most_what_crosses_its_cut(
    machine: Supernode, data: st.DataObject
) -> None:
    """What leaves a set less what enters it is the demand, and towards one target level by level
    everything crosses exactly once."""
    fabric = machine.fabric
    demand = data.draw(demands(len(machine.npus)))
    side = np.array(data.draw(st.lists(st.booleans(), min_size=len(fabric.nodes),
                                       max_size=len(fabric.nodes))))  # fmt: skip
    found = ecmp(machine).loads(demand)
    leaves = side[fabric.tail] & ~side[fabric.head]
    enters = ~side[fabric.tail] & side[fabric.head]
    out = side[fabric.npus[demand.src]] & ~side[fabric.npus[demand.dst]]
    back = ~side[fabric.npus[demand.src]] & side[fabric.npus[demand.dst]]
    asked = demand.amount[out].sum() - demand.amount[back].sum()
    assert found[leaves].sum() - found[enters].sum() == pytest.approx(asked, abs=1e-9)
    assert found[leaves].sum() >= demand.amount[out].sum() - 1e-9
    assert (found[leaves] <= found[leaves].sum() + 1e-9).all()


@given(networks(), st.data())
def test_every_level_passes_all_of_a_targets_traffic(
    machine: Supernode, data: st.DataObject
) -> None:
    fabric, count = machine.fabric, len(machine.npus)
    target = data.draw(st.integers(0, count - 1))
    found = ecmp(machine).loads({(r, target): 1.0 + r for r in range(count)})
    distance = reference.distances_to(machine.graph, machine.npus[target])
    far = np.array([distance[node][1] if node in distance else -1 for node in fabric.nodes])
    for level in range(1, int(far.max()) + 1):
        crossing = (far[fabric.tail] >= level) & (far[fabric.head] < level)
        beyond = [1.0 + r for r in range(count) if far[fabric.npus[r]] >= level]
        assert found[crossing].sum() == pytest.approx(sum(beyond), rel=1e-9)
        assert (found[crossing] <= sum(beyond) * (1 + 1e-9)).all()


def test_a_tree_link_carries_what_its_two_sides_exchange() -> None:
    machine = _tree()
    graph = machine.graph.to_undirected()
    rng = np.random.default_rng(7)
    matrix = rng.random((len(machine.npus), len(machine.npus)))
    found = dict(zip(machine.fabric.arcs, ecmp(machine).loads(matrix), strict=True))
    for u, v in machine.fabric.arcs:
        rest = nx.Graph(graph)
        rest.remove_edge(u, v)
        near = nx.node_connected_component(rest, u)
        inside = np.array([npu in near for npu in machine.npus])
        assert found[u, v] == pytest.approx(matrix[np.ix_(inside, ~inside)].sum(), rel=1e-12)


def test_a_node_splits_by_capacity_and_one_lane_of_two_is_half() -> None:
    graph = nx.DiGraph()
    for mid, capacity in (("thin", 25 * GB), ("wide", 75 * GB)):
        graph.add_edge("npu/0", mid, capacity=capacity)
        graph.add_edge(mid, "npu/1", capacity=100 * GB)
    machine = topology.from_networkx(graph, npus=["npu/0", "npu/1"])
    loads = dict(zip(machine.fabric.arcs, ecmp(machine).loads(_one(0, 1, 4.0)), strict=True))
    assert loads["npu/0", "thin"] == pytest.approx(1.0)
    assert loads["npu/0", "wide"] == pytest.approx(3.0)


@pytest.mark.parametrize("npus", [2, 3, 8])
def test_two_400g_lanes_are_one_800g_link(npus: int) -> None:
    two = topology.star(npus, link=50 * GB, lanes=2)
    one = topology.star(npus, link=100 * GB, lanes=1)
    assert two.fabric.capacity == pytest.approx(one.fabric.capacity)
    assert ecmp(two).loads() == pytest.approx(ecmp(one).loads())


def _broken(machine: Supernode, data: st.DataObject) -> Supernode:
    """Break or narrow some links of a machine, and keep it connected."""
    edges = st.lists(st.sampled_from(sorted(machine.graph.edges)), max_size=4, unique=True)
    narrow = machine.degrade(links=data.draw(edges), factor=0.5, both_directions=data.draw(
        st.booleans()))  # fmt: skip
    gone = data.draw(edges)
    both = data.draw(st.booleans())
    return narrow.without(links=gone, both_directions=both)


@given(supernodes(), st.data())
def test_damaged_machines_are_routed_exactly(machine: Supernode, data: st.DataObject) -> None:
    """Also where twins lose a link: they are no longer twins."""
    damaged = _broken(machine, data)
    reachable = ecmp(damaged).hops() >= 0
    demand = data.draw(demands(len(damaged.npus)))
    keep = reachable[demand.src, demand.dst]
    kept = Pairs(demand.src[keep], demand.dst[keep], demand.amount[keep])
    found = ecmp(damaged).loads(kept)
    assert found == pytest.approx(reference.loads(damaged, kept), rel=1e-9, abs=1e-12)
    if not keep.all():
        with pytest.raises(RoutingError, match="cannot reach"):
            ecmp(damaged).loads(demand)


def test_a_broken_twin_is_told_from_its_brothers() -> None:
    whole = topology.cloudmatrix384(4)
    damaged = whole.without(links=[("npu/3", "l1/0/2")]).degrade(
        links=[("l1/1/4", "l2/4/1")], factor=0.25
    )
    damaged = damaged.without(nodes=["npu/30", "l2/6/0"])
    found = ecmp(damaged).loads()
    assert found == pytest.approx(reference.loads(damaged), rel=1e-9)


def _with_nics(*, scale_up: bool) -> Supernode:
    """Two NPUs on a switch of two hops, and NICs that would join them in three."""
    graph = nx.Graph()
    for i in (0, 1):
        graph.add_node(f"npu/{i}", kind="npu")
        graph.add_node(f"nic/{i}", kind="nic", forwards=True)
        graph.add_edge(f"npu/{i}", f"nic/{i}", capacity=50 * GB)
    graph.add_edge("nic/0", "nic/1", capacity=50 * GB)
    if scale_up:
        path = ["npu/0", "s/0", "s/1", "s/2", "s/3", "npu/1"]
        nx.add_path(graph, path, capacity=10 * GB)
    else:
        graph.add_node("s/0", kind="switch")
    return topology.from_networkx(graph)


def test_paths_stay_off_nics_where_they_can() -> None:
    machine = _with_nics(scale_up=True)
    arc = machine.fabric.arc("nic/0", "nic/1")
    assert ecmp(machine).loads()[arc] == 0
    assert ecmp(machine).hops()[0, 1] == 5
    alone = _with_nics(scale_up=False)
    assert ecmp(alone).loads()[alone.fabric.arc("nic/0", "nic/1")] == pytest.approx(1)
    assert ecmp(alone).hops()[0, 1] == 3


def test_the_scale_out_plane_is_not_used_where_the_scale_up_reaches() -> None:
    with_rdma = topology.cloudmatrix384(6, scale_out=True)
    without = topology.cloudmatrix384(6)
    found = dict(zip(with_rdma.fabric.arcs, ecmp(with_rdma).loads(), strict=True))
    plain = dict(zip(without.fabric.arcs, ecmp(without).loads(), strict=True))
    for arc, load in found.items():
        assert load == pytest.approx(plain.get(arc, 0.0), rel=1e-9)


@given(networks() | supernodes(), st.data())
def test_slowest_transfers_are_those_of_the_plain_router(
    machine: Supernode, data: st.DataObject
) -> None:
    demand = data.draw(demands(len(machine.npus)))
    flow = ecmp(machine).route(demand)
    arcs = machine.fabric.arcs
    busy = dict(zip(arcs, flow.busy(), strict=True))
    found = flow.slowest()
    seen = {}
    for latency, transfer, u, v in zip(
        found.latency, found.transfer, found.src, found.dst, strict=True
    ):
        ends = machine.fabric.nodes[u], machine.fabric.nodes[v]
        assert (latency, transfer) == pytest.approx(
            reference.slowest(machine, *ends, busy), rel=1e-9, abs=1e-15
        )
        seen[ends] = True
    asked = {(machine.npus[u], machine.npus[v]) for u, v, _ in
             reference.as_triples(len(machine.npus), demand)}  # fmt: skip
    assert set(seen) == asked


def test_latency_of_a_pair_adds_links_and_switches() -> None:
    cm = topology.cloudmatrix384(2)
    table = ecmp(cm).latencies()
    near, far = table[0, 1], table[0, 8]
    copper, optical = cm.graph.edges["npu/0", "l1/0/0"], cm.graph.edges["l1/0/0", "l2/0/0"]
    assert near == pytest.approx(2 * copper["latency"] + 90 * ns, rel=1e-12)
    assert far == pytest.approx(
        2 * copper["latency"] + 2 * optical["latency"] + 270 * ns, rel=1e-12
    )
    assert (np.diag(table) == 0).all()


def test_a_path_that_is_slow_is_followed_link_by_link() -> None:
    graph = nx.DiGraph()
    for mid, latency in (("fast", 10 * ns), ("slow", 90 * ns)):
        graph.add_node(mid, kind="switch", latency=latency)
        graph.add_edge("npu/0", mid, capacity=GB)
        graph.add_edge(mid, "npu/1", capacity=GB)
    machine = topology.from_networkx(graph, npus=["npu/0", "npu/1"])
    path = [machine.fabric.arcs[arc] for arc in ecmp(machine).slowest_path(0, 1)]
    assert path == [("npu/0", "slow"), ("slow", "npu/1")]


@given(networks())
def test_hops_are_those_of_a_plain_search(machine: Supernode) -> None:
    hops = ecmp(machine).hops()
    for dst, target in enumerate(machine.npus):
        distance = reference.distances_to(machine.graph, target)
        for src, source in enumerate(machine.npus):
            assert hops[src, dst] == distance.get(source, (0, 0, -1))[-1]


def test_a_rank_out_of_reach_is_named() -> None:
    machine = topology.star(3, link=GB).without(links=[("npu/1", "switch/0")])
    with pytest.raises(RoutingError, match="npu/1") as told:
        ecmp(machine).loads()
    assert "ranks=" in str(told.value)
    assert ecmp(machine).loads(Uniform(np.array([0, 2]))).sum() == 4
    assert ecmp(machine).hops()[0, 1] == -1
    with pytest.raises(RoutingError, match="cannot reach"):
        ecmp(machine).latencies()


def test_npus_and_cpus_do_not_forward() -> None:
    graph = nx.Graph([("npu/0", "cpu/0"), ("cpu/0", "npu/1")])
    nx.set_edge_attributes(graph, GB, "capacity")
    graph.nodes["cpu/0"]["kind"] = "cpu"
    machine = topology.from_networkx(graph, npus=["npu/0", "npu/1"])
    with pytest.raises(RoutingError, match="cannot reach npu/"):
        ecmp(machine).loads()


def test_big_demands_are_routed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = topology.cloudmatrix384(4)
    whole = ecmp(machine).route(np.ones((32, 32)))
    for room in ("spreading", "distances"):
        monkeypatch.setattr(import_module(f"topology.routing.{room}"), "_CELLS", 0)
    monkeypatch.setattr("topology.routing.spreading._KEPT_HOPS", 0)
    small = topology.routing.Ecmp(machine.fabric).route(np.ones((32, 32)))
    assert small.loads == pytest.approx(whole.loads, rel=1e-12)
    assert small.slowest().transfer.max() == pytest.approx(whole.slowest().transfer.max())


def test_one_router_is_kept_for_a_fabric() -> None:
    machine = topology.star(3, link=GB)
    assert ecmp(machine) is ecmp(machine.fabric)
