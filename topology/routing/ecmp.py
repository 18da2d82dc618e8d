"""Route as switches do under per-packet spraying: equal-cost multipath in the fluid limit.

At every node the flow to a destination splits over the next hops on shortest paths, in
proportion to their capacity. The result is exact, on any graph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.demand import DemandLike, Pairs, Uniform, as_demand
from topology.routing.distances import (
    UNREACHABLE,
    Distances,
    distances,
    npu_distances,
)
from topology.routing.flow import Blocks, Flow, Router, Sources, trace
from topology.routing.quotient import (
    Quotient,
    coloured_quotient,
    node_colours,
    quotient,
    twin_groups,
)
from topology.supernode import Supernode
from topology.symmetry import codes, orbits

_MANY = 2_000_000


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
        blocks = Blocks(router)
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

    def _uniform(self, demand: Uniform, alike: _Alike | None) -> Router:
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
        sources = Sources(sender[other], column[other], amount)
        return Router(fabric, q, table, ranks, weight, sources)

    def _table(self, q: Quotient, ranks: IntArray) -> Distances:
        """Return distances to some ranks: all ranks' table, unless a few are quicker."""
        if "_distances" in self.__dict__ or len(ranks) * len(q.tail) > _MANY:
            return self._distances
        column_of = np.full(len(self.fabric.npus), -1)
        column_of[ranks] = np.arange(len(ranks))
        targets = q.group[self.fabric.npus[ranks]]
        return Distances(distances(q, targets), q.group, column_of)

    def _pairs(self, demand: Pairs) -> Router:
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
        return Router(self.fabric, q, table, target_rank, weight, sources)

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
        return trace(self.fabric, flow.loads > 0, int(self.fabric.npus[src]),
                      int(self.fabric.npus[dst]))  # fmt: skip


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
