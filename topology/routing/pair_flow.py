"""Carry listed pairs on their paths: what flows of pairs have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from topology.fabric import FloatArray
from topology.routing.demand import Pairs
from topology.routing.flow import RoutedFlow, Router, Slowest


class PairFlow(RoutedFlow):
    """Listed pairs on their paths: a new one gives the paths of a pair in `ways_of`.

    Attributes
    ----------
    pairs
        Pairs of different ranks; what `meets` returns is in their order.
    """

    pairs: Pairs
    _router: Router

    @property
    def words(self) -> str:
        """Say which way the traffic goes."""
        return self._router.words

    @abstractmethod
    def ways_of(self, at: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths of a pair, each with its share."""

    def paths(self, src: int, dst: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths from rank to rank; of a pair that sends nothing, those it has alone."""
        found = np.flatnonzero((self.pairs.src == src) & (self.pairs.dst == dst))
        if len(found):
            yield from self.ways_of(int(found[0]))
        elif src != dst:
            one = Pairs(np.array([src]), np.array([dst]), np.ones(1))
            yield from self._router.route(one).paths(src, dst)

    def slowest_of(self, latency: FloatArray, transfer: FloatArray) -> Slowest:
        """Return what the pairs meet, shapes (pairs,)."""
        npus = self.fabric.npus
        return Slowest(latency, transfer, npus[self.pairs.src], npus[self.pairs.dst])
