"""Measure how far NPUs are apart, and how many ways there are between them."""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import eigsh

from topology import border
from topology.errors import GraphError, RoutingError, shown
from topology.fabric import BoolArray, Fabric, FloatArray
from topology.metrics.carrying import carriers
from topology.metrics.flow import max_flow
from topology.naming import node_id
from topology.routing.distances import UNREACHABLE, npu_distances
from topology.routing.quotient import twin_groups
from topology.supernode import Supernode
from topology.text import Part, Printed, counted

_DENSE = 600
_ROWS = 1024


@dataclass(frozen=True, repr=False)
class PathDiversity(Printed):
    """How many ways lead from one NPU to another, through forwarding nodes.

    Attributes
    ----------
    hops
        Links on a shortest path.
    shortest
        Shortest paths, parallel lanes counted once.
    disjoint
        Paths that share no link, of any length, parallel lanes counted once.
    """

    hops: int
    shortest: int
    disjoint: int

    def parts(self) -> list[Part]:
        """Return what a person reads."""
        several = f"shortest paths: {self.shortest:,}, of {counted(self.hops, 'hop')}"
        return [f"{several}; paths that share no link: {self.disjoint:,}"]


@dataclass(frozen=True)
class _HopCounts:
    longest: int
    mean: float


_COUNTED: WeakKeyDictionary[Fabric, _HopCounts] = WeakKeyDictionary()


def diameter(supernode: Supernode) -> int:
    """Return the most hops between two NPUs on shortest paths; 0 for one NPU.

    Paths are those of `topology.routing.ecmp`: through forwarding nodes, off the NICs where that
    is possible. Raises `RoutingError` if an NPU cannot reach another.
    """
    return _hop_counts(supernode).longest


def mean_distance(supernode: Supernode) -> float:
    """Return the mean hops over all ordered pairs of different NPUs; 0 for one NPU.

    Paths, and errors, as in `diameter`.
    """
    return _hop_counts(supernode).mean


def _hop_counts(supernode: Supernode) -> _HopCounts:
    """Count hops, once for each fabric."""
    found = _COUNTED.get(supernode.fabric)
    if found is None:
        found = _COUNTED[supernode.fabric] = _counted(supernode)
    return found


