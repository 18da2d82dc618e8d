"""Which transfers wait for which others, when steps need not end everywhere before the next.

A pipelined tree has a rank pass a segment on while other ranks are behind: a transfer only has
to wait for what it sends. What a rank holds of a chunk goes through versions; a transfer sends one
version and helps to make another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collectives.model.schedule import BoolArray, IntArray, Schedule, join
from topology.text import Part, Printed


@dataclass(frozen=True, eq=False, repr=False)
class Dependencies(Printed):
    """The transfers of a schedule in order, and the versions of chunks that they send and make.

    Attributes
    ----------
    step, src, dst, chunk, adds
        Of each transfer, shape (k,).
    sends
        Version that each transfer sends, -1 for what its sender had at the start, shape (k,).
    makes
        Version that each transfer helps to make, shape (k,). All that make one are in the same
        step.
    builds_on
        Version that each version adds to, or -1 for what was there at the start, or -2 if it
        replaces what was there, shape (versions,).
    """

    step: IntArray
    src: IntArray
    dst: IntArray
    chunk: IntArray
    adds: BoolArray
    sends: IntArray
    makes: IntArray
    builds_on: IntArray

    def __len__(self) -> int:
        return len(self.step)

    def parts(self) -> list[Part]:
        """Return how many transfers there are, and how many of them have to follow each other."""
        return [
            f"{len(self):,} transfers in {int(self.step.max(initial=-1)) + 1:,} steps; at most "
            f"{int(self.depth().max(initial=0)):,} follow each other"
        ]

    def depth(self) -> IntArray:
        """Return how many transfers follow each other up to and including each, shape (k,)."""
        found = np.zeros(len(self), dtype=np.int64)
        ready = np.zeros(len(self.builds_on) + 1, dtype=np.int64)  # the last entry is the start
        bounds = np.searchsorted(self.step, np.arange(int(self.step.max(initial=-1)) + 2))
        for lo, hi in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            found[lo:hi] = ready[self.sends[lo:hi]] + 1
            made = self.makes[lo:hi]
            np.maximum.at(ready, made, found[lo:hi])
            below = self.builds_on[made]
            np.maximum.at(ready, made, np.where(below >= 0, ready[below], 0))
        return found


def dependencies(schedule: Schedule) -> Dependencies:
    """Return what the transfers of a schedule wait for.

    All transfers are laid out at once, so this is for schedules that fit in memory.

    Parameters
    ----------
    schedule
        A schedule; it is not verified here.
    """
    every = list(schedule.transfers())
    step = np.repeat(np.arange(len(every)), [len(moved) for moved in every])
    if not len(step):
        none = np.zeros(0, dtype=np.int64)
        return Dependencies(none, none, none, none, none.astype(bool), none, none, none)
    moved = join(every)
    writes = moved.dst * schedule.chunks + moved.chunk
    # One version for each place and step in which it is written, sorted by place, then step.
    event = writes * len(every) + step
    versions, first, makes = np.unique(event, return_index=True, return_inverse=True)
    place = versions // len(every)
    before = np.concatenate(([-1], np.arange(len(versions) - 1)))
    follows = np.concatenate(([False], place[1:] == place[:-1]))
    builds_on = np.where(moved.adds[first], np.where(follows, before, -1), -2)
    reads = moved.src * schedule.chunks + moved.chunk
    latest = np.searchsorted(versions, reads * len(every) + step) - 1
    there = (latest >= 0) & (place[latest] == reads)
    return Dependencies(
        step, moved.src, moved.dst, moved.chunk, moved.adds,
        np.where(there, latest, -1), makes.reshape(-1), builds_on,
    )  # fmt: skip
