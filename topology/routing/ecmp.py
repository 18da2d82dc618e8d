"""Route as switches do under per-packet spraying: equal-cost multipath in the fluid limit.

At every node the flow to a destination splits over the next hops on shortest paths, in
proportion to their capacity. The result is exact, on any graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from topology.errors import RoutingError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.demand import DemandLike, Pairs, Uniform, as_demand
from topology.routing.distances import (
    UNREACHABLE,
    CostArray,
    Distances,
    distances,
    npu_distances,
)
from topology.routing.quotient import (
    Quotient,
    coloured_quotient,
    expand,
    node_colours,
    quotient,
    twin_groups,
)
from topology.supernode import Supernode
from topology.symmetry import codes, orbits

_CELLS = 2_000_000
_KEPT_HOPS = 20_000_000
_MANY = 2_000_000


@dataclass(frozen=True, eq=False)
class _Level:
    """The flows at one distance from their targets, and the hops they take next."""

    key: IntArray  # group * width + column, of each flow, sorted
    which: IntArray  # flow of each hop
    arc: IntArray  # merged arc of each hop
    flow: FloatArray  # what one arc of the fabric carries, of each hop
    following: IntArray  # key of the flow at the far end, of each hop


@dataclass(frozen=True, eq=False)
class _Block:
    """Flows to some targets, routed together."""

    width: int
    target: IntArray  # group of each target
    weight: FloatArray  # how many equal targets each stands for
    source_key: IntArray  # where the demand enters
    levels: list[_Level]


@dataclass(frozen=True, eq=False)
class Slowest:
    """What the transfers of a demand meet on their way, one entry for each kind of transfer.

    Attributes
    ----------
    latency
        Seconds of the slowest of its paths, shape (k,).
    transfer
        Seconds that the most loaded link or switch on its paths is busy, per unit of size,
        shape (k,).
    src, dst
        Node indices of one such transfer, shape (k,).
    """

    latency: FloatArray
    transfer: FloatArray
    src: IntArray
    dst: IntArray


@dataclass(frozen=True, eq=False)
class Flow:
    """A demand on its paths.

    Attributes
    ----------
    fabric
        What it is routed on.
    loads
        What each arc carries, shape (arcs,), in the units of the demand.
    """

    fabric: Fabric
    loads: FloatArray
    _quotient: Quotient = field(repr=False)
    _blocks: _Blocks = field(repr=False)

    def busy(self, capacity: FloatArray | None = None) -> FloatArray:
        """Return seconds each arc is busy, shape (arcs,), for a demand in bytes.

        Parameters
        ----------
        capacity
            Bytes/s of each arc; by default the fabric's own.
        """
        return self.loads / (self.fabric.capacity if capacity is None else capacity)

    @cached_property
    def through(self) -> FloatArray:
        """What each node passes on, shape (nodes,): all that comes in, at switches."""
        inside = np.array([kind == "switch" for kind in self.fabric.kind])
        total = np.bincount(self.fabric.head, self.loads, minlength=len(self.fabric.nodes))
        return np.where(inside, total, 0.0)

    def node_busy(self) -> FloatArray:
        """Return seconds each node's forwarding capacity is busy, shape (nodes,)."""
        return self.through / self.fabric.node_capacity

    def slowest(self, capacity: FloatArray | None = None) -> Slowest:
        """Return, per kind of transfer, its path latency and its most loaded link."""
        q = self._quotient
        busy = self.busy(capacity)[q.sample]
        node_busy = self.node_busy()[q.member]
        found = [_worst(q, block, busy, node_busy) for block in self._blocks]
        if not found:
            none = np.zeros(0)
            return Slowest(none, none, none.astype(np.int64), none.astype(np.int64))
        latency, transfer, src, dst = (np.concatenate(part) for part in zip(*found, strict=True))
        return Slowest(latency, transfer, src, dst)


