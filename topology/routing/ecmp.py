"""Route as switches do under per-packet spraying: equal-cost multipath in the fluid limit.

At every node the flow to a destination splits over the next hops on shortest paths, in
proportion to their capacity. The result is exact, on any graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from topology.approximation import Approximation
from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.demand import Pairs, Uniform
from topology.routing.distances import (
    UNREACHABLE,
    Distances,
    distances,
    npu_distances,
)
from topology.routing.flow import RoutedFlow, Router, Slowest
from topology.routing.policies import router, routing
from topology.routing.quotient import (
    Quotient,
    coloured_quotient,
    node_colours,
    quotient,
    twin_groups,
)
from topology.routing.spreading import (
    Blocks,
    Sources,
    Spread,
    ends_of,
    split_paths,
    trace,
    worst_of,
)
from topology.supernode import Supernode
from topology.symmetry import codes, orbits

_MANY = 2_000_000
_EQUAL = 1e-12
_LONGEST = "links that are alike but for their length or record count as the longest of their kind"


@dataclass(frozen=True, eq=False)
class _Alike:
    """Groups of twins, and which groups and which merged arcs symmetry carries to each other.

    Attributes
    ----------
    whole
        The twins.
    node, arc
        Orbit of each group and of each merged arc: under automorphisms, checked one by one.
    placeless
        Whether links of an orbit may differ in length and record.
    """

    whole: Quotient
    node: IntArray
    arc: IntArray
    placeless: bool

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


@dataclass(frozen=True, eq=False)
class EcmpFlow(RoutedFlow):
    """A demand spread over shortest paths.

    Attributes
    ----------
    fabric
        What it is routed on.
    loads
        What each arc carries, shape (arcs,), in the units of the demand.
    """

    fabric: Fabric
    loads: FloatArray
    _router: Ecmp = field(repr=False)
    _quotient: Quotient = field(repr=False)
    _blocks: Blocks = field(repr=False)
    _alike: _Alike | None = field(repr=False)

    @property
    def words(self) -> str:
        """Say which way the traffic goes."""
        return self._router.words

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return, per kind of transfer, its path latency and its most loaded link or switch."""
        return self._meets(self._most(self.fabric.latency), self._most(busy), node_busy)

    def _meets(self, latency: FloatArray, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        q = self._quotient
        inside = node_busy[q.member]
        found = [worst_of(q, block, latency, busy, inside) for block in self._blocks]
        if not found:
            none = np.zeros(0)
            return Slowest(none, none, none.astype(np.int64), none.astype(np.int64))
        return Slowest(*(np.concatenate(part) for part in zip(*found, strict=True)))

    def _most(self, value: FloatArray, sign: float = 1.0) -> FloatArray:
        """Return the most of a value of each arc over those it is merged with, shape (a,)."""
        q, alike = self._quotient, self._alike
        if alike is None or not alike.placeless:
            return value[q.sample]
        most = np.full(int(alike.arc.max(initial=-1)) + 1, -np.inf)
        np.maximum.at(most, alike.arc[alike.whole.arc], sign * value)
        return sign * most[alike.arc[alike.whole.arc[q.sample]]]

    def approximations(self, capacity: FloatArray | None = None) -> tuple[Approximation, ...]:
        """Return how far the slowest path may be too long: where orbits hold unequal links."""
        if self._alike is None or not self._alike.placeless:
            return ()
        high, low = (
            self._meets(
                self._most(self.fabric.latency, sign), self._most(self.busy(capacity), sign),
                self.node_busy(),
            )
            for sign in (1.0, -1.0)
        )  # fmt: skip
        notes = []
        for what, name in (("path latency", "latency"), ("busiest link of a path", "transfer")):
            most, least = (float(getattr(end, name).max(initial=0.0)) for end in (high, low))
            if most > least * (1 + _EQUAL):
                notes.append(Approximation(what, _LONGEST, most / least - 1 if least else None))
        return tuple(notes)

    def forget(self) -> None:
        """Let go of the routed blocks."""
        self._blocks.forget()

    @cached_property
    def _ends(self) -> tuple[IntArray, IntArray]:
        """Node indices of one transfer of each kind, in the order of `meets`."""
        return ends_of(self._quotient, self._blocks.route)

    def path(self, at: int) -> list[int]:
        """Return the arcs of the path with the highest latency of a transfer of `meets`."""
        src, dst = (self._router.rank_of[int(ends[at])] for ends in self._ends)
        return self._router.slowest_path(src, dst)

    def paths(self, src: int, dst: int) -> Iterator[tuple[float, list[int]]]:
        """Yield every shortest path from rank to rank with its share, in the order of the arcs."""
        alone = self._router.route(Pairs(np.array([src]), np.array([dst]), np.ones(1))).loads
        ends = int(self.fabric.npus[src]), int(self.fabric.npus[dst])
        return split_paths(self.fabric, alone, *ends)


@routing("ecmp")
class Ecmp(Router):
    """ECMP routing on one fabric; tables are made once and shared by all demands.

    Attributes
    ----------
    fabric
        What it routes on.
    exact
        Whether every length of every link counts, however large the machine and the time.
    """

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        self.fabric = fabric
        self.exact = exact

    title = "ECMP"

    @property
    def words(self) -> str:
        """Say which way traffic goes."""
        return "ECMP sprayed per packet over all shortest paths, by capacity"

    @cached_property
    def rank_of(self) -> dict[int, int]:
        """Rank of each node that is one."""
        return {int(node): rank for rank, node in enumerate(self.fabric.npus)}

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

    def spread(self, demand: Uniform | Pairs) -> EcmpFlow:
        """Return a demand on its shortest paths."""
        alike = self._alike(demand.ranks) if isinstance(demand, Uniform) else None
        spread = (
            self._uniform(demand, alike)
            if isinstance(demand, Uniform) and alike is not None
            else self._pairs(demand.pairs())
        )
        blocks = Blocks(spread)
        q = spread.q
        merged = np.zeros(len(q.tail))
        for block in blocks:
            for level in block.levels:
                weight = block.weight[level.following % block.width]
                merged += np.bincount(level.arc, level.flow * weight, minlength=len(merged))
        loads = merged[q.arc] if alike is None else alike.lift(q, merged)
        return EcmpFlow(self.fabric, loads, self, q, blocks, alike)

    def _alike(self, ranks: IntArray) -> _Alike:
        """Return which NPUs are targets alike: twins, and on large machines all of an orbit.

        On large machines lengths are left out, so that a flow sees the longest link of an orbit
        for all of it, and says so; loads are exact.
        """
        member = np.zeros(len(self.fabric.nodes), dtype=np.int64)
        member[self.fabric.npus[ranks]] = 1
        whole = quotient(self.fabric, self._twins * 2 + member)
        targets = np.unique(whole.group[self.fabric.npus[ranks]])
        if self.exact or len(targets) * len(whole.tail) < _MANY:
            same = np.arange(len(whole.size)), np.arange(len(whole.tail))
            return _Alike(whole, *same, placeless=False)
        fabric = self._placeless
        whole = quotient(fabric, twin_groups(fabric, member))
        targets = np.unique(whole.group[fabric.npus[ranks]])
        colour = node_colours(fabric, member)[whole.member]
        seen = orbits(coloured_quotient(whole, colour, codes([whole.latency])), targets)
        return _Alike(whole, seen.node, seen.arc, placeless=True)

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

    def _uniform(self, demand: Uniform, alike: _Alike) -> Spread:
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
        sources = Sources(sender[other], column[other], amount)
        return Spread(fabric, q, table, ranks, weight, sources)

    def _table(self, q: Quotient, ranks: IntArray) -> Distances:
        """Return distances to some ranks: all ranks' table, unless a few are quicker."""
        if "_distances" in self.__dict__ or len(ranks) * len(q.tail) > _MANY:
            return self._distances
        column_of = np.full(len(self.fabric.npus), -1)
        column_of[ranks] = np.arange(len(ranks))
        targets = q.group[self.fabric.npus[ranks]]
        return Distances(distances(q, targets), q.group, column_of)

    def _pairs(self, demand: Pairs) -> Spread:
        q = self._separate
        target_rank, column = np.unique(demand.dst, return_inverse=True)
        order = np.argsort(column, kind="stable")
        sources = Sources(
            q.group[self.fabric.npus[demand.src]][order],
            column.reshape(-1)[order],
            demand.amount[order].astype(float),
        )
        weight = np.ones(len(target_rank))
        table = self._table(q, target_rank)
        return Spread(self.fabric, q, table, target_rank, weight, sources)

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
        rank = np.full(len(self.fabric.nodes), -1)
        rank[self.fabric.npus] = np.arange(count)
        found[rank[slowest.src], rank[slowest.dst]] = slowest.latency
        return found

    def slowest_path(self, src: int, dst: int) -> list[int]:
        """Return the arcs of the path with the highest latency between two ranks."""
        flow = self.route(Pairs(np.array([src]), np.array([dst]), np.ones(1)))
        return trace(self.fabric, flow.loads > 0, int(self.fabric.npus[src]),
                      int(self.fabric.npus[dst]))  # fmt: skip


def ecmp(supernode: Supernode | Fabric) -> Ecmp:
    """Return ECMP routing on a supernode; its tables are kept with the fabric.

    References
    ----------
    RFC 2992 (ECMP); Dixit et al., On the impact of packet spraying in data center networks,
    INFOCOM 2013.
    """
    found = router(supernode, "ecmp")
    if not isinstance(found, Ecmp):
        raise RoutingError("another policy is registered as 'ecmp'")
    return found
