"""Find edge-disjoint Hamiltonian cycles: closed tours of all ranks that share no link.

References
----------
Walecki's construction for full meshes: Alspach, The wonderful Walecki construction, Bulletin of
the ICA 52 (2008) 7-20. Tori: Kotzig 1973 (two dimensions); Aubert and Schneider, Discrete
Mathematics 38 (1982) 7-16 (any number) prove that there are D; here they are found by merging the
rings of the torus, as Foregger (Discrete Mathematics 24 (1978) 251-260) does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from collectives.model.schedule import IntArray

_TRIES = 40
_SMALL = 12
_STEPS = 50_000  # of a search for one number of cycles: some tenths of a second


def walecki_cycles(n: int) -> list[IntArray]:
    """Return ⌊(n-1)/2⌋ edge-disjoint Hamiltonian cycles of the full mesh of n.

    For odd n: a path that zigzags over n - 1 vertices on a circle and closes through the
    centre, turned step by step. For even n one more vertex is let into a link of each of the
    cycles for n - 1, the one that joins opposite points of the circle; these links share no end.
    """
    if n < 3:
        return []
    rim = n - 2 + n % 2
    half = rim // 2
    zigzag = np.zeros(rim, dtype=np.int64)
    zigzag[1::2] = np.arange(1, half + 1)
    zigzag[2::2] = -np.arange(1, half)
    cycles = [np.append((zigzag + i) % rim, rim) for i in range(half)]
    if n % 2:
        return cycles
    across = 1 + int(np.flatnonzero(np.diff(zigzag) % rim == half)[0])
    return [np.insert(cycle, across, rim + 1) for cycle in cycles]


def lattice_cycles(dims: tuple[int, ...]) -> list[IntArray] | None:
    """Return D edge-disjoint Hamiltonian cycles of a torus, or None if the search fails.

    Every dimension's links are a set of rings. Where two sides of a square of links are in one
    set and the other two in another, the sets can swap them; the swaps that merge rings are
    made until every set is one cycle.

    Parameters
    ----------
    dims
        Widths, each 3 or more. Vertices count with the last dimension fastest.
    """
    for attempt in range(_TRIES):
        found = _merge_rings(dims, np.random.default_rng(attempt))
        if found is not None:
            return found
    return None


def _merge_rings(dims: tuple[int, ...], rng: np.random.Generator) -> list[IntArray] | None:
    count, depth = int(np.prod(dims)), len(dims)
    grid = np.arange(count).reshape(dims)
    following = np.array([np.roll(grid, -1, axis=axis).reshape(-1) for axis in range(depth)])
    colour = np.repeat(np.arange(depth)[:, None], count, axis=1)  # of the link v -> v + 1 in axis
    labels, cycles = _components(following, colour)
    for _ in range(8 * count * depth):
        if cycles == depth:
            return [_tour(following, colour, c) for c in range(depth)]
        square = _useful_square(following, colour, labels, rng)
        if square is None:
            return None
        merged = _merged_by(following, colour, labels, *square)
        _swap(following, colour, *square)
        if merged:
            cycles -= 2
        else:
            labels, cycles = _components(following, colour)
    return None


def _merged_by(
    following: IntArray, colour: IntArray, labels: IntArray, i: int, j: int, v: int
) -> bool:
    """Relabel the cycles that a swap merges, and return True, if it does so in both sets."""
    pairs = []
    for axis, other in ((i, j), (j, i)):
        of = labels[colour[axis, v]]
        pairs.append((of, of[v], of[following[other, v]]))
    if any(one == two for _, one, two in pairs):
        return False
    for of, one, two in pairs:
        of[of == two] = one
    return True


def _components(following: IntArray, colour: IntArray) -> tuple[IntArray, int]:
    """Return each vertex's cycle in each set, shape (D, n), and how many cycles there are."""
    depth, count = following.shape
    tails = np.broadcast_to(np.arange(count), following.shape)
    labels, total = np.empty_like(following), 0
    for c in range(depth):
        mine = colour == c
        graph = sparse.coo_array(
            (np.ones(int(mine.sum()), dtype=np.int8), (tails[mine], following[mine])),
            shape=(count, count),
        )
        found, labels[c] = connected_components(graph, directed=False)
        total += int(found)
    return labels, total


