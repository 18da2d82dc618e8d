"""Split traffic so that the worst link is the least loaded, and prove how near that comes.

Small cases are a linear program. Large ones start from the split by capacity and shrink the
shares of crowded links, or blend flows over the cheapest paths (`blended`). What those cost by the
prices of what is crowded proves a bound; where the first split reaches it, as on most symmetric
machines, nothing else is tried.

References
----------
Shahrokhi and Matula, J. ACM 37 (1990) 318-334 (maximum concurrent flow and its dual); Fortz and
Thorup, Internet traffic engineering by optimizing OSPF weights, INFOCOM 2000.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.hops import Hops, laid
from topology.routing.split import Spray
from topology.solvers.linear import least_level

_ROUNDS = 60
_PATIENCE = 12
_SHRINK = 0.2
_STEEPNESS = (30.0, 100.0, 400.0)
_EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class Rooms:
    """What links, then switches with a limit, can carry.

    Attributes
    ----------
    fabric
        Whose they are.
    limited
        The switches with a limit, shape (l,).
    room
        Bytes/s of each, shape (arcs + l,).
    """

    fabric: Fabric
    limited: IntArray
    room: FloatArray

    @classmethod
    def of(cls, fabric: Fabric) -> Rooms:
        """Return those of a fabric."""
        limited = np.flatnonzero(np.isfinite(fabric.node_capacity) & fabric.is_switch)
        return cls(
            fabric, limited, np.concatenate([fabric.capacity, fabric.node_capacity[limited]])
        )

    def busy(self, loads: FloatArray) -> FloatArray:
        """Return seconds each is busy with loads of the arcs, shape (arcs + l,)."""
        through = np.bincount(self.fabric.head, loads, len(self.fabric.nodes))
        return np.concatenate([loads, through[self.limited]]) / self.room

    def on_arcs(self, price: FloatArray) -> FloatArray:
        """Return the price of each arc with the switch behind it, shape (arcs,)."""
        inside = np.zeros(len(self.fabric.nodes))
        inside[self.limited] = price[len(self.fabric.tail) :]
        found: FloatArray = price[: len(self.fabric.tail)] + inside[self.fabric.head]
        return found

    def use(self, arc: IntArray) -> sparse.csr_array:
        """Return what a unit of each of some hops takes, shape (arcs + l, hops)."""
        gate = np.full(len(self.fabric.nodes), -1)
        gate[self.limited] = len(self.fabric.tail) + np.arange(len(self.limited))
        behind = gate[self.fabric.head[arc]]
        gated = np.flatnonzero(behind >= 0)
        rows = np.concatenate([arc, behind[gated]])
        columns = np.concatenate([np.arange(len(arc)), gated])
        shape = (len(self.room), len(arc))
        return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


@dataclass(eq=False)
class Search:
    """How low the worst link of a demand is brought, and how low it can be at all.

    Attributes
    ----------
    rooms
        What there is.
    entering
        What enters at each state, shape (states,).
    least
        Returns what the demand pays at least, by the price of each arc.
    reached, bound
        Seconds the worst link is busy at best so far, and at least.
    """

    rooms: Rooms
    entering: FloatArray
    least: Callable[[FloatArray], float]
    reached: float = np.inf
    bound: float = 0.0

    @property
    def gap(self) -> float:
        """Return by how much the worst link may still be lowered, as a fraction of the lowest."""
        if self.reached <= self.bound:
            return 0.0
        return self.reached / self.bound - 1 if self.bound else np.inf

    def prove(self, price: FloatArray) -> None:
        """Take note of prices of all rooms, of any scale, shape (arcs + l,)."""
        if price.any():
            self.bound = max(self.bound, self.least(self.on_arcs(price)))

    def on_arcs(self, price: FloatArray) -> FloatArray:
        """Return prices of all rooms, scaled to Σ room · price = 1, on arcs: `Rooms.on_arcs`."""
        return self.rooms.on_arcs(price / float(price @ self.rooms.room))

    def _prove_crowded(self, busy: FloatArray) -> None:
        """Price what is crowded: the worst alone, then ever more of what is near it."""
        top = float(busy.max(initial=0.0))
        if top > 0:
            self.prove((busy >= top * (1 - _EQUAL)) / self.rooms.room)
            for ends in (self.rooms.fabric.tail, self.rooms.fabric.head):
                self.prove(self._crowded_end(busy, ends))
            for steepness in _STEEPNESS:
                self.prove(np.exp(steepness * (busy / top - 1)) / self.rooms.room)

    def _crowded_end(self, busy: FloatArray, end: IntArray) -> FloatArray:
        """Price the links out of, or into, the node that is busiest with all of them together."""
        arcs, room = len(end), self.rooms.room
        carried = np.bincount(end, busy[:arcs] * room[:arcs])
        mean = carried / np.maximum(np.bincount(end, room[:arcs]), np.finfo(float).tiny)
        return np.append(end == np.argmax(mean), np.zeros(len(room) - arcs)).astype(float)

    def sprayed(self, hops: Hops, rounds: int = _ROUNDS) -> Spray:
        """Return the best of splits by capacity, then by weights that shrink on crowded links."""
        weight, since = self.rooms.fabric.capacity.copy(), 0
        best = hops.shares(weight[hops.arc])
        for turn in range(rounds + 1):
            share = hops.shares(weight[hops.arc])
            busy = self.rooms.busy(Spray(hops, share).loads(self.entering))
            top, since = float(busy.max(initial=0.0)), since + 1
            if top < self.reached:
                self.reached, best, since = top, share, 0
            if turn % _PATIENCE == 0:
                self._prove_crowded(busy)
            if self.gap <= _EQUAL or since > _PATIENCE or not top:
                break
            crowded = self.rooms.on_arcs(busy) / top
            weight *= np.exp(-_SHRINK * crowded**2)
        return Spray(hops, best)

    def solved(self, arc: IntArray, tail: IntArray, head: IntArray, goal: IntArray) -> Spray:
        """Return the best split over some hops, by linear programming.

        Parameters
        ----------
        arc, tail, head
            Arc of each hop, and the states at its ends, shape (hops,).
        goal
            The states where traffic ends, one for each target, shape (targets,).
        """
        row = np.full(len(self.entering), -1)
        states = np.setdiff1d(np.concatenate([tail, head]), goal)
        row[states] = np.arange(len(states))
        inner = np.flatnonzero(row[head] >= 0)
        rows = np.concatenate([row[tail], row[head[inner]]])
        columns = np.concatenate([np.arange(len(arc)), inner])
        value = np.repeat([1.0, -1.0], [len(tail), len(inner)])
        balance = sparse.csr_array((value, (rows, columns)), shape=(len(states), len(arc)))
        scale = float(self.entering.sum())  # and rooms such that the level is about 1
        found = least_level(
            self.rooms.use(arc), self.rooms.room * (self.reached / scale), balance,
            self.entering[states] / scale,
        )  # fmt: skip
        self.prove(found.price)
        spray = self._spray_of((arc, tail, head), found.flow * scale, goal)
        self.reached = float(self.rooms.busy(spray.loads(self.entering)).max())
        return spray

    def joined(self, ways: list[tuple[Spray, FloatArray]], goal: IntArray) -> Spray:
        """Return several splits as one, each taken in part by each target; ``goal``: `solved`."""
        flow = np.zeros(len(self.rooms.fabric.tail) * len(goal))
        for way, part in ways:
            hops = way.hops
            cell = hops.arc * len(goal) + hops.tail % len(goal)
            np.add.at(
                flow, cell, part[hops.tail % len(goal)] * hops.flows(self.entering, way.share)
            )
        cell = np.flatnonzero(flow)
        arc, column = np.divmod(cell, max(1, len(goal)))
        ends = (self.rooms.fabric.tail, self.rooms.fabric.head)
        tail, head = (end[arc] * len(goal) + column for end in ends)
        spray = self._spray_of((arc, tail, head), flow[cell], goal)
        self.reached = float(self.rooms.busy(spray.loads(self.entering)).max())
        return spray

    def _spray_of(
        self, hops: tuple[IntArray, IntArray, IntArray], flow: FloatArray, goal: IntArray
    ) -> Spray:
        """Return how a flow splits, without cycles and without traces of it that lead nowhere."""
        arc, tail, head = hops
        flow = _without_cycles(tail, head, flow, float(self.entering.max()) * _EQUAL)
        total = np.bincount(tail, flow, len(self.entering))
        kept = flow > _EQUAL * total[tail]
        ends = np.zeros(len(total), dtype=bool)
        ends[goal] = True
        while True:
            leads = ends.copy()
            leads[tail[kept]] = True
            if leads[head[kept]].all():
                break
            kept &= leads[head]
        marked = sparse.csr_array(
            (flow[kept], (arc[kept], tail[kept])), shape=(len(self.rooms.fabric.tail), len(total))
        )
        order = laid(self.rooms.fabric, len(goal), arc[kept], tail[kept], head[kept])
        sources = np.flatnonzero(self.entering)
        order = order.chosen(order.reached(sources))
        return Spray(order, order.shares(np.asarray(marked[order.arc, order.tail]).reshape(-1)))


def _without_cycles(tail: IntArray, head: IntArray, flow: FloatArray, nothing: float) -> FloatArray:
    """Return a flow with what goes round in circles taken off."""
    flow = np.where(flow > nothing, flow, 0.0)
    used = np.flatnonzero(flow)
    _, ends = np.unique(np.concatenate([tail[used], head[used]]), return_inverse=True)
    u, v = ends.reshape(2, -1)
    size = int(ends.max(initial=-1)) + 1
    joined = sparse.coo_array((np.ones(len(u)), (u, v)), shape=(size, size))
    label = connected_components(joined, connection="strong")[1]
    round_ = np.flatnonzero(label[u] == label[v])
    order = round_[np.argsort(label[u[round_]], kind="stable")]
    apart = np.flatnonzero(np.diff(label[u[order]])) + 1
    for part in np.split(order, apart):  # one search over all would start at the first ever again
        _open(
            nx.DiGraph((int(u[at]), int(v[at]), {"hop": int(used[at])}) for at in part),
            flow,
            nothing,
        )
    return flow


def _open(graph: nx.DiGraph, flow: FloatArray, nothing: float) -> None:
    """Take off what goes round in circles of a graph whose edges are hops."""
    while graph:
        try:
            cycle = nx.find_cycle(graph)
        except nx.NetworkXNoCycle:
            break
        hops = [graph.edges[edge]["hop"] for edge in cycle]
        flow[hops] -= flow[hops].min()
        graph.remove_edges_from(
            [edge for edge, hop in zip(cycle, hops, strict=True) if flow[hop] <= nothing]
        )
