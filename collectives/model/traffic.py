"""Add up and compare what positions send each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from topology.fabric import IntArray
from topology.routing import Demand, Pairs, Uniform, add_demands


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


def on_rows(traffic: Demand, rows: IntArray) -> Demand:
    """Return what each of several rows of ranks sends, position i of all at ``rows[:, i]``.

    Parameters
    ----------
    traffic
        Among positions.
    rows
        Ranks, shape (rows, positions).
    """
    if len(rows) == 1:
        return traffic.placed(rows[0])
    if isinstance(traffic, Uniform):
        return Uniform(rows[:, traffic.rows].reshape(-1, traffic.rows.shape[1]), traffic.amount)
    if traffic.in_network:
        return add_demands([traffic.placed(row) for row in rows])
    sent = traffic.pairs()
    src, dst = rows[:, sent.src].reshape(-1), rows[:, sent.dst].reshape(-1)
    return Pairs(src, dst, np.tile(sent.amount, len(rows)))


def same_traffic(a: Pairs, b: Pairs) -> bool:
    """Tell whether two results of `traffic_of` are equal."""
    return (
        np.array_equal(a.src, b.src)
        and np.array_equal(a.dst, b.dst)
        and np.allclose(a.amount, b.amount, rtol=1e-9, atol=0)
    )
