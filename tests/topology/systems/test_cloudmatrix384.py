"""CloudMatrix384 to the link: counts, wiring at every size, and its closed forms."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import networkx as nx
import numpy as np
import pytest

import collectives
import topology
from topology import Supernode
from topology.errors import GraphError, UnknownNameError
from topology.routing import Uniform, ecmp
from topology.systems.cloudmatrix384 import l2_chips, l2_wiring
from topology.units import GB, TB, MiB

FULL = topology.cloudmatrix384()


def _count(machine: Supernode, prefix: str) -> int:
    return sum(node.startswith(prefix) for node in machine.graph)


def _sums(machine: Supernode, tail: str, head: str) -> set[float]:
    """Return the total capacities of nodes of one sort towards another, in GB/s."""
    return {
        round(sum(d["capacity"] for v, d in machine.graph.adj[u].items()
                  if v.startswith(head)) / GB, 9)
        for u in machine.graph if u.startswith(tail)
    }  # fmt: skip


def test_the_machine_is_all_there() -> None:
    assert len(FULL.npus) == 384
    counts = [_count(FULL, prefix) for prefix in ("npu/", "cpu/", "l1/", "l2/")]
    assert counts == [384, 192, 336, 112]
    lanes = Counter()
    for u, v, data in FULL.graph.edges(data=True):
        lanes[u.split("/")[0], v.split("/")[0]] += data["lanes"]
    assert lanes["npu", "l1"] == 384 * 14
    assert lanes["l1", "l2"] == lanes["l2", "l1"] == 5376
    assert lanes["cpu", "l1"] == 192 * 7
    assert nx.is_strongly_connected(FULL.graph)


def test_capacities_are_the_papers() -> None:
    assert _sums(FULL, "npu/", "l1/") == {392}
    assert _sums(FULL, "cpu/", "l1/") == {160}
    assert _sums(FULL, "l1/", "npu/") == _sums(FULL, "l1/", "l2/") == {448}
    assert _sums(FULL, "l2/", "l1/") == {1344}


def test_copper_inside_the_node_and_light_outside() -> None:
    for u, v, data in FULL.graph.edges(data=True):
        assert data["link"].medium == ("optical" if "l2/" in (u[:3], v[:3]) else "copper")


def test_racks_and_sub_planes() -> None:
    nodes = FULL.graph.nodes
    racks = {kind: {nodes[n]["rack"] for n in FULL.graph if n.startswith(kind)}
             for kind in ("npu/", "cpu/", "l1/", "l2/")}  # fmt: skip
    assert racks["npu/"] == racks["l1/"] == racks["cpu/"] == set(range(12))
    assert racks["l2/"] == {12, 13, 14, 15}
    assert set(Counter(nodes[n]["rack"] for n in FULL.npus).values()) == {32}
    switches = FULL.graph.subgraph(n for n in FULL.graph if n.startswith(("l1/", "l2/")))
    planes = list(nx.weakly_connected_components(switches))
    assert len(planes) == 7, "sub-planes never meet"
    for plane in planes:
        assert len({nodes[n]["plane"] for n in plane}) == 1
        assert len(plane) == 48 + 16


@pytest.mark.parametrize(
    ("npus", "nodes", "logical", "used"),
    [(384, 48, 56, 100), (352, 44, 56, 92), (288, 36, 42, 100), (256, 32, 42, 89),
     (192, 24, 28, 100)],
)  # fmt: skip
def test_table_11_of_the_paper(npus: int, nodes: int, logical: int, used: int) -> None:
    """A logical switch is two chips; its ports that are wired are the port use."""
    machine = topology.cloudmatrix384(nodes)
    chips = _count(machine, "l2/")
    assert len(machine.npus) == npus
    assert chips // 2 == logical
    assert chips % 2 == 0
    ports = sum(
        data["lanes"] for u, _, data in machine.graph.edges(data=True) if u.startswith("l2/")
    )
    assert round(100 * ports / (48 * chips)) == used
    assert ports == 112 * nodes


def test_uplinks_fit_the_ports_at_every_size() -> None:
    for nodes in range(1, 49):
        up, down = Counter(), Counter()
        for node, chip, lanes in l2_wiring(nodes):
            up[node] += lanes
            down[chip] += lanes
            assert 0 <= chip < l2_chips(nodes)
        assert set(up.values()) == {16}
        assert set(up) == set(range(nodes))
        assert max(down.values()) <= 48
        assert max(down.values()) - min(down[c] for c in range(l2_chips(nodes))) <= 16
        same = {lanes for _, _, lanes in l2_wiring(nodes)}
        assert len(same) == 1, "lanes are alike: traffic comes down as wide as it went up"


@pytest.mark.parametrize("nodes", [2, 6, 12, 17, 24, 31, 36, 44, 48])
def test_any_two_nodes_meet_in_every_plane(nodes: int) -> None:
    above: dict[int, set[int]] = {}
    for node, chip, _ in l2_wiring(nodes):
        above.setdefault(node, set()).add(chip)
    for one, other in combinations(above, 2):
        assert above[one] & above[other]


def _uplink_loads(machine: Supernode) -> np.ndarray:
    found = ecmp(machine).loads() / machine.fabric.capacity
    return np.concatenate(
        [found[cls.arcs] for cls in machine.fabric.classes if cls.name in ("L1→L2", "L2→L1")]
    )


@pytest.mark.parametrize("nodes", [6, 15, 18, 25, 36, 44, 48])
def test_uniform_traffic_loads_every_uplink_alike(nodes: int) -> None:
    """Where as many nodes use each of the different sets of chips."""
    machine = topology.cloudmatrix384(nodes)
    sets = {n: frozenset(j for m, j, _ in l2_wiring(nodes) if m == n) for n in range(nodes)}
    uses = Counter(sets.values())
    found = _uplink_loads(machine)
    even = 8 * 8 * (nodes - 1) / 7 / 448e9
    assert len(set(uses.values())) == 1
    assert found == pytest.approx(np.full(len(found), even), rel=1e-9)


@pytest.mark.parametrize(
    ("nodes", "over"), [(48, 0), (44, 0), (36, 0), (32, 0.004), (24, 0), (12, 0), (2, 0)]
)
def test_every_size_of_the_table_is_non_blocking(nodes: int, over: float) -> None:
    """All-to-all is limited by the NPUs' own links, at algbw = 392 p / (p - 1).

    32 nodes do not divide into the three sets of chips; there an uplink is 0.4 % over.
    """
    machine = topology.cloudmatrix384(nodes)
    p = len(machine.npus)
    busy = ecmp(machine).loads() / machine.fabric.capacity
    ports = (p - 1) / 392e9
    npu = next(c for c in machine.fabric.classes if c.name == "NPU→L1")
    assert busy[npu.arcs] == pytest.approx(np.full(len(npu.arcs), ports), rel=1e-9)
    assert busy.max() <= ports * (1 + over + 1e-9)


def test_an_uplink_carries_376_383_of_an_npus_link() -> None:
    loads = ecmp(FULL).loads() / FULL.fabric.capacity
    classes = {cls.name: loads[cls.arcs] for cls in FULL.fabric.classes}
    for name in ("L1→L2", "L2→L1"):
        assert classes[name] / classes["NPU→L1"][0] == pytest.approx(
            np.full(5376, 376 / 383), rel=1e-12
        )
    assert classes["NPU→L1"] == pytest.approx(np.full(2688, 383 / 392e9), rel=1e-12)
    assert (classes["CPU→L1"] == 0).all()


@pytest.mark.parametrize("size", [64 * MiB, 384 * 1000.0, 1e9])
def test_all_to_all_takes_the_closed_form(size: float) -> None:
    """(383/384) S / 392 GB/s, and nothing else grows with S."""
    one = collectives.analyze(FULL, "all_to_all", size, algorithm="direct", routing="ecmp")
    two = collectives.analyze(FULL, "all_to_all", 2 * size, algorithm="direct", routing="ecmp")
    wire = 383 / 384 * size / 392e9
    assert one.latency.serialisation == pytest.approx(wire, rel=1e-9)
    assert two.time - one.time == pytest.approx(wire, rel=1e-9)
    assert size / wire == pytest.approx(393.02349869e9, rel=1e-9)


def test_more_paths_than_any_algorithm_needs() -> None:
    """7 planes of 16 chips are 112 equal paths from node to node."""
    flow = ecmp(FULL).loads({("npu/0", "npu/383"): 112.0})
    tops = next(cls for cls in FULL.fabric.classes if cls.name == "L1→L2")
    used = flow[tops.arcs]
    assert used[used > 0] == pytest.approx(np.ones(112), rel=1e-12)


def _split_flow(machine: Supernode, inside: set[int]) -> float:
    """Return the max-flow between the NPUs of some nodes and those of the rest."""
    graph = nx.DiGraph()
    for u, v, capacity in machine.graph.edges(data="capacity"):
        if "cpu" not in u + v:
            graph.add_edge(u, v, capacity=capacity)
    for npu in machine.npus:
        if machine.graph.nodes[npu]["node"] in inside:
            graph.add_edge("source", npu)
        else:
            graph.add_edge(npu, "sink")
    value, _ = nx.minimum_cut(graph, "source", "sink", flow_func=nx.algorithms.flow.preflow_push)
    return float(value)


@pytest.mark.parametrize("seed", [0, 1])
def test_bisection_by_max_flow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    half = set(rng.permutation(48)[:24].tolist()) if seed else set(range(24))
    assert _split_flow(FULL, half) == pytest.approx(75.264 * TB, rel=1e-9)


def test_with_the_cpus_sending_the_uplinks_bind() -> None:
    """Everyone at its port's rate to the next node: 448 + 4 x 160/7 GB/s up an L1 of 448."""
    everyone = [*FULL.npus, *(n for n in FULL.graph if n.startswith("cpu/"))]
    machine = topology.from_networkx(FULL.graph, npus=everyone)
    demand = {(f"npu/{i}", f"npu/{(i + 8) % 384}"): 392e9 for i in range(384)}
    demand |= {(f"cpu/{i}", f"cpu/{(i + 4) % 192}"): 160e9 for i in range(192)}
    busy = ecmp(machine).loads(demand) / machine.fabric.capacity
    classes = {cls.name: busy[cls.arcs] for cls in machine.fabric.classes}
    assert classes["NPU→L1"] == pytest.approx(np.ones(2688), rel=1e-9)
    assert classes["L1→L2"] == pytest.approx(np.full(5376, (448 + 640 / 7) / 448), rel=1e-9)
    assert f"{classes['L1→L2'].max():.2f}" == "1.20"


