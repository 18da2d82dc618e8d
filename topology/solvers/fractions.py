"""Count capacities in whole units, so that bounds come out as exact fractions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Whole: TypeAlias = npt.NDArray[Any]
"""Whole numbers: int64 where they fit, Python's own where they do not."""

_ROUNDING = 4 * 2.0**-53
_SMALL = 1 << 61


def as_fraction(value: float) -> Fraction:
    """Return the simplest fraction within rounding (4 units in the last place) of a float.

    The float nearest to 160/7 GB/s stands for 160/7 GB/s.
    """
    exact = Fraction(value)
    if exact.denominator == 1:
        return exact
    slack = abs(exact) * Fraction(_ROUNDING)
    return _simplest(exact - slack, exact + slack)


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction with the smallest denominator in an interval (Stern and Brocot)."""
    floor = math.floor(low)
    if floor == low:
        return Fraction(floor)
    if floor + 1 <= high:
        return Fraction(floor + 1)
    return floor + 1 / _simplest(1 / (high - floor), 1 / (low - floor))


def common_unit(values: Iterable[Fraction]) -> Fraction:
    """Return the largest fraction of which all values are whole multiples."""
    parts = [value for value in values if value]
    if not parts:
        return Fraction(1)
    below = math.lcm(*(part.denominator for part in parts))
    above = math.gcd(*(part.numerator * (below // part.denominator) for part in parts))
    return Fraction(above, below)


def whole_units(capacity: npt.NDArray[np.float64]) -> tuple[Whole, Fraction]:
    """Return capacities as whole multiples of a unit, and the unit in bytes/s.

    Parameters
    ----------
    capacity
        Bytes/s, finite, shape (m,).
    """
    values, inverse = np.unique(capacity, return_inverse=True)
    fractions = [as_fraction(value) for value in values.tolist()]
    unit = common_unit(fractions)
    multiples = whole([int(fraction / unit) for fraction in fractions])
    return multiples[inverse.reshape(-1)], unit


def whole(numbers: list[int]) -> Whole:
    """Return whole numbers as an array, of int64 if they and their sums fit."""
    fits = sum(abs(number) for number in numbers) < _SMALL
    return np.array(numbers, dtype=np.int64 if fits else object)


def scaled(numbers: Whole, factor: int | Whole) -> Whole:
    """Return whole numbers times others, exactly; in Python's own integers if they grow large."""
    top = int(abs(numbers).max()) if len(numbers) else 0
    by = int(factor) if isinstance(factor, int) else (int(factor.max()) if len(factor) else 0)
    if top * by * max(1, len(numbers)) < _SMALL:
        return numbers.astype(np.int64) * factor
    return numbers.astype(object) * factor