class _Blocks:
    """The routed blocks of a demand: kept while they are small, routed again when not."""

    def __init__(self, route: _Router) -> None:
        self._route = route
        self._kept: list[_Block] | None = None

    def __iter__(self) -> Iterator[_Block]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[_Block] | None = []
        hops = 0
        for block in self._route:
            hops += sum(len(level.arc) for level in block.levels)
            if hops > _KEPT_HOPS:
                kept = None
            if kept is not None:
                kept.append(block)
            yield block
        self._kept = kept


@dataclass(frozen=True, eq=False)
class _Router:
    """Route one demand on a quotient, some targets at a time."""

    fabric: Fabric
    q: Quotient
    distances: Distances
    target_rank: IntArray
    weight: FloatArray
    sources: _Sources

    def __iter__(self) -> Iterator[_Block]:
        block = max(1, _CELLS // len(self.q.size))
        for lo in range(0, len(self.target_rank), block):
            yield self._one(lo, min(lo + block, len(self.target_rank)))

    def _one(self, lo: int, hi: int) -> _Block:
        q, width = self.q, hi - lo
        ranks = self.target_rank[lo:hi]
        target = q.group[self.fabric.npus[ranks]]
        group, column, amount = self.sources.slice(lo, hi)
        keys = group * width + column
        cost = self._cost(group, column, ranks, target)
        if (cost == UNREACHABLE).any():
            at = int(np.flatnonzero(cost == UNREACHABLE)[0])
            raise _unreachable(self.fabric, q, int(group[at]), int(target[column[at]]))
        levels = []
        waiting = {int(c): [(keys[cost == c], amount[cost == c])] for c in np.unique(cost)}
        while waiting:
            now = max(waiting)
            if now == 0:
                break
            level = self._spread(now, waiting.pop(now), ranks, target, width)
            levels.append(level[0])
            for cost_next, part in level[1]:
                waiting.setdefault(cost_next, []).append(part)
        return _Block(width, target, self.weight[lo:hi], keys, levels)

    def _cost(
        self, group: IntArray, column: IntArray, ranks: IntArray, target: IntArray
    ) -> CostArray:
        nodes = self.q.member[group]
        targets = self.q.member[target[column]]
        return self.distances.between(nodes, ranks[column], targets)

    def _spread(
        self,
        now: int,
        parts: list[tuple[IntArray, FloatArray]],
        ranks: IntArray,
        target: IntArray,
        width: int,
    ) -> tuple[_Level, list[tuple[int, tuple[IntArray, FloatArray]]]]:
        """Send the flows at one distance over their next hops."""
        q = self.q
        key, inverse = np.unique(np.concatenate([k for k, _ in parts]), return_inverse=True)
        amount = np.bincount(inverse.reshape(-1), np.concatenate([a for _, a in parts]))
        group, column = np.divmod(key, width)
        if now == 1:  # the target is a neighbour; a hub has too many others to look at
            which, arc = np.arange(len(key)), q.arcs_between(group, target[column])
        else:
            which, arc = expand(q.out_start, group)
        head, column = q.head[arc], column[which]
        after = self._cost(head, column, ranks, target)
        good = (after != UNREACHABLE) & (after + q.cost[arc] == now)
        good &= q.forwards[head] | (head == target[column])
        which, arc, head, column, after = (x[good] for x in (which, arc, head, column, after))
        share = q.capacity[arc] * q.fan_out[arc]
        total = np.bincount(which, share, minlength=len(key))
        flow = (amount / total)[which] * q.capacity[arc]
        following = head * width + column
        parts_next = []
        for cost in np.unique(after).tolist():
            chosen = after == cost
            arriving = flow[chosen] * q.fan_in[arc[chosen]]
            parts_next.append((cost, (following[chosen], arriving)))
        return _Level(key, which, arc, flow, following), parts_next


@dataclass(frozen=True, eq=False)
class _Sources:
    """Where a demand enters: group, target column and amount, sorted by column."""

    group: IntArray
    column: IntArray
    amount: FloatArray

    def slice(self, lo: int, hi: int) -> tuple[IntArray, IntArray, FloatArray]:
        a, b = np.searchsorted(self.column, [lo, hi])
        return self.group[a:b], self.column[a:b] - lo, self.amount[a:b]


def _worst(
    q: Quotient, block: _Block, busy: FloatArray, node_busy: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Return latency, busiest link, source and target of each transfer of a block."""
    levels = block.levels
    if not levels:
        none = np.zeros(0, dtype=np.int64)
        return none.astype(float), none.astype(float), none, none
    keys = np.concatenate([level.key for level in levels])
    offsets = np.cumsum([0, *(len(level.key) for level in levels)])
    order = np.argsort(keys)
    ordered = keys[order]
    latency, transfer = np.zeros(len(keys)), np.zeros(len(keys))
    for level, offset in zip(reversed(levels), reversed(offsets[:-1].tolist()), strict=True):
        group, column = np.divmod(level.following, block.width)
        arrived = group == block.target[column]
        slot = np.minimum(np.searchsorted(ordered, level.following), len(ordered) - 1)
        state = order[slot]
        on = np.where(arrived, 0.0, latency[state] + q.node_latency[group])
        held = np.where(arrived, 0.0, np.maximum(transfer[state], node_busy[group]))
        starts = np.flatnonzero(np.diff(level.which, prepend=-1))
        here = slice(offset, offset + len(level.key))
        latency[here] = np.maximum.reduceat(q.latency[level.arc] + on, starts)
        transfer[here] = np.maximum.reduceat(np.maximum(busy[level.arc], held), starts)
    at = order[np.searchsorted(ordered, np.unique(block.source_key))]
    group, column = np.divmod(keys[at], block.width)
    return latency[at], transfer[at], q.member[group], q.member[block.target[column]]


def _unreachable(fabric: Fabric, q: Quotient, source: int, target: int) -> RoutingError:
    u, v = fabric.nodes[int(q.member[source])], fabric.nodes[int(q.member[target])]
    return RoutingError(
        f"{u} cannot reach {v}: no path through forwarding nodes; choose ranks= that are "
        "connected, or let the nodes between them forward (forwards=True)"
    )


@dataclass(frozen=True, eq=False)
class _Alike:
    """Groups of twins, and which groups and which merged arcs symmetry carries to each other.

    Attributes
    ----------
    whole
        The twins.
    node, arc
        Orbit of each group and of each merged arc: under automorphisms, checked one by one.
    """

    whole: Quotient
    node: IntArray
    arc: IntArray

    def lift(self, q: Quotient, merged: FloatArray) -> FloatArray:
        """Return the fabric's loads from those of one target of each orbit.

        The loads of all targets together are the same on all arcs of an orbit, and their sum
        over the orbit is that of the one target, times the targets it stands for.
        """
        orbit = self.arc[self.whole.arc[q.sample]]
        count = int(self.arc.max(initial=-1)) + 1
        total = np.bincount(orbit, merged * q.count, minlength=count)
        arcs = np.bincount(self.arc, self.whole.count, minlength=count)
        share = np.divide(total, arcs, out=np.zeros(count), where=arcs > 0)
        return share[self.arc][self.whole.arc]


class Ecmp:
    """ECMP routing on one fabric; tables are made once and shared by all demands."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric

    @cached_property
    def _distances(self) -> Distances:
        return npu_distances(self.fabric)

    @cached_property
    def _twins(self) -> IntArray:
        return twin_groups(self.fabric)

    @cached_property
    def _separate(self) -> Quotient:
        """Twins merged, but every NPU on its own."""
        groups = self._twins.copy()
        groups[self.fabric.npus] = int(groups.max()) + 1 + np.arange(len(self.fabric.npus))
        return quotient(self.fabric, groups)

    def loads(self, demand: DemandLike = None) -> FloatArray:
        """Return what each arc carries, shape (arcs,), in the order of ``fabric.arcs``.

        Parameters
        ----------
        demand
            See `as_demand`; None is one unit from every NPU to every other.

        Raises
        ------
        RoutingError
            If a pair with demand has no path, or the demand does not fit the fabric.
        """
        return self.route(demand).loads

    def route(self, demand: DemandLike = None) -> Flow:
        """Return the demand on its paths: loads, and what the slowest transfers meet."""
        wanted = as_demand(self.fabric, demand)
        alike = None if isinstance(wanted, Pairs) else self._alike(wanted.ranks)
        router = self._pairs(wanted) if isinstance(wanted, Pairs) else self._uniform(wanted, alike)
        blocks = _Blocks(router)
        q = router.q
        merged = np.zeros(len(q.tail))
        for block in blocks:
            for level in block.levels:
                weight = block.weight[level.following % block.width]
                merged += np.bincount(level.arc, level.flow * weight, minlength=len(merged))
        loads = merged[q.arc] if alike is None else alike.lift(q, merged)
        return Flow(self.fabric, loads, q, blocks)

    def _alike(self, ranks: IntArray) -> _Alike:
        """Return which NPUs are targets alike: twins, and on large machines all of an orbit.

        On large machines lengths are left out, so `Flow.slowest` sees one length for all links
        of an orbit there; loads are exact.
        """
        member = np.zeros(len(self.fabric.nodes), dtype=np.int64)
        member[self.fabric.npus[ranks]] = 1
        whole = quotient(self.fabric, self._twins * 2 + member)
        targets = np.unique(whole.group[self.fabric.npus[ranks]])
        if len(targets) * len(whole.tail) < _MANY:
            return _Alike(whole, np.arange(len(whole.size)), np.arange(len(whole.tail)))
        fabric = self._placeless
        whole = quotient(fabric, twin_groups(fabric, member))
        targets = np.unique(whole.group[fabric.npus[ranks]])
        colour = node_colours(fabric, member)[whole.member]
        seen = orbits(coloured_quotient(whole, colour, codes([whole.latency])), targets)
        return _Alike(whole, seen.node, seen.arc)

    @cached_property
    def _placeless(self) -> Fabric:
        """The fabric with its lengths forgotten: where racks stand does not change any load."""
        fabric = self.fabric
        return replace(
            fabric,
            latency=np.zeros_like(fabric.latency),
            lanes=np.ones_like(fabric.lanes),
            link=np.zeros_like(fabric.link),
        )

    def _uniform(self, demand: Uniform, alike: _Alike | None) -> _Router:
        if alike is None:
            raise RoutingError("a uniform demand needs to know which targets are alike")
        fabric, whole = self.fabric, alike.whole
        nodes = fabric.npus[demand.ranks]
        group = whole.group[nodes]
        orbit, first, number = np.unique(alike.node[group], return_index=True, return_inverse=True)
        weight = np.bincount(number.reshape(-1), minlength=len(orbit)).astype(float)
        split = whole.group.copy()
        split[nodes[first]] = len(whole.size) + np.arange(len(first))
        q = quotient(fabric, split)
        targets = q.group[nodes[first]]
        ranks = demand.ranks[first]
        table = self._table(q, ranks)
        senders = np.unique(q.group[nodes])
        sender = np.tile(senders, len(targets))
        column = np.repeat(np.arange(len(targets)), len(senders))
        other = sender != targets[column]
        amount = np.full(int(other.sum()), demand.amount)
        sources = _Sources(sender[other], column[other], amount)
        return _Router(fabric, q, table, ranks, weight, sources)

    def _table(self, q: Quotient, ranks: IntArray) -> Distances:
        """Return distances to some ranks: all ranks' table, unless a few are quicker."""
        if "_distances" in self.__dict__ or len(ranks) * len(q.tail) > _MANY:
            return self._distances
        column_of = np.full(len(self.fabric.npus), -1)
        column_of[ranks] = np.arange(len(ranks))
        targets = q.group[self.fabric.npus[ranks]]
        return Distances(distances(q, targets), q.group, column_of)

    def _pairs(self, demand: Pairs) -> _Router:
        q = self._separate
        target_rank, column = np.unique(demand.dst, return_inverse=True)
        order = np.argsort(column, kind="stable")
        sources = _Sources(
            q.group[self.fabric.npus[demand.src]][order],
            column.reshape(-1)[order],
            demand.amount[order].astype(float),
        )
        weight = np.ones(len(target_rank))
        table = self._table(q, target_rank)
        return _Router(self.fabric, q, table, target_rank, weight, sources)

    def hops(self) -> IntArray:
        """Return hops from rank to rank, shape (ranks, ranks); -1 where there is no path."""
        fabric, table = self.fabric, self._distances
        cost = table.cost[table.row[fabric.npus]][:, table.column].astype(np.int64)
        np.fill_diagonal(cost, 0)
        toll = len(fabric.nodes) + 1
        crossings, hops = np.divmod(cost, toll)
        return np.where(cost == UNREACHABLE, -1, hops + crossings)

    def latencies(self) -> FloatArray:
        """Return seconds of the slowest path from rank to rank, shape (ranks, ranks).

        Network only, without endpoint software. Raises `RoutingError` where there is no path.
        """
        count = len(self.fabric.npus)
        src, dst = np.divmod(np.arange(count * count), count)
        found = np.zeros((count, count))
        apart = src != dst
        demand = Pairs(src[apart], dst[apart], np.ones(int(apart.sum())))
        slowest = self.route(demand).slowest()
        rank_of = np.full(len(self.fabric.nodes), -1)
        rank_of[self.fabric.npus] = np.arange(count)
        found[rank_of[slowest.src], rank_of[slowest.dst]] = slowest.latency
        return found

    def slowest_path(self, src: int, dst: int) -> list[int]:
        """Return the arcs of the path with the highest latency between two ranks."""
        flow = self.route(Pairs(np.array([src]), np.array([dst]), np.ones(1)))
        return _trace(self.fabric, flow.loads > 0, int(self.fabric.npus[src]),
                      int(self.fabric.npus[dst]))  # fmt: skip


def _trace(fabric: Fabric, used: BoolArray, source: int, target: int) -> list[int]:
    """Follow used arcs from source to target by the highest latency; they form a DAG."""
    best = {target: (0.0, -1)}
    stack = [source]
    while stack:
        node = stack[-1]
        lo, hi = fabric.out_start[node], fabric.out_start[node + 1]
        arcs = [arc for arc in range(int(lo), int(hi)) if used[arc]]
        unknown = [int(fabric.head[arc]) for arc in arcs if int(fabric.head[arc]) not in best]
        if unknown and node not in best:
            stack += unknown
            continue
        stack.pop()
        if node not in best:
            best[node] = max(
                (_onward(fabric, arc, target) + best[int(fabric.head[arc])][0], arc) for arc in arcs
            )
    path = []
    while source != target:
        path.append(best[source][1])
        source = int(fabric.head[path[-1]])
    return path


def _onward(fabric: Fabric, arc: int, target: int) -> float:
    """Return the latency of an arc and of the node behind it."""
    head = int(fabric.head[arc])
    inside = 0.0 if head == target else float(fabric.node_latency[head])
    return float(fabric.latency[arc]) + inside


_ROUTINGS: WeakKeyDictionary[Fabric, Ecmp] = WeakKeyDictionary()


def ecmp(supernode: Supernode | Fabric) -> Ecmp:
    """Return ECMP routing on a supernode; its tables are kept with the fabric.

    References
    ----------
    RFC 2992 (ECMP); Dixit et al., On the impact of packet spraying in data center networks,
    INFOCOM 2013.
    """
    fabric = supernode.fabric if isinstance(supernode, Supernode) else supernode
    routing = _ROUTINGS.get(fabric)
    if routing is None:
        routing = _ROUTINGS[fabric] = Ecmp(fabric)
    return routing
