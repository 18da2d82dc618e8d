"""Route each pair on one path: all that a policy of fixed routes says is which."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.demand import Pairs, Uniform
from topology.routing.flow import RoutedFlow, Router, Slowest


@dataclass(frozen=True, eq=False)
class PathFlow(RoutedFlow):
    """A demand on one path for each pair.

    Attributes
    ----------
    fabric, loads
        As in `RoutedFlow`.
    pairs
        Pairs of different ranks.
    routes
        The arcs of each pair's path, in order.
    """

    fabric: Fabric
    loads: FloatArray
    pairs: Pairs
    routes: tuple[IntArray, ...]
    _router: OnePath

    @property
    def words(self) -> str:
        """Say which way the traffic goes."""
        return self._router.words

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what each pair meets on its path."""
        fabric, latency, most = self.fabric, [], []
        for arcs in self.routes:
            between = fabric.head[arcs[:-1]]
            latency.append(fabric.latency[arcs].sum() + fabric.node_latency[between].sum())
            most.append(max(busy[arcs].max(), node_busy[between].max(initial=0.0)))
        ends = (fabric.npus[ranks] for ranks in (self.pairs.src, self.pairs.dst))
        return Slowest(np.array(latency, dtype=float), np.array(most, dtype=float), *ends)

    def path(self, at: int) -> list[int]:
        """Return the arcs of a pair's path."""
        return list(map(int, self.routes[at]))

    def paths(self, src: int, dst: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the one path from rank to rank."""
        yield 1.0, self._router.checked_way(src, dst).tolist()


class OnePath(Router):
    """A policy with one path for each pair of ranks; a new one says which in `way`."""

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        del exact  # nothing is left out here
        self.fabric = fabric

    @abstractmethod
    def way(self, src: str, dst: str) -> list[str]:
        """Return the nodes from one NPU to another, both included."""

    def checked_way(self, src: int, dst: int) -> IntArray:
        """Return the arcs from rank to rank; raise `RoutingError` where `way` goes wrong."""
        ends = [self.fabric.nodes[self.fabric.npus[rank]] for rank in (src, dst)]
        nodes = self.way(*ends)
        unknown = [node for node in nodes if node not in self.fabric.index]
        if unknown or [nodes[0], nodes[-1]] != ends or len(set(nodes)) < len(nodes):
            raise RoutingError(
                f"{self.title}: the way from {ends[0]} to {ends[1]} is {', '.join(nodes)}; it must "
                "go from one to the other, over no node twice"
            )
        at = np.array([self.fabric.index[node] for node in nodes], dtype=np.int64)
        if not self.fabric.forwards[at[1:-1]].all():
            blocked = nodes[1 + int(np.flatnonzero(~self.fabric.forwards[at[1:-1]])[0])]
            raise RoutingError(f"{self.title}: {blocked} does not pass traffic on")
        return self.fabric.arcs_between(at[:-1], at[1:])

    def spread(self, demand: Uniform | Pairs) -> PathFlow:
        """Return a demand among ranks, each pair on its path."""
        pairs = demand.pairs()
        there = np.flatnonzero((pairs.src != pairs.dst) & (pairs.amount > 0))
        pairs = Pairs(pairs.src[there], pairs.dst[there], pairs.amount[there])
        ends = zip(pairs.src.tolist(), pairs.dst.tolist(), strict=True)
        routes = tuple(self.checked_way(src, dst) for src, dst in ends)
        loads = np.zeros(len(self.fabric.tail))
        for arcs, amount in zip(routes, pairs.amount.tolist(), strict=True):
            loads[arcs] += amount
        return PathFlow(self.fabric, loads, pairs, routes, self)
