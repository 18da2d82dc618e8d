"""Carry out schedules event by event, on the links they share."""

from __future__ import annotations

from collections.abc import Callable

from collectives.timing.classes import in_classes
from collectives.timing.fluid import Shared
from collectives.timing.hops import Stored
from collectives.timing.program import Program
from collectives.timing.trace import Trace
from collectives.timing.turns import Watch, turn_by_turn, unwatched
from topology.fabric import FloatArray


def carry_out(
    program: Program,
    *,
    stored: FloatArray | None = None,
    window: int | None = None,
    tick: float = 0.0,
    progress: Callable[[float], object] | None = None,
    watch: Watch = unwatched,
) -> Trace:
    """Return what happens when a program is carried out; what must go alike is one there.

    Parameters
    ----------
    program
        What runs.
    stored
        Bytes/s of each arc, where every link stores a message and forwards it whole; None for
        cut-through.
    window
        How many messages a rank has under way at most, in each turn; None for any number.
    tick
        Seconds; the time from a message's start to its arrival is cut to whole ones. 0 for none.
    progress
        Called with the fraction done.
    watch
        Called at every event with the time there and roughly the microseconds that it took to
        find; what it raises ends the simulation.
    """
    if stored is not None:
        return Stored(program, stored, window, tick, progress).run(watch)
    program = in_classes(program, ordered=window is not None)
    trace = turn_by_turn(program, tick, watch) if window is None else None
    if trace is not None:
        return trace
    return Shared(program, window, tick, progress).run(watch)
