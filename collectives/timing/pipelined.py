"""Time a schedule whose transfers start as soon as their link is free and their chunk is there.

Every transfer is one hop between neighbours: store and forward. A link carries its transfers in
the order of the schedule's steps, and a rank sends its messages one after the other; nothing waits
for the rest of a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from collectives.model.schedule import DoesNotFitError, IntArray, Schedule, ScheduleError
from collectives.timing.cost import Latency, StepCost, split_path
from collectives.timing.endpoint import Endpoint
from topology.approximation import Approximation
from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, distinct
from topology.routing import Router

_START = -1


@dataclass(frozen=True, eq=False)
class Slot:
    """One step's transfers on their links.

    Attributes
    ----------
    arc
        Arc of each transfer, shape (k,), all different.
    sender
        Position that sends it, shape (k,).
    turn
        How many messages the sender sends before it in this step, shape (k,).
    source, target
        Where the chunk is and where it goes: position * chunks + chunk, shape (k,).
    """

    arc: IntArray
    sender: IntArray
    turn: IntArray
    source: IntArray
    target: IntArray


@dataclass(eq=False)
class _Clock:
    """When links, senders and chunks are free, and which transfer made them so."""

    link: FloatArray
    link_by: IntArray
    sender: FloatArray
    sender_by: IntArray
    chunk: FloatArray
    chunk_by: IntArray

    @classmethod
    def new(cls, links: int, senders: int, chunks: int) -> _Clock:
        """Return a clock at which everything is free."""
        free = [(np.zeros(n), np.full(n, _START)) for n in (links, senders, chunks)]
        return cls(*free[0], *free[1], *free[2])


@dataclass(frozen=True, eq=False)
class Timeline:
    """Every transfer in order: when it was handed over, began and arrived, and what for it waited.

    ``held_by`` is the transfer whose message or chunk the sender had to finish first, and
    ``behind`` the one before it on its link; -1 for none. ``chained`` says that the sender was
    still at another message, rather than without the chunk.
    """

    arc: IntArray
    begin: FloatArray
    arrival: FloatArray
    held_by: IntArray
    behind: IntArray
    chained: IntArray


@dataclass(frozen=True, eq=False)
class Pipelined:
    """A schedule's transfers on the links of a fabric, in order.

    Attributes
    ----------
    fabric
        What it runs on.
    schedule
        What runs.
    endpoint
        Software overheads: α from the time a chunk is there, then the message itself.
    rates
        Bytes/s of each arc, shape (arcs,).
    slots
        Its steps.
    loads
        Chunks over each arc, shape (arcs,).
    """

    fabric: Fabric
    schedule: Schedule
    endpoint: Endpoint
    rates: FloatArray
    slots: tuple[Slot, ...]
    loads: FloatArray

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return none: every transfer is followed."""
        return ()

    def cost(self, size: float) -> tuple[StepCost, ...]:
        """Return what all steps together take at a size in bytes."""
        split, _ = self._critical(size)
        per_byte = self.schedule.chunk_fraction * self.loads / self.rates
        transfer = size * float(per_byte.max(initial=0.0))
        idle = np.zeros(len(self.fabric.nodes))
        return (
            StepCost(
                "all steps, overlapping", 1, split, transfer, size, lambda: per_byte, lambda: idle
            ),
        )

    def time(self, size: float) -> float:
        """Return seconds until the last chunk has arrived at a size."""
        return float(self.run(size).arrival.max(initial=0.0))

    def critical_path(self, step: int, size: float) -> list[int]:
        """Return the arcs that the last chunk to arrive waited for or went over, in order."""
        del step
        return self._critical(size)[1]

    def _critical(self, size: float) -> tuple[Latency, list[int]]:
        """Follow the last arrival back to the start; return where the time went, and the arcs."""
        line = self.run(size)
        split, arcs = Latency(), []
        at = int(np.argmax(line.arrival)) if len(line.arrival) else _START
        arrives = True
        while at != _START:
            arc = int(line.arc[at])
            sent = Latency(
                serialisation=size * self.schedule.chunk_fraction / float(self.rates[arc])
            )
            split += sent + (split_path(self.fabric, [arc]) if arrives else Latency())
            arcs.append(arc)
            arrives = False
            if line.behind[at] != _START:
                at = int(line.behind[at])
                continue
            while at != _START and line.chained[at]:
                split += Latency(endpoint=self.endpoint.message)
                at = int(line.held_by[at])
            split += Latency(endpoint=self.endpoint.alpha + self.endpoint.message)
            at, arrives = int(line.held_by[at]), True
        return split, arcs[::-1]

    def run(self, size: float) -> Timeline:
        """Carry out every transfer; see `Timeline`."""
        p, chunks = self.schedule.ranks, self.schedule.chunks
        on_wire = size * self.schedule.chunk_fraction / self.rates
        count = sum(len(slot.arc) for slot in self.slots)
        line = Timeline(
            *(np.zeros(count, dtype=kind) for kind in (int, float, float, int, int, bool))
        )
        clock = _Clock.new(len(on_wire), p, p * chunks)
        first = 0
        for slot in self.slots:
            here = first + np.arange(len(slot.arc))
            handed = self._hand_over(slot, here, clock, line)
            waits = clock.link[slot.arc] > handed
            begin = np.maximum(clock.link[slot.arc], handed)
            line.arc[here], line.begin[here] = slot.arc, begin
            line.behind[here] = np.where(waits, clock.link_by[slot.arc], _START)
            clock.link[slot.arc] = begin + on_wire[slot.arc]
            clock.link_by[slot.arc] = here
            line.arrival[here] = clock.link[slot.arc] + self.fabric.latency[slot.arc]
            order = np.argsort(line.arrival[here], kind="stable")  # the last to arrive stays
            later = line.arrival[here] >= clock.chunk[slot.target]
            order = order[later[order]]
            clock.chunk[slot.target[order]] = line.arrival[here[order]]
            clock.chunk_by[slot.target[order]] = here[order]
            first += len(slot.arc)
        return line

    def _hand_over(self, slot: Slot, here: IntArray, clock: _Clock, line: Timeline) -> FloatArray:
        """Return when each transfer of a slot is handed to its link; senders take turns."""
        alpha, message = self.endpoint.alpha, self.endpoint.message
        ready = clock.chunk[slot.source] + alpha
        line.held_by[here] = clock.chunk_by[slot.source]
        if message == 0:
            return ready
        handed = np.empty(len(here))
        for turn in range(int(slot.turn.max(initial=-1)) + 1):
            now = np.flatnonzero(slot.turn == turn)
            sender = slot.sender[now]
            busy = clock.sender[sender] > ready[now]
            handed[now] = np.maximum(clock.sender[sender], ready[now]) + message
            line.chained[here[now]] = busy
            line.held_by[here[now[busy]]] = clock.sender_by[sender[busy]]
            clock.sender[sender], clock.sender_by[sender] = handed[now], here[now]
        return handed


