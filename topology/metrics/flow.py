"""Find the largest flow between two sets of NPUs exactly, on the coarsest equitable partition.

Nodes of an equitable partition have equally many arcs of each capacity to and from every other
class. Averaging a flow over the classes, and spreading a flow of classes evenly over their arcs,
are both exact, so the largest flow of the small graph of classes is that of the fabric.

References
----------
Grohe, Kersting, Mladenov and Selman, Dimension Reduction via Colour Refinement, ESA 2014.
Ford and Fulkerson, Maximal flow through a network, Canadian J. Math. 8 (1956) 399-404.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.solvers.fractions import whole_units
from topology.solvers.maxflow import flow_network
from topology.symmetry import Coloured, codes, equitable_partition
from topology.text import Part, Printed


@dataclass(frozen=True, eq=False, repr=False)
class MaxFlow(Printed):
    """The largest flow between two sets of nodes, and a cut that proves it.

    Attributes
    ----------
    value
        In the unit of the capacities.
    side
        Nodes on the source's side of a smallest cut, shape (nodes,).
    """

    value: float
    side: BoolArray

    def parts(self) -> list[Part]:
        """Return what a person reads: the value, and how the cut divides the nodes."""
        near = int(self.side.sum())
        return [f"{self.value:g} across a cut of {near:,} and {len(self.side) - near:,} nodes"]


def max_flow(
    fabric: Fabric,
    sources: IntArray,
    sinks: IntArray,
    carrying: BoolArray,
    capacity: FloatArray | None = None,
) -> MaxFlow:
    """Return the largest flow from some nodes to others, exactly.

    Parameters
    ----------
    fabric
        The fabric.
    sources, sinks
        Nodes where flow may enter and leave, without limit.
    carrying
        Which nodes may lie on a path, shape (nodes,); sources and sinks always may.
    capacity
        Of each arc, shape (arcs,); by default the fabric's, and then what a switch can forward
        in all is a limit too.
    """
    limits = _forwarding_limits(fabric, unlimited=capacity is not None)
    per_arc = fabric.capacity if capacity is None else capacity
    colour = np.where(carrying, 1, 0)
    colour[sources], colour[sinks] = 2, 3
    used = (colour[fabric.tail] > 0) & (colour[fabric.head] > 0)
    tail, head = fabric.tail[used], fabric.head[used]
    code = np.unique(per_arc[used], return_inverse=True)[1].reshape(-1)
    limited = np.unique(limits, return_inverse=True)[1].reshape(-1)
    graph = Coloured(tail, head, codes([colour, limited]), code, np.arange(len(colour)))
    merged = equitable_partition(graph)
    source, sink = int(merged.max()) + 1, int(merged.max()) + 2
    merged[sources], merged[sinks] = source, sink
    gates = np.flatnonzero(np.isfinite(limits) & (merged < source))
    whole, unit = whole_units(np.concatenate([per_arc[used], limits[gates]]))
    # A class whose nodes can only forward so much is left by way of one more node.
    behind = np.arange(sink + 1)
    classes, gate = np.unique(merged[gates], return_inverse=True)
    behind[classes] = sink + 1 + np.arange(len(classes))
    kept = (merged[head] != source) & (merged[tail] != sink) & (merged[tail] != merged[head])
    network = flow_network(
        sink + 1 + len(classes),
        np.concatenate([behind[merged[tail[kept]]], classes[gate.reshape(-1)]]),
        np.concatenate([merged[head[kept]], behind[merged[gates]]]),
    )
    kept = np.concatenate([kept, np.ones(len(gates), dtype=bool)])
    total, side, _ = network.max_flow(whole[kept], source, sink)
    inside = side[merged]
    inside[colour == 0] = False
    return MaxFlow(float(total * unit), inside)


def _forwarding_limits(fabric: Fabric, *, unlimited: bool) -> FloatArray:
    """Return what each switch can forward in all; no limit at other nodes."""
    return np.where(fabric.is_switch & (not unlimited), fabric.node_capacity, np.inf)
