"""Do slowly and plainly what the library does fast: the other side of the comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from heapq import heappop, heappush
from itertools import product
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from topology import Supernode
from topology.fabric import FloatArray
from topology.routing import Pairs, Uniform

if TYPE_CHECKING:
    from collectives import Schedule, Step

Distance = tuple[int, int, int]
"""(NICs entered, groups entered, hops), compared in that order."""


def _beyond(graph: nx.DiGraph, node: str, after: str, rest: Distance, *, grouped: bool) -> Distance:
    """Return the distance of a node from that of the next; groups count only where asked."""
    groups = [graph.nodes[end].get("group") for end in (node, after)]
    crossed = grouped and None not in groups and groups[0] != groups[1]
    nics, entered, hops = rest
    return nics + (graph.nodes[after]["kind"] == "nic"), entered + crossed, hops + 1


def distances_to(graph: nx.DiGraph, target: str, *, grouped: bool = False) -> dict[str, Distance]:
    """Return the distance of every node that reaches a target through forwarding nodes."""
    found: dict[str, Distance] = {}
    waiting: list[tuple[Distance, str]] = [((0, 0, 0), target)]
    while waiting:
        distance, node = heappop(waiting)
        if node in found:
            continue
        found[node] = distance
        if node != target and not graph.nodes[node]["forwards"]:
            continue
        for before in graph.pred[node]:
            heappush(waiting, (_beyond(graph, before, node, distance, grouped=grouped), before))
    return found


def next_hops(
    graph: nx.DiGraph,
    distance: dict[str, Distance],
    node: str,
    target: str,
    *,
    grouped: bool = False,
) -> list[str]:
    """Return the nodes that follow on shortest paths to a target."""
    return [
        after
        for after in graph.adj[node]
        if after in distance
        and (after == target or graph.nodes[after]["forwards"])
        and distance[node] == _beyond(graph, node, after, distance[after], grouped=grouped)
    ]


def route_pair(
    graph: nx.DiGraph, source: str, target: str, *, grouped: bool = False
) -> dict[tuple[str, str], float]:
    """Return the share of a pair's traffic on every link it uses."""
    distance = distances_to(graph, target, grouped=grouped)
    arriving = defaultdict(float, {source: 1.0})
    shares: dict[tuple[str, str], float] = {}
    for node in sorted(distance, key=lambda n: distance[n], reverse=True):
        if node == target or not arriving[node]:
            continue
        onward = next_hops(graph, distance, node, target, grouped=grouped)
        total = sum(graph.edges[node, after]["capacity"] for after in onward)
        for after in onward:
            share = arriving[node] * graph.edges[node, after]["capacity"] / total
            shares[node, after] = share
            arriving[after] += share
    return shares


def as_triples(count: int, demand: Pairs | Uniform | None) -> list[tuple[int, int, float]]:
    """Return (sender, receiver, amount) of every pair with demand."""
    if demand is None:
        demand = Uniform(np.arange(count))
    if isinstance(demand, Uniform):
        rows = demand.rows.tolist()
        return [(u, v, demand.amount) for row in rows for u in row for v in row if u != v]
    rows = zip(demand.src.tolist(), demand.dst.tolist(), demand.amount.tolist(), strict=True)
    return [(u, v, amount) for u, v, amount in rows if u != v]


def loads(
    supernode: Supernode, demand: Pairs | Uniform | None = None, *, grouped: bool = False
) -> FloatArray:
    """Return the load of every arc, pair by pair, in the order of ``fabric.arcs``."""
    total: dict[tuple[str, str], float] = defaultdict(float)
    for u, v, amount in as_triples(len(supernode.npus), demand):
        ends = supernode.npus[u], supernode.npus[v]
        shares = route_pair(supernode.graph, *ends, grouped=grouped)
        for link, share in shares.items():
            total[link] += share * amount
    return np.array([total[arc] for arc in supernode.fabric.arcs])


def slowest(
    supernode: Supernode, source: str, target: str, busy: dict[tuple[str, str], float]
) -> tuple[float, float]:
    """Return the highest latency of a pair's paths, and the busiest link on any of them."""
    graph = supernode.graph
    used = route_pair(graph, source, target)
    paths = nx.DiGraph(list(used))
    latency = max(
        sum(graph.edges[link]["latency"] for link in nx.utils.pairwise(path))
        + sum(graph.nodes[node].get("latency", 0.0) for node in path[1:-1])
        for path in nx.all_simple_paths(paths, source, target)
    )
    return latency, max(busy[link] for link in used)


def traffic_of(schedule: Schedule, step: Step, t: int) -> dict[tuple[int, int], float]:
    """Return what each position sends to each other in a repetition, from its transfers."""
    moved = step.transfers(t)
    total: dict[tuple[int, int], float] = defaultdict(float)
    for u, v, _ in _rows(moved.src, moved.dst, moved.chunk):
        total[u, v] += schedule.chunk_fraction
    return dict(total)


