"""Find symmetries by individualising a node and refining, and check each link by link.

Classes of a colouring are only candidates for symmetry; two nodes count as interchangeable when
an automorphism that swaps them has been found and checked, so a missed symmetry costs time and
never correctness.

References
----------
McKay and Piperno, Practical graph isomorphism II, J. Symb. Comput. 60 (2014) 94-112
(individualisation and refinement).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from topology.fabric import BoolArray, IntArray
from topology.symmetry.colouring import Coloured, HashArray, numbered, scramble

_DEPTH = 12
_CANDIDATES = 3
_PATIENCE = 12
_WORK = 400_000_000


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
        cell = numbered(base)
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
    cells = numbered(base)
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
        self._node = joined(self._node, [image])

    def nodes(self) -> IntArray:
        """Return the orbit of each node."""
        return self._node

    def arcs(self) -> IntArray:
        """Return the orbit of each arc."""
        return joined(np.arange(len(self.graph.tail)), self._moved)


def joined(labels: IntArray, images: Sequence[IntArray]) -> IntArray:
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
