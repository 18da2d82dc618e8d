"""Keep what happened in a simulation: when each message started, left and arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np

from collectives.model.schedule import BoolArray, IntArray, ScheduleError
from collectives.timing.program import Program
from topology.approximation import Approximation
from topology.fabric import FloatArray

_NONE = -1


Changes: TypeAlias = tuple[FloatArray, IntArray, FloatArray]
"""Seconds, messages, and by how much the rate of each changed, bytes/s."""


@dataclass(frozen=True)
class Leg:
    """One transfer on the critical path.

    Attributes
    ----------
    part, turn, step
        Which of the schedules that ran at once, which of its turns, and of which step.
    message
        Which message.
    src, dst
        Ranks of one such transfer; the first of those that are alike.
    ready, start, sent, arrival
        Seconds at which its sender was done with what came before, and at which it started to
        move, had left and had arrived.
    resource
        What held it back most while it moved: the fullest of its links, lanes or switches.
    full
        How full that was on average while it moved, 0 to 1.
    """

    part: int
    turn: int
    step: int
    message: int
    src: int
    dst: int
    ready: float
    start: float
    sent: float
    arrival: float
    resource: int = _NONE
    full: float = 0.0


@dataclass(eq=False)
class Record:
    """What happened in one turn, or in several of which each repeats the first some time later.

    Attributes
    ----------
    turn
        The first turn.
    repeat, period
        How many turns, and seconds from each to the next.
    start, sent, arrival
        Seconds at which each message started to move, had left, and had arrived, shape (k,);
        empty where there was no room to keep them.
    done
        Seconds at which each actor was done with the turn, shape (actors,).
    changes
        Changes of its messages' rates; None where each moved at one rate.
    """

    turn: int
    start: FloatArray
    sent: FloatArray
    arrival: FloatArray
    done: FloatArray
    repeat: int = 1
    period: float = 0.0
    changes: Changes | None = None

    def last(self, part: BoolArray) -> FloatArray:
        """Return seconds at which each actor was done with the last of its turns.

        Parameters
        ----------
        part
            Which actors take part in them, shape (actors,).
        """
        return self.done + (self.repeat - 1) * self.period * part


@dataclass(frozen=True, eq=False)
class Trace:
    """What happened.

    Attributes
    ----------
    program
        What was carried out.
    records
        By turn.
    changes
        Every change of rates; None where the records tell them.
    hops
        Arc, seconds from when to when it was busy, and which part of it, of every hop of a message
        that was stored and forwarded; None where messages flow over all their links at once.
    legs
        The transfers that the end waited for, where they are known already.
    """

    program: Program
    records: tuple[Record, ...]
    changes: Changes | None = field(default=None, repr=False)
    hops: tuple[IntArray, FloatArray, FloatArray, FloatArray] | None = field(
        default=None, repr=False
    )
    legs: tuple[Leg, ...] | None = field(default=None, repr=False)

    @property
    def words(self) -> str:
        """Say which way the traffic went."""
        said = dict.fromkeys(flow.words for flow in self.program.flows)
        return "; ".join(said)

    def approximations(self, rates: FloatArray) -> tuple[Approximation, ...]:
        """Return in which ways the paths are not exact, at some rates of the arcs."""
        return tuple(note for flow in self.program.flows for note in flow.approximations(rates))

    @cached_property
    def _first(self) -> IntArray:
        return np.array([record.turn for record in self.records], dtype=np.int64)

    @property
    def kept(self) -> bool:
        """Return whether every message was kept."""
        sizes = (self.program.at(record.turn).size for record in self.records)
        return all(len(r.start) == size for r, size in zip(self.records, sizes, strict=True))

    def at(self, turn: int) -> tuple[Record, float]:
        """Return the record of a turn, and how much later than the record it was."""
        record = self.records[int(np.searchsorted(self._first, turn, side="right")) - 1]
        return record, (turn - record.turn) * record.period

    def _taking_part(self, record: Record) -> BoolArray:
        taking: BoolArray = self.program.at(record.turn).ends > 0
        return taking

    def done(self, turn: int) -> FloatArray:
        """Return seconds at which each actor was done with a turn, shape (actors,)."""
        record, later = self.at(turn)
        return record.done + later * self._taking_part(record)

    def finish(self, part: int) -> FloatArray:
        """Return seconds at which each position of a part was done with everything, shape (p,)."""
        actors = self.program.actors_of(part)
        found = np.zeros(len(actors))
        for record in self.records:
            if self.program.part[record.turn] == part:
                np.maximum(found, record.last(self._taking_part(record))[actors], out=found)
        return found

    def moves(self) -> Iterator[tuple[int, int, FloatArray, FloatArray, FloatArray]]:
        """Yield turn, first message, and start, sent and arrival of its messages, turn by turn.

        Raises
        ------
        ScheduleError
            If there was no room to keep them.
        """
        if not self.kept:
            raise ScheduleError(
                "this simulation was too long to keep every message of; choose fewer ranks, or a "
                "schedule of fewer steps, to see links over time and the critical path"
            )
        for record in self.records:
            first = self.program.at(record.turn).first
            for again in range(record.repeat):
                later = again * record.period
                yield (
                    record.turn + again, first, record.start + later, record.sent + later,
                    record.arrival + later,
                )  # fmt: skip

    def rate_changes(self) -> Changes:
        """Return every change of a message's rate, in order of time."""
        if self.changes is not None:
            return self.changes
        parts: list[Changes] = [(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0))]
        for turn, first, start, sent, _ in self.moves():
            record, later = self.at(turn)
            if record.changes is not None:
                time, message, by = record.changes
                parts.append((time + later, message, by))
                continue
            moving = np.flatnonzero(sent > start)
            rate = self.program.bytes[first + moving] / (sent[moving] - start[moving])
            parts.append((start[moving], first + moving, rate))
            parts.append((sent[moving], first + moving, -rate))
        time, message, by = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(time, kind="stable")
        return time[order], message[order], by[order]
