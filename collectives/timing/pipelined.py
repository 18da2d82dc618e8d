"""Time a schedule whose transfers start as soon as their link is free and their chunk is there.

Every transfer is one hop between neighbours: store and forward. A link carries its transfers in
the order of the schedule's steps; nothing waits for the rest of a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collectives.model.schedule import IntArray, Schedule, ScheduleError
from topology.fabric import Fabric, FloatArray


@dataclass(frozen=True, eq=False)
class Slot:
    """One step's transfers on their links.

    Attributes
    ----------
    arc
        Arc of each transfer, shape (k,), all different.
    source, target
        Where the chunk is and where it goes: position * chunks + chunk, shape (k,).
    """

    arc: IntArray
    source: IntArray
    target: IntArray


@dataclass(frozen=True, eq=False)
class Dataflow:
    """A schedule's transfers on the links of a fabric, in order.

    Attributes
    ----------
    fabric
        What it runs on.
    schedule
        What runs.
    slots
        Its steps.
    loads
        Chunks over each arc, shape (arcs,).
    """

    fabric: Fabric
    schedule: Schedule
    slots: tuple[Slot, ...]
    loads: FloatArray

    def finish(self, size: float, capacity: FloatArray, alpha: float) -> float:
        """Return seconds until the last chunk has arrived.

        Parameters
        ----------
        size
            S in bytes.
        capacity
            Bytes/s of each arc, shape (arcs,).
        alpha
            Endpoint seconds before a rank sends a chunk on.
        """
        chunk = size * self.schedule.chunk_fraction
        on_wire = chunk / capacity
        free = np.zeros(len(capacity))
        there = np.zeros(self.schedule.ranks * self.schedule.chunks)
        last = 0.0
        for slot in self.slots:
            begin = np.maximum(free[slot.arc], there[slot.source] + alpha)
            free[slot.arc] = begin + on_wire[slot.arc]
            arrival = free[slot.arc] + self.fabric.latency[slot.arc]
            np.maximum.at(there, slot.target, arrival)
            last = max(last, float(arrival.max(initial=0.0)))
        return last


def dataflow(fabric: Fabric, schedule: Schedule, ranks: IntArray) -> Dataflow:
    """Put a schedule's transfers on links; raise `ScheduleError` if one has no link of its own.

    Parameters
    ----------
    fabric
        What it runs on.
    schedule
        One that overlaps.
    ranks
        Rank at each position, shape (p,).
    """
    slots = tuple(_slots(fabric, schedule, ranks))
    loads = np.zeros(len(fabric.tail))
    for slot in slots:
        loads[slot.arc] += 1
    return Dataflow(fabric, schedule, slots, loads)


def _slots(fabric: Fabric, schedule: Schedule, ranks: IntArray) -> Iterator[Slot]:
    count = len(fabric.nodes)
    keys = fabric.tail * count + fabric.head
    nodes = fabric.npus[ranks]
    for number, moved in enumerate(schedule.transfers()):
        wanted = nodes[moved.src] * count + nodes[moved.dst]
        arc = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        if (keys[arc] != wanted).any():
            at = int(np.flatnonzero(keys[arc] != wanted)[0])
            u, v = (fabric.nodes[nodes[ends[at]]] for ends in (moved.src, moved.dst))
            raise ScheduleError(
                f"schedule {schedule.name!r}, step {number}: {u} and {v} are not neighbours; "
                "a schedule that overlaps moves chunks between neighbours only"
            )
        if len(np.unique(arc)) != len(arc):
            raise ScheduleError(
                f"schedule {schedule.name!r}, step {number} uses a link twice; a schedule that "
                "overlaps uses each link once in a step"
            )
        chunks = schedule.chunks
        yield Slot(arc, moved.src * chunks + moved.chunk, moved.dst * chunks + moved.chunk)
