"""Route along one dimension after the other: tori, meshes, hypercubes, HyperX.

The nodes with coordinates that pass traffic on are the vertices of the grid; an NPU that does not
sits on one of them. In each dimension a pair takes a shortest way within its line.

References
----------
Dally and Seitz, Deadlock-free message routing in multiprocessor interconnection networks, IEEE
Trans. Computers C-36(5), 1987; Ahn et al., HyperX, SC 2009.
"""

from __future__ import annotations

import numpy as np

from topology.errors import RoutingError, UnreachableError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.paths import Heads, Onward, Walker
from topology.routing.policies import routing
from topology.routing.quotient import expand

_FAR = np.iinfo(np.int32).max // 2


@routing("dimension_order")
class DimensionOrder(Walker):
    """Dimension by dimension, in the order of the coordinates.

    Attributes
    ----------
    fabric
        What it routes on; `RoutingError` if its links do not lie along coordinates.
    """

    title = "dimension order"
    words = (
        "dimension by dimension in the order of the coordinates; where two ways along one are as "
        "short, as on an even ring, each takes its share by capacity"
    )

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        super().__init__(fabric, exact=exact)
        vertex = self._vertices()
        self._home = self._homes(vertex)
        self._along = self._dimensions(vertex)
        self._far = [self._distances(k) for k in range(self._place.shape[1])]

    def _refuse(self, why: str) -> RoutingError:
        return RoutingError(
            f"{self.title}: {why}; it needs a torus, mesh or HyperX whose nodes have coordinates "
            "(the node attribute 'coord')"
        )

    def _vertices(self) -> BoolArray:
        """Return which nodes are vertices; number their coordinates, shape (nodes, dimensions)."""
        fabric = self.fabric
        coords = fabric.coords or (None,) * len(fabric.nodes)
        vertex = np.array([at is not None for at in coords], dtype=bool) & fabric.forwards
        places = [coords[node] or () for node in np.flatnonzero(vertex).tolist()]
        if not places or not places[0]:
            raise self._refuse("no node that passes traffic on has coordinates")
        if len({len(place) for place in places}) > 1 or len(set(places)) < len(places):
            raise self._refuse("coordinates differ in length, or stand twice")
        self._place = np.full((len(coords), len(places[0])), -1)
        for k, column in enumerate(np.array(places, dtype=np.int64).T):
            self._place[vertex, k] = np.unique(column, return_inverse=True)[1].reshape(-1)
        return vertex

    def _homes(self, vertex: BoolArray) -> IntArray:
        """Return the vertex each rank is, or sits on, shape (ranks,)."""
        fabric = self.fabric
        home = np.where(vertex[fabric.npus], fabric.npus, -1)
        outside = np.flatnonzero(home < 0)
        which, arc = expand(fabric.out_start, fabric.npus[outside])
        onto = vertex[fabric.head[arc]]
        if not (np.bincount(which[onto], minlength=len(outside)) == 1).all():
            raise self._refuse("an NPU that passes nothing on is not linked to one vertex")
        home[outside[which[onto]]] = fabric.head[arc[onto]]
        return home

    def _dimensions(self, vertex: BoolArray) -> IntArray:
        """Return the dimension each arc between vertices lies along, -1 elsewhere."""
        fabric = self.fabric
        inner = np.flatnonzero(vertex[fabric.tail] & vertex[fabric.head])
        differs = self._place[fabric.tail[inner]] != self._place[fabric.head[inner]]
        askew = np.flatnonzero(differs.sum(axis=1) != 1)
        if len(askew):
            u, v = fabric.arcs[inner[askew[0]]]
            raise self._refuse(f"the link {u} -> {v} does not lie along one dimension")
        along = np.full(len(fabric.tail), -1)
        along[inner] = np.argmax(differs, axis=1)
        return along

    def _distances(self, k: int) -> IntArray:
        """Return hops within its line from each node to each coordinate, shape (nodes, size)."""
        fabric, place = self.fabric, self._place[:, k]
        far = np.full((len(place), int(place.max()) + 1), _FAR)
        there = np.flatnonzero(place >= 0)
        far[there, place[there]] = 0
        arcs = np.flatnonzero(self._along == k)
        if not len(arcs):
            return far
        starts = np.flatnonzero(np.diff(fabric.tail[arcs], prepend=-1))
        tails = fabric.tail[arcs[starts]]
        while True:
            near = np.minimum.reduceat(far[fabric.head[arcs]] + 1, starts, axis=0)
            if not (near < far[tails]).any():
                return far
            far[tails] = np.minimum(far[tails], near)

    def onward(self, at: Heads) -> Onward:
        """Return the next hops: onto the grid, along the first dimension that differs, or off."""
        fabric, place = self.fabric, self._place
        goal = self._home[at.dst]
        differs = place[at.node] != place[goal]
        dimension = np.where(differs.any(axis=1), np.argmax(differs, axis=1), -1)
        on = np.flatnonzero(place[at.node, 0] < 0)
        off = np.flatnonzero(at.node == goal)
        inner = np.setdiff1d(np.flatnonzero(dimension >= 0), on, assume_unique=True)
        which, arc = self._within(at.node[inner], goal[inner], dimension[inner])
        ends = np.concatenate([self._home[at.src[on]], fabric.npus[at.dst[off]]])
        edge = np.concatenate([on, off])
        which = np.concatenate([inner[which], edge])
        arc = np.concatenate([arc, fabric.arcs_between(at.node[edge], ends)])
        order = np.argsort(which, kind="stable")
        return Onward(which[order], arc[order], _by_capacity(fabric, which, arc)[order])

    def _within(
        self, node: IntArray, goal: IntArray, dimension: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Return the next hops within lines, one after the other: which node takes it, and arc."""
        fabric = self.fabric
        found = [(np.zeros(0, dtype=np.int64),) * 2]
        for k in np.unique(dimension).tolist():
            here, far = np.flatnonzero(dimension == k), self._far[k]
            to = self._place[goal[here], k]
            now = far[node[here], to]
            if (now >= _FAR).any():
                at = here[int(np.flatnonzero(now >= _FAR)[0])]
                u, v = fabric.nodes[node[at]], fabric.nodes[goal[at]]
                raise UnreachableError(
                    f"{self.title}: {u} cannot come nearer to {v} along dimension {k}"
                )
            row, arc = expand(fabric.out_start, node[here])
            good = self._along[arc] == k
            good &= far[fabric.head[arc], to[row]] == now[row] - 1
            found.append((here[row[good]], arc[good]))
        which, arcs = (np.concatenate(part) for part in zip(*found, strict=True))
        return which, arcs


def _by_capacity(fabric: Fabric, which: IntArray, arc: IntArray) -> FloatArray:
    rate = fabric.capacity[arc]
    share: FloatArray = rate / np.bincount(which, rate)[which]
    return share
