"""Keep what every rank holds while a schedule's steps are carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from collectives.model.schedule import BoolArray, IntArray, Schedule, ScheduleError, Transfers

Values: TypeAlias = npt.NDArray[Any]


@dataclass(eq=False)
class ChunkState:
    """What every rank holds at one moment.

    Attributes
    ----------
    keys
        rank * chunks + chunk of all that is held, sorted, shape (k,).
    values
        The data, or the contributions, of each, shape (k, w).
    written
        The step that wrote each, -1 for what was there at the start, shape (k,).
    """

    keys: IntArray
    values: Values
    written: IntArray

    def find(self, keys: IntArray) -> IntArray:
        """Return where some keys stand, -1 for what is not held."""
        at = np.searchsorted(self.keys, keys)
        at[at == len(self.keys)] = 0
        return np.where(self.keys[at] == keys, at, -1) if len(self.keys) else at - 1

    def write(self, keys: IntArray, values: Values, step: int) -> None:
        """Replace or add what some keys, sorted and all different, hold."""
        at = self.find(keys)
        here = at >= 0
        self.values[at[here]] = values[here]
        self.written[at[here]] = step
        if not here.all():
            new, to = keys[~here], np.searchsorted(self.keys, keys[~here])
            self.keys = np.insert(self.keys, to, new)
            self.values = np.insert(self.values, to, values[~here], axis=0)
            self.written = np.insert(self.written, to, step)


@dataclass(frozen=True, eq=False)
class Arrival:
    """What one step brings: transfers sorted by where they go, in runs with one target each."""

    keys: IntArray  # target of each run
    starts: IntArray  # where each run starts
    order: IntArray  # transfers in this order
    incoming: Values  # what each brings
    adds: BoolArray  # whether each run is added to what the target holds
    own: IntArray  # where the target's own stands, -1 if it holds none


def chunk_state(schedule: Schedule, rank: IntArray, chunk: IntArray, values: Values) -> ChunkState:
    """Return the state from the rank, chunk and value of everything held."""
    keys = rank * schedule.chunks + chunk
    order = np.argsort(keys, kind="stable")
    return ChunkState(keys[order], values[order], np.full(len(keys), -1))


def follow(
    schedule: Schedule,
    held: ChunkState,
    combine: np.ufunc,
    lo: int,
    hi: int,
    check: Callable[[Schedule, ChunkState, Arrival, Values, int], None] | None,
) -> None:
    """Carry out every step on chunks lo to hi - 1."""
    for number, moved in enumerate(schedule.transfers()):
        check_transfers(schedule, moved, number)
        inside = (
            slice(None) if hi - lo == schedule.chunks else (moved.chunk >= lo) & (moved.chunk < hi)
        )
        part = Transfers(moved.src[inside], moved.dst[inside], moved.chunk[inside],
                         moved.adds[inside])  # fmt: skip
        if not len(part):
            continue
        came = arrive(schedule, held, part, number)
        merged = combine.reduceat(came.incoming, came.starts, axis=0)
        adds = came.adds & (came.own >= 0)
        merged[adds] = combine(merged[adds], held.values[came.own[adds]])
        if check is not None:
            check(schedule, held, came, merged, number)
        held.write(came.keys, merged, number)


def arrive(schedule: Schedule, held: ChunkState, moved: Transfers, step: int) -> Arrival:
    """Return what a step's transfers bring, gathered by target."""
    source = held.find(moved.src * schedule.chunks + moved.chunk)
    if (source < 0).any():
        at = int(np.flatnonzero(source < 0)[0])
        raise ScheduleError(
            f"{name_of(schedule)}, step {step}: rank {moved.src[at]} sends chunk {moved.chunk[at]} "
            f"to rank {moved.dst[at]} but does not hold it"
        )
    target = moved.dst * schedule.chunks + moved.chunk
    order = np.argsort(target, kind="stable")
    target = target[order]
    starts = np.flatnonzero(np.diff(target, prepend=-1))
    adds = moved.adds[order]
    length = np.diff(starts, append=len(target))
    clash = (length > 1) & ~np.logical_and.reduceat(adds, starts)
    if clash.any():
        rank, chunk = divmod(int(target[starts[clash]][0]), schedule.chunks)
        raise ScheduleError(
            f"{name_of(schedule)}, step {step}: chunk {chunk} is written more than once at rank "
            f"{rank} in the same step; only transfers that add may meet"
        )
    keys = target[starts]
    incoming = held.values[source[order]]
    return Arrival(keys, starts, order, incoming, adds[starts], held.find(keys))


def check_transfers(schedule: Schedule, moved: Transfers, step: int) -> None:
    """Raise `ScheduleError` if a step's transfers are not transfers of the schedule."""
    where = f"{name_of(schedule)}, step {step}"
    for what, column, limit in (
        ("rank", moved.src, schedule.ranks),
        ("rank", moved.dst, schedule.ranks),
        ("chunk", moved.chunk, schedule.chunks),
    ):
        bad = (column < 0) | (column >= limit)
        if bad.any():
            raise ScheduleError(
                f"{where}: there is no {what} {column[bad][0]}; {what}s are 0 to {limit - 1}"
            )
    selfish = moved.src == moved.dst
    if selfish.any():
        raise ScheduleError(
            f"{where}: rank {moved.src[selfish][0]} sends chunk {moved.chunk[selfish][0]} to itself"
        )


def name_of(schedule: Schedule) -> str:
    """Return what messages call a schedule."""
    return f"{schedule.collective.title} {schedule.name!r}"
