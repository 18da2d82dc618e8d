"""Draw machines, demands and choices of ranks.

In every strategy ``None`` means "draw it" and a value pins it.
"""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
from hypothesis import strategies as st

import topology
from collectives.workloads.moe_traffic import MoELayer
from topology import Supernode
from topology.fabric import FloatArray
from topology.routing import Pairs
from topology.units import GB, GiB, KiB, ns

capacities = st.sampled_from([25 * GB, 50 * GB, 100 * GB, 7 * GB, 33.3 * GB])
"""Bytes/s from a short list, so that twins and equal paths are common."""

latencies = st.sampled_from([0.0, 10 * ns, 250 * ns])
"""Seconds of a link, of a switch, or of an NPU, which counts where it passes data on."""

sizes = st.sampled_from([1.0, 8 * KiB, 3e6, GiB])
"""Bytes of a collective."""


@st.composite
def random_graphs(draw: st.DrawFn, nodes: int) -> nx.Graph:
    """Draw a connected graph of 0 to nodes - 1: a random tree and some more edges."""
    graph = nx.Graph()
    graph.add_nodes_from(range(nodes))
    for node in range(1, nodes):
        graph.add_edge(node, draw(st.integers(0, node - 1)))
    ends = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    more = draw(st.lists(ends, max_size=2 * nodes))
    graph.add_edges_from((u, v) for u, v in more if u != v)
    return graph


def _with_links(draw: st.DrawFn, graph: nx.Graph, *, symmetric: bool | None) -> nx.DiGraph:
    """Give every edge capacity, latency and lanes; both directions are equal if symmetric."""
    if symmetric is None:
        symmetric = draw(st.booleans())
    made = nx.DiGraph()
    made.add_nodes_from(graph.nodes(data=True))
    for u, v in graph.edges:
        capacity, latency = draw(capacities), draw(latencies)
        lanes = draw(st.integers(1, 4))
        back = capacity if symmetric else draw(capacities)
        made.add_edge(u, v, capacity=capacity, latency=latency, lanes=lanes)
        later = latency if symmetric else draw(latencies)
        made.add_edge(v, u, capacity=back, latency=later, lanes=lanes)
    return made


@st.composite
def direct_networks(
    draw: st.DrawFn, npus: int | None = None, *, symmetric: bool | None = None
) -> Supernode:
    """Draw NPUs linked to one another, all of them routers: connected, 2 to 8 of them."""
    count = draw(st.integers(2, 8)) if npus is None else npus
    graph = _with_links(draw, draw(random_graphs(count)), symmetric=symmetric)
    for node in graph:
        graph.nodes[node]["latency"] = draw(latencies)
    return topology.from_networkx(graph, npus=range(count), name="direct")


@st.composite
def switched_networks(
    draw: st.DrawFn,
    npus: int | None = None,
    switches: int | None = None,
    *,
    symmetric: bool | None = None,
) -> Supernode:
    """Draw 2 to 8 NPUs that do not forward, each on one or more of 1 to 5 connected switches."""
    count = draw(st.integers(2, 8)) if npus is None else npus
    inside = draw(st.integers(1, 5)) if switches is None else switches
    graph = nx.relabel_nodes(draw(random_graphs(inside)), {i: f"s/{i}" for i in range(inside)})
    for name in list(graph):
        graph.nodes[name].update(kind="switch", latency=draw(latencies))
    for i in range(count):
        graph.add_node(f"npu/{i}", kind="npu", latency=draw(latencies))
        above = draw(st.sets(st.integers(0, inside - 1), min_size=1, max_size=inside))
        graph.add_edges_from((f"npu/{i}", f"s/{j}") for j in sorted(above))
    return topology.from_networkx(_with_links(draw, graph, symmetric=symmetric), name="switched")


@st.composite
def stars(draw: st.DrawFn, npus: int | None = None, capacity: float | None = None) -> Supernode:
    """Draw 2 to 12 NPUs on one switch."""
    count = draw(st.integers(2, 12)) if npus is None else npus
    rate = draw(capacities) if capacity is None else capacity
    link = topology.LinkType(capacity=rate, latency=draw(latencies))
    return topology.star(count, link=link, lanes=draw(st.integers(1, 4)))


