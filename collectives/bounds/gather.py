"""Bound all-gather, reduce-scatter and broadcast by the best of all cuts, exactly.

With a shard of M/N at each of N ranks, all-gather takes at least

    T* = M/N · max over S of |S ∩ ranks| / B⁺(S),     S without at least one rank,

as the shards inside S must leave it over links of B⁺(S) in all; and a schedule that reaches T*
exists. The best cut is found by max-flow: ranks can send at x each if and only if, for every
rank t, a source that feeds x to every other rank can send (N-1)·x to t. A minimum cut below
that gives the next, smaller x (Newton's method on the ratio), until none is.

References
----------
Zhao et al., ForestColl: Throughput-optimal collective communications on heterogeneous network
fabrics, arXiv:2402.06787; Dinkelbach, Management Science 13 (1967) 492-498; Edmonds,
Edge-disjoint branchings, 1973 (broadcast).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from collectives.bounds.network import Network
from collectives.model.schedule import IntArray
from topology import units
from topology.approximation import Approximation
from topology.errors import UnreachableError
from topology.fabric import BoolArray
from topology.routing.quotient import quotient
from topology.solvers.fractions import common_unit, scaled, whole_units
from topology.solvers.maxflow import FlowNetwork, flow_network
from topology.text import Part, Printed

_WORK = 200_000_000
_FEWEST = 64


@dataclass(frozen=True, eq=False, repr=False)
class GatherOptimum(Printed):
    """The tightest cut of an all-gather, exactly; see `Network.even` for where it is the optimum.

    Attributes
    ----------
    rate
        x*: bytes/s at which every rank can send its shard to all others at once.
    ranks
        N.
    unit
        Every link's capacity is a whole multiple of this many bytes/s.
    side
        The sending side of the tightest cut: nodes of the network, shape (n,).
    halved
        Switches whose own forwarding limit is in the cut: entered inside, left outside.
    target
        A rank outside, as a node of the network.
    leaving
        B⁺(S) in bytes/s.
    proven
        Whether every rank was tried as a target, or one that symmetry carries it to; if not,
        the cut is a cut, but there may be a tighter one.
    """

    rate: Fraction
    ranks: int
    unit: Fraction
    side: BoolArray
    halved: BoolArray
    target: int
    leaving: Fraction
    proven: bool = True

    @property
    def algbw(self) -> Fraction:
        """Return M / T* = N·x* in bytes/s."""
        return self.ranks * self.rate

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return what was left out, if anything."""
        why = "the tightest cut before some of the ranks; there may be a tighter one"
        return () if self.proven else (Approximation("bound", why),)

    def parts(self) -> list[Part]:
        """Return the rate, and the trees that a schedule at that rate has."""
        said = f"all-gather on {self.ranks:,} ranks: at most {units.format_rate(float(self.algbw))}"
        return [f"{said}, {self.trees:,} trees of {units.format_rate(float(self.tree))} a rank"]

    @property
    def tree(self) -> Fraction:
        """Return bytes/s of one tree: the largest rate that divides x* and every capacity."""
        return common_unit((self.rate, self.unit))

    @property
    def trees(self) -> int:
        """Return k: how many spanning trees of equal rate each rank roots at the optimum."""
        return int(self.rate / self.tree)

    @property
    def scale(self) -> Fraction:
        """Return U = 1 / `tree`: U times every capacity is whole, and U·x* = k."""
        return 1 / self.tree


class Targets:
    """Flows from some ranks to one rank after another, over one network."""

    def __init__(self, net: Network, senders: IntArray) -> None:
        fabric = net.fabric
        self.net = net
        self.senders = senders
        finite = np.isfinite(fabric.node_capacity)
        limits = fabric.node_capacity[finite]
        units, self.unit = whole_units(np.concatenate([fabric.capacity, limits]))
        self.arc_units = units[: len(fabric.capacity)]
        self.node_units = np.zeros(len(fabric.nodes), dtype=units.dtype)
        self.node_units[finite] = units[len(fabric.capacity) :]
        self.limited = finite

        self._alone: Target | None = None

    def to(self, target: int) -> Target:
        """Return the network of flows to a rank, given as a node of the network.

        Ranks without twins share one network, as long as all nodes pass data on.
        """
        twins = self.net.quotient.size[self.net.quotient.group[target]]
        if twins > 1 or not self.net.passes.all():
            return Target(self, target)
        if self._alone is None:
            self._alone = Target(self, target)
        return self._alone.at(target)


