"""Route up and down trees by the number of one end: tables that never change, as InfiniBand's.

On its way up from level l a pair takes parent q mod w, and lane q div w of the link to it, with
q = x div (w_0 ... w_(l-1)), x the number of one end and w_l how many parents a node of level l
has. The way down is fixed but for its lanes, which go by the same numbers. Ends are numbered leaf
by leaf, whatever their ranks are: those of one leaf in a row, as far as they share a subtree. What
leads to no top, such as the switch inside a node, counts neither as a parent nor as a leaf.

References
----------
Zahavi, D-Mod-K Routing Providing Non-Blocking Traffic for Shift Permutations on Real Life Fat
Trees, Technion CCIT 776, 2010; Rodriguez et al., Oblivious routing schemes in extended
generalized fat tree networks, IEEE Cluster 2009 (S-mod-k).
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from topology.errors import RoutingError
from topology.fabric import BoolArray, Fabric, IntArray
from topology.routing.paths import Heads
from topology.routing.policies import routing
from topology.routing.quotient import expand
from topology.routing.shortest import Choice, ShortestWalker


class UpDown(ShortestWalker):
    """Static routes up and down levels; a new one says whose number counts.

    Attributes
    ----------
    level
        Hops of each node from the nearest rank, shape (nodes,); -1 where none reaches it.
    number
        Of each rank, leaf by leaf, shape (ranks,).
    parents, stride
        How many parents nodes of a level have, and all levels below it together, shape (levels,).
    """

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        super().__init__(fabric, exact=exact)
        self.level = _levels(fabric)
        up = np.flatnonzero(self._rise() > 0)
        tops = _below_tops(fabric, self.level, up)
        up = up[tops[fabric.head[up]]]
        self.number = _leaf_by_leaf(fabric, self.level, up)
        count = np.bincount(fabric.tail[up], minlength=len(fabric.nodes))
        self.parents = np.ones(int(self.level.max(initial=0)) + 1, dtype=np.int64)
        np.maximum.at(self.parents, self.level[fabric.tail[up]], count[fabric.tail[up]])
        self.stride = np.concatenate(([1], np.cumprod(self.parents)[:-1]))

    def _rise(self) -> IntArray:
        """Return by how much each arc that may carry goes up; raise where it is not by one."""
        fabric, level = self.fabric, self.level
        carries = fabric.forwards & (level >= 0)
        carries[fabric.npus] = True
        used = carries[fabric.tail] & carries[fabric.head]
        rise = np.where(used, level[fabric.head] - level[fabric.tail], 0)
        wrong = np.flatnonzero(used & (np.abs(rise) != 1))
        if len(wrong):
            u, v = fabric.arcs[wrong[0]]
            raise RoutingError(
                f"{self.title}: it needs levels of switches above the ranks, and {u} and {v} are "
                f"linked, {level[fabric.tail[wrong[0]]]} and {level[fabric.head[wrong[0]]]} hops "
                "from the nearest rank; choose another routing"
            )
        return rise

    @property
    def words(self) -> str:
        """Say which way traffic goes."""
        return (
            f"static up/down, each pair's way up by the number of its {self.end}, counted leaf by "
            "leaf"
        )

    @property
    @abstractmethod
    def end(self) -> str:
        """Return whose number counts: "source" or "destination"."""

    def chosen(self, at: Heads, hops: Choice) -> tuple[IntArray, IntArray]:
        """Return the parent and lane by number; on the way down, the lane."""
        here = self.level[at.node]
        there = self.level[self.fabric.head[hops.arc[hops.first]]]
        valley = np.flatnonzero((there > here) & (here != at.step))
        if len(valley):
            ends = (self.fabric.npus[ranks[valley[0]]] for ranks in (at.src, at.dst))
            u, v = (self.fabric.nodes[node] for node in ends)
            raise RoutingError(f"{self.title}: every shortest path from {u} to {v} goes up again")
        end = at.dst if self.end == "destination" else at.src
        number = self.number[end] // self.stride[np.minimum(here, there)]
        entry = hops.first + number % hops.count
        turn = np.where(there > here, hops.count, self.parents[there])
        return entry, number // turn % hops.lanes[entry]


@routing("d_mod_k")
class DModK(UpDown):
    """The way up goes by the destination: shifts meet on no link of a full fat tree."""

    title, end = "D-mod-K", "destination"


@routing("s_mod_k")
class SModK(UpDown):
    """The way up goes by the source."""

    title, end = "S-mod-K", "source"


def _below_tops(fabric: Fabric, level: IntArray, up: IntArray) -> BoolArray:
    """Return which nodes are at the highest level, or lead up to it, shape (nodes,)."""
    found: BoolArray = level == level.max(initial=0)
    for height in range(int(level.max(initial=0)) - 1, -1, -1):
        arcs = up[level[fabric.tail[up]] == height]
        found[fabric.tail[arcs[found[fabric.head[arcs]]]]] = True
    return found


def _leaf_by_leaf(fabric: Fabric, level: IntArray, up: IntArray) -> IntArray:
    """Return numbers of ranks by which those of a subtree are in a row, shape (ranks,).

    A subtree of height h is what arcs up to level h join; of each, the lowest rank comes first.
    """
    keys = [np.arange(len(fabric.npus))]
    for height in range(1, int(level.max(initial=0)) + 1):
        arcs = up[level[fabric.head[up]] <= height]
        ends = fabric.tail[arcs], fabric.head[arcs]
        shape = len(fabric.nodes), len(fabric.nodes)
        linked = sparse.coo_array((np.ones(len(arcs)), ends), shape=shape)
        _, subtree = connected_components(linked, directed=False)
        _, first, same = np.unique(subtree[fabric.npus], return_index=True, return_inverse=True)
        keys.append(first[same.reshape(-1)])
    number = np.empty(len(fabric.npus), dtype=np.int64)
    number[np.lexsort(keys)] = np.arange(len(fabric.npus))
    return number


def _levels(fabric: Fabric) -> IntArray:
    level = np.full(len(fabric.nodes), -1)
    front, hops = fabric.npus, 0
    while len(front):
        level[front] = hops
        hops += 1
        heads = fabric.head[expand(fabric.out_start, front)[1]]
        front = np.unique(heads[level[heads] < 0])
    return level