def _useful_square(
    following: IntArray, colour: IntArray, labels: IntArray, rng: np.random.Generator
) -> tuple[int, int, int] | None:
    """Return a square (axis, axis, corner) whose swap merges cycles, best in both sets."""
    vertices = np.arange(following.shape[1])
    best: list[IntArray] = []
    second: list[IntArray] = []
    for i, j in combinations(range(len(following)), 2):
        a, b = colour[i], colour[j]
        fits = (a == a[following[j]]) & (b == b[following[i]]) & (a != b)
        joins_a = labels[a, vertices] != labels[a, following[j]]
        joins_b = labels[b, vertices] != labels[b, following[i]]
        for found, corners in ((best, joins_a & joins_b), (second, joins_a ^ joins_b)):
            at = np.flatnonzero(fits & corners)
            found.append(np.stack([np.full(len(at), i), np.full(len(at), j), at], axis=1))
    chosen = np.concatenate(best if any(map(len, best)) else second)
    if not len(chosen):
        return None
    i, j, v = chosen[int(rng.integers(len(chosen)))].tolist()
    return i, j, v


def _swap(following: IntArray, colour: IntArray, i: int, j: int, v: int) -> None:
    a, b = colour[i, v], colour[j, v]
    colour[i, [v, following[j, v]]] = b
    colour[j, [v, following[i, v]]] = a


def _tour(following: IntArray, colour: IntArray, c: int) -> IntArray:
    count = following.shape[1]
    near: list[list[int]] = [[] for _ in range(count)]
    for axis, v in zip(*np.nonzero(colour == c), strict=True):
        u = int(following[axis, v])
        near[int(v)].append(u)
        near[u].append(int(v))
    tour, before = [0], -1
    while len(tour) < count:
        one, two = near[tour[-1]]
        before, step = tour[-1], two if one == before else one
        tour.append(step)
    return np.array(tour)


def searched_cycles(lanes: sparse.csr_array) -> tuple[list[IntArray], bool]:
    """Return edge-disjoint Hamiltonian cycles of a small graph, and whether more may exist.

    There are as many as there can be, unless a search for more was given up: it takes time that
    is exponential in the size.

    Parameters
    ----------
    lanes
        Parallel links between each two vertices, shape (n, n), n at most 12.
    """
    n = lanes.shape[0]
    if n < 3 or n > _SMALL:
        return [], False
    given_up = False
    for count in range(int(lanes.sum(axis=1).min()) // 2, 0, -1):
        search = _Search(lanes.toarray())
        found = search.cycles(count)
        if found is not None:
            return found, given_up
        given_up |= search.left <= 0
    return [], given_up


class _Search:
    """A depth-first search for cycles that ends after so many steps."""

    def __init__(self, lanes: IntArray) -> None:
        self.lanes = lanes
        self.left = _STEPS

    def cycles(self, count: int) -> list[IntArray] | None:
        """Return so many cycles that share no link, or None."""
        if count == 0:
            return []
        if (self.lanes.sum(axis=1) < 2 * count).any():
            return None
        for tour in self.tours([0]):
            ends = np.array(tour), np.roll(tour, -1)
            np.subtract.at(self.lanes, ends, 1)
            np.subtract.at(self.lanes, ends[::-1], 1)
            rest = self.cycles(count - 1)
            np.add.at(self.lanes, ends, 1)
            np.add.at(self.lanes, ends[::-1], 1)
            if rest is not None:
                return [np.array(tour), *rest]
        return None

    def tours(self, path: list[int]) -> Iterator[list[int]]:
        """Yield the closed tours that start with a path, one direction of each."""
        if len(path) == len(self.lanes):
            if self.lanes[path[-1], path[0]] > 0 and path[1] < path[-1]:
                yield list(path)
            return
        for v in np.flatnonzero(self.lanes[path[-1]] > 0).tolist():
            if v not in path and self.left > 0:
                self.left -= 1
                yield from self.tours([*path, v])
