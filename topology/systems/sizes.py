"""Read the sizes of machines that come in boxes: (4, 4, 8), or "4x4x8" as on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from topology import border
from topology.shapes.parts import dimensions

Box = str | Sequence[int]


def box(machine: str, what: str, value: object) -> tuple[int, ...]:
    """Return the widths of a box.

    Parameters
    ----------
    machine, what
        Whose they are, for the message.
    value
        Whole numbers, 1 or more, or text such as "4x4x8".

    Raises
    ------
    GraphError
        If it is neither.
    """
    if not isinstance(value, str):
        return dimensions(machine, value, what)
    words = value.lower().replace("×", ",").replace("x", ",")
    return dimensions(machine, border.counts(words, f"{machine}: {what}, as in 4x4x8,"), what)