def run(schedule: Schedule) -> np.ndarray:
    """Return what every position ends with, shape (p, chunks, p).

    Entry (r, c, o) counts how often position r's chunk c holds what position o put into it, so
    a sum that misses a term or adds one twice is seen.
    """
    p, chunks = schedule.ranks, schedule.chunks
    held = np.zeros((p, chunks, p), dtype=np.int64)
    for r in range(p):
        held[r, list(own_chunks(schedule, r)), r] = 1
    for moved in schedule.transfers():
        before = held.copy()
        for u, v, c, adds in _rows(moved.src, moved.dst, moved.chunk, moved.adds):
            if not before[u, c].any():
                raise AssertionError(f"{u} sends chunk {c}, which it does not have")
            held[v, c] = (held[v, c] if adds else 0) + before[u, c]
    return held


def own_chunks(schedule: Schedule, r: int) -> Iterable[int]:
    """Return the chunks a position has at the start."""
    p, each = schedule.ranks, schedule.chunks // schedule.ranks
    if schedule.collective.name in ("all_gather", "all_to_all"):
        return range(r * each, (r + 1) * each)
    assert each * p == schedule.chunks
    return range(schedule.chunks)


def _rows(*columns: np.ndarray) -> Iterable[tuple[int, ...]]:
    return zip(*(column.tolist() for column in columns), strict=True)


# Bounds: every cut in turn, and the whole linear program.


def carrying(machine: Supernode, ranks: list[str]) -> nx.DiGraph:
    """Return the part of a machine that can carry data: ranks, NPUs and forwarding nodes."""
    graph = machine.graph
    kept = [
        node
        for node, data in graph.nodes(data=True)
        if node in ranks or data["forwards"] or data["kind"] == "npu"
    ]
    return graph.subgraph(sorted(kept))


def sides(graph: nx.DiGraph) -> list[frozenset[str]]:
    """Return every set of nodes."""
    nodes = sorted(graph)
    return [
        frozenset(node for node, chosen in zip(nodes, bits, strict=True) if chosen)
        for bits in product((False, True), repeat=len(nodes))
    ]


def leaving(graph: nx.DiGraph, side: frozenset[str]) -> Fraction:
    return sum(
        (Fraction(data["capacity"]) for u, v, data in graph.edges(data=True)
         if u in side and v not in side),
        Fraction(0),
    )  # fmt: skip


def all_gather_algbw(machine: Supernode, ranks: list[str]) -> Fraction:
    """Return N · min over S of B⁺(S) / |S ∩ ranks|."""
    graph, members = carrying(machine, ranks), set(ranks)
    ratios = [
        leaving(graph, side) / len(side & members)
        for side in sides(graph)
        if side & members and not members <= side
    ]
    return len(ranks) * min(ratios)


def narrowest(machine: Supernode, ranks: list[str], root: str) -> Fraction:
    """Return the narrowest cut between a root and any other rank."""
    graph, members = carrying(machine, ranks), set(ranks)
    return min(
        leaving(graph, side) for side in sides(graph) if root in side and not members <= side
    )


def exchange_rate(graph: nx.DiGraph, amounts: dict[tuple[str, str], float]) -> float:
    """Return the rate at which all amounts flow at once: one flow variable a source and link."""
    nodes, edges = sorted(graph), sorted(graph.edges)
    sources = sorted({u for u, _ in amounts})
    place = {node: i for i, node in enumerate(nodes)}
    unit = max(data["capacity"] for _, _, data in graph.edges(data=True))
    most = max(amounts.values())
    columns = len(sources) * len(edges) + 1
    balance = sparse.lil_array((len(sources) * len(nodes), columns))
    room = sparse.lil_array((len(edges), columns))
    for k, source in enumerate(sources):
        for e, (u, v) in enumerate(edges):
            column = k * len(edges) + e
            balance[k * len(nodes) + place[v], column] = 1
            balance[k * len(nodes) + place[u], column] = -1
            room[e, column] = 1
        for v in nodes:
            balance[k * len(nodes) + place[v], columns - 1] = -amounts.get((source, v), 0.0) / most
        balance[k * len(nodes) + place[source]] = 0
    cost = np.zeros(columns)
    cost[-1] = -1
    offered = np.array([graph.edges[edge]["capacity"] / unit for edge in edges])
    zero = np.zeros(balance.shape[0])
    found = linprog(cost, A_ub=room.tocsr(), b_ub=offered, A_eq=balance.tocsr(), b_eq=zero)
    return float(found.x[-1]) * unit / most


def uniform(ranks: list[str]) -> dict[tuple[str, str], float]:
    """Return what an all-to-all of one byte sends from rank to rank."""
    return {(u, v): 1 / len(ranks) for u in ranks for v in ranks if u != v}


# Simulation: shares of links, flow by flow.


