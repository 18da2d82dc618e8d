"""Route as switches do under per-packet spraying: equal-cost multipath in the fluid limit.

At every node the flow to a destination splits over the next hops on shortest paths, in
proportion to their capacity. The result is exact, on any graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from topology.approximation import Approximation
from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray, distinct
from topology.routing.alike import Alike, carried, twins_alone
from topology.routing.demand import Demand, Pairs, Uniform
from topology.routing.distances import (
    UNREACHABLE,
    CostArray,
    Distances,
    distances,
    npu_distances,
)
from topology.routing.flow import RoutedFlow, Router, Slowest
from topology.routing.pair_streams import pair_streams
from topology.routing.policies import router, routing
from topology.routing.quotient import Quotient, quotient, twin_groups
from topology.routing.split import Targets
from topology.routing.spreading import (
    Blocks,
    Sources,
    Spread,
    ends_of,
    split_paths,
    trace,
    worst_of,
)
from topology.routing.streams import Streams, classes_as_resources
from topology.routing.turns import Turns
from topology.supernode import Supernode
from topology.symmetry import codes, numbered

_MANY = 2_000_000  # hops that are routed without looking for symmetries, on 125,000 arcs or fewer:
_ARCS = 125_000  # a search takes as long as some 16 hops an arc
_SORTS = 32  # sorts of targets, with lengths, that are worth a search
_FEW = 64  # sorts of targets whose senders are followed one by one without a search
_PAYS = 0.5  # of the work must be left at most
_EQUAL = 1e-12
_LONGEST = "links that are alike but for their length or record count as the longest of their kind"


@dataclass(frozen=True, eq=False, repr=False)
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
    _alike: Alike = field(repr=False)
    _demand: Uniform | Pairs = field(repr=False)

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
        return self._alike.most(self._quotient, value, sign)

    def approximations(self, capacity: FloatArray | None = None) -> tuple[Approximation, ...]:
        """Return how far the slowest path may be too long: where orbits hold unequal links."""
        if not self._alike.placeless:
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

    def streams(self) -> Streams:
        """Return one stream for each sort of sender and each sort of receiver."""
        alike, route = self._router.fewest(self._demand, self._alike, self._blocks.route)
        whole, q, npus = alike.whole, route.q, self.fabric.npus
        actor = numbered(alike.node[whole.group[npus]])
        resources = classes_as_resources(
            self.fabric, alike.arc[whole.arc], alike.node[whole.group]
        )  # fmt: skip
        longest = alike.most(q, self.fabric.latency)
        found = pair_streams(route, actor, resources, longest, whole.group[q.member])
        return found if alike.twins else replace(found, symmetry=route.sources.key)

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
        self._asked = 0
        self._merges = True

    title = "ECMP"
    by_pair = False

    @property
    def words(self) -> str:
        """Say which way traffic goes."""
        return "ECMP sprayed per packet over all shortest paths, by capacity"

    @cached_property
    def rank_of(self) -> dict[int, int]:
        """Rank of each node that is one."""
        return {int(node): rank for rank, node in enumerate(self.fabric.npus)}

    @cached_property
    def distances(self) -> Distances:
        """How far every node is from every rank."""
        return npu_distances(self.fabric)

    @cached_property
    def _twins(self) -> IntArray:
        return twin_groups(self.fabric)

    @cached_property
    def _separate(self) -> Alike:
        """Twins merged, but every NPU on its own."""
        groups = self._twins.copy()
        groups[self.fabric.npus] = int(groups.max()) + 1 + np.arange(len(self.fabric.npus))
        return twins_alone(quotient(self.fabric, groups))

    def spread(self, demand: Uniform | Pairs) -> EcmpFlow:
        """Return a demand on its shortest paths."""
        alike, spread = self._least_work(demand)
        blocks, q = Blocks(spread), spread.q
        merged = np.zeros(len(q.tail))
        for block in blocks:
            for level in block.levels:
                weight = block.weight[level.following % block.width]
                merged += np.bincount(level.arc, level.flow * weight, minlength=len(merged))
        return EcmpFlow(self.fabric, alike.lift(q, merged), self, q, blocks, alike, demand)

    def apart(self) -> Ecmp:
        """Return the same policy with every rank on its own."""
        single = copy(self)
        single._merges = False
        return single

    def _least_work(self, demand: Uniform | Pairs) -> tuple[Alike, Spread]:
        """Return which targets are alike, and one of each to route: twins, or more if it pays.

        Where twins are not enough, all targets of an orbit are one; where that is not enough
        either, lengths are left out, if that at least halves the work: a flow then sees the
        longest link of an orbit for all of it, and says so. Loads are exact.
        """
        demand = demand if self._merges else demand.pairs()
        alike = self._by_twins(demand)
        spread = self._one_of_each(demand, alike)
        if not self._merges:
            return alike, spread
        work, few = spread.work(), _MANY * max(1.0, len(self.fabric.tail) / _ARCS)
        if work <= few:
            return alike, spread
        for same in self._by_symmetry(demand, alike):
            fewer = self._one_of_each(demand, same)
            if (less := fewer.work()) < _PAYS * work:
                alike, spread, work = same, fewer, less
            if work <= few:
                break
        return alike, spread

    def fewest(self, demand: Uniform | Pairs, alike: Alike, spread: Spread) -> tuple[Alike, Spread]:
        """Return fewer sorts of targets, where each of their senders is to be followed alone."""
        few = len(spread.target_rank) <= _FEW or not alike.twins
        if few or not self._merges or isinstance(demand, Pairs):
            return alike, spread
        found = carried(self.fabric, alike.whole, demand, most=_SORTS)
        return (alike, spread) if found is None else (found, self._one_of_each(demand, found))

    def _by_symmetry(self, demand: Uniform | Pairs, twins: Alike) -> Iterator[Alike]:
        """Yield which targets symmetries carry to each other: all that counts, or no lengths."""
        exactly = carried(self.fabric, twins.whole, demand, most=_SORTS)
        if exactly is not None:
            yield exactly
        if not self.exact:
            groups = twin_groups(self._placeless, self._set_of(demand))
            placeless = carried(self._placeless, quotient(self._placeless, groups), demand)
            if placeless is not None:
                yield replace(placeless, placeless=True)

    def _by_twins(self, demand: Uniform | Pairs) -> Alike:
        if isinstance(demand, Pairs):
            return self._separate
        return twins_alone(quotient(self.fabric, codes([self._twins, self._set_of(demand)])))

    def _set_of(self, demand: Uniform | Pairs) -> IntArray:
        """Return the number of each node's set; every rank is its own if pairs are listed."""
        found = np.zeros(len(self.fabric.nodes), dtype=np.int64)
        if isinstance(demand, Pairs):
            found[self.fabric.npus] = 1 + np.arange(len(self.fabric.npus))
        else:
            found[self.fabric.npus[demand.rows.T]] = 1 + np.arange(len(demand.rows))
        return found

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

    def _one_of_each(self, demand: Uniform | Pairs, alike: Alike) -> Spread:
        """Return a demand to one target of each sort, with how many there are of it."""
        whole, npus = alike.whole, self.fabric.npus
        ranks = distinct(demand.dst) if isinstance(demand, Pairs) else demand.ends
        orbit = alike.node[whole.group[npus[ranks]]]
        _, first, weight = np.unique(orbit, return_index=True, return_counts=True)
        ranks = ranks[first]
        if isinstance(demand, Pairs):
            q, sources = whole, self._listed(demand, whole)
        else:
            split = whole.group.copy()
            split[npus[ranks]] = len(whole.size) + np.arange(len(ranks))
            q = quotient(self.fabric, split)
            sources = self._members(demand, q)
        return Spread(self.fabric, q, partial(self._table, q), ranks, weight.astype(float), sources)

    def _members(self, demand: Uniform, q: Quotient) -> Sources:
        """Return the sets: all of its set send to each rank."""
        of = self._set_of(demand)
        group = distinct(q.group[self.fabric.npus[demand.ends]])
        group = group[np.argsort(of[q.member[group]], kind="stable")]
        starts = np.searchsorted(of[q.member[group]], np.arange(len(demand.rows) + 2))
        amount = np.full(len(group), demand.amount)
        return Sources(of[self.fabric.npus], starts, group, amount)

    def _listed(self, demand: Pairs, q: Quotient) -> Sources:
        """Return who sends to each rank."""
        order, count = np.argsort(demand.dst, kind="stable"), len(self.fabric.npus)
        starts = np.searchsorted(demand.dst[order], np.arange(count + 1))
        group = q.group[self.fabric.npus[demand.src[order]]]
        return Sources(np.arange(count), starts, group, demand.amount[order].astype(float))

    def _table(self, q: Quotient, ranks: IntArray) -> Distances:
        """Return distances to some ranks: from all ranks' table once that is no more work."""
        self._asked += len(ranks)
        if "distances" in self.__dict__ or self._asked >= len(self.fabric.npus):
            return self.distances
        column_of = np.full(len(self.fabric.npus), -1)
        column_of[ranks] = np.arange(len(ranks))
        targets = q.group[self.fabric.npus[ranks]]
        return Distances(distances(q, targets), q.group, column_of)

    def goes_direct(self, src: IntArray, dst: IntArray) -> bool:
        """Return True: a link is the one shortest path between its ends."""
        del src, dst
        return True

    def turns(self, pairs: Pairs) -> Turns:
        """Return which hop may follow which on shortest paths of some pairs."""
        by_hops = replace(self.fabric, groups=None)
        return Targets.of(by_hops, pairs).shortest(by_hops).turns()

    def least_busy(self, demand: Demand, capacity: FloatArray, tried: int = 0) -> float:
        """Return what pairs that are linked directly need: their link is the one shortest path."""
        if not isinstance(demand, Pairs):
            return 0.0
        fabric = self.fabric
        arc = fabric.find_arcs(fabric.npus[demand.src], fabric.npus[demand.dst])
        linked = arc >= 0
        loads = np.bincount(arc[linked], demand.amount[linked], minlength=len(capacity))
        some = np.flatnonzero(~linked)[:: max(1, int((~linked).sum()) // max(1, tried))][:tried]
        if len(some):
            part = Pairs(demand.src[some], demand.dst[some], demand.amount[some])
            loads = np.maximum(loads, self.spread(part).loads)
        return float((loads / capacity).max(initial=0.0))

    def hops(self, ranks: IntArray | None = None) -> CostArray:
        """Return hops from rank to rank, -1 where there is no path.

        Parameters
        ----------
        ranks
            Where to, shape (k,); by default every rank, shape (ranks, ranks).
        """
        fabric = self.fabric
        to = np.arange(len(fabric.npus)) if ranks is None else ranks
        table = self._table(self._separate.whole, to)
        cost = table.cost[np.ix_(table.row[fabric.npus], table.column[to])]
        cost[to, np.arange(len(to))] = 0
        toll = len(fabric.nodes) + 1  # what an arc into a NIC counts for, at least
        hops = cost if cost.max(initial=0) < toll else cost // toll + cost % toll
        hops[cost == UNREACHABLE] = -1
        return hops

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
