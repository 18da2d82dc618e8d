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

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.symmetry import Coloured, codes, equitable_partition
from topology.text import Part, Printed

_MOST = 2**31 - 1


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
    levels, code = np.unique(per_arc[used], return_inverse=True)
    code = code.reshape(-1)
    limited = np.unique(limits, return_inverse=True)[1].reshape(-1)
    graph = Coloured(tail, head, codes([colour, limited]), code, np.arange(len(colour)))
    classes = equitable_partition(graph)
    units, unit = _integers([*levels.tolist(), *limits[np.isfinite(limits)].tolist()])
    source, sink = int(classes.max()) + 1, int(classes.max()) + 2
    merged = classes.copy()
    merged[sources], merged[sinks] = source, sink
    arcs = _class_arcs(merged[tail], merged[head], code, units[: len(levels)])
    arcs = {(u, v): c for (u, v), c in arcs.items() if v != source and u != sink}
    _limit(arcs, merged, limits, unit, (source, sink))
    total, reached = _solve(arcs, source, sink)
    inside = np.isin(merged, sorted(reached))
    inside[colour == 0] = False
    return MaxFlow(float(total * unit), inside)


def _forwarding_limits(fabric: Fabric, *, unlimited: bool) -> FloatArray:
    """Return what each switch can forward in all; no limit at other nodes."""
    inside = np.array([kind == "switch" and not unlimited for kind in fabric.kind], dtype=bool)
    return np.where(inside, fabric.node_capacity, np.inf)


def _integers(values: Sequence[float]) -> tuple[list[int], Fraction]:
    """Return numbers as whole multiples of one unit, without any rounding."""
    exact = [Fraction(value) for value in values]
    below = lcm(*(x.denominator for x in exact))
    whole = [int(x * below) for x in exact]
    step = gcd(*whole) or 1
    return [x // step for x in whole], Fraction(step, below)


def _class_arcs(
    tail: IntArray, head: IntArray, code: IntArray, units: Sequence[int]
) -> dict[tuple[int, int], int]:
    """Return what flows at most from class to class, in whole units."""
    rows, counts = np.unique(np.stack([tail, head, code]), axis=1, return_counts=True)
    arcs: dict[tuple[int, int], int] = {}
    for u, v, c, count in zip(*rows.tolist(), counts.tolist(), strict=True):
        if u != v:
            arcs[u, v] = arcs.get((u, v), 0) + units[c] * count
    return arcs


def _limit(
    arcs: dict[tuple[int, int], int],
    merged: IntArray,
    limits: FloatArray,
    unit: Fraction,
    ends: tuple[int, int],
) -> None:
    """Put an inner arc into every class whose nodes can only forward so much."""
    inner = int(merged.max()) + 1
    finite = np.flatnonzero(np.isfinite(limits))
    for name in np.unique(merged[finite]).tolist():
        if name in ends:
            continue
        members = np.flatnonzero(merged == name)
        for u, v in [arc for arc in arcs if arc[0] == name]:
            arcs[inner, v] = arcs.pop((u, v))
        arcs[name, inner] = int(Fraction(float(limits[members[0]])) / unit) * len(members)
        inner += 1


def _solve(arcs: dict[tuple[int, int], int], source: int, sink: int) -> tuple[int, set[int]]:
    """Return the largest flow and the nodes on the source's side of a smallest cut."""
    names = sorted({source, sink}.union(*arcs)) if arcs else [source, sink]
    if sum(arcs.values()) > _MOST:
        return _solve_big(arcs, names, source, sink)
    at = {name: i for i, name in enumerate(names)}
    rows = [at[u] for u, _ in arcs]
    columns = [at[v] for _, v in arcs]
    data = np.array(list(arcs.values()), dtype=np.int32)
    shape = (len(names), len(names))
    limits = sparse.csr_matrix((data, (rows, columns)), shape=shape)
    found = maximum_flow(limits, at[source], at[sink])
    residual = sparse.csr_matrix(limits - found.flow)
    residual.eliminate_zeros()
    order = breadth_first_order(residual, at[source], return_predecessors=False)
    return int(found.flow_value), {names[i] for i in order.tolist()}


def _solve_big(
    arcs: dict[tuple[int, int], int], names: Sequence[int], source: int, sink: int
) -> tuple[int, set[int]]:
    """Solve with Python's unbounded integers, where the capacities do not fit 32 bits."""
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from((u, v, {"capacity": c}) for (u, v), c in arcs.items())
    total, (side, _) = nx.minimum_cut(graph, source, sink)
    return int(total), set(side)