def water_filling(
    use: list[dict[int, Fraction]], capacity: list[Fraction], limit: list[Fraction | None]
) -> list[Fraction]:
    """Return max-min fair rates: all flows grow by the same until one has to stop, and so on.

    ``use[f]`` says which share of flow f each resource carries.
    """
    rate = [Fraction(0)] * len(use)
    growing = {f for f, shares in enumerate(use) if shares}
    while growing:
        room = []
        for r, most in enumerate(capacity):
            slope = sum((use[f].get(r, Fraction(0)) for f in growing), Fraction(0))
            used = sum((use[f].get(r, Fraction(0)) * rate[f] for f in range(len(use))), Fraction(0))
            if slope:
                room.append((most - used) / slope)
        room += [most - rate[f] for f in growing if (most := limit[f]) is not None]
        step = min(room)
        for f in growing:
            rate[f] += step
        full = {
            r
            for r, most in enumerate(capacity)
            if sum(use[f].get(r, Fraction(0)) * rate[f] for f in range(len(use))) == most
        }
        growing -= {f for f in growing if full & set(use[f]) or rate[f] == limit[f]}
    return rate


def simulate(
    machine: Supernode,
    steps: list[tuple[list[tuple[int, int, float]], tuple[int, ...]]],
    alpha: float,
    message: float,
) -> list[float]:
    """Return when each rank is done: messages one by one, rates anew at every event.

    A step is its messages (sender, receiver, bytes) and the steps that it needs.
    """
    graph, ranks = machine.graph, range(len(machine.npus))
    idle = dict.fromkeys(machine.fabric.arcs, 0.0)
    ways: dict[tuple[int, int], tuple[dict[tuple[str, str], float], float]] = {}
    done: dict[tuple[int, int], float] = {}
    free = dict.fromkeys(ranks, 0.0)
    begin: dict[tuple[int, int], float] = {}
    left: dict[tuple[int, int], float] = {}
    lands: dict[tuple[int, int], float] = {}
    landed: set[tuple[int, int]] = set()
    now = 0.0
    while True:
        _settle(steps, now, (alpha, message), free, done, begin, landed)
        moving = [key for key in left if left[key] > 0]
        rates = _shares(machine, [ways[key][0] for key in moving])
        events = [at for key, at in begin.items() if key not in left]
        events += [at for key, at in lands.items() if key not in landed]
        events += [now + left[key] / rate for key, rate in zip(moving, rates, strict=True)]
        if not events:
            return [max(done[s, r] for s in range(len(steps))) for r in ranks]
        then = min(events)
        for key, rate in zip(moving, rates, strict=True):
            left[key] -= rate * (then - now)
            if left[key] <= 1e-12 * rate * then:
                left[key] = 0.0
        now = then
        for (s, m), at in begin.items():
            if (s, m) not in left and at <= now * (1 + 1e-12):
                u, v, size = steps[s][0][m]
                ends = machine.npus[u], machine.npus[v]
                ways[s, m] = route_pair(graph, *ends), slowest(machine, *ends, idle)[0]
                left[s, m] = size
        for key in left:
            if left[key] == 0 and key not in lands:
                lands[key] = now + ways[key][1]
        landed |= {key for key, at in lands.items() if at <= now * (1 + 1e-12)}


def _settle(
    steps: list[tuple[list[tuple[int, int, float]], tuple[int, ...]]],
    now: float,
    software: tuple[float, float],
    free: dict[int, float],
    done: dict[tuple[int, int], float],
    begin: dict[tuple[int, int], float],
    landed: set[tuple[int, int]],
) -> None:
    """Note all that becomes ready or done without time going by."""
    settled = False
    while not settled:
        settled = True
        for (s, (sent, needs)), r in product(enumerate(steps), free):
            if not all((n, r) in done for n in needs):
                continue
            mine = [m for m, (u, _, _) in enumerate(sent) if u == r]
            if mine and (s, mine[0]) not in begin:
                free[r] = max(free[r], now) + len(mine) * software[1]
                begin.update({(s, m): free[r] + software[0] for m in mine})
                settled = False
            ends = [m for m, (u, v, _) in enumerate(sent) if r in (u, v)]
            if (s, r) not in done and all((s, m) in landed for m in ends):
                done[s, r] = now
                settled = False


def _shares(machine: Supernode, flows: list[dict[tuple[str, str], float]]) -> list[float]:
    """Return max-min fair rates on links and on what switches forward: grow, stop, grow on."""
    graph = machine.graph
    room = {link: graph.edges[link]["capacity"] for link in graph.edges}
    use = [dict(flow) for flow in flows]
    for shares in use:
        for (_, v), share in list(shares.items()):
            if graph.nodes[v]["kind"] == "switch" and "capacity" in graph.nodes[v]:
                room[v, ""] = graph.nodes[v]["capacity"]
                shares[v, ""] = shares.get((v, ""), 0.0) + share
    rate = [0.0] * len(use)
    growing = set(range(len(use)))
    while growing:
        slope = {r: sum(use[f].get(r, 0.0) for f in growing) for r in room}
        spent = {r: sum(use[f].get(r, 0.0) * rate[f] for f in range(len(use))) for r in room}
        step = min((room[r] - spent[r]) / slope[r] for r in room if slope[r] > 0)
        for f in growing:
            rate[f] += step
        full = {r for r in room if slope[r] and room[r] - spent[r] <= step * slope[r] * (1 + 1e-9)}
        growing -= {f for f in growing if full & set(use[f])}
    return rate
