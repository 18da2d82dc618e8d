"""Rings over edge-disjoint Hamiltonian cycles, in both directions: every link is always busy.

References
----------
De Sensi et al., Swing, NSDI 2024, arXiv:2401.09356, section 2.3.1, for tori; NVIDIA's DGX-1 has
three such cycles (NCCL's rings).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from collectives.algorithms.alltoall import grid_of
from collectives.algorithms.halves import Half, halves
from collectives.algorithms.hamiltonian import lattice_cycles, searched_cycles, walecki_cycles
from collectives.algorithms.neighbours import direct_lanes
from collectives.algorithms.ring import rings
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    ScheduleError,
    Team,
)
from topology.text import counted

Cycles = Sequence[npt.ArrayLike] | None


@halves("multi_ring")
def multi_ring(team: Team, *, cycles: Cycles = None) -> Half:
    """Run rings on k cycles both ways: (p-1)α + (p-1)/p · S/(2k·b) for links of rate b.

    The all-reduce takes twice as long.

    Parameters
    ----------
    team
        Who takes part.
    cycles
        Tours of all positions; by default as many edge-disjoint ones as the machine has: full
        meshes, tori, and small machines of any shape, such as the DGX-1.

    Raises
    ------
    ScheduleError
        If no cycle is known, or one given is not a tour.
    """
    p = team.size
    known, more = hamiltonian_cycles(team) if cycles is None else (_checked(cycles, p), False)
    note = f"{counted(len(known), 'cycle')}, both ways round"
    note += ", and a search for more was given up" * more
    return rings([tour for cycle in known for tour in (cycle, cycle[::-1])], note)


def _checked(cycles: Sequence[npt.ArrayLike], p: int) -> list[IntArray]:
    tours = [np.asarray(cycle) for cycle in cycles]
    if not tours:
        raise ScheduleError("multi_ring: cycles is empty; give one tour or more")
    for tour in tours:
        if tour.shape != (p,) or not np.array_equal(np.sort(tour), np.arange(p)):
            raise ScheduleError(
                f"multi_ring: cycle {tour.tolist()} is not a tour; it must hold each position 0 "
                f"to {p - 1} once"
            )
    return [tour.astype(np.int64) for tour in tours]


def hamiltonian_cycles(team: Team) -> tuple[list[IntArray], bool]:
    """Return edge-disjoint Hamiltonian cycles as positions, and whether there may be more.

    Raises
    ------
    DoesNotFitError
        If none is found.
    """
    there = direct_lanes(team, "multi_ring")
    lanes = there.minimum(there.T)  # what goes both ways
    p = team.size
    if p > 2 and (lanes > 0).sum() == p * (p - 1):
        return walecki_cycles(p), False
    torus = _torus_cycles(team, lanes)
    found, more = (torus, False) if torus else searched_cycles(lanes)
    if not found:
        sought = "were found in a short search" if more else "are known"
        raise DoesNotFitError(
            f"multi_ring: no Hamiltonian cycles {sought} for these {p} ranks; it takes a full "
            "mesh, a torus with dimensions of 3 or more (or pairs of 2), up to 12 directly linked "
            "ranks, or cycles="
        )
    return found, more


def _torus_cycles(team: Team, lanes: sparse.csr_array) -> list[IntArray] | None:
    try:
        grid = _squares_as_rings(grid_of(team))
    except DoesNotFitError:
        return None
    if grid.ndim == 0 or min(grid.shape) < 3:
        return None
    links = [(grid, np.roll(grid, -1, axis=axis)) for axis in range(grid.ndim)]
    if not all((lanes[u.reshape(-1), v.reshape(-1)] > 0).all() for u, v in links):
        return None
    if grid.ndim == 1:
        return [grid]
    tours = lattice_cycles(grid.shape)
    return None if tours is None else [grid.reshape(-1)[tour] for tour in tours]


def _squares_as_rings(grid: IntArray) -> IntArray:
    """Return a grid with every two axes of width 2 as one ring of 4, and none of width 1."""
    grid = grid.reshape([n for n in grid.shape if n > 1])
    twos = [axis for axis, n in enumerate(grid.shape) if n == 2]
    wide = [axis for axis, n in enumerate(grid.shape) if n > 2]
    flat = grid.transpose([*twos, *wide]).reshape([grid.shape[axis] for axis in (*twos, *wide)])
    shape = [grid.shape[axis] for axis in wide]
    pairs, single = divmod(len(twos), 2)
    squares = flat.reshape([4] * pairs + [2] * single + shape)
    for axis in range(pairs):
        squares = np.take(squares, [0, 1, 3, 2], axis=axis)
    return squares
