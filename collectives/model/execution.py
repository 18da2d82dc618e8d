"""Run a schedule on real buffers, or on sets of contributions: the proof that it is correct.

Both keep, for every rank, the chunks it holds, and carry out the transfers step by step; all
transfers of a step read what was there before it. Chunks do not touch each other, so large
schedules are followed a block of chunks at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from collectives.model.buffers import (
    buffers,
    chunks_after,
    cut_rows,
    layout,
    position,
)
from collectives.model.chunk_state import Arrival, ChunkState, Values, chunk_state, follow, name_of
from collectives.model.collective import places
from collectives.model.ordering import check_order
from collectives.model.schedule import (
    IntArray,
    Schedule,
    ScheduleError,
)

Words: TypeAlias = npt.NDArray[np.uint64]

_WORD = 64
_WORDS_AT_ONCE = 32_000_000
_SHOWN = 5


def verify(schedule: Schedule) -> None:
    """Prove a schedule correct by following every rank's contribution to every chunk.

    Sums are followed as sets of contributors, packed 64 to a word, so that a contribution that
    is missing and one that is counted twice are both seen, whatever the data.

    Parameters
    ----------
    schedule
        What to prove.

    Raises
    ------
    ScheduleError
        Naming the first wrong chunk: at which rank, in which step, and what is missing or
        counted twice; or who sends what it does not hold.
    """
    _check_shape(schedule)
    check_order(schedule)
    kind = schedule.collective
    contributors = schedule.ranks if kind.adds else 1
    words = -(-contributors // _WORD)
    whole = _bits(np.arange(contributors), words).sum(axis=0, keepdims=True)
    check = None if kind.name == "barrier" else _refuse_twice  # a signal may come twice
    for lo, hi in _blocks(schedule, words):
        rank, chunk = _within(places(kind.before, *_sizes(schedule)), lo, hi)
        start = _bits(rank if kind.adds else np.zeros_like(rank), words)
        held = chunk_state(schedule, rank, chunk, start)
        follow(schedule, held, np.bitwise_or, lo, hi, check)
        wanted = _within(places(kind.after, *_sizes(schedule)), lo, hi)
        _check_end(schedule, held, wanted, whole)


def execute(schedule: Schedule, inputs: npt.ArrayLike) -> Values:
    """Run a schedule on NumPy buffers, chunk by chunk, once `verify` has proved it.

    Parameters
    ----------
    schedule
        What to run.
    inputs
        A buffer for each rank, shape (p, n), of any numbers. All-reduce, broadcast, reduce: n
        elements, cut into chunks. Reduce-scatter, scatter and all-to-all: n is a multiple of p.
        All-gather and gather: each rank's shard. Where a root sends, only its row is read.

    Returns
    -------
    Values
        A buffer for each rank, shape (p, m): m = n, but n / p after reduce-scatter and scatter,
        and n * p after all-gather and gather. Rows of ranks that receive no result are zero.

    Raises
    ------
    ScheduleError
        If the buffers do not fit, or `verify` refuses the schedule, whatever the data.
    """
    kind, (p, chunks, _) = schedule.collective, _sizes(schedule)
    rows = buffers(schedule, inputs)
    verify(schedule)
    units, pieces = layout(schedule)
    sent = rows.shape[1] // (1 if kind.before == "owner" else units)
    cut = cut_rows(rows, sent, pieces)
    rank, chunk = places(kind.before, *_sizes(schedule))
    start = cut.reshape(-1, cut.shape[-1])
    start = start[chunk] if kind.before in ("owner", "origin") else start[rank * chunks + chunk]
    held = chunk_state(schedule, rank, chunk, start)
    follow(schedule, held, np.maximum if kind.name == "barrier" else np.add, 0, chunks, None)
    rank, chunk = places(kind.after, *_sizes(schedule))
    out = np.zeros((p, *chunks_after(schedule), cut.shape[-1]), dtype=rows.dtype)
    out[rank, position(schedule, chunk)] = held.values[held.find(rank * chunks + chunk)]
    return out.reshape(p, -1, pieces * cut.shape[-1])[:, :, :sent].reshape(p, -1)


def _sizes(schedule: Schedule) -> tuple[int, int, int]:
    return schedule.ranks, schedule.chunks, schedule.root


def _check_shape(schedule: Schedule) -> None:
    p, chunks, _ = _sizes(schedule)
    kind = schedule.collective
    parts = {"owner": p, "origin": p * p}
    unit = max(parts.get(kind.before, 1), parts.get(kind.after, 1))
    if chunks % unit:
        raise ScheduleError(
            f"{name_of(schedule)} has {chunks} chunks for {p} ranks; {kind.title} needs a multiple "
            f"of {unit}, one or more"
        )


def _blocks(schedule: Schedule, words: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of chunks that fit in memory together."""
    width = max(1, _WORDS_AT_ONCE // (schedule.ranks * words))
    if schedule.collective.name == "all_to_all":
        width = schedule.chunks  # few ranks ever hold the same chunk
    for lo in range(0, schedule.chunks, width):
        yield lo, min(lo + width, schedule.chunks)


def _within(pair: tuple[IntArray, IntArray], lo: int, hi: int) -> tuple[IntArray, IntArray]:
    rank, chunk = pair
    inside = (chunk >= lo) & (chunk < hi)
    return (rank, chunk) if inside.all() else (rank[inside], chunk[inside])


def _bits(positions: IntArray, words: int) -> Words:
    """Return one set for each position, holding just that, shape (k, words)."""
    sets = np.zeros((len(positions), words), dtype=np.uint64)
    bit = (positions % _WORD).astype(np.uint64)
    sets[np.arange(len(positions)), positions // _WORD] = np.uint64(1) << bit
    return sets


def _members(one: Words) -> list[int]:
    """Return the positions in a set of shape (words,)."""
    bits = np.unpackbits(one.astype("<u8").view(np.uint8), bitorder="little")
    return [int(i) for i in np.flatnonzero(bits)]


def _count(sets: Words) -> IntArray:
    """Return how many positions each set holds, by adding neighbouring bits in parallel."""
    x = sets - ((sets >> np.uint64(1)) & np.uint64(0x5555555555555555))
    two = np.uint64(0x3333333333333333)
    x = (x & two) + ((x >> np.uint64(2)) & two)
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    counts = (x * np.uint64(0x0101010101010101)) >> np.uint64(56)
    total: IntArray = counts.sum(axis=-1).astype(np.int64)
    return total


def _refuse_twice(
    schedule: Schedule, held: ChunkState, came: Arrival, merged: Values, step: int
) -> None:
    """Raise if a contribution is added to a chunk that has it already."""
    total = np.add.reduceat(_count(came.incoming), came.starts)
    adds = came.adds & (came.own >= 0)
    total[adds] += _count(held.values[came.own[adds]])
    bad = np.flatnonzero(total != _count(merged))
    if not len(bad):
        return
    run = int(bad[0])
    rank, chunk = divmod(int(came.keys[run]), schedule.chunks)
    ends = np.append(came.starts, len(came.incoming))
    parts = list(came.incoming[ends[run] : ends[run + 1]])
    seen = held.values[came.own[run]].copy() if adds[run] else np.zeros_like(parts[0])
    again = np.zeros_like(seen)
    for part in parts:
        again |= seen & part
        seen |= part
    raise ScheduleError(
        f"{name_of(schedule)}, step {step}: chunk {chunk} at rank {rank} counts "
        f"{_contributions(schedule, again)} twice"
    )


def _contributions(schedule: Schedule, sets: Words) -> str:
    if not schedule.collective.adds:
        return "its content"
    ranks = _members(sets)
    shown = ", ".join(map(str, ranks[:_SHOWN])) + (", ..." if len(ranks) > _SHOWN else "")
    return f"the contributions of ranks {shown}" if len(ranks) > 1 else f"that of rank {shown}"


def _check_held(schedule: Schedule, rank: IntArray, chunk: IntArray, at: IntArray) -> None:
    if (at < 0).any():
        first = int(np.flatnonzero(at < 0)[0])
        raise ScheduleError(
            f"{name_of(schedule)}: after all {schedule.step_count} steps rank {rank[first]} has "
            f"not received chunk {chunk[first]}"
        )


def _check_end(
    schedule: Schedule, held: ChunkState, wanted: tuple[IntArray, IntArray], whole: Words
) -> None:
    rank, chunk = wanted
    at = held.find(rank * schedule.chunks + chunk)
    _check_held(schedule, rank, chunk, at)
    lacks = (held.values[at] != whole).any(axis=1)
    if lacks.any():
        first = int(np.flatnonzero(lacks)[0])
        step = int(held.written[at[first]])
        when = "never written" if step < 0 else f"last written in step {step}"
        missing = _contributions(schedule, whole[0] & ~held.values[at[first]])
        raise ScheduleError(
            f"{name_of(schedule)}: after all {schedule.step_count} steps chunk {chunk[first]} at "
            f"rank {rank[first]} ({when}) lacks {missing}"
        )