def test_dies_have_half_the_ports_and_a_link_to_their_twin() -> None:
    machine = topology.cloudmatrix384(ranks="die")
    assert len(machine.npus) == 768
    assert _sums(machine, "die/", "l1/") == {196}
    assert _sums(machine, "die/", "die/") == {270}
    for i in range(0, 768, 2):
        assert machine.graph.edges[f"die/{i}", f"die/{i + 1}"]["capacity"] == 270 * GB
    assert not machine.graph.has_edge("die/1", "die/2")
    pair = ecmp(machine).loads({("die/0", "die/1"): 1.0})
    assert pair[machine.fabric.arc("die/0", "die/1")] == pytest.approx(1)
    assert _sums(machine, "l1/", "l2/") == {448}


def test_cpus_can_be_left_out_and_the_rdma_plane_added() -> None:
    assert _count(topology.cloudmatrix384(2, cpus=False), "cpu/") == 0
    machine = topology.cloudmatrix384(scale_out=True)
    assert _count(machine, "nic/") == 384
    modules = sum(
        data["link"].modules * data["lanes"]
        for _, _, data in machine.graph.edges(data=True)
        if data["link"].medium == "optical"
    ) / 2  # fmt: skip
    assert modules == 6912, "5,376 scale-up and 1,536 scale-out"
    rdma = [n for n in machine.graph if n.startswith(("npu/", "nic/", "leaf/", "spine/"))]
    assert nx.is_strongly_connected(machine.graph.subgraph(rdma))
    for leaf in (n for n in machine.graph if n.startswith("leaf/")):
        down = sum(d["lanes"] for v, d in machine.graph.adj[leaf].items() if v[:3] == "nic")
        up = sum(d["lanes"] for v, d in machine.graph.adj[leaf].items() if v[:5] == "spine")
        assert down <= up <= 32


