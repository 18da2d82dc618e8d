"""Find maximum flows and minimum cuts in whole numbers of any size.

SciPy's solver counts in 32 bits. Larger capacities are sent in parts: first their leading bits,
then what is left in the residual network, which is small by then.

References
----------
Dinic, Soviet Math. Dokl. 11 (1970) 1277-1280; Gabow, J. Comput. Syst. Sci. 31 (1985) 148-168
(scaling).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from topology.fabric import BoolArray, IntArray, distinct
from topology.solvers.fractions import Whole

_BITS = 30


@dataclass(frozen=True, eq=False)
class FlowNetwork:
    """The ends of some arcs, compiled once for many flows.

    Attributes
    ----------
    nodes
        How many.
    row, column
        Every pair of nodes joined in either direction, shape (p,), sorted.
    back
        The pair in the other direction, shape (p,).
    pair
        The pair of each arc, shape (m,).
    """

    nodes: int
    row: IntArray
    column: IntArray
    back: IntArray
    pair: IntArray
    starts: IntArray

    def max_flow(self, capacity: Whole, source: int, sink: int) -> tuple[int, BoolArray, Whole]:
        """Return the flow's value, the nodes on the source's side of a minimum cut, and the flow.

        Parameters
        ----------
        capacity
            Whole numbers, zero or more, shape (m,).
        source, sink
            Two different nodes.

        Returns
        -------
        value, side, flow
            ``side`` has shape (nodes,) and is the smallest such side. ``flow`` is the net flow
            from row to column of each pair, shape (p,).
        """
        residual = np.zeros(len(self.row), dtype=capacity.dtype)
        np.add.at(residual, self.pair, capacity)
        whole = residual.copy()
        value, shift = 0, max(0, int(residual.max(initial=0)).bit_length() - _BITS)
        finer = max(1, _BITS - len(self.row).bit_length())
        while True:
            sent, flow = self._send(residual >> shift, source, sink)
            value += sent << shift
            residual = residual - (flow.astype(residual.dtype) << shift)
            if shift == 0 and sent == 0:
                break
            if shift == 0 and int(whole.max(initial=0)) < 1 << _BITS:
                break
            shift = max(0, shift - finer)
        return value, self._reached(residual, source), whole - residual

    def _send(self, capacity: Whole, source: int, sink: int) -> tuple[int, IntArray]:
        bounded = np.minimum(capacity, (1 << _BITS) - 1).astype(np.int32)
        shape = (self.nodes, self.nodes)
        graph = sparse.csr_array((bounded, self.column, self.starts), shape=shape)
        found = maximum_flow(graph, source, sink)
        flow = found.flow
        if not np.array_equal(flow.indices, self.column):
            flow = flow.tocsr()
            flow.sort_indices()
        return int(found.flow_value), flow.data.astype(np.int64)

    def _reached(self, residual: Whole, source: int) -> BoolArray:
        left = np.flatnonzero(residual > 0)
        ends = (self.row[left], self.column[left])
        ones = np.ones(len(left), dtype=np.int8)
        graph = sparse.csr_array((ones, ends), shape=(self.nodes, self.nodes))
        side = np.zeros(self.nodes, dtype=bool)
        side[breadth_first_order(graph, source, return_predecessors=False)] = True
        return side


def flow_value(
    nodes: int, tail: IntArray, head: IntArray, capacity: IntArray, source: int, sink: int
) -> int:
    """Return the value of one maximum flow; see `FlowNetwork.max_flow` for the parameters."""
    if int(capacity.sum()) >= 1 << _BITS:
        return flow_network(nodes, tail, head).max_flow(capacity, source, sink)[0]
    ends = (tail, head)
    graph = sparse.csr_array((capacity.astype(np.int32), ends), shape=(nodes, nodes))
    return int(maximum_flow(graph, source, sink).flow_value)


def flow_network(nodes: int, tail: IntArray, head: IntArray) -> FlowNetwork:
    """Compile arcs for max-flow.

    Parameters
    ----------
    nodes
        How many.
    tail, head
        Ends of each arc, shape (m,).
    """
    forth, over = tail * nodes + head, head * nodes + tail
    keys = distinct(np.concatenate((forth, over)))
    row, column = np.divmod(keys, nodes)
    starts = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=nodes))))
    back = np.searchsorted(keys, column * nodes + row)
    pair = np.searchsorted(keys, forth)
    return FlowNetwork(
        nodes,
        row.astype(np.int32),
        column.astype(np.int32),
        back,
        pair,
        starts.astype(np.int32),
    )
