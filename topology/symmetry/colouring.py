"""Split nodes by what they see until all of a class have equally many links to each class.

References
----------
Paige and Tarjan, SIAM J. Comput. 16 (1987) 973-989 (refinement).
Grohe, Kersting, Mladenov and Selman, Dimension reduction via colour refinement, ESA 2014
(linear programs on equitable partitions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from topology.fabric import Fabric, FloatArray, IntArray

HashArray = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Coloured:
    """A directed graph whose nodes and arcs have colours; symmetries keep both.

    Attributes
    ----------
    tail, head
        Ends of each arc, shape (m,); no two arcs have the same ends.
    node_colour, arc_colour
        Small whole numbers, shapes (n,) and (m,).
    place
        Where each node stands in an order people would give them, shape (n,).
    """

    tail: IntArray
    head: IntArray
    node_colour: IntArray
    arc_colour: IntArray
    place: IntArray

    @property
    def size(self) -> int:
        """Return the number of nodes."""
        return len(self.node_colour)

    @cached_property
    def _sides(self) -> tuple[tuple[IntArray, IntArray, HashArray], ...]:
        """For outgoing and incoming arcs: far ends in CSR order, row starts, arc hashes."""
        sides = []
        for near, far, salt in ((self.tail, self.head, 1), (self.head, self.tail, 2)):
            order = np.argsort(near, kind="stable")
            starts = np.concatenate(([0], np.cumsum(np.bincount(near, minlength=self.size))))
            hashes = scramble((self.arc_colour[order] * 2 + salt).astype(np.uint64))
            sides.append((far[order], starts, hashes))
        return tuple(sides)

    @cached_property
    def _by_ends(self) -> tuple[IntArray, IntArray]:
        """Return the arcs' end pairs as sorted keys, and the arc of each."""
        key = self.tail * self.size + self.head
        order = np.argsort(key)
        return key[order], order

    def refine(self, colour: HashArray) -> HashArray:
        """Return the coarsest equitable refinement of a colouring, as hashes.

        The hashes depend on structure alone, so those of two colourings can be compared.
        """
        classes = _count(colour)
        while True:
            finer = scramble(colour)
            for far, starts, arc in self._sides:
                seen = np.concatenate(
                    (np.zeros(1, np.uint64), np.cumsum(scramble(colour[far] ^ arc)))
                )
                finer = scramble(finer + (seen[starts[1:]] - seen[starts[:-1]]))
            found = _count(finer)
            if found == classes:
                return colour
            colour, classes = finer, found

    def arcs_under(self, image: IntArray) -> IntArray | None:
        """Return where a permutation of the nodes takes each arc; None if it is no symmetry.

        Parameters
        ----------
        image
            Where each node goes, shape (n,).
        """
        if not np.array_equal(np.sort(image), np.arange(self.size)):
            return None
        if not np.array_equal(self.node_colour[image], self.node_colour):
            return None
        keys, arcs = self._by_ends
        wanted = image[self.tail] * self.size + image[self.head]
        at = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
        if not np.array_equal(keys[at], wanted):
            return None
        moved: IntArray = arcs[at]
        return moved if np.array_equal(self.arc_colour[moved], self.arc_colour) else None


def scramble(x: HashArray) -> HashArray:
    """Mix the bits of 64-bit words (the finaliser of SplitMix64)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: HashArray = x ^ (x >> np.uint64(31))
    return mixed


def _count(colour: HashArray) -> int:
    return 1 + int(np.count_nonzero(np.diff(np.sort(colour)))) if len(colour) else 0


def codes(columns: Sequence[npt.NDArray[np.generic]]) -> IntArray:
    """Return a number for each distinct row of some columns of equal length."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        level = np.unique(column, return_inverse=True)[1].reshape(-1)
        code = code * (int(level.max(initial=0)) + 1) + level
        code = np.unique(code, return_inverse=True)[1].reshape(-1)
    return code


def coloured(
    fabric: Fabric, node_colour: IntArray | None = None, arc_colour: IntArray | None = None
) -> Coloured:
    """Return a fabric as a coloured graph.

    Parameters
    ----------
    fabric
        Its ranks, kinds, capacities and latencies become colours.
    node_colour, arc_colour
        Further colours, shapes (nodes,) and (arcs,).
    """
    nodes, arcs = len(fabric.nodes), len(fabric.tail)
    rank = np.zeros(nodes, dtype=np.int64)
    rank[fabric.npus] = 1
    no_node, no_arc = np.zeros(nodes, np.int64), np.zeros(arcs, np.int64)
    of_node = [rank, np.array(fabric.kind), fabric.forwards, fabric.node_latency]
    of_node += [fabric.node_capacity, no_node if node_colour is None else node_colour]
    of_arc = [fabric.capacity, fabric.latency, no_arc if arc_colour is None else arc_colour]
    return Coloured(fabric.tail, fabric.head, codes(of_node), codes(of_arc), np.arange(nodes))


def equitable_partition(graph: Coloured | Fabric) -> IntArray:
    """Return the class of each node in the coarsest equitable partition, shape (n,).

    Classes are numbered by their first node.
    """
    graph = graph if isinstance(graph, Coloured) else coloured(graph)
    colour = graph.refine(scramble(graph.node_colour.astype(np.uint64)))
    return numbered(colour)


def is_equitable(graph: Coloured, classes: IntArray) -> bool:
    """Check, by counting links, that nodes of a class see each class over equally many links.

    Parameters
    ----------
    graph
        The graph.
    classes
        Class of each node, shape (n,).
    """
    size = np.bincount(classes)
    for near, far in ((graph.tail, graph.head), (graph.head, graph.tail)):
        sort = codes([classes[far], graph.arc_colour])
        width = int(sort.max(initial=0)) + 1
        seen, counts = np.unique(near * width + sort, return_counts=True)
        node, kind = np.divmod(seen, width)
        cell = classes[node] * width + kind
        order = np.argsort(cell, kind="stable")
        starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
        if not len(starts):
            continue
        ordered = counts[order]
        members = np.diff(np.append(starts, len(order)))
        every = members == size[cell[order][starts] // width]
        low = np.minimum.reduceat(ordered, starts)
        if not (every.all() and (low == np.maximum.reduceat(ordered, starts)).all()):
            return False
    return True


def numbered(labels: npt.NDArray[np.generic]) -> IntArray:
    """Return labels as numbers, in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered: IntArray = rank[inverse.reshape(-1)]
    return numbered


def spread(total: FloatArray, orbit: IntArray) -> FloatArray:
    """Return totals per orbit as equal shares of the members, shape (members,)."""
    share: FloatArray = (total / np.bincount(orbit, minlength=len(total)))[orbit]
    return share
