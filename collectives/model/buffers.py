"""Cut buffers into chunks, and say where chunks stand in the buffers that come out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collectives.model.chunk_state import Values
from collectives.model.schedule import IntArray, Schedule, ScheduleError
from topology import border


def buffers(schedule: Schedule, inputs: npt.ArrayLike) -> Values:
    """Return the ranks' buffers as rows; raise `ScheduleError` if they do not fit."""
    kind, p = schedule.collective, schedule.ranks
    try:
        ready = isinstance(inputs, np.ndarray)
        rows = np.asarray(inputs if ready else border.members(inputs, "inputs", ScheduleError))
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
