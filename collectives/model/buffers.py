"""Cut buffers into chunks, put chunks back together, and say what must come out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collectives.model.chunk_state import Values, name_of
from collectives.model.schedule import IntArray, Schedule, ScheduleError


def buffers(schedule: Schedule, inputs: npt.ArrayLike) -> Values:
    """Return the ranks' buffers as rows; raise `ScheduleError` if they do not fit."""
    kind, p = schedule.collective, schedule.ranks
    try:
        rows = np.asarray(inputs)
    except ValueError:
        raise ScheduleError("execute: every rank's buffer must have the same length") from None
    if rows.ndim != 2 or rows.shape[0] != p or rows.dtype.kind not in "iufc":
        raise ScheduleError(
            f"execute: inputs have shape {rows.shape} and type {rows.dtype}; {p} ranks need "
            f"numbers of shape ({p}, n)"
        )
    units = 1 if kind.before == "owner" else layout(schedule)[0]
    if not rows.shape[1] or rows.shape[1] % units:
        raise ScheduleError(
            f"execute: each buffer has {rows.shape[1]} elements; {kind.title} on {p} ranks needs "
            f"a multiple of {units}"
        )
    return rows


def layout(schedule: Schedule) -> tuple[int, int]:
    """Return into how many equal units a full buffer falls, and how many chunks a unit has."""
    kind, p = schedule.collective, schedule.ranks
    if kind.before == "origin":
        return p, schedule.chunks // p**2
    shards = "owner" in (kind.before, kind.after)
    return (p, schedule.chunks // p) if shards else (1, schedule.chunks)


def cut_rows(rows: Values, unit: int, pieces: int) -> Values:
    """Cut every unit of every row into pieces, the last ones filled up with zeros."""
    width = -(-unit // pieces)
    padded = np.zeros((len(rows), rows.shape[1] // unit, pieces * width), dtype=rows.dtype)
    padded[:, :, :unit] = rows.reshape(len(rows), -1, unit)
    return padded.reshape(len(rows), -1, width)


def chunks_after(schedule: Schedule) -> tuple[int]:
    """Return how many chunks each rank ends with, as a shape."""
    units, pieces = layout(schedule)
    return (pieces,) if schedule.collective.after == "owner" else (units * pieces,)


def position(schedule: Schedule, chunk: IntArray) -> IntArray:
    """Return where a chunk stands in its receiver's buffer."""
    units, pieces = layout(schedule)
    if schedule.collective.after == "owner":
        return chunk % pieces
    if schedule.collective.after == "destination":
        return chunk // (units * pieces) * pieces + chunk % pieces
    return chunk


def expected(schedule: Schedule, rows: Values) -> Values:
    """Return what the collective's definition says must come out, shape (p, m).

    Parameters
    ----------
    schedule
        Which collective, and its root.
    rows
        The buffers, as in `execute`.
    """
    kind, p = schedule.collective, schedule.ranks
    if kind.name == "barrier":
        whole = rows.max(axis=0)
    elif kind.adds:
        whole = rows.sum(axis=0, dtype=rows.dtype)
    else:
        whole = rows[schedule.root] if kind.before == "root" else rows.reshape(-1)
    if kind.after == "destination":
        blocks: Values = rows.reshape(p, p, -1).swapaxes(0, 1).reshape(p, -1)
        return blocks
    if kind.after == "owner":
        shards: Values = whole.reshape(p, -1)
        return shards
    out = np.zeros((p, len(whole)), dtype=rows.dtype)
    out[slice(None) if kind.after == "everyone" else schedule.root] = whole
    return out


def check_result(schedule: Schedule, rows: Values, done: Values) -> None:
    """Raise `ScheduleError` where a result is not what `expected` says."""
    right = expected(schedule, rows)
    if rows.dtype.kind in "iu":
        wrong = done != right
    else:
        slack = 4 * schedule.ranks * np.finfo(rows.dtype).eps * np.abs(rows).sum(axis=0).max()
        wrong = ~(np.abs(done - right) <= slack)
    if wrong.any():
        rank, element = (int(i) for i in np.argwhere(wrong)[0])
        raise ScheduleError(
            f"{name_of(schedule)}: rank {rank} ends with {done[rank, element]} in element "
            f"{element}; {right[rank, element]} is right"
        )
