"""Share links among flows: no flow can gain but by taking from one that is no faster.

References
----------
Bertsekas and Gallager, Data Networks, 2nd ed. 1992, section 6.5.2 (max-min fair flow control,
progressive filling).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from collectives.model.schedule import IntArray, ScheduleError
from topology import border
from topology.fabric import BoolArray, FloatArray

_TIE = 1e-13  # levels nearer than this, as a fraction, are one: rounding must not part equals


def fair_rates(
    use: Any,
    capacity: FloatArray,
    count: FloatArray | None = None,
    limit: FloatArray | None = None,
) -> FloatArray:
    """Return the max-min fair rate of each flow, bytes/s, shape (flows,).

    All rates grow together until a resource is full; the flows that use it stay as they are, and
    the others grow on. A flow that uses no resource and has no limit gets an infinite rate.

    Parameters
    ----------
    use
        Share of each flow's bytes on each resource, zero or more, shape (resources, flows); a
        sparse array or anything SciPy makes one of. A flow that is sprayed over two links uses
        half of each.
    capacity
        Bytes/s of each resource, shape (resources,); may be infinite, or zero.
    count
        How many equal flows each column stands for, shape (flows,); by default one. The rates
        are those of one of them.
    limit
        Greatest rate of each flow, shape (flows,); may be infinite.

    Raises
    ------
    ScheduleError
        If shapes do not fit, or an entry is negative or not a number.
    """
    by_flow = sparse.csc_array(use, dtype=float)
    flows = by_flow.shape[1]
    weight = np.ones(flows) if count is None else np.asarray(count, dtype=float)
    most = np.full(flows, np.inf) if limit is None else np.array(limit, dtype=float)
    _check(by_flow, capacity, weight, most)
    finite = np.flatnonzero(np.isfinite(capacity))
    by_flow = sparse.csc_array(by_flow[finite] if len(finite) < len(capacity) else by_flow)
    by_flow.eliminate_zeros()
    flow = np.repeat(np.arange(flows), np.diff(by_flow.indptr))
    room = np.asarray(capacity, dtype=float)[finite]
    return fill(flow, by_flow.indices, by_flow.data * weight[flow], room, most)


def fill(
    flow: IntArray, row: IntArray, need: FloatArray, room: FloatArray, limit: FloatArray
) -> FloatArray:
    """Return max-min fair rates by progressive filling, shape (flows,).

    Parameters
    ----------
    flow, row, need
        Each flow on each resource that it uses, in order of the flows, and what all flows that it
        stands for use of the resource per byte of one of them, above zero.
    room
        Bytes/s of each resource.
    limit
        Greatest rate of each flow.
    """
    rate = limit.copy()
    while len(flow):
        first = np.flatnonzero(np.diff(flow, prepend=-1))
        growing = flow[first]
        lengths = np.diff(first, append=len(flow))
        least, full = _stop(row, need, room, limit[growing], first, lengths)
        rate[growing[full]] = least[full]
        over = np.repeat(full, lengths)
        spent = need[over] * np.repeat(least[full], lengths[full])
        room = np.maximum(0.0, room - np.bincount(row[over], spent, minlength=len(room)))
        flow, row, need = flow[~over], row[~over], need[~over]
    return rate


def _stop(
    row: IntArray,
    need: FloatArray,
    room: FloatArray,
    limit: FloatArray,
    first: IntArray,
    lengths: IntArray,
) -> tuple[FloatArray, BoolArray]:
    """Return the rate at which each flow would stop as things are, and which of them do.

    A resource that fills up no later than all others that its flows use will do so whatever
    happens elsewhere, as the level of any resource only rises when flows stop below it: all such
    resources are taken at once, not only the very first.
    """
    demand = np.bincount(row, need, minlength=len(room))
    level = np.divide(room, demand, out=np.full(len(room), np.inf), where=demand > 0)
    least = np.minimum(np.minimum.reduceat(level[row], first), limit)
    held = np.full(len(room), np.inf)
    np.minimum.at(held, row, np.repeat(least, lengths))
    fills = level <= held * (1 + _TIE)
    full: BoolArray = np.logical_or.reduceat(fills[row], first) | (least >= limit)
    return least, full


def _check(
    use: sparse.csc_array, capacity: FloatArray, weight: FloatArray, limit: FloatArray
) -> None:
    """Raise `ScheduleError` if what rates are made of does not fit together."""
    shapes = (len(capacity), len(weight)), (len(capacity), len(limit))
    if any(shape != use.shape for shape in shapes):
        raise ScheduleError(
            f"fair rates: use has shape {use.shape}, for {len(capacity)} capacities, "
            f"{len(weight)} counts and {len(limit)} limits; it must be (resources, flows)"
        )
    border.numbers(use.data, "fair rates: use", ScheduleError)
    if not ((weight > 0) & np.isfinite(weight)).all():
        raise ScheduleError("fair rates: every count must be a finite number above zero")
    for values, what in ((capacity, "capacity"), (limit, "limit")):
        if not (np.asarray(values) >= 0).all():
            raise ScheduleError(f"fair rates: every {what} must be zero or more")