def test_subsets_of_ranks_keep_to_themselves() -> None:
    """A node's own NPUs meet in its L1 chips: nothing goes up."""
    loads = ecmp(FULL).loads(Uniform(np.arange(8)))
    tops = next(cls for cls in FULL.fabric.classes if cls.name == "L1→L2")
    assert (loads[tops.arcs] == 0).all()


@pytest.mark.parametrize("nodes", [0, -1, 49, 2.5, "4", None, True])
def test_a_bad_number_of_nodes_is_told(nodes: object) -> None:
    with pytest.raises(GraphError, match=r"nodes is .*; it must be a whole number, 1 to 48"):
        topology.cloudmatrix384(nodes)  # type: ignore[arg-type]


def test_other_bad_parameters_are_told() -> None:
    with pytest.raises(GraphError, match="one of npu, die"):
        topology.cloudmatrix384(2, ranks="chip")
    with pytest.raises(GraphError, match="nods"):
        topology.system("cloudmatrix384", nods=2)
    with pytest.raises(UnknownNameError, match="did you mean cloudmatrix384"):
        topology.system("cloudmatrix")


def test_systems_are_found_under_either_spelling() -> None:
    for name in ("gb200-nvl72", "gb200_nvl72", " GB200-NVL72 "):
        assert topology.system(name).name == "gb200-nvl72"
