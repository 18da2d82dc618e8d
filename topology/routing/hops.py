"""Lay out every hop that traffic may take towards its targets, and follow all of it at once.

A *state* is a node and a target: node · targets + target. Traffic moves from state to state, by
hops that are sorted by how far their tails are from the target, so that one pass over them in
order sends everything, and one pass backwards adds up what lies ahead.

References
----------
Bertsekas and Gallager, Data Networks, 2nd ed. 1992, chapter 5 (flows by destination).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from topology.errors import RoutingError, UnreachableError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.quotient import expand
from topology.routing.turns import Turns, afford_turns

FAR = 2**62
"""A cost beyond that of any path."""
_CELLS = 4_000_000
_MOST_STATES = 30_000_000
_MOST_HOPS = 30_000_000


@dataclass(frozen=True, eq=False)
class Hops:
    """Hops towards some targets, without a cycle.

    Attributes
    ----------
    fabric
        Where they are.
    width
        How many targets there are.
    arc, tail, head
        The arc of each hop, and the states at its ends, shape (hops,); sorted by how far the tail
        is from the target, the farthest first, then by tail.
    starts
        Where hops at each distance begin, and their number.
    """

    fabric: Fabric
    width: int
    arc: IntArray
    tail: IntArray
    head: IntArray
    starts: tuple[int, ...]

    @property
    def states(self) -> int:
        """Return how many states there are."""
        return len(self.fabric.nodes) * self.width

    @cached_property
    def _out(self) -> IntArray:
        """How many hops leave each state, shape (states,)."""
        return np.bincount(self.tail, minlength=self.states)

    @cached_property
    def _by_tail(self) -> tuple[IntArray, IntArray]:
        order = np.argsort(self.tail, kind="stable")
        return order, np.concatenate(([0], np.cumsum(self._out)))

    def from_states(self, states: IntArray) -> tuple[IntArray, IntArray]:
        """Return the hops out of some states: which state, and which hop."""
        order, starts = self._by_tail
        which, entry = expand(starts, states)
        return which, order[entry]

    def shares(self, weight: FloatArray) -> FloatArray:
        """Return the part of its tail's traffic that each hop takes, by weight, shape (hops,)."""
        total = np.bincount(self.tail, weight, self.states)
        found: FloatArray = weight / total[self.tail]
        return found

    def flows(self, entering: FloatArray, share: FloatArray) -> FloatArray:
        """Return what each hop carries, shape (hops,).

        Parameters
        ----------
        entering
            What enters at each state, shape (states,).
        share
            See `shares`.
        """
        waiting, flow = entering.astype(float), np.empty(len(share))
        for lo, hi in pairwise(self.starts):
            flow[lo:hi] = waiting[self.tail[lo:hi]] * share[lo:hi]
            np.add.at(waiting, self.head[lo:hi], flow[lo:hi])
        return flow

    def ahead(
        self, value: FloatArray, add: np.ufunc, take: np.ufunc, last: FloatArray | None = None
    ) -> FloatArray:
        """Return what lies ahead of each state, shape (states,): 0 at targets.

        Parameters
        ----------
        value
            Of each hop, shape (hops,).
        add
            Joins the value of a hop and what lies ahead of its head.
        take
            Joins the hops out of a state.
        last
            What lies ahead of the targets, shape (states,), if that is not 0.
        """
        found = np.zeros(self.states) if last is None else last.copy()
        for lo, hi in reversed(list(pairwise(self.starts))):
            tail = self.tail[lo:hi]
            first = np.flatnonzero(np.diff(tail, prepend=-1))
            joined = add(value[lo:hi], found[self.head[lo:hi]])
            found[tail[first]] = take.reduceat(joined, first)
        return found

    def chosen(self, keep: BoolArray) -> Hops:
        """Return some of the hops, at the distances they are now."""
        return laid(self.fabric, self.width, self.arc[keep], self.tail[keep], self.head[keep])

    def reached(self, states: IntArray) -> BoolArray:
        """Return which hops some states can take, at once or later, shape (hops,)."""
        there = np.zeros(self.states, dtype=bool)
        there[states] = True
        kept = np.zeros(len(self.arc), dtype=bool)
        for lo, hi in pairwise(self.starts):
            kept[lo:hi] = there[self.tail[lo:hi]]
            there[self.head[lo:hi][kept[lo:hi]]] = True
        return kept

    def turns(self) -> Turns:
        """Return which hop may follow which."""
        afford_turns(int(self._out[self.head].sum()))
        before, after = self.from_states(self.head)
        return Turns(self.arc, before, after)

    def ways(self, state: int, share: FloatArray) -> Iterator[tuple[float, list[int], int]]:
        """Yield the paths from a state: share, arcs, and the state where it ends."""
        stack: list[tuple[int, float, list[int]]] = [(state, 1.0, [])]
        while stack:
            at, part, arcs = stack.pop()
            hops = self.from_states(np.array([at]))[1]
            if not len(hops):
                yield part, arcs, at
            stack += [
                (int(self.head[hop]), part * share[hop], [*arcs, int(self.arc[hop])])
                for hop in hops[::-1].tolist()
            ]


