"""Carry listed pairs on their paths: what flows of pairs have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from scipy import sparse

from topology.fabric import FloatArray
from topology.routing.demand import Pairs
from topology.routing.flow import RoutedFlow, Router, Slowest
from topology.routing.streams import Streams, streams_on_links


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

    def shares(self) -> sparse.csc_array:
        """Return the part of each pair's traffic on each arc, shape (arcs, pairs)."""
        cells = [
            (arc, pair, share)
            for pair in range(len(self.pairs.src))
            for share, arcs in self.ways_of(pair)
            for arc in arcs
        ]
        arc, pair, share = np.array(cells, dtype=float).reshape(-1, 3).T
        shape = len(self.fabric.tail), len(self.pairs.src)
        return sparse.csc_array((share, (arc.astype(int), pair.astype(int))), shape=shape)

    def streams(self) -> Streams:
        """Return every pair as a stream."""
        return self.pair_streams(self.shares())

    def pair_streams(self, share: sparse.csc_array) -> Streams:
        """Return every pair as a stream, from its shares of arcs, or of lanes, shape (_, pairs)."""
        pairs, kinds = self.pairs, np.arange(len(self.pairs.src))
        idle, still = np.zeros(len(self.fabric.tail)), np.zeros(len(self.fabric.nodes))
        return streams_on_links(
            self.fabric, share, count=np.ones(len(kinds)), amount=pairs.amount,
            latency=self.meets(idle, still).latency, senders=np.stack([kinds, pairs.src]),
            receivers=np.stack([kinds, pairs.dst]),
        )  # fmt: skip

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
