"""Find which nodes and links of a machine are interchangeable.

Colour refinement splits nodes by what they see until the partition is equitable: all nodes of a
class have equally many links of each sort to each class. Classes are only candidates for
symmetry; two nodes count as interchangeable here when an automorphism that swaps them has been
found and checked link by link, so a missed symmetry costs time and never correctness.

References
----------
Paige and Tarjan, SIAM J. Comput. 16 (1987) 973-989 (refinement); McKay and Piperno, Practical
graph isomorphism II, J. Symb. Comput. 60 (2014) 94-112 (individualisation and refinement);
Grohe, Kersting, Mladenov and Selman, Dimension reduction via colour refinement, ESA 2014
(linear programs on equitable partitions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from topology.fabric import BoolArray, Fabric, FloatArray, IntArray

HashArray = npt.NDArray[np.uint64]

_DEPTH = 12
_CANDIDATES = 3
_PATIENCE = 12
_WORK = 400_000_000


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


@dataclass(frozen=True, eq=False)
class Orbits:
    """Nodes and arcs sorted by symmetry: each is carried to its mates by checked automorphisms.

    Attributes
    ----------
    node, arc
        Orbit of each node, shape (n,), and of each arc, shape (m,).
    generators
        Automorphisms found, as images of the nodes, each of shape (n,).
    """

    node: IntArray
    arc: IntArray
    generators: tuple[IntArray, ...]


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
    return _numbered(colour)


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


def _numbered(labels: npt.NDArray[np.generic]) -> IntArray:
    """Return labels as numbers, in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered: IntArray = rank[inverse.reshape(-1)]
    return numbered


def automorphism(graph: Coloured, base: HashArray, source: int, target: int) -> IntArray | None:
    """Return an automorphism that takes one node to another, or None if none was found.

    Parameters
    ----------
    graph
        The graph.
    base
        Its refined colours.
    source, target
        Two nodes.
    """
    search = _Search(graph, base, source, target)
    return search.extend(_marked(base, source), _marked(base, target), 0)


def _marked(colour: HashArray, node: int) -> HashArray:
    marked = colour.copy()
    marked[node] = scramble(marked[node : node + 1] ^ np.uint64(0xA5A5A5A5))[0]
    return marked


class _Search:
    """Individualise and refine two colourings side by side until one fits on the other."""

    def __init__(self, graph: Coloured, base: HashArray, source: int, target: int) -> None:
        self.graph = graph
        self.tries = 2 * _DEPTH
        cell = _numbered(base)
        order = np.lexsort((graph.place, cell))
        starts = np.concatenate(([0], np.cumsum(np.bincount(cell))))
        place = np.empty(graph.size, dtype=np.int64)
        place[order] = np.arange(graph.size) - np.repeat(starts[:-1], np.diff(starts))
        self.span = np.diff(starts)[cell]
        self.place = place
        self.shift = [int(place[v]) / int(self.span[v]) for v in (source, target)]

    def extend(self, a: HashArray, b: HashArray, depth: int) -> IntArray | None:
        """Return a symmetry that takes colouring a to colouring b."""
        a, b = self.graph.refine(a), self.graph.refine(b)
        if not np.array_equal(np.sort(a), np.sort(b)):
            return None
        for image in self._guesses(a, b):
            if self.graph.arcs_under(image) is not None:
                return image
        chosen = _smallest_cell(a)
        if chosen is None or depth >= _DEPTH:
            return None
        v = int(np.flatnonzero(a == chosen)[0])
        mates = np.flatnonzero(b == chosen)
        mates = mates[np.argsort(mates != v, kind="stable")]
        for w in mates[:_CANDIDATES].tolist():
            self.tries -= 1
            if self.tries < 0:
                return None
            found = self.extend(_marked(a, v), _marked(b, w), depth + 1)
            if found is not None:
                return found
        return None

    def _guesses(self, a: HashArray, b: HashArray) -> Iterator[IntArray]:
        """Yield likely images: matching each class in order, from where the search began."""
        turned = [self._turned(shift) for shift in self.shift]
        still = self._unmoved_classes(a, b)
        yield _matched(a, b, *(np.where(still, self.place, keys) for keys in turned))
        same = a == b
        yield _matched(a, b, *(np.where(same, -1 - self.place, self.place) for _ in turned))
        yield _matched(a, b, *turned)

    def _turned(self, shift: float) -> IntArray:
        offset = np.floor(shift * self.span + 0.5).astype(np.int64)
        turned: IntArray = (self.place - offset) % self.span
        return turned

    @staticmethod
    def _unmoved_classes(a: HashArray, b: HashArray) -> BoolArray:
        moved = a[a != b]
        still: BoolArray = ~(np.isin(a, moved) | np.isin(b, b[a != b]))
        return still