def _counted(supernode: Supernode) -> _HopCounts:
    """Count hops in the table of twins: its cells weighted by the pairs they stand for."""
    fabric = supernode.fabric
    count = len(fabric.npus)
    if count == 1:
        return _HopCounts(0, 0.0)
    table = npu_distances(fabric)
    toll = len(fabric.nodes) + 1
    rows, row = np.unique(table.row[fabric.npus], return_inverse=True)
    columns, column = np.unique(table.column, return_inverse=True)
    row, column = row.reshape(-1), column.reshape(-1)
    weight = np.bincount(column)
    # A rank's distance to itself is no pair.
    cells, selves = np.unique(row * len(columns) + column, return_counts=True)
    longest, total = 0, 0
    for lo in range(0, len(rows), _ROWS):
        part = np.arange(lo, min(lo + _ROWS, len(rows)))
        pairs = np.bincount(row, minlength=len(rows))[part, None] * weight
        here = (cells >= lo * len(columns)) & (cells < (lo + len(part)) * len(columns))
        pairs.reshape(-1)[cells[here] - lo * len(columns)] -= selves[here]
        cost = table.cost[rows[part]][:, columns]
        if ((cost == UNREACHABLE) & (pairs > 0)).any():
            raise _disconnected(supernode)
        hops = np.where(pairs > 0, cost % toll + cost // toll, 0)
        longest = max(longest, int(hops.max()))
        total += int((hops * pairs).sum())
    return _HopCounts(longest, total / (count * (count - 1)))


def _disconnected(supernode: Supernode) -> RoutingError:
    return RoutingError(
        f"{supernode.name}: an NPU cannot reach every other through forwarding nodes; distances "
        "need a connected machine"
    )


def path_diversity(supernode: Supernode, u: object, v: object) -> PathDiversity:
    """Return how many shortest and how many disjoint paths lead from NPU u to NPU v.

    Parameters
    ----------
    supernode
        The machine.
    u, v
        Ids of two different nodes, or ranks.

    Raises
    ------
    GraphError
        If there is no such node, or they are the same.
    RoutingError
        If there is no path.
    """
    fabric = supernode.fabric
    source, target = _node(supernode, u), _node(supernode, v)
    if source == target:
        raise GraphError(f"path_diversity: {fabric.nodes[source]} is both ends; give two nodes")
    carrying = carriers(fabric, relay=False)
    hops, shortest = _count_shortest(fabric, carrying, source, target)
    ends = np.array([source]), np.array([target])
    found = max_flow(fabric, *ends, carrying, np.ones(len(fabric.tail)))
    return PathDiversity(hops, shortest, round(found.value))


def _node(supernode: Supernode, who: object) -> int:
    fabric = supernode.fabric
    if border.is_whole(who) and 0 <= who < len(fabric.npus):
        return int(fabric.npus[who])
    name = node_id(who)
    if name not in fabric.index:
        raise GraphError(f"{supernode.name} has no node {shown(who)}")
    return fabric.index[name]


def _count_shortest(
    fabric: Fabric, carrying: BoolArray, source: int, target: int
) -> tuple[int, int]:
    """Return hops and number of the shortest paths; entering a NIC outweighs any hops."""
    best = {source: (0, 0)}
    ways = {source: 1}
    queue = [((0, 0), source)]
    while queue:
        cost, node = heapq.heappop(queue)
        if node == target:
            return cost[1], ways[target]
        if cost > best[node] or (node != source and not carrying[node]):
            continue
        for head in fabric.head[fabric.out_start[node] : fabric.out_start[node + 1]].tolist():
            after = (cost[0] + bool(fabric.is_nic[head]), cost[1] + 1)
            known = best.get(head)
            if known is None or after < known:
                best[head], ways[head] = after, ways[node]
                heapq.heappush(queue, (after, head))
            elif after == known:
                ways[head] += ways[node]
    raise RoutingError(
        f"{fabric.nodes[source]} cannot reach {fabric.nodes[target]}: no path through forwarding "
        "nodes"
    )


def girth(supernode: Supernode) -> float:
    """Return the cables on a shortest cycle; infinite where there is none.

    Directions and parallel lanes are left aside: two nodes joined by links are neighbours once.
    All nodes count, CPUs and NICs too.

    References
    ----------
    Itai and Rodeh, Finding a minimum circuit in a graph, SIAM J. Comput. 7 (1978) 413-423.
    """
    fabric = supernode.fabric
    neighbours = _neighbours(fabric)
    groups = twin_groups(fabric)
    roots = np.unique(groups, return_index=True)[1].tolist()  # twins lie on equal cycles
    best = math.inf
    for root in roots:
        best = min(best, _shortest_cycle(neighbours, root, best))
        if best == 3:
            break
    return best


def _neighbours(fabric: Fabric) -> list[list[int]]:
    matrix = _adjacency(fabric, np.ones(len(fabric.tail)))
    starts = matrix.indptr.tolist()
    heads = matrix.indices.tolist()
    return [heads[lo:hi] for lo, hi in pairwise(starts)]


def _adjacency(fabric: Fabric, weight: FloatArray) -> sparse.csr_array:
    """Return the matrix of neighbours, symmetric: the mean of the two directions."""
    size = len(fabric.nodes)
    one_way = sparse.coo_array((weight, (fabric.tail, fabric.head)), shape=(size, size))
    return sparse.csr_array((one_way + one_way.T) / 2)


def _shortest_cycle(neighbours: list[list[int]], root: int, limit: float) -> float:
    """Return the length of a shortest cycle that a search from a node meets, below a limit."""
    depth = {root: 0}
    parent = {root: -1}
    queue = deque([root])
    while queue:
        node = queue.popleft()
        if 2 * depth[node] + 1 >= limit:
            break
        for other in neighbours[node]:
            if other not in depth:
                depth[other], parent[other] = depth[node] + 1, node
                queue.append(other)
            elif parent[node] != other:
                limit = min(limit, depth[node] + depth[other] + 1)
    return limit


def spectral_gap(supernode: Supernode) -> float:
    """Return the second smallest eigenvalue of the normalised Laplacian, 0 to 2.

    Nodes that can carry traffic, links weighted by capacity (the mean of the two directions);
    0 where the machine is in parts. A larger gap means a better expander: by Cheeger's
    inequality half of it bounds the conductance of every cut from below.

    References
    ----------
    Chung, Spectral Graph Theory, AMS 1997, chapters 1 and 2.
    """
    fabric = supernode.fabric
    inside = np.flatnonzero(carriers(fabric))
    matrix = _adjacency(fabric, fabric.capacity)[inside][:, inside]
    degree = np.asarray(matrix.sum(axis=1)).reshape(-1)
    if len(inside) < 2 or _components(matrix) > 1:
        return 0.0
    root = sparse.diags_array(1 / np.sqrt(degree))
    walk = sparse.csr_array(root @ matrix @ root)
    return max(0.0, 1.0 - _second_largest(walk, np.sqrt(degree)))


def _components(matrix: sparse.csr_array) -> int:
    return int(sparse.csgraph.connected_components(matrix, directed=False)[0])


def _second_largest(walk: sparse.csr_array, first: FloatArray) -> float:
    """Return the second largest eigenvalue; the eigenvector of the largest, 1, is known."""
    size = walk.shape[0]
    if size <= _DENSE:
        return float(np.linalg.eigvalsh(walk.toarray())[-2])
    start: npt.NDArray[np.float64] = np.random.default_rng(0).standard_normal(size)
    unit = first / np.linalg.norm(first)
    start -= unit * (unit @ start)
    return float(np.sort(eigsh(walk, k=2, which="LA", v0=start + unit, tol=1e-10)[0])[0])