@st.composite
def two_levels(
    draw: st.DrawFn,
    nodes: int | None = None,
    each: int | None = None,
    *,
    inner: float | None = None,
    outer: float | None = None,
    spine: bool | None = None,
) -> Supernode:
    """Draw m nodes of g NPUs: a switch in every node, and a switch for every rail.

    ``inner`` and ``outer`` are the bytes/s of an NPU's link into the node and onto its rail;
    without a ``spine`` over the rails an NPU reaches its own node and rail only.
    """
    m = draw(st.integers(1, 4)) if nodes is None else nodes
    g = draw(st.integers(1, 4)) if each is None else each
    b_i = draw(capacities) if inner is None else inner
    b_e = draw(capacities) if outer is None else outer
    graph = nx.Graph()
    for i in range(m * g):
        graph.add_node(f"npu/{i}", kind="npu", node=i // g)
        graph.add_edge(f"npu/{i}", f"inner/{i // g}", capacity=b_i)
        graph.add_edge(f"npu/{i}", f"rail/{i % g}", capacity=b_e)
    if draw(st.booleans()) if spine is None else spine:
        up = draw(capacities)
        graph.add_edges_from((f"rail/{j}", "spine/0", {"capacity": up}) for j in range(g))
    return topology.from_networkx(graph, name="two-level")


@st.composite
def small_systems(draw: st.DrawFn, name: str | None = None) -> Supernode:
    """Draw a machine of the catalogue in a small size."""
    chosen = name or draw(st.sampled_from(["cloudmatrix384", "gb200-nvl72", "dgx-h100"]))
    parameters: dict[str, Any] = {}
    if chosen == "cloudmatrix384":
        parameters = {
            "nodes": draw(st.integers(1, 6)),
            "ranks": draw(st.sampled_from(["npu", "die"])),
            "cpus": draw(st.booleans()),
            "scale_out": draw(st.booleans()),
        }
    elif chosen == "dgx-h100":
        ratio = draw(st.sampled_from([1, 1.5, 2, 3]))
        parameters = {"nodes": draw(st.integers(1, 5)), "oversubscription": ratio}
    return topology.system(chosen, **parameters)


def supernodes() -> st.SearchStrategy[Supernode]:
    """Draw any small machine: direct, switched, star, two levels, or of the catalogue."""
    return st.one_of(
        direct_networks(),
        switched_networks(),
        stars(),
        two_levels(nodes=2, spine=True),
        small_systems(),
    )


def networks(*, symmetric: bool | None = None) -> st.SearchStrategy[Supernode]:
    """Draw a small machine that no one designed: direct or switched."""
    return st.one_of(direct_networks(symmetric=symmetric), switched_networks(symmetric=symmetric))


_HELP = st.sampled_from([(True, True), (True, True), (False, False), (True, False), (False, True)])


@st.composite
def damaged_networks(draw: st.DrawFn, *, helping: bool = False) -> Supernode:
    """Draw up to 8 NPUs that no one would build: links lost one way, nodes that do not forward.

    With ``helping`` switches among unequal links add data up, copy it, or do both.
    """
    machine = draw(switched_networks() if helping else networks())
    graph = nx.DiGraph(machine.graph)
    for node in draw(st.sets(st.sampled_from(sorted(graph)), max_size=2)):
        graph.nodes[node]["forwards"] = False
    lost = draw(st.sets(st.sampled_from(sorted(graph.edges)), max_size=2))
    graph.remove_edges_from(sorted(lost)[: len(graph.edges) - 1])
    for node in draw(st.sets(st.sampled_from(sorted(graph)), max_size=1)):
        if graph.nodes[node]["kind"] == "switch":
            graph.nodes[node]["capacity"] = draw(capacities)
    every = draw(_HELP)
    for node in sorted(n for n in graph if helping and graph.nodes[n]["kind"] == "switch"):
        help_ = draw(st.one_of(st.just(every), _HELP))
        graph.nodes[node]["reduces"], graph.nodes[node]["multicasts"] = help_
    return topology.from_networkx(graph, npus=list(machine.npus), name="damaged")


@st.composite
def helping_networks(draw: st.DrawFn, npus: int | None = None) -> Supernode:
    """Draw 2 to 8 NPUs on 1 or 2 switches that all add and copy, unequal links between them."""
    machine = draw(switched_networks(npus, draw(st.integers(1, 2)), symmetric=False))
    graph = nx.DiGraph(machine.graph)
    for node in graph:
        if graph.nodes[node]["kind"] == "switch":
            graph.nodes[node].update(reduces=True, multicasts=True)
        else:
            graph.nodes[node]["latency"] = draw(st.sampled_from([0.0, 1000 * ns]))
    return topology.from_networkx(graph, name="helping")


@st.composite
def rank_choices(draw: st.DrawFn, count: int, *, least: int = 2) -> list[int]:
    """Draw some of the ranks 0 to count - 1, in any order."""
    order = draw(st.permutations(range(count)))
    return list(order[: draw(st.integers(min(least, count), count))])


@st.composite
def demands(draw: st.DrawFn, count: int, *, pairs: int | None = None) -> Pairs:
    """Draw up to 12 amounts between ranks 0 to count - 1; a pair may come twice."""
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    most = 12 if pairs is None else pairs
    chosen = draw(st.lists(ends, min_size=pairs or 0, max_size=most))
    src, dst = np.array(chosen, dtype=np.int64).reshape(-1, 2).T
    amounts = draw(
        st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=len(chosen), max_size=len(chosen))
    )
    return Pairs(src, dst, np.array(amounts, dtype=float))


