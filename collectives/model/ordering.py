"""Check that steps which need not wait for each other do not touch the same chunks."""

from __future__ import annotations

import numpy as np

from collectives.model.errors import ScheduleError
from collectives.model.schedule import BoolArray, IntArray, Schedule


def ancestors(schedule: Schedule) -> list[int]:
    """Return the steps that have ended when each step starts, as bits of a whole number."""
    found: list[int] = []
    for number in range(len(schedule.steps)):
        waits = schedule.waits_for(number)
        found.append(0)
        for other in waits:
            found[number] |= found[other] | 1 << other
    return found


def check_order(schedule: Schedule) -> None:
    """Raise `ScheduleError` if what a step reads or writes depends on which step is the faster.

    Two steps of which one writes a chunk at a rank that the other reads or writes there must be
    in order. It is enough to look at each write and what stands next to it, the reads and the
    write before: whatever is in order with them is in order with the rest.

    Parameters
    ----------
    schedule
        What to check; a step may send what the steps before it in the list have brought.
    """
    if schedule.lockstep or schedule.overlaps:
        return
    key, step, writes = _touched(schedule)
    order = np.lexsort((writes, step, key))
    key, step, writes = key[order], step[order], writes[order]
    before = _last(key, step, writes)
    after = _last(key[::-1], -step[::-1], writes[::-1])[::-1]
    pairs = [(step, before), (-after, step)]
    ends = np.concatenate([np.stack([a, b])[:, known] for a, b, known in (
        (*pairs[0], before != _NONE), (*pairs[1], after != _NONE)
    )], axis=1)  # fmt: skip
    ended = ancestors(schedule)
    for late, early in np.unique(ends, axis=1).T.tolist():
        if not ended[late] >> early & 1:
            raise ScheduleError(
                f"{schedule.collective.title} {schedule.name!r}: steps {early} and {late} use the "
                "same chunk at the same rank, and neither waits for the other; name the earlier "
                "one in after="
            )


_NONE = np.iinfo(np.int64).min


def _touched(schedule: Schedule) -> tuple[IntArray, IntArray, BoolArray]:
    """Return rank * chunks + chunk, the step, and whether it is written: once for each step."""
    keys, counts, writes = [], [], []
    for step in schedule.steps:
        moved = [step.transfers(t) for t in range(step.repeat)]
        for written in (False, True):
            ends = [m.dst if written else m.src for m in moved]
            each = [end * schedule.chunks + m.chunk for end, m in zip(ends, moved, strict=True)]
            keys.append(np.unique(np.concatenate(each)))
            writes.append(np.full(len(keys[-1]), written))
        counts.append(len(keys[-1]) + len(keys[-2]))
    number = np.repeat(np.arange(len(counts)), counts)
    return np.concatenate(keys), number, np.concatenate(writes)


def _last(key: IntArray, step: IntArray, writes: BoolArray) -> IntArray:
    """Return the last step before each entry that writes the same key, of another step."""
    at = np.where(writes, np.arange(len(key)), -1)
    # Entries of a step stand together: what counts is the last write before the first of them.
    first = np.flatnonzero((np.diff(key, prepend=-1) != 0) | (np.diff(step, prepend=0) != 0))
    starts = np.repeat(first, np.diff(np.append(first, len(key))))
    seen = np.concatenate(([-1], np.maximum.accumulate(at)))[starts]
    there = (seen >= 0) & (key[seen] == key)
    return np.where(there, step[seen], _NONE)
