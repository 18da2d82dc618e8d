"""Lay a network out for paths: every rank as a sender and a receiver of its own.

Twins are merged, so two ranks of one group are a path from the group to itself; with its
sending and receiving half apart that is a path like any other. A switch with a forwarding limit
has halves too, joined by an arc of that capacity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from collectives.bounds.network import Network
from collectives.model.schedule import IntArray
from topology.fabric import FloatArray
from topology.routing.quotient import Quotient, quotient


@dataclass(frozen=True, eq=False)
class Halves:
    """Groups of a network in halves.

    Attributes
    ----------
    net
        The network.
    q
        Its groups.
    tail, head
        Ends of each arc, shape (a,): first the merged arcs of ``q``, then limited switches, then
        ranks that pass data on.
    capacity
        Bytes/s of all links of an arc together, shape (a,); infinite inside ranks.
    senders, receivers
        Where each group of ranks sends and receives, shape (k,).
    size
        Ranks in each group of ranks, shape (k,).
    limited
        The groups of switches with a forwarding limit, shape (l,).
    nodes
        How many halves there are.
    """

    net: Network
    q: Quotient
    tail: IntArray
    head: IntArray
    capacity: FloatArray
    senders: IntArray
    receivers: IntArray
    size: IntArray
    limited: IntArray
    nodes: int

    @cached_property
    def links(self) -> int:
        """Return how many arcs are links."""
        return len(self.q.tail)

    @cached_property
    def _order(self) -> tuple[IntArray, IntArray]:
        order = np.lexsort((self.head, self.tail))
        starts = np.concatenate(([0], np.cumsum(np.bincount(self.tail, minlength=self.nodes))))
        return order, starts

    @cached_property
    def by_ends(self) -> tuple[IntArray, IntArray]:
        """Return the arcs' ends as sorted keys, tail * nodes + head, and the arc of each."""
        key = self.tail * self.nodes + self.head
        order = np.argsort(key)
        return key[order], order

    def graph(self, length: FloatArray) -> sparse.csr_array:
        """Return the arcs as a sparse matrix of lengths, shape (a,)."""
        order, starts = self._order
        shape = (self.nodes, self.nodes)
        return sparse.csr_array((length[order], self.head[order], starts), shape=shape)

    def distances(self, length: FloatArray, rows: IntArray) -> FloatArray:
        """Return the distance from some groups of ranks to every half, shape (rows, nodes).

        Parameters
        ----------
        length
            Of each arc, zero or more, shape (a,).
        rows
            Which groups of ranks, as positions in ``senders``.
        """
        found: FloatArray = dijkstra(self.graph(length), indices=self.senders[rows])
        return found


def halves(net: Network, groups: IntArray | None = None) -> Halves:
    """Return a network's groups in halves.

    Parameters
    ----------
    net
        The network.
    groups
        Groups of its nodes, shape (n,): twins, or finer than twins; by default its twins.
    """
    q = net.quotient if groups is None else quotient(net.fabric, groups)
    count = len(q.size)
    ranks, size = np.unique(q.group[net.fabric.npus], return_counts=True)
    limit = net.fabric.node_capacity[q.member]
    limited = np.flatnonzero(np.isfinite(limit))
    limited = limited[~np.isin(limited, ranks)]
    entry = np.arange(count)
    entry[ranks] = count + np.arange(len(ranks))
    entry[limited] = count + len(ranks) + np.arange(len(limited))
    through = ranks[net.passes[q.member[ranks]]]
    return Halves(
        net=net,
        q=q,
        tail=np.concatenate([q.tail, entry[limited], entry[through]]),
        head=np.concatenate([entry[q.head], limited, through]),
        capacity=np.concatenate(
            [q.capacity * q.count, limit[limited] * q.size[limited], np.full(len(through), np.inf)]
        ),
        senders=ranks,
        receivers=entry[ranks],
        size=size,
        limited=limited,
        nodes=count + len(ranks) + len(limited),
    )