@st.composite
def widths(draw: st.DrawFn, dims: tuple[int, ...] | None = None, most: int = 80) -> tuple[int, ...]:
    """Draw the widths of a grid of at most ``most`` vertices; widths of 1 and 2 are common."""
    if dims is not None:
        return dims
    room, found = most, []
    for _ in range(draw(st.integers(1, 4))):
        width = draw(st.integers(1, min(room, 9)))
        found.append(width)
        room //= width
    return tuple(found)


@st.composite
def grids(draw: st.DrawFn) -> Supernode:
    """Draw a torus, a mesh or a HyperX of up to 24 vertices, now and then with a link lost."""
    dims = draw(widths(most=24))
    shape = draw(st.sampled_from([topology.torus, topology.mesh, topology.nd_full_mesh]))
    each = draw(st.integers(0, 2))
    link = topology.LinkType(capacity=draw(capacities), latency=draw(latencies))
    lanes = draw(st.integers(1, 3))
    machine = shape(dims, link=link, lanes=lanes)
    if each:
        machine = topology.hyperx(dims, link=link, lanes=lanes, npus_per_switch=each)
    links = sorted(machine.graph.edges)
    if links and draw(st.booleans()):
        machine = machine.degrade(links=[draw(st.sampled_from(links))], factor=0.5)
    return machine


@st.composite
def fat_trees(draw: st.DrawFn) -> Supernode:
    """Draw an extended generalised fat tree of 1 to 3 tiers, of 1 to 36 NPUs."""
    tiers = draw(st.integers(1, 3))
    few = st.lists(st.integers(1, 3), min_size=tiers, max_size=tiers)
    link = topology.LinkType(capacity=draw(capacities), latency=draw(latencies))
    return topology.xgft(draw(few), draw(few), link=link, lanes=draw(few))


@st.composite
def dragonflies(draw: st.DrawFn) -> Supernode:
    """Draw a Dragonfly of 2 to 5 groups of 2 routers, or a Dragonfly+; links may differ."""
    link, far = draw(capacities), draw(capacities)
    sizes = {"h": 2, "groups": draw(st.integers(2, 5)), "link": link, "global_link": far}
    if draw(st.booleans()):
        return topology.dragonfly_plus(1, 2, 2, **sizes)
    return topology.dragonfly(draw(st.integers(1, 2)), 2, **sizes)


@st.composite
def byte_matrices(draw: st.DrawFn, ranks: int | None = None) -> FloatArray:
    """Draw bytes from each of 1 to 12 ranks to each; nothing to some."""
    p = draw(st.integers(1, 12)) if ranks is None else ranks
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1.0, 1e6]))
    found: FloatArray = np.floor(rng.exponential(scale, (p, p))) * (rng.random((p, p)) < 0.7)
    found[0, -1] += scale
    return found


@st.composite
def moe_layers(draw: st.DrawFn, experts: int | None = None) -> MoELayer:
    """Draw a small mixture of experts; some limit the groups a token uses."""
    count = draw(st.sampled_from([4, 6, 12, 16])) if experts is None else experts
    groups = draw(st.sampled_from([g for g in (1, 2, 4) if count % g == 0]))
    used = draw(st.integers(1, groups))
    top_k = draw(st.integers(1, used * count // groups))
    return MoELayer(
        draw(st.integers(1, 20)), 256, top_k, count, expert_groups=groups, top_groups=used
    )
