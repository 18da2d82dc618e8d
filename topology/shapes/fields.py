"""Finite fields: addition and powers of a primitive element as tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from topology.fabric import IntArray


@dataclass(frozen=True, eq=False)
class Field:
    """GF(q), its elements numbered 0 to q - 1 with 0 and 1 in their places.

    Element e stands for the polynomial whose coefficients are the digits of e to the base p,
    modulo a primitive polynomial; its root x generates the multiplicative group.

    Attributes
    ----------
    powers
        1, x, x^2, ..., shape (q - 1,).
    add, multiply
        Tables, shape (q, q).
    """

    powers: IntArray
    add: IntArray
    multiply: IntArray


def prime_power(q: int) -> tuple[int, int] | None:
    """Return p and m with q = p**m and p prime, or None."""
    if q < 2:
        return None
    p = next((d for d in range(2, int(q**0.5) + 1) if q % d == 0), q)
    m, rest = 0, q
    while rest % p == 0:
        rest //= p
        m += 1
    return (p, m) if rest == 1 else None


def field(p: int, m: int) -> Field:
    """Return GF(p**m), for p prime and m 1 or more."""
    q = p**m
    powers = next(found for found in _orbits(p, m) if len(found) == q - 1)
    digits = np.arange(q)[:, None] // p ** np.arange(m) % p
    add = ((digits[:, None] + digits[None]) % p) @ p ** np.arange(m)
    log = np.zeros(q, dtype=np.int64)
    log[powers] = np.arange(q - 1)
    multiply = np.array(powers)[(log[:, None] + log[None]) % (q - 1)]
    multiply[0] = multiply[:, 0] = 0
    return Field(np.array(powers), add, multiply)


def _orbits(p: int, m: int) -> Iterator[list[int]]:
    """Yield 1, x, x^2, ... until 1 comes again, modulo each monic polynomial of degree m."""
    for low in product(range(p), repeat=m):
        if low[0] == 0:
            continue
        found: list[int] = []
        element = (1,) + (0,) * (m - 1)
        while len(found) < p**m - 1:
            found.append(_number(element, p))
            top = element[-1]
            shifted = (0, *element[:-1])
            element = tuple((c - top * f) % p for c, f in zip(shifted, low, strict=True))
            if _number(element, p) == 1:
                break
        yield found


def _number(digits: tuple[int, ...], p: int) -> int:
    return sum(digit * p**i for i, digit in enumerate(digits))
