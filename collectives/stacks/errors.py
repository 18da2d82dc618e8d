"""Know how far a stack's times are from what was measured: the errors that `validate` found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collectives.stacks.stack import Stack
from topology.hardware.catalogue import load_rows
from topology.text import counted
from topology.units import MiB, format_percent

CLASSES = (
    ("below 1 MiB", 1 * MiB),
    ("1 to 64 MiB", 64 * MiB * (1 + 1e-9)),
    ("64 to 256 MiB", 256 * MiB),
    ("256 MiB and more", np.inf),
)
"""Size classes: a name, and the size that is the first beyond it."""


def size_class(size: float) -> str:
    """Return the name of the class that a size in bytes belongs to."""
    return next(name for name, end in CLASSES if size < end)


@dataclass(frozen=True)
class KnownError:
    """How far a stack's times are from published measurements.

    Attributes
    ----------
    measurements
        How many there are of its generation and size class, without those it was fitted on.
    error
        Their geometric mean error; 0 where there are none.
    where
        What they are of, in words.
    """

    measurements: int
    error: float
    where: str = "on this generation"

    @property
    def words(self) -> str:
        """Return it as people read it."""
        if not self.measurements:
            return "not validated: no measurement of this size on this generation"
        count = counted(self.measurements, "measurement")
        return f"± {format_percent(self.error)}, from {count} {self.where}"


def known_error(stack: Stack, size: float) -> KnownError:
    """Return how far a stack's times at a size in bytes are from published measurements."""
    if stack.origin is not None:
        own = stack.origin
        return KnownError(own.measurements, own.error, f"that {own.name} is fitted to")
    wanted = {"stack": stack.name, "generation": stack.generation, "size_class": size_class(size)}
    for row in load_rows("stack_errors.csv", tuple(wanted)):
        if dict(row.words) == wanted:
            return KnownError(int(row.values["measurements"]), row.values["error"])
    return KnownError(0, 0.0)
