"""Route traffic that switches add up on its way, or copy to many receivers.

A tree has one switch at its top and the members as leaves, over switches that can do it. On the
way up every link carries what its side adds up to, once; on the way down every link carries one
copy. Where several switches can be the top, each takes a share of the data, by what its tree
can carry.

References
----------
Graham et al., Scalable hierarchical aggregation protocol (SHArP), COMHPC 2016; Klenk, Jiang,
Thorson and Dennison, An in-network architecture for accelerating shared-memory multiprocessor
collectives, ISCA 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from topology import border
from topology.errors import RoutingError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.demand import Demand, Pairs, check_ranks
from topology.routing.flow import RoutedFlow, Router, Slowest
from topology.routing.in_network_trees import Tree, in_network_trees
from topology.routing.streams import Streams, streams_on_links


@dataclass(frozen=True, eq=False, repr=False)
class InNetwork(Demand):
    """What the members of a set send each other through switches that add and copy.

    Attributes
    ----------
    members
        Ranks, all different, shape (p,).
    added
        What is added up for each member: every member sends its version, the receiver's own
        too, and the receiver gets the sum. Shape (p,).
    copied
        What is copied from each member: every member gets it, the sender too. Shape (p,).
    through
        What is added up and copied to all: every member sends its version and gets the sum.
    """

    members: IntArray
    added: FloatArray
    copied: FloatArray
    through: float = 0.0

    in_network = True

    def __post_init__(self) -> None:
        count = len(self.members)
        if not count or self.added.shape != (count,) or self.copied.shape != (count,):
            raise RoutingError(
                f"in-network traffic: {count} members, {self.added.shape} added and "
                f"{self.copied.shape} copied; give one member or more, and an amount for each"
            )

    @property
    def needs(self) -> dict[str, bool]:
        """What the switches must do: the keywords of `in_network_trees`."""
        return {
            "adds": bool(self.added.any()) or self.through > 0,
            "copies": bool(self.copied.any()) or self.through > 0,
        }

    @property
    def even(self) -> bool:
        """Whether all members have the same amounts."""
        return bool(np.ptp(self.added) == 0 == np.ptp(self.copied))

    @property
    def key(self) -> tuple[object, ...]:
        """Return members and amounts."""
        shares = self.added.tobytes(), self.copied.tobytes(), self.through
        return ("in-network", self.members.tobytes(), *shares)

    @property
    def ends(self) -> IntArray:
        """Return the members."""
        return self.members

    def pairs(self) -> Pairs:
        """Return the same exchange as pairs: each sends its version to, its copy to, the others."""
        count = len(self.members)
        src, dst = np.divmod(np.arange(count * count), count)
        amount = self.added[dst] + self.copied[src] + self.through
        sent = (src != dst) & (amount > 0)
        return Pairs(self.members[src[sent]], self.members[dst[sent]], amount[sent])

    def placed(self, ranks: IntArray) -> InNetwork:
        """Return it with rank i at ``ranks[i]``."""
        return replace(self, members=ranks[self.members])

    def scaled(self, factor: float) -> InNetwork:
        """Return it with every amount times a factor."""
        return replace(
            self, added=self.added * factor, copied=self.copied * factor,
            through=self.through * factor,
        )  # fmt: skip

    def unit(self) -> tuple[Demand, float]:
        """Return it with 1 as its largest amount, and that amount."""
        most = float(max(self.added.max(), self.copied.max(), self.through))
        if most <= 0:
            return self, 1.0
        added, copied = self.added / most, self.copied / most
        return replace(self, added=added, copied=copied, through=self.through / most), most

    def reversed(self) -> InNetwork:
        """Return it with what is added copied instead, and the other way round."""
        return replace(self, added=self.copied, copied=self.added)

    def messages(self) -> IntArray:
        """Return one for each member; the switches do the rest."""
        return np.bincount(self.members).astype(np.int64)

    def checked(self, count: int) -> InNetwork:
        """Return it; raise `RoutingError` if it does not fit."""
        amounts = np.concatenate([self.added, self.copied, [self.through]])
        border.numbers(amounts, "in-network traffic: amount", RoutingError)
        return replace(self, members=check_ranks(self.members, count))

    def ports(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Return what each member sends and receives: each sum and each copy of others once."""
        sent, received = np.zeros(count), np.zeros(count)
        if len(self.members) > 1:
            sent[self.members] = self.added.sum() - self.added + self.copied + self.through
            received[self.members] = self.added + self.copied.sum() - self.copied + self.through
        return sent, received

    def crossing(self, side: BoolArray) -> float:
        """Return what must leave a side where switches help: each sum and each copy once."""
        inside = side[self.members]
        if inside.all() or not inside.any():
            return 0.0
        return float(self.added[~inside].sum() + self.copied[inside].sum() + self.through)

    def routed(self, router: Router) -> InNetworkFlow:
        """Return it on its trees, which no policy changes."""
        return _on_trees(router.fabric, self)


