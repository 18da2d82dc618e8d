"""Slim Fly, and the finite fields it is built over."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import topology
from tests.topology.shapes.graphs import (
    LINK,
    by_coord,
    carries_everywhere,
    degrees,
    diameter,
    is_automorphism,
    npu_hops,
    plain,
    valid,
)
from topology import SupernodeError
from topology.shapes.fields import field, prime_power

SMALL = [3, 4, 5, 7, 8, 9, 11, 13]
LARGE = [16, 17, 19, 25, 27]


def _degree(q: int) -> int:
    return (3 * q - {0: 0, 1: 1, 3: -1}[q % 4]) // 2


@pytest.mark.parametrize("q", [*SMALL, 16])
def test_degree_and_diameter(q: int) -> None:
    shape = topology.slim_fly(q, 0, link=LINK)
    k = _degree(q)
    assert len(shape.npus) == 2 * q * q
    assert degrees(shape) == {k: 2 * q * q}
    at = shape.fabric
    adjacency = np.zeros((2 * q * q,) * 2, dtype=np.float32)
    adjacency[at.tail, at.head] = 1
    within_two = np.eye(2 * q * q) + adjacency + adjacency @ adjacency
    assert within_two.min() >= 1
    assert adjacency.sum(axis=1).max() < 2 * q * q - 1


@pytest.mark.parametrize("q", SMALL)
def test_valid_with_npus(q: int) -> None:
    shape = topology.slim_fly(q, link=LINK, npu_link=2 * LINK)
    valid(shape)
    each = -(-_degree(q) // 2)
    assert degrees(shape) == {1: 2 * q * q * each}
    assert degrees(shape, "switch") == {_degree(q) + each: 2 * q * q}
    assert diameter(topology.slim_fly(q, 1, link=LINK)) == 4


@pytest.mark.parametrize("q", SMALL + LARGE)
def test_close_to_the_moore_bound(q: int) -> None:
    """2 q^2 of k^2 + 1 vertices: 8/9 in the limit, all of them for q = 5."""
    share = 2 * q * q / (_degree(q) ** 2 + 1)
    assert 0.69 <= share <= 1.0
    assert (share == 1.0) == (q == 5)
    if q > 12:
        assert share == pytest.approx(8 / 9, rel=0.08)


def test_five_is_the_hoffman_singleton_graph() -> None:
    shape = topology.slim_fly(5, 0, link=LINK)
    assert nx.is_isomorphic(plain(shape), nx.hoffman_singleton_graph())
    assert nx.girth(plain(shape)) == 5


@pytest.mark.parametrize("q", [4, 5, 7, 8, 9])
def test_translations_of_the_field_are_automorphisms(q: int) -> None:
    """Adding t to y and c keeps every link; so does y + t x with m + t."""
    shape = topology.slim_fly(q, 0, link=LINK)
    gf = field(*prime_power(q))

    def shift(c: tuple[int, ...], t: int = 1) -> tuple[int, ...]:
        return (c[0], c[1], int(gf.add[c[2], t]))

    def shear(c: tuple[int, ...], t: int = 1) -> tuple[int, ...]:
        if c[0] == 0:
            return (0, c[1], int(gf.add[c[2], gf.multiply[t, c[1]]]))
        return (1, int(gf.add[c[1], t]), c[2])

    for t in range(1, q):
        assert is_automorphism(shape, by_coord(shape, lambda c, t=t: shift(c, t)))
        assert is_automorphism(shape, by_coord(shape, lambda c, t=t: shear(c, t)))


@pytest.mark.parametrize("q", [5, 9, 13, 17])
def test_vertex_transitive_where_q_is_4w_plus_1(q: int) -> None:
    """(0, x, y) -> (1, x, z y) and (1, m, c) -> (0, -z m, z c) swap the sides."""
    shape = topology.slim_fly(q, 0, link=LINK)
    gf = field(*prime_power(q))
    z = int(gf.powers[1])
    minus = int(gf.powers[(q - 1) // 2])
    times, plus = gf.multiply, gf.add

    def swap(c: tuple[int, ...]) -> tuple[int, ...]:
        side, x, y = c
        if side == 0:
            return (1, x, int(times[z, y]))
        return (0, int(times[minus, times[z, x]]), int(times[z, y]))

    def shift(c: tuple[int, ...], t: int) -> tuple[int, ...]:
        return (c[0], c[1], int(plus[c[2], t]))

    def slide(c: tuple[int, ...], t: int) -> tuple[int, ...]:
        side, x, y = c
        if side == 0:
            return (0, int(plus[x, t]), y)
        return (1, x, int(plus[y, times[minus, times[x, t]]]))

    basis = [p**i for p, n in [prime_power(q)] for i in range(n)]
    maps = [by_coord(shape, swap)]
    maps += [by_coord(shape, lambda c, t=t: shift(c, t)) for t in basis]
    maps += [by_coord(shape, lambda c, t=t: slide(c, t)) for t in basis]
    assert carries_everywhere(shape, maps)


def test_switch_distances_with_npus() -> None:
    shape = topology.slim_fly(5, 2, link=LINK)
    found = npu_hops(shape)
    assert set(np.unique(found)) == {0, 2, 3, 4}


@pytest.mark.parametrize("q", [2, 3, 4, 5, 7, 8, 9, 16, 25, 27, 49, 64])
def test_field_axioms(q: int) -> None:
    gf = field(*prime_power(q))
    add, multiply = gf.add, gf.multiply
    every = np.arange(q)
    for table, neutral in ((add, 0), (multiply, 1)):
        assert np.array_equal(table, table.T)
        assert np.array_equal(table[neutral], every)
    assert np.array_equal(np.sort(add, axis=1), np.tile(every, (q, 1)))
    assert np.array_equal(np.sort(multiply[1:, 1:], axis=1), np.tile(every[1:], (q - 1, 1)))
    assert sorted(gf.powers) == list(range(1, q))
    a, b, c = (grid.ravel() for grid in np.meshgrid(*[every[:9]] * 3))
    assert np.array_equal(multiply[a, add[b, c]], add[multiply[a, b], multiply[a, c]])
    assert np.array_equal(multiply[a, multiply[b, c]], multiply[multiply[a, b], c])
    assert np.array_equal(add[a, add[b, c]], add[add[a, b], c])
    if prime_power(q)[1] == 1:
        assert np.array_equal(add, (every[:, None] + every) % q)
        assert np.array_equal(multiply, every[:, None] * every % q)


def test_prime_powers() -> None:
    known = [2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 23, 25, 27, 29, 31, 32, 37, 41, 43, 47, 49]
    assert [q for q in range(-1, 50) if prime_power(q)] == known


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: topology.slim_fly(6, link=LINK), "a prime power, such as 3, 4, 5, 7, 8, 9"),
        (lambda: topology.slim_fly(2, link=LINK), "slim_fly: q is 2"),
        (lambda: topology.slim_fly(5.0, link=LINK), "slim_fly: q is 5.0"),
        (lambda: topology.slim_fly(5, -1, link=LINK), "npus_per_switch is -1"),
        (lambda: topology.slim_fly(5, link=LINK, lanes=0), "lanes is 0"),
    ],
)
def test_bad_parameters_give_one_clear_error(call: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        call()
    assert words in str(error.value)