def _matched(a: HashArray, b: HashArray, key_a: IntArray, key_b: IntArray) -> IntArray:
    """Return the map that pairs the members of each class in the order of their keys."""
    image = np.empty(len(a), dtype=np.int64)
    image[np.lexsort((key_a, a))] = np.lexsort((key_b, b))
    return image


def _smallest_cell(colour: HashArray) -> np.uint64 | None:
    values, counts = np.unique(colour, return_counts=True)
    many = counts > 1
    if not many.any():
        return None
    at = int(np.argmin(np.where(many, counts, len(colour) + 1)))
    smallest: np.uint64 = values[at]
    return smallest


def orbits(graph: Coloured, first: IntArray | None = None) -> Orbits:
    """Return nodes and arcs sorted into orbits of the symmetries found.

    Parameters
    ----------
    graph
        The graph.
    first
        Nodes that matter most, shape (k,); only their classes are searched when given.
    """
    base = graph.refine(scramble(graph.node_colour.astype(np.uint64)))
    union = _Union(graph)
    wanted = np.arange(graph.size) if first is None else first
    cells = _numbered(base)
    order = np.lexsort((graph.place, cells))
    work = _WORK // (1 + len(graph.tail) + graph.size)
    for cell in dict.fromkeys(cells[wanted].tolist()):
        members = order[np.searchsorted(cells[order], cell) :][: int((cells == cell).sum())]
        work = _search_cell(graph, base, union, members, work)
    return Orbits(union.nodes(), union.arcs(), tuple(union.images))


def _search_cell(
    graph: Coloured, base: HashArray, union: _Union, members: IntArray, work: int
) -> int:
    """Join the members of a class for as long as symmetries are found; return work left."""
    patience, heads = _PATIENCE, [int(members[0])]
    label = union.nodes()
    for node in members[1:].tolist():
        if work <= 0 or patience <= 0:
            break
        known = {int(label[head]) for head in heads}
        if int(label[node]) in known:
            continue
        found = None
        for head in heads[:_CANDIDATES]:
            work -= 20
            found = automorphism(graph, base, head, node)
            if found is not None:
                union.add(found)
                label = union.nodes()
                break
        if found is None:
            patience -= 1
            heads.append(node)
    return work


class _Union:
    """Orbits under a growing set of automorphisms."""

    def __init__(self, graph: Coloured) -> None:
        self.graph = graph
        self.images: list[IntArray] = []
        self._moved: list[IntArray] = []
        self._node = np.arange(graph.size)

    def add(self, image: IntArray) -> None:
        """Take in an automorphism."""
        moved = self.graph.arcs_under(image)
        if moved is None:
            return
        self.images.append(image)
        self._moved.append(moved)
        self._node = _joined(self._node, [image])

    def nodes(self) -> IntArray:
        """Return the orbit of each node."""
        return self._node

    def arcs(self) -> IntArray:
        """Return the orbit of each arc."""
        return _joined(np.arange(len(self.graph.tail)), self._moved)


def _joined(labels: IntArray, images: Sequence[IntArray]) -> IntArray:
    """Return labels joined along permutations."""
    if not images:
        return labels
    count = int(labels.max(initial=-1)) + 1
    rows = np.concatenate([labels for _ in images])
    columns = np.concatenate([labels[image] for image in images])
    links = sparse.coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    part = connected_components(links, directed=False)[1].astype(np.int64)
    joined: IntArray = part[labels]
    return joined


def spread(total: FloatArray, orbit: IntArray) -> FloatArray:
    """Return totals per orbit as equal shares of the members, shape (members,)."""
    share: FloatArray = (total / np.bincount(orbit, minlength=len(total)))[orbit]
    return share
