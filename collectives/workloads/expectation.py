"""Chances that a token with several experts comes to a place, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np

from collectives.model.schedule import ScheduleError
from topology.fabric import FloatArray

_MOST_GROUP_CHOICES = 20_000


def hit_independent(here: FloatArray, share: FloatArray, top_k: int) -> FloatArray:
    """Return the chance that a token comes to each place, experts chosen independently.

    Parameters
    ----------
    here
        Chance that a token for each expert goes to each place, shape (places, experts).
    share
        Share of all choices on each expert, shape (experts,).
    top_k
        Experts a token uses.
    """
    found: FloatArray = 1 - np.prod(1 - np.minimum(1.0, top_k * share) * here, axis=1)
    return found


def hit_limits(here: FloatArray, share: FloatArray, top_k: int) -> tuple[FloatArray, FloatArray]:
    """Return the least and the highest chance that a token comes to each place.

    These hold whichever experts go together: a token comes at least as often as for its most
    loaded expert there, and for at most ``top_k`` of them at a time. The parameters are those of
    `hit_independent`.
    """
    each = np.minimum(1.0, top_k * share) * here
    together = np.clip(np.count_nonzero(here, axis=1), 1, top_k)
    total = each.sum(axis=1)
    return np.maximum(each.max(axis=1), total / together), np.minimum(1.0, total)


def hit_loaded(
    here: FloatArray, share: FloatArray, even: FloatArray, top_k: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the likely, least and highest chance that a token comes to each place.

    Likely is that of independent choices, times what groups and the lack of repeats make of it
    where all experts are equal: ``even`` is `hit_even` of ``here``.
    """
    least, most = hit_limits(here, share, top_k)
    free = hit_independent(here, np.full_like(share, 1 / len(share)), top_k)
    ratio = np.divide(even, free, out=np.ones_like(free), where=free > 0)
    return np.clip(ratio * hit_independent(here, share, top_k), least, most), least, most


def off(found: FloatArray, true: FloatArray) -> float:
    """Return by how much numbers are off at most, as a fraction of the true ones above 0."""
    some = true > 0
    return float((np.abs(found - true)[some] / true[some]).max(initial=0.0))


def hit_even(here: FloatArray, groups: int, used: int, top_k: int) -> FloatArray:
    """Return the chance that a token comes to each place, all experts being equal.

    Exact: groups and then experts are chosen at random, without repeats.

    Parameters
    ----------
    here
        Chance that a token for each expert goes to each place, shape (places, experts).
    groups
        Equal groups of experts.
    used
        Groups a token uses.
    top_k
        Experts it uses in those.
    """
    grouped = here.reshape(len(here), groups, -1)
    rows = [tuple(sorted(tuple(sorted(g[g > 0].tolist())) for g in place)) for place in grouped]
    return np.array([1 - _missed(row, grouped.shape[2], used, top_k) for row in rows])


@lru_cache(maxsize=4096)
def _missed(place: tuple[tuple[float, ...], ...], each: int, used: int, top_k: int) -> float:
    """Return the chance that none of a token's experts is at a place.

    Parameters
    ----------
    place
        For each group of experts, the chances that a token for one of its experts comes here.
    each
        Experts in a group.
    used
        Groups a token uses, any with the same chance.
    top_k
        Experts it uses in those, any with the same chance.
    """
    held = [group for group in place if group]
    empty = len(place) - len(held)
    if comb(len(held), len(held) // 2) > _MOST_GROUP_CHOICES:
        raise ScheduleError(
            f"moe: {len(held)} groups of experts on one node are too many for exact expected "
            "values; give seed= to draw tokens instead"
        )
    total = used * each
    chance = 0.0
    for taken in range(max(0, used - empty), min(used, len(held)) + 1):
        for chosen in combinations(held, taken):
            away = _symmetric([1 - q for group in chosen for q in group], top_k)
            rest = total - sum(map(len, chosen))
            ways = sum(e * comb(rest, top_k - j) for j, e in enumerate(away))
            chance += comb(empty, used - taken) * ways
    return float(chance / (comb(len(place), used) * comb(total, top_k)))


def _symmetric(values: Sequence[float], most: int) -> list[float]:
    """Return the elementary symmetric polynomials of some values, up to a degree."""
    found = [1.0] + [0.0] * min(most, len(values))
    for value in values:
        for j in range(len(found) - 1, 0, -1):
            found[j] += value * found[j - 1]
    return found
