"""Replace switches by links between ranks, keeping what every rank can send to all others.

A switch's capacity in is paired with its capacity out, as evenly as whole trees allow; pairs
become links. The condition that matters (see `packing.feasible`) is then tested on what comes out,
so an unlucky pairing costs trees that show, never a wrong answer.

References
----------
Zhao et al., ForestColl, arXiv:2402.06787, §5 (switch node removal by edge splitting).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from collectives.bounds.network import Network
from collectives.model.schedule import IntArray
from topology.fabric import BoolArray, FloatArray
from topology.solvers.fractions import as_fraction, common_unit
from topology.solvers.maxflow import flow_network


@dataclass(frozen=True, eq=False)
class Merged:
    """A network with like switches merged: those with the same neighbours.

    Attributes
    ----------
    capacity
        Bytes/s from node to node, shape (n, n); the ranks come first, in order.
    ranks
        How many ranks there are.
    """

    capacity: FloatArray
    ranks: int

    def trees(self, rate: Fraction) -> int:
        """Return how many equal trees make up a rank's rate and every capacity.

        Parameters
        ----------
        rate
            Bytes/s at which every rank can send its shard to all others.
        """
        values = {as_fraction(float(c)) for c in self.capacity[self.capacity > 0]}
        return int(rate / common_unit([rate, *values]))

    def whole(self, rate: Fraction, trees: int) -> IntArray:
        """Return whole trees from rank to rank once every switch is gone, shape (p, p).

        Parameters
        ----------
        rate
            Bytes/s of all trees of a rank.
        trees
            How many they are; capacities are rounded down to whole ones.
        """
        exact = self.capacity * (trees / float(rate))
        capacity = np.floor(exact * (1 + 1e-12) + 1e-9).astype(np.int64)
        inner = range(self.ranks, len(capacity))
        for node in sorted(inner, key=lambda n: np.count_nonzero(capacity[n])):
            pairs = _pairing(capacity[:, node].copy(), capacity[node].copy())
            capacity[:, node] = capacity[node] = 0
            capacity += pairs
            np.fill_diagonal(capacity, 0)
        return capacity[: self.ranks, : self.ranks]


def merge(net: Network) -> Merged:
    """Merge the switches of a network that have the same neighbours.

    Parameters
    ----------
    net
        What carries the collective.
    """
    fabric = net.fabric
    ranks = fabric.npus.tolist()
    near: dict[int, set[int]] = {node: set() for node in range(len(fabric.nodes))}
    for u, v in zip(fabric.tail.tolist(), fabric.head.tolist(), strict=True):
        near[u].add(v)
        near[v].add(u)
    place = {node: i for i, node in enumerate(ranks)}
    groups: dict[frozenset[int], int] = {}
    for node, neighbours in near.items():
        if node not in place:
            place[node] = groups.setdefault(frozenset(neighbours), len(ranks) + len(groups))
    order = np.array([place[node] for node in range(len(fabric.nodes))])
    size = len(ranks) + len(groups)
    capacity = np.zeros((size, size))
    np.add.at(capacity, (order[fabric.tail], order[fabric.head]), fabric.capacity)
    np.fill_diagonal(capacity, 0.0)
    return Merged(_passable(capacity, len(ranks)), len(ranks))


def _passable(capacity: FloatArray, ranks: int) -> FloatArray:
    """Return capacities no larger than what the switch at either end can pass on."""
    capacity = capacity.copy()
    for _ in range(len(capacity)):
        before = capacity.sum()
        for node in range(ranks, len(capacity)):
            entering, leaving = capacity[:, node].copy(), capacity[node].copy()
            capacity[:, node] = np.minimum(entering, leaving.sum() - leaving)
            capacity[node] = np.minimum(leaving, entering.sum() - entering)
        if capacity.sum() == before:
            break
    return capacity


def _pairing(entering: IntArray, leaving: IntArray) -> IntArray:
    """Pair what enters a switch with what leaves it, none with itself, shape (n, n)."""
    u, v = np.flatnonzero(entering), np.flatnonzero(leaving)
    ideal = _even(entering[u].astype(float), leaving[v].astype(float), u[:, None] != v[None, :])
    whole = np.floor(ideal + 1e-9).astype(np.int64)
    rest = _complete(entering[u] - whole.sum(axis=1), leaving[v] - whole.sum(axis=0),
                     u[:, None] != v[None, :])  # fmt: skip
    pairs = np.zeros((len(entering), len(entering)), dtype=np.int64)
    pairs[np.ix_(u, v)] = whole + rest
    return pairs


def _even(rows: FloatArray, columns: FloatArray, allowed: BoolArray) -> FloatArray:
    """Return an even table below some row and column sums (iterative proportional fitting)."""
    table = np.where(allowed, np.outer(rows, columns), 0.0)
    for _ in range(60):
        for axis, most in ((1, rows), (0, columns)):
            total = table.sum(axis=axis)
            factor = np.divide(most, total, out=np.zeros_like(total), where=total > 0)
            table *= np.expand_dims(factor, axis)
    for axis, most in ((1, rows), (0, columns)):
        total = table.sum(axis=axis)
        over = np.divide(most, total, out=np.ones_like(total), where=total > 0)
        table *= np.expand_dims(np.minimum(over, 1.0), axis)
    return table


def _complete(rows: IntArray, columns: IntArray, allowed: BoolArray) -> IntArray:
    """Return whole numbers that use up what rounding left, by max-flow."""
    m, n = allowed.shape
    a, b = np.nonzero(allowed)
    source, sink = m + n, m + n + 1
    tail = np.concatenate([np.full(m, source), a, m + np.arange(n)])
    head = np.concatenate([np.arange(m), m + b, np.full(n, sink)])
    weight = np.concatenate([rows, np.minimum(rows[a], columns[b]), columns])
    net = flow_network(m + n + 2, tail, head)
    flow = net.max_flow(weight, source, sink)[2]
    used = np.zeros((m, n), dtype=np.int64)
    used[a, b] = flow[net.pair[m : m + len(a)]]
    return used