def laid(fabric: Fabric, width: int, arc: IntArray, tail: IntArray, head: IntArray) -> Hops:
    """Return hops without a cycle in order."""
    states = len(fabric.nodes) * width
    far = np.zeros(states, dtype=np.int64)
    late = np.arange(len(arc))
    while len(late):
        late = late[far[tail[late]] <= far[head[late]]]
        np.maximum.at(far, tail[late], far[head[late]] + 1)
        grown = np.zeros(states, dtype=bool)
        grown[tail[late]] = True
        late = np.flatnonzero(grown[head])
    distance = far[tail]
    order = np.lexsort((tail, -distance))
    distance = distance[order]
    starts = np.flatnonzero(np.diff(distance, prepend=distance[:1] + 1)).tolist()
    return Hops(fabric, width, arc[order], tail[order], head[order], (*starts, len(order)))


def costs(fabric: Fabric, goal: BoolArray) -> IntArray:
    """Return the cost of the shortest path from each node to some targets, (nodes, targets).

    A hop counts 1, one into a NIC or another group more than any number of hops.

    Parameters
    ----------
    fabric
        Where.
    goal
        Which nodes each target is, shape (nodes, targets).
    """
    if goal.size > _MOST_STATES:
        raise RoutingError(
            f"{goal.shape[1]:,} targets on {goal.shape[0]:,} nodes are too many to route flow by "
            "flow; choose fewer ranks="
        )
    cost = np.where(goal, 0, FAR).astype(np.int64)
    starts = np.flatnonzero(np.diff(fabric.tail, prepend=-1))
    tails, toll = fabric.tail[starts], _tolls(fabric)
    block = max(1, _CELLS // max(1, len(fabric.tail)))
    for lo in range(0, goal.shape[1] if len(starts) else 0, block):
        some = cost[:, lo : lo + block]
        ends = fabric.forwards[fabric.head][:, None] | goal[fabric.head, lo : lo + block]
        while True:
            through = np.where(ends, some[fabric.head] + toll[:, None], FAR)
            near = np.minimum.reduceat(through, starts, axis=0)
            if not (near < some[tails]).any():
                break
            some[tails] = np.minimum(some[tails], near)
    return cost


def nics_entered(fabric: Fabric, cost: IntArray) -> IntArray:
    """Return how many NICs paths of some costs enter; more than any where there is no path."""
    return cost // (len(fabric.nodes) + 1) ** 2


def _tolls(fabric: Fabric) -> IntArray:
    """Return what each arc counts for, shape (arcs,): a hop, and more into a NIC or a group.

    A path enters as few NICs as it can, then as few groups (in a Dragonfly a minimal path takes
    one global link), then takes as few hops.
    """
    much = len(fabric.nodes) + 1
    toll = np.where(fabric.is_nic[fabric.head], 1 + much**2, 1)
    if fabric.groups is None:
        return toll
    ends = fabric.groups[fabric.tail], fabric.groups[fabric.head]
    return toll + np.where((ends[0] != ends[1]) & (ends[0] >= 0) & (ends[1] >= 0), much, 0)


def shortest_hops(fabric: Fabric, goal: BoolArray, sources: IntArray) -> Hops:
    """Return every hop on shortest paths from some states to their targets.

    Parameters
    ----------
    fabric
        Where.
    goal
        Which nodes each target is, shape (nodes, targets).
    sources
        States.

    Raises
    ------
    UnreachableError
        If there is no path from one of them.
    """
    cost, width = costs(fabric, goal), goal.shape[1]
    lost = np.flatnonzero(cost.reshape(-1)[sources] >= FAR)
    if len(lost):
        node, column = divmod(int(sources[lost[0]]), width)
        v = fabric.nodes[int(np.flatnonzero(goal[:, column])[0])]
        raise UnreachableError(
            f"{fabric.nodes[node]} cannot reach {v}: no path through forwarding nodes; choose "
            "ranks= that are connected, or let the nodes between them forward (forwards=True)"
        )
    toll = _tolls(fabric)
    found = []
    block = max(1, _CELLS // max(1, len(fabric.tail)))
    for lo in range(0, max(1, width), block):
        some, ends = cost[:, lo : lo + block], goal[:, lo : lo + block]
        good = some[fabric.tail] == some[fabric.head] + toll[:, None]
        good &= (some[fabric.tail] < FAR) & (
            fabric.forwards[fabric.head][:, None] | ends[fabric.head]
        )
        arc, column = np.nonzero(good)
        found.append((arc, column + lo))
        afford(sum(len(one[0]) for one in found))
    arc, column = (np.concatenate(part) for part in zip(*found, strict=True))
    tail, head = (end[arc] * width + column for end in (fabric.tail, fabric.head))
    every = laid(fabric, width, arc, tail, head)
    return every.chosen(every.reached(sources))


def afford(hops: float) -> None:
    """Raise `RoutingError` if there are too many hops to lay out."""
    if hops > _MOST_HOPS:
        raise RoutingError(
            f"the traffic has {hops:,.0f} hops to choose from, and {_MOST_HOPS:,} are laid out at "
            "most; choose fewer ranks="
        )