class Target:
    """The network with twins merged, but for one rank that receives."""

    def __init__(self, targets: Targets, target: int) -> None:
        net, fabric = targets.net, targets.net.fabric
        groups = net.groups.copy()
        groups[target] = int(groups.max()) + 1
        q = quotient(fabric, groups)
        self.q, self.target, self.node = q, int(q.group[target]), target
        passes = fabric.forwards[q.member]
        kept = passes[q.head] | (q.head == self.target)
        self.tail, self.head = q.tail[kept], q.head[kept]
        self.capacity = scaled(targets.arc_units[q.sample[kept]], q.count[kept])
        limited = np.flatnonzero(targets.limited[q.member])
        self.groups = len(q.size)
        self.limited = limited
        entry = np.arange(self.groups)
        entry[limited] = self.groups + np.arange(len(limited))
        self.limit = scaled(targets.node_units[q.member[limited]], q.size[limited])
        self.entry = entry
        self.sending = np.bincount(q.group[targets.senders], minlength=self.groups)
        self.senders = np.flatnonzero(self.sending)

    def at(self, target: int) -> Target:
        """Return the same network with another of its nodes as target; it must have no twins."""
        other = copy(self)
        other.compiled = self.compiled  # compiled once for all
        other.target, other.node = int(self.q.group[target]), target
        return other

    @property
    def weight(self) -> IntArray:
        """Return the senders in each group, the target apart, shape (groups,)."""
        weight = self.sending.copy()
        weight[self.target] = 0
        return weight

    @cached_property
    def source(self) -> int:
        """Return the node that feeds every sender."""
        return self.groups + len(self.limited)

    @cached_property
    def compiled(self) -> FlowNetwork:
        """Return the arcs: links, limited switches, then the source's."""
        fed = np.full(len(self.senders), self.source)
        tail = np.concatenate([self.tail, self.entry[self.limited], fed])
        head = np.concatenate([self.entry[self.head], self.limited, self.senders])
        return flow_network(self.source + 1, tail, head)

    def cut_below(self, rate: Fraction) -> BoolArray | None:
        """Return the sending side of a cut too small for a rate; None if there is none.

        Parameters
        ----------
        rate
            What each sender sends, in units.
        """
        fixed = np.concatenate([self.capacity, self.limit])
        fed = scaled(self.weight[self.senders], rate.numerator)
        links = scaled(fixed, rate.denominator)
        value, side, _ = self.compiled.max_flow(
            np.concatenate([links, fed]), self.source, self.target
        )
        return side if value < rate.numerator * int(self.weight.sum()) else None

    def ratio(self, side: BoolArray) -> Fraction:
        """Return B⁺(S) / |S ∩ senders| in units; S given over groups and entries."""
        leaving = side[self.tail] & ~side[self.entry[self.head]]
        through = side[self.entry[self.limited]] & ~side[self.limited]
        out = int(self.capacity[leaving].sum()) + int(self.limit[through].sum())
        return Fraction(out, int(self.weight[side[: self.groups]].sum()))

    def nodes(self, side: BoolArray) -> tuple[BoolArray, BoolArray]:
        """Return a side, and its halved switches, over the nodes of the network."""
        halved = np.zeros(self.groups, dtype=bool)
        halved[self.limited] = side[self.entry[self.limited]] & ~side[self.limited]
        return side[: self.groups][self.q.group], halved[self.q.group]


def gather_optimum(net: Network) -> GatherOptimum:
    """Return the best possible all-gather over a network.

    Parameters
    ----------
    net
        The network; two ranks or more.

    Raises
    ------
    SupernodeError
        If a rank cannot be reached by all others.
    """
    return _tightest(net, net.fabric.npus, net.quotient.member[net.representatives])


def spread_optimum(net: Network, root: int) -> GatherOptimum:
    """Return the best possible broadcast: its ``rate`` is min over v of mincut(root, v).

    Parameters
    ----------
    net
        The network; two ranks or more.
    root
        A node of the network, one of the ranks.
    """
    mark = np.zeros(len(net.fabric.nodes), dtype=np.int64)
    mark[root] = 1
    net = net.marked(mark)
    ends = net.quotient.member[net.representatives]
    return _tightest(net, np.array([root]), ends[ends != root])


def collect_optimum(net: Network, root: int) -> GatherOptimum:
    """Return the best possible gather: all ranks send to the root alone.

    Parameters
    ----------
    net
        The network; two ranks or more.
    root
        A node of the network, one of the ranks.
    """
    return _tightest(net, net.fabric.npus, np.array([root]))


def _tightest(net: Network, senders: IntArray, ends: IntArray) -> GatherOptimum:
    """Return the smallest ratio, over cuts before some ends, of capacity to senders inside."""
    targets = Targets(net, senders)
    best: tuple[Fraction, BoolArray, Target] | None = None
    most = max(_FEWEST, _WORK // (1 + len(net.quotient.tail)))
    for node in _by_width(net, ends)[:most].tolist():
        target = targets.to(node)
        if best is None:
            side = np.ones(target.source + 1, dtype=bool)
            side[target.target] = False
            best = (target.ratio(side), side, target)
        while best[0] and (cut := target.cut_below(best[0])) is not None:
            best = (target.ratio(cut), cut, target)
    if best is None or not best[0]:
        raise _unreachable(net, best[2].node if best else int(net.fabric.npus[0]))
    rate, side, target = best
    halves = target.nodes(side)
    leaving = rate * int(target.weight[side[: target.groups]].sum())
    unit = targets.unit
    proven = len(ends) <= most
    return GatherOptimum(rate * unit, net.ranks, unit, *halves, target.node, leaving * unit, proven)


def _by_width(net: Network, ends: IntArray) -> IntArray:
    """Return ranks in the order of what their own links take in: the tightest first."""
    into = np.bincount(net.fabric.head, net.fabric.capacity, len(net.fabric.nodes))
    ordered: IntArray = ends[np.argsort(into[ends], kind="stable")]
    return ordered


def _unreachable(net: Network, node: int) -> UnreachableError:
    return UnreachableError(
        f"{net.fabric.nodes[node]} cannot receive from every other rank: no path through nodes "
        "that pass data on; choose ranks= that are connected"
    )
