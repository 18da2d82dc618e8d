"""Find the sizes at which one algorithm overtakes another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy

from collectives.analysis.question import as_size
from collectives.analysis.selection import Candidate, Selection, of_plan
from collectives.model.schedule import ScheduleError
from collectives.timing import Plan
from topology import border
from topology.fabric import FloatArray
from topology.units import GiB

_EQUAL = 1e-12  # sizes are found to this
_CUT = 1e-6  # where schedules are made for a size
_MEETS = 1e-7  # times nearer than this are equal
_TIE = 1e-9


@dataclass(frozen=True)
class Crossover:
    """A size at which two algorithms take the same time.

    Attributes
    ----------
    size
        Bytes.
    below, above
        The faster algorithm at smaller and at larger sizes.
    time
        What the one above takes there, in seconds: both, unless a time jumps there.
    """

    size: float
    below: str
    above: str
    time: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data in SI units, for JSON."""
        data = asdict(self)
        return {"size_bytes": data.pop("size"), "time_s": data.pop("time"), **data}


def crossovers(
    a: Candidate | Plan, b: Candidate | Plan, *, low: float = 1.0, high: float = 64 * GiB
) -> list[Crossover]:
    """Return the sizes at which two algorithms overtake each other, smallest first.

    Times are piecewise linear in the size; the range is searched at one size an octave, so
    algorithms that overtake each other twice in less are taken for equal there.

    Parameters
    ----------
    a, b
        Plans, or candidates.
    low, high
        Bytes, above 0.

    Raises
    ------
    ScheduleError
        If the range is empty.
    """
    first, second = (_as_candidate(given) for given in (a, b))
    found = []
    for lo, hi in pairwise(size_grid(low, high).tolist()):
        before, after = (first.time(s) - second.time(s) for s in (lo, hi))
        if before * after < 0 or (after == 0 and before != 0):
            below, above = (first, second) if before < 0 else (second, first)
            size = _switch(below, above, lo, hi)
            time = below.time(size)
            if abs(time - above.time(size)) <= _MEETS * time:  # else one jumps past the other
                found.append(Crossover(size, below.name, above.name, time))
    return found


def _as_candidate(given: Candidate | Plan) -> Candidate:
    if isinstance(given, Candidate):
        return given
    if not isinstance(given, Plan):
        border.refuse(given, "crossovers: a and b", "plans", ScheduleError)
    return of_plan(given)


def size_grid(low: float, high: float, per_octave: float = 1) -> FloatArray:
    """Return sizes from low to high, both included, evenly in the logarithm.

    Raises
    ------
    ScheduleError
        If the range is empty or begins at 0 or below.
    """
    low, high = (as_size(end) for end in (low, high))
    if not 0 < low < high:
        raise ScheduleError(f"sizes from {low!r} to {high!r}: they must be above 0 and rising")
    count = max(2, int(np.ceil((np.log2(high) - np.log2(low)) * per_octave - 1e-9)) + 1)
    grid = np.geomspace(low, high, count)
    grid[0], grid[-1] = low, high
    return grid


def _switch(below: Candidate, above: Candidate, lo: float, hi: float) -> float:
    """Return where ``above`` has caught up with ``below``; an end if it has there."""

    def behind(size: float) -> float:
        return above.time(size) - below.time(size)

    if behind(lo) <= 0:
        return lo
    if behind(hi) >= 0:
        return hi
    # Schedules made for a size are cut in whole segments: finer is no more exact, and takes long.
    near = _EQUAL if not (below.sized(hi) or above.sized(hi)) else _CUT
    return float(scipy.optimize.brentq(behind, lo, hi, xtol=near * lo, rtol=near))


def changes_of_fastest(fitting: Sequence[Candidate], sizes: Sequence[float]) -> Iterator[Crossover]:
    """Yield where the fastest algorithm changes; the first of equals counts as fastest.

    Parameters
    ----------
    fitting
        The algorithms, one or more.
    sizes
        Bytes, rising; the fastest is compared at these, and changes found between them.
    """
    for lo, hi in pairwise(sizes):
        yield from _between(fitting, lo, _fastest(fitting, lo), hi, _fastest(fitting, hi))


def _between(
    fitting: Sequence[Candidate], lo: float, below: Candidate, hi: float, above: Candidate
) -> Iterator[Crossover]:
    if below is above or hi - lo <= _EQUAL * hi:
        return
    size = _switch(below, above, lo, hi)
    best = _fastest(fitting, size)
    if best is not below and best is not above and lo < size < hi:
        yield from _between(fitting, lo, below, size, best)
        yield from _between(fitting, size, best, hi, above)
    else:
        yield Crossover(size, below.name, above.name, above.time(size))


def _fastest(fitting: Sequence[Candidate], size: float) -> Candidate:
    """Return the fastest; of those that take the same time, the first. Slow ones are not routed."""
    order = sorted(fitting, key=lambda candidate: candidate.least(size))
    least = np.inf
    for candidate in order:
        if candidate.least(size) <= least * (1 + _TIE):
            least = min(least, candidate.time(size))
    most = least * (1 + _TIE)
    return next(c for c in fitting if c.least(size) <= most and c.time(size) <= most)


def changes_of_choice(selection: Selection, sizes: Sequence[float]) -> Iterator[Crossover]:
    """Yield where what a stack chooses changes, which need not be where it gets faster.

    Parameters
    ----------
    selection
        What it has, and its rule.
    sizes
        Bytes, rising; the choice is compared at these, and changes found between them.
    """
    for lo, hi in pairwise(sizes):
        start, last = lo, selection.fastest(hi).candidate.name
        while (below := selection.fastest(start).candidate.name) != last:
            near, far = start, hi
            while far > near * (1 + _CUT):
                middle = float(np.sqrt(near * far))
                same = selection.fastest(middle).candidate.name == below
                near, far = (middle, far) if same else (near, middle)
            above = selection.fastest(far).candidate
            yield Crossover(far, below, above.name, above.time(far))
            start = far
