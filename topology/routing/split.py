"""Carry a demand on hops that split at every node: any flow by destination is one of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from topology.approximation import Approximation
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.demand import Pairs
from topology.routing.flow import Router, Slowest
from topology.routing.hops import Hops, afford, shortest_hops
from topology.routing.pair_flow import PairFlow
from topology.routing.turns import Turns


@dataclass(frozen=True, eq=False)
class Spray:
    """Hops, and how traffic splits over them at every state.

    Attributes
    ----------
    hops
        Where it can go.
    share
        The part of its tail's traffic each hop takes, shape (hops,); none is 0.
    """

    hops: Hops
    share: FloatArray

    @cached_property
    def _inside(self) -> BoolArray:
        """Which hops do not end at their target, shape (hops,)."""
        leads = np.zeros(self.hops.states, dtype=bool)
        leads[self.hops.tail] = True
        inside: BoolArray = leads[self.hops.head]
        return inside

    def _with_heads(self, of_arc: FloatArray, of_node: FloatArray, add: np.ufunc) -> FloatArray:
        fabric, hops = self.hops.fabric, self.hops
        node = np.where(self._inside, of_node[fabric.head[hops.arc]], 0.0)
        joined: FloatArray = add(of_arc[hops.arc], node)
        return joined

    @cached_property
    def seconds(self) -> FloatArray:
        """Latency of each hop and of the switch behind it, shape (hops,)."""
        fabric = self.hops.fabric
        return self._with_heads(fabric.latency, fabric.node_latency, np.add)

    @cached_property
    def longest(self) -> FloatArray:
        """Latency of the slowest path from each state, shape (states,)."""
        return self.hops.ahead(self.seconds, np.add, np.maximum)

    def held(self, busy: FloatArray, node_busy: FloatArray) -> FloatArray:
        """Return seconds of the busiest link or switch on paths from each state, (states,)."""
        value = self._with_heads(busy, node_busy, np.maximum)
        return self.hops.ahead(value, np.maximum, np.maximum)

    def slowest_way(self, state: int, longest: FloatArray | None = None) -> list[int]:
        """Return the arcs of the path with the highest latency from a state.

        Parameters
        ----------
        state
            Where it begins.
        longest
            Latency ahead of each state, shape (states,), if not on all paths.
        """
        beyond, arcs = self.longest if longest is None else longest, []
        while len(ahead := self.hops.from_states(np.array([state]))[1]):
            after = self.seconds[ahead] + beyond[self.hops.head[ahead]]
            hop = int(ahead[np.argmax(after)])
            arcs.append(int(self.hops.arc[hop]))
            state = int(self.hops.head[hop])
        return arcs

    def loads(self, entering: FloatArray) -> FloatArray:
        """Return what each arc carries of what enters at each state, shape (arcs,)."""
        flow = self.hops.flows(entering, self.share)
        return np.bincount(self.hops.arc, flow, len(self.hops.fabric.tail)).astype(float)

    def each(self, entering: sparse.csr_array) -> sparse.csc_array:
        """Return what each arc carries of each of several things that enter, shape (arcs, k).

        Parameters
        ----------
        entering
            What enters at each state of each, shape (states, k).
        """
        hops, arcs = self.hops, len(self.hops.fabric.tail)
        found, waiting = sparse.csr_array((arcs, entering.shape[1])), entering
        for lo, hi in pairwise(hops.starts):
            each, ones = np.arange(hi - lo), np.ones(hi - lo)
            flow = sparse.diags_array(self.share[lo:hi]) @ waiting[hops.tail[lo:hi]]
            carry = sparse.csr_array((ones, (hops.arc[lo:hi], each)), shape=(arcs, hi - lo))
            reach = sparse.csr_array((ones, (hops.head[lo:hi], each)), (hops.states, hi - lo))
            found, waiting = found + carry @ flow, waiting + reach @ flow
            afford(found.nnz + waiting.nnz)
        return sparse.csc_array(found)


@dataclass(frozen=True, eq=False)
class Targets:
    """The receivers of a demand as targets, and its pairs as states.

    Attributes
    ----------
    ranks
        The receivers, sorted, shape (targets,).
    state
        Where each pair enters, shape (pairs,).
    """

    ranks: IntArray
    state: IntArray

    @classmethod
    def of(cls, fabric: Fabric, pairs: Pairs) -> Targets:
        """Return those of some pairs."""
        ranks, column = np.unique(pairs.dst, return_inverse=True)
        return cls(ranks, fabric.npus[pairs.src] * len(ranks) + column.reshape(-1))

    def goals(self, fabric: Fabric) -> IntArray:
        """Return the state where traffic to each target ends, shape (targets,)."""
        return fabric.npus[self.ranks] * len(self.ranks) + np.arange(len(self.ranks))

    def goal(self, fabric: Fabric) -> BoolArray:
        """Return which node each target is, shape (nodes, targets)."""
        goal = np.zeros((len(fabric.nodes), len(self.ranks)), dtype=bool)
        goal.reshape(-1)[self.goals(fabric)] = True
        return goal

    def shortest(self, fabric: Fabric) -> Hops:
        """Return every hop on their shortest paths; raise `UnreachableError` if there is none."""
        return shortest_hops(fabric, self.goal(fabric), self.state)


@dataclass(frozen=True, eq=False, repr=False)
class SplitFlow(PairFlow):
    """A demand that splits at every node, alike for all that goes to one rank.

    Attributes
    ----------
    fabric, loads
        As in `RoutedFlow`.
    pairs
        Pairs of different ranks.
    targets
        Where they enter.
    spray
        How they split.
    notes
        In which ways the loads are not the best that the policy could reach.
    """

    fabric: Fabric
    loads: FloatArray
    pairs: Pairs
    targets: Targets
    spray: Spray
    notes: tuple[Approximation, ...]
    _router: Router

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what each pair meets on its paths."""
        state = self.targets.state
        held = self.spray.held(busy, node_busy)[state]
        return self.slowest_of(self.spray.longest[state], held)

    def path(self, at: int) -> list[int]:
        """Return the arcs of the path of a pair with the highest latency."""
        return self.spray.slowest_way(int(self.targets.state[at]))

    def ways_of(self, at: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths of a pair, each with its share."""
        spray = self.spray
        for share, arcs, _ in spray.hops.ways(int(self.targets.state[at]), spray.share):
            yield share, arcs

    def shares(self) -> sparse.csc_array:
        """Return the part of each pair's traffic on each arc."""
        state, count = self.targets.state, len(self.pairs.src)
        cells = np.ones(count), (state, np.arange(count))
        return self.spray.each(sparse.csr_array(cells, shape=(self.spray.hops.states, count)))

    def turns(self) -> Turns:
        """Return which hop follows which."""
        return self.spray.hops.turns()

    def approximations(self, capacity: FloatArray | None = None) -> tuple[Approximation, ...]:
        """Return in which ways the loads are not the best."""
        del capacity
        return self.notes
