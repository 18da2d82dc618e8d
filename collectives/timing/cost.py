"""How long a schedule takes at one size, step by step, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from topology import units
from topology.fabric import Fabric, FloatArray
from topology.text import Part, Printed, Table, counted


@dataclass(frozen=True, repr=False)
class Latency(Printed):
    """Where the time goes on the critical path, in seconds; the parts add up to the total.

    Attributes
    ----------
    endpoint
        Software and engines at the ends: α of every step and its messages.
    serialisation
        Bytes through the most loaded links.
    switches
        Port to port, in switches and NICs.
    propagation
        Along copper and fibre.
    transceivers
        In optical modules.
    fec
        Forward error correction.
    """

    endpoint: float = 0.0
    serialisation: float = 0.0
    switches: float = 0.0
    propagation: float = 0.0
    transceivers: float = 0.0
    fec: float = 0.0

    @property
    def total(self) -> float:
        """Return the sum of the parts."""
        return float(sum(getattr(self, part.name) for part in fields(self)))

    def times(self, count: float) -> Latency:
        """Return every part ``count`` times."""
        return Latency(**{part.name: getattr(self, part.name) * count for part in fields(self)})

    def parts(self) -> list[Part]:
        """Return what people read: the sum, then a row for each part."""
        total = self.total
        rows = [
            (
                part.name,
                units.format_time(value),
                units.format_percent(value / total if total else 0),
            )
            for part in fields(self)
            for value in [getattr(self, part.name)]
        ]
        title = "time on the critical path"
        return [f"{units.format_time(total)} in all", Table(title, ("part", "time", "share"), rows)]

    def __add__(self, other: Latency) -> Latency:
        parts = (part.name for part in fields(self))
        return Latency(**{part: getattr(self, part) + getattr(other, part) for part in parts})


def split_path(fabric: Fabric, arcs: list[int]) -> Latency:
    """Return where the latency of a path goes: in links, and in the nodes between them.

    Parameters
    ----------
    fabric
        What it is on.
    arcs
        The path.
    """
    links = [fabric.links[fabric.link[arc]] for arc in arcs]
    inside = sum(float(fabric.node_latency[fabric.head[arc]]) for arc in arcs[:-1])
    transceivers = sum(link.transceivers for link in links)
    fec = sum(link.fec for link in links)
    whole = sum(float(fabric.latency[arc]) for arc in arcs)
    rest = max(0.0, whole - transceivers - fec)
    return Latency(0.0, 0.0, inside, rest, transceivers, whole - rest - transceivers)


@dataclass(frozen=True, eq=False, repr=False)
class StepCost(Printed):
    """One step of a schedule at one size.

    Attributes
    ----------
    phase, repeat
        As in the step.
    latency
        The parts of the time of one repetition.
    transfer
        Seconds the most loaded link or switch is busy in one repetition.
    size
        S in bytes.
    busy
        Seconds each arc is busy in one repetition, shape (arcs,).
    node_busy
        Seconds each switch's total forwarding capacity is busy, shape (nodes,); zero where a
        switch forwards whatever its ports can carry.
    """

    phase: str
    repeat: int
    latency: Latency
    transfer: float
    size: float
    _busy: Callable[[], FloatArray]
    _node_busy: Callable[[], FloatArray]

    @property
    def time(self) -> float:
        """Return seconds of one repetition."""
        return self.latency.total

    def parts(self) -> list[Part]:
        """Return what people read."""
        return [f"{self.phase or 'a step'}: {counted(self.repeat, 'time')} "
                f"{units.format_time(self.time)}"]  # fmt: skip

    @property
    def busy(self) -> FloatArray:
        """Return seconds each arc is busy in one repetition, shape (arcs,)."""
        return self.size * self._busy()

    @property
    def node_busy(self) -> FloatArray:
        """Return seconds each switch's forwarding capacity is busy, shape (nodes,)."""
        return self.size * self._node_busy()


@dataclass(frozen=True, eq=False, repr=False)
class Cost(Printed):
    """A schedule on a fabric at one size.

    Attributes
    ----------
    size
        S in bytes.
    steps
        Every distinct step.
    arcs
        How many arcs the fabric has.
    """

    size: float
    steps: tuple[StepCost, ...]
    arcs: int

    @cached_property
    def time(self) -> float:
        """Return seconds from the first step's start to the last one's end."""
        return float(sum(step.repeat * step.time for step in self.steps))

    @cached_property
    def latency(self) -> Latency:
        """Return where the time goes."""
        return sum((step.latency.times(step.repeat) for step in self.steps), Latency())

    @cached_property
    def transfer(self) -> float:
        """Return seconds the most loaded links of the steps are busy, added up."""
        return float(sum(step.repeat * step.transfer for step in self.steps))

    @cached_property
    def busy(self) -> FloatArray:
        """Return seconds each arc is in use over the whole schedule, shape (arcs,)."""
        total = np.zeros(self.arcs)
        for step in self.steps:
            total += step.repeat * step.busy
        return total

    def parts(self) -> list[Part]:
        """Return what people read: the time, every kind of step, and where the time goes."""
        what = f"{units.format_time(self.time)} for {units.format_size(self.size)}"
        rows = [
            (step.phase, f"{step.repeat:,}", units.format_time(step.time)) for step in self.steps
        ]
        steps = Table("steps", ("phase", "times", "each"), rows)
        return [what, steps, *self.latency.parts()[1:]]
