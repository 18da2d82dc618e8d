"""Add up and compare what positions send each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from topology.routing import Pairs


def merged(parts: Sequence[Pairs]) -> Pairs:
    """Return the sum of several traffics, each ordered pair once.

    Parameters
    ----------
    parts
        The traffics.
    """
    src, dst, amount = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("src", "dst", "amount")
    )
    width = int(max(src.max(initial=0), dst.max(initial=0))) + 1
    keys, at = np.unique(src * width + dst, return_inverse=True)
    total = np.bincount(at.reshape(-1), amount, minlength=len(keys)).astype(float)
    return Pairs(keys // width, keys % width, total)


def same_traffic(a: Pairs, b: Pairs) -> bool:
    """Tell whether two results of `traffic_of` are equal."""
    return (
        np.array_equal(a.src, b.src)
        and np.array_equal(a.dst, b.dst)
        and np.allclose(a.amount, b.amount, rtol=1e-9, atol=0)
    )