def _farthest(demand: InNetwork, up: FloatArray, down: FloatArray) -> tuple[int, int]:
    """Return from whom and to whom data goes the longest way, given all ways to and from a top.

    A sum holds the receiver's own version too; a copy is of no use to its sender.
    """
    added, copied = (demand.added > 0) | (demand.through > 0), demand.copied > 0
    ups, downs = (np.argsort(-way, kind="stable").tolist() for way in (up, down))
    pairs = [(ups[0], j) for j in downs if added[j]][:1]
    pairs += [(i, j) for i in [i for i in ups if copied[i]][:2] for j in downs[:2] if i != j]
    return max(pairs, key=lambda pair: up[pair[0]] + down[pair[1]], default=(0, 0))


@dataclass(frozen=True, eq=False, repr=False)
class InNetworkFlow(RoutedFlow):
    """In-network traffic on its trees.

    Attributes
    ----------
    fabric
        What it is routed on.
    loads
        What each arc carries, shape (arcs,).
    demand
        What is sent.
    """

    fabric: Fabric
    loads: FloatArray
    demand: InNetwork
    _trees: tuple[Tree, ...] = field(repr=False)
    _shares: FloatArray = field(repr=False)

    @property
    def words(self) -> str:
        """Say which way the traffic goes."""
        verbs = [verb for verb, does in zip(("adding", "copying"), self.demand.needs.values(),
                                            strict=True) if does]  # fmt: skip
        count = len(self._trees)
        return f"{count} tree{'s' if count > 1 else ''} of {' and '.join(verbs)} switches"

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return the slowest way up and down, and the busiest link or switch of the trees."""
        fabric, uses = self.fabric, (busy[self.loads > 0], node_busy[self.through > 0])
        most = max(float(each.max(initial=0.0)) for each in uses)
        latency = float(fabric.latency[self._path].sum())
        latency += float(fabric.node_latency[fabric.head[self._path[:-1]]].sum())
        ends = fabric.tail[self._path[:1]], fabric.head[self._path[-1:]]
        return Slowest(np.array([latency]), np.array([most]), *ends)

    @cached_property
    def _path(self) -> list[int]:
        """The arcs of the slowest way of any data: over a top, from who has it to who gets it."""
        nodes, seconds, found = self.fabric.node_latency, self.fabric.latency, []
        for at, tree in enumerate(self._trees):
            up = tree.summed(seconds[tree.up] + nodes[self.fabric.head[tree.up]])
            down = tree.summed(seconds[tree.down] + nodes[self.fabric.tail[tree.down]])
            i, j = _farthest(self.demand, up, down)
            found.append((float(up[i] + down[j] - nodes[tree.top]), at, i, j))  # the top is in both
        return self._over(*max(found, key=lambda way: way[0])[1:])

    def _over(self, tree: int, first: int, last: int) -> list[int]:
        on = self._trees[tree]
        return [*on.up[on.way(first)].tolist(), *on.down[on.way(last)[::-1]].tolist()]

    def path(self, at: int) -> list[int]:
        """Return the arcs of the slowest way."""
        del at
        return self._path

    def streams(self) -> Streams:
        """Return one stream from all members to all, whose bytes are those of its fullest link."""
        fabric, members = self.fabric, self.demand.members
        most = float(self.loads.max(initial=0.0))
        share = sparse.csc_array(self.loads[:, None] / (most or 1.0))
        still = self.meets(np.zeros(len(self.loads)), np.zeros(len(fabric.nodes)))
        ends = np.stack([np.zeros_like(members), members])
        return streams_on_links(
            fabric, share, count=np.ones(1), amount=np.array([most]), latency=still.latency,
            senders=ends, receivers=ends,
        )  # fmt: skip

    def paths(self, src: int, dst: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the way over the top of each tree between two members."""
        place = {int(rank): i for i, rank in enumerate(self.demand.members)}
        if src not in place or dst not in place:
            raise RoutingError(f"ranks {src} and {dst} are not both members of this exchange")
        for tree, share in enumerate(self._shares.tolist()):
            yield share, self._over(tree, place[src], place[dst])


def _on_trees(fabric: Fabric, demand: InNetwork) -> InNetworkFlow:
    trees = in_network_trees(fabric, demand.members, **demand.needs)
    weight = np.array([fabric.capacity[np.append(t.up, t.down)].min() for t in trees])
    shares = weight / weight.sum()
    loads = np.zeros(len(fabric.tail))
    for tree, part in zip(trees, shares.tolist(), strict=True):
        every = float(demand.added.sum()) + demand.through
        loads[tree.up] += part * (every + tree.collected(demand.copied))
        every = float(demand.copied.sum()) + demand.through
        loads[tree.down] += part * (every + tree.collected(demand.added))
    return InNetworkFlow(fabric, loads, demand, tuple(trees), shares)
