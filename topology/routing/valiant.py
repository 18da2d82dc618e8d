"""Route by way of a random intermediate: any traffic becomes two uniform ones, at twice the cost.

The intermediates are the groups of a machine whose switches have them (the attribute ``group``, as
in a Dragonfly): a packet takes a shortest path to the nearest node of the group, and another from
there to its target. Elsewhere they are the ranks, where ranks pass traffic on, and else the
switches at the edge. Each is taken with the same chance, those of the two ends among them; both
halves spray over shortest paths by capacity. Loads are the expected ones.

References
----------
Valiant, A scheme for fast parallel communication, SIAM J. Comput. 11(2), 1982; Kim, Dally, Scott
and Abts, Technology-Driven, Highly-Scalable Dragonfly Topology, ISCA 2008 (groups).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from topology.errors import RoutingError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray, distinct
from topology.routing.demand import Pairs, Uniform
from topology.routing.flow import Router, Slowest
from topology.routing.hops import FAR, afford, costs, nics_entered, shortest_hops
from topology.routing.pair_flow import PairFlow
from topology.routing.paths import listed
from topology.routing.policies import routing
from topology.routing.split import Spray, Targets
from topology.routing.turns import Turns, afford_turns, join_turns


@dataclass(frozen=True, eq=False)
class Detour:
    """Every way from senders over intermediates to receivers.

    Attributes
    ----------
    fabric
        Where.
    senders, targets
        The ranks that send, sorted, shape (s,); those that receive, and where pairs enter.
    groups
        How many intermediates there are.
    out
        From the senders to each intermediate.
    station, group
        Node and intermediate of each place where packets turn to their targets, shapes (k,).
    back
        From there to each receiver.
    """

    fabric: Fabric
    senders: IntArray
    targets: Targets
    groups: int
    out: Spray
    station: IntArray
    group: IntArray
    back: Spray

    @classmethod
    def of(cls, fabric: Fabric, pairs: Pairs, title: str) -> Detour:
        """Return those of the ranks in some pairs; raise `RoutingError` if there are none."""
        senders, targets = distinct(pairs.src), Targets.of(fabric, pairs)
        goal = _intermediates(fabric, senders, targets, title)
        groups = goal.shape[1]
        enter = (fabric.npus[senders][:, None] * groups + np.arange(groups)).reshape(-1)
        hops = shortest_hops(fabric, goal, enter)
        ends = distinct(np.concatenate([hops.head, enter]))
        station, group = np.divmod(ends[goal.reshape(-1)[ends]], groups)
        width = len(targets.ranks)
        leave = (station[:, None] * width + np.arange(width)).reshape(-1)
        back = shortest_hops(fabric, targets.goal(fabric), distinct(leave))
        sprays = (Spray(one, one.shares(fabric.capacity[one.arc])) for one in (hops, back))
        return cls(fabric, senders, targets, groups, next(sprays), station, group, next(sprays))

    @property
    def enter(self) -> IntArray:
        """Return the states at which senders enter, shape (s, intermediates)."""
        return self.fabric.npus[self.senders][:, None] * self.groups + np.arange(self.groups)

    @cached_property
    def _turns(self) -> list[IntArray]:
        """The stations in rounds: in each at most one of an intermediate."""
        order = np.argsort(self.group, kind="stable")
        first = np.searchsorted(self.group[order], self.group[order])
        number = np.empty(len(order), dtype=np.int64)
        number[order] = np.arange(len(order)) - first
        return [np.flatnonzero(number == at) for at in range(int(number.max(initial=-1)) + 1)]

    def _to_stations(
        self, value: FloatArray, add: np.ufunc, take: np.ufunc, ends: tuple[float, float]
    ) -> FloatArray:
        """Return what lies between each sender and each station, shape (s, k).

        Parameters
        ----------
        value, add, take
            As in `Hops.ahead`.
        ends
            What lies ahead of a station, and of a place from which none is reached.
        """
        here, nothing = ends
        found = np.full((len(self.senders), len(self.station)), nothing)
        for now in self._turns:
            last = np.full(self.out.hops.states, nothing)
            last[self.station[now] * self.groups + self.group[now]] = here
            found[:, now] = self.out.hops.ahead(value, add, take, last)[self.enter][
                :, self.group[now]
            ]
        return found

    @cached_property
    def chance(self) -> FloatArray:
        """Chance that a packet of each sender turns at each station, shape (s, k)."""
        found = self._to_stations(self.out.share, np.multiply, np.add, (1.0, 0.0))
        return found / self.groups

    @cached_property
    def longest(self) -> FloatArray:
        """Latency of the slowest path from sender to station, -inf if there is none, (s, k)."""
        return self._to_stations(self.out.seconds, np.add, np.maximum, (0.0, -np.inf))

    def ahead_of(self, station: int) -> FloatArray:
        """Return latency of the slowest path from each state to a station, -inf if none leads."""
        out = self.out
        last = np.full(out.hops.states, -np.inf)
        last[self.station[station] * self.groups + self.group[station]] = 0.0
        return out.hops.ahead(out.seconds, np.add, np.maximum, last)

    def loads(self, amount: FloatArray) -> FloatArray:
        """Return what each arc carries of what each sender has for each receiver, shape (s, t)."""
        entering = np.zeros(self.out.hops.states)
        entering[self.enter] = amount.sum(axis=1, keepdims=True) / self.groups
        turning = np.zeros(self.back.hops.states)
        busy = np.flatnonzero(amount.any(axis=1))  # of a run of UGAL's senders, few
        np.add.at(turning, self.leave, self.chance[busy].T @ amount[busy])
        return self.out.loads(entering) + self.back.loads(turning)

    @property
    def leave(self) -> IntArray:
        """Return the states in which packets leave the stations, shape (k, receivers)."""
        width = len(self.targets.ranks)
        return self.station[:, None] * width + np.arange(width)

    def over(
        self,
        rank: int,
        column: IntArray,
        first: FloatArray,
        then: FloatArray,
        at: FloatArray,
        join: np.ufunc,
    ) -> FloatArray:
        """Return what a sender meets over each station on its way to some receivers, shape (k, r).

        Parameters
        ----------
        rank, column
            The sender, as a position among them, and the receivers, shape (r,).
        first, then, at
            What is met as far as each station, shape (k,), from there to each receiver, shape
            (k, receivers), and at each node, shape (nodes,).
        join
            How they come together.
        """
        ends = self.fabric.npus[self.senders[rank]], self.fabric.npus[self.targets.ranks[column]]
        inside = (self.station != ends[0])[:, None] & (self.station[:, None] != ends[1])
        passed = np.where(inside, at[self.station][:, None], 0.0)
        found: FloatArray = join(join(first[:, None], then[:, column]), passed)
        found[self.chance[rank] == 0] = -np.inf
        return found

    def slowest(self, rank: int, column: IntArray) -> FloatArray:
        """Return the latency of the slowest way of a sender over each station, as `over`."""
        then, at = self.back.longest[self.leave], self.fabric.node_latency
        return self.over(rank, column, self.longest[rank], then, at, np.add)


@dataclass(frozen=True, eq=False, repr=False)
class DetourFlow(PairFlow):
    """A demand by way of random intermediates.

    Attributes
    ----------
    fabric, loads
        As in `RoutedFlow`.
    pairs
        Pairs of different ranks.
    detour
        The ways.
    """

    fabric: Fabric
    loads: FloatArray
    pairs: Pairs
    detour: Detour
    _router: Router

    def _by_sender(self) -> Iterator[tuple[int, IntArray, IntArray]]:
        """Yield each sender, as a position, with its pairs and the columns of their receivers."""
        sender = np.searchsorted(self.detour.senders, self.pairs.src)
        order = np.argsort(sender, kind="stable")
        starts = np.searchsorted(sender[order], np.arange(len(self.detour.senders) + 1))
        column = self.detour.targets.state % max(1, len(self.detour.targets.ranks))
        for rank, (lo, hi) in enumerate(pairwise(starts.tolist())):
            yield rank, order[lo:hi], column[order[lo:hi]]

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what each pair meets on its paths."""
        detour = self.detour
        latency, most = np.zeros((2, len(self.pairs.src)))
        out = detour.out.held(busy, node_busy)[detour.enter][:, detour.group]
        back = detour.back.held(busy, node_busy)[detour.leave]
        for rank, here, column in self._by_sender():
            latency[here] = detour.slowest(rank, column).max(axis=0)
            ways = detour.over(rank, column, out[rank], back, node_busy, np.maximum)
            most[here] = ways.max(axis=0)
        return self.slowest_of(latency, most)

    def path(self, at: int) -> list[int]:
        """Return the arcs of the path of a pair with the highest latency."""
        detour = self.detour
        rank = int(np.searchsorted(detour.senders, self.pairs.src[at]))
        column = int(detour.targets.state[at] % len(detour.targets.ranks))
        best = int(np.argmax(detour.slowest(rank, np.array([column]))))
        first = detour.out.slowest_way(
            int(detour.enter[rank, detour.group[best]]), detour.ahead_of(best)
        )
        return first + detour.back.slowest_way(int(detour.leave[best, column]))

    def ways_of(self, at: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths of a pair over each intermediate, each with its share."""
        detour, out, back = self.detour, self.detour.out, self.detour.back
        rank, width = (
            int(np.searchsorted(detour.senders, self.pairs.src[at])),
            len(detour.targets.ranks),
        )
        column = int(detour.targets.state[at] % width)
        for state in detour.enter[rank].tolist():
            for share, first, end in out.hops.ways(state, out.share):
                turn = end // detour.groups * width + column
                for part, then, _ in back.hops.ways(turn, back.share):
                    yield share * part / detour.groups, first + then

    def shares(self) -> sparse.csc_array:
        """Return the part of each pair's traffic on each arc."""
        detour, count = self.detour, len(self.pairs.src)
        out, back = detour.out, detour.back
        sender = np.searchsorted(detour.senders, self.pairs.src)
        enter = np.repeat(np.arange(len(detour.senders)), detour.groups)
        cells = np.full(len(enter), 1 / max(1, detour.groups)), (detour.enter.reshape(-1), enter)
        shape = out.hops.states, len(detour.senders)
        first = out.each(sparse.csr_array(cells, shape=shape))[:, sender]
        afford(float(count * len(detour.station)))
        pair, station = np.nonzero(detour.chance[sender])
        column = detour.targets.state[pair] % max(1, len(detour.targets.ranks))
        turn = detour.chance[sender[pair], station], (detour.leave[station, column], pair)
        return first + back.each(sparse.csr_array(turn, shape=(back.hops.states, count)))

    def turns(self) -> Turns:
        """Return which hop follows which, on both halves of the way and where they meet.

        Where a detour of a rank would lead back to it, that counts too.
        """
        detour = self.detour
        out, back = detour.out.hops, detour.back.hops
        home = np.full(out.states, -1)
        home[detour.station * detour.groups + detour.group] = np.arange(len(detour.station))
        last = np.flatnonzero(home[out.head] >= 0)
        states = detour.leave[home[out.head[last]]]
        before = np.repeat(last, states.shape[1])
        which, after = back.from_states(states.reshape(-1))
        afford_turns(len(which))
        return join_turns(out.turns(), back.turns(), before[which], after)


@routing("valiant")
class Valiant(Router):
    """By way of a random intermediate group, rank or edge switch: the expected loads.

    Attributes
    ----------
    fabric
        What it routes on.
    """

    title = "Valiant"

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        del exact  # nothing is left out here
        self.fabric = fabric

    @property
    def words(self) -> str:
        """Say which way traffic goes."""
        what = {"group": "group", "rank": "rank", "switch": "edge switch"}[_kind(self.fabric)]
        return f"Valiant: by way of a random intermediate {what}, shortest paths there and on"

    def spread(self, demand: Uniform | Pairs) -> DetourFlow:
        """Return a demand among ranks by way of intermediates."""
        pairs = listed(demand, self.title)
        detour = Detour.of(self.fabric, pairs, self.title)
        return DetourFlow(self.fabric, detour.loads(matrix(detour, pairs)), pairs, detour, self)


def matrix(detour: Detour, pairs: Pairs) -> FloatArray:
    """Return what each sender has for each receiver, shape (senders, receivers)."""
    width = len(detour.targets.ranks)
    rows = np.searchsorted(detour.senders, pairs.src)
    columns = detour.targets.state % max(1, width)
    cells = np.bincount(rows * width + columns, pairs.amount, len(detour.senders) * width)
    return cells.astype(float).reshape(len(detour.senders), width)


def _kind(fabric: Fabric) -> str:
    """Return what the intermediates are: "group", "rank" or "switch"."""
    inside = fabric.is_switch & fabric.forwards
    if (
        fabric.groups is not None
        and len(np.unique(fabric.groups[inside & (fabric.groups >= 0)])) > 1
    ):
        return "group"
    return "rank" if fabric.forwards[fabric.npus].any() else "switch"


def _intermediates(fabric: Fabric, senders: IntArray, targets: Targets, title: str) -> BoolArray:
    """Return which nodes the intermediates are, shape (nodes, intermediates).

    Only those count that every sender reaches and that reach every receiver; where some are
    reached over fewer NICs, only those.
    """
    goal = _candidates(fabric)
    there = costs(fabric, goal)[fabric.npus[senders]]
    on = costs(fabric, targets.goal(fabric)).max(axis=1, initial=0)
    onward = np.where(goal, on[:, None], 0).max(axis=0, initial=0)
    reached = (there.max(axis=0, initial=0) < FAR) & (onward < FAR)
    nics = nics_entered(fabric, there).max(axis=0, initial=0) + nics_entered(fabric, onward)
    kept = reached & (nics == nics[reached].min(initial=FAR))
    if len(senders) and not kept.any():
        raise RoutingError(
            f"{title}: no {_kind(fabric)} can be reached from every sender and reaches every "
            "receiver; choose ranks= that are connected, or another routing"
        )
    return goal[:, kept]


def _candidates(fabric: Fabric) -> BoolArray:
    kind, inside = _kind(fabric), fabric.is_switch & fabric.forwards
    if kind == "group" and fabric.groups is not None:
        known = np.unique(fabric.groups[inside & (fabric.groups >= 0)])
        grouped: BoolArray = inside[:, None] & (fabric.groups[:, None] == known)
        return grouped
    if kind == "rank":
        nodes = fabric.npus[fabric.forwards[fabric.npus]]
    else:
        near = np.zeros(len(fabric.nodes), dtype=bool)
        near[fabric.head[~fabric.is_switch[fabric.tail]]] = True
        nodes = np.flatnonzero(near & inside)
    goal = np.zeros((len(fabric.nodes), len(nodes)), dtype=bool)
    goal[nodes, np.arange(len(nodes))] = True
    return goal