def check_direct(router: Router, slots: Iterable[Slot], name: str) -> None:
    """Raise `DoesNotFitError` if a routing takes transfers off their own links.

    Parameters
    ----------
    router
        Which way traffic goes.
    slots
        Transfers on their links.
    name
        Of the schedule, for the message.
    """
    fabric = router.fabric
    arcs = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(slot.arc for slot in slots)]))
    rank = np.full(len(fabric.nodes), -1)
    rank[fabric.npus] = np.arange(len(fabric.npus))
    if len(arcs) and not router.goes_direct(rank[fabric.tail[arcs]], rank[fabric.head[arcs]]):
        raise DoesNotFitError(
            f"schedule {name!r} moves chunks between neighbours over the whole of their link, and "
            f"{router.title} routing sends them otherwise; choose routing='ecmp', or a schedule "
            "that does not overlap"
        )


def pipelined(
    router: Router, schedule: Schedule, ranks: IntArray, endpoint: Endpoint, rates: FloatArray
) -> Pipelined:
    """Put a schedule's transfers on links; raise `ScheduleError` if one has no link of its own.

    Parameters
    ----------
    router
        Which way traffic goes: `DoesNotFitError` if that is not over the links.
    schedule
        One that overlaps.
    ranks
        Rank at each position, shape (p,).
    endpoint
        Software overheads.
    rates
        Bytes/s of each arc, shape (arcs,).
    """
    fabric, slots = router.fabric, tuple(_slots(router.fabric, schedule, ranks))
    check_direct(router, slots, schedule.name)
    loads = np.zeros(len(fabric.tail))
    for slot in slots:
        loads[slot.arc] += 1
    return Pipelined(fabric, schedule, endpoint, rates, slots, loads)


def _slots(fabric: Fabric, schedule: Schedule, ranks: IntArray) -> Iterator[Slot]:
    nodes, chunks = fabric.npus[ranks], schedule.chunks
    for number, moved in enumerate(schedule.transfers()):
        where = f"schedule {schedule.name!r}, step {number}"
        try:
            arc = fabric.arcs_between(nodes[moved.src], nodes[moved.dst])
        except RoutingError as error:
            raise ScheduleError(
                f"{where}: {error}: they are not neighbours, and a schedule that overlaps moves "
                "chunks between neighbours only"
            ) from error
        if len(distinct(arc)) != len(arc):
            raise ScheduleError(
                f"{where} uses a link twice; a schedule that overlaps uses each link once in a step"
            )
        yield Slot(arc, moved.src, _turns(moved.src), moved.src * chunks + moved.chunk,
                   moved.dst * chunks + moved.chunk)  # fmt: skip


def _turns(sender: IntArray) -> IntArray:
    """Return how many entries before each have the same value, shape (k,)."""
    order = np.argsort(sender, kind="stable")
    starts = np.flatnonzero(np.diff(sender[order], prepend=-1))
    length = np.diff(np.append(starts, len(sender)))
    turn = np.empty(len(sender), dtype=np.int64)
    turn[order] = np.arange(len(sender)) - np.repeat(starts, length)
    return turn
