"""All-to-all step by step: pairwise, Bruck, along the dimensions of a grid, and uneven.

The block from rank o to rank d is chunk o * p + d throughout. `uneven` turns any of these
schedules, and the direct and hierarchical ones, into an all-to-all-v.

References
----------
Bruck, Ho, Kipnis, Upfal and Weathersby, Efficient algorithms for all-to-all communications in
multiport message-passing systems, IEEE TPDS 8 (1997) 1143-1156.
Thakur, Rabenseifner and Gropp, Optimization of collective communication operations in MPICH,
IJHPCA 19 (2005) 49-66, for pairwise exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt

from collectives.algorithms.direct import direct_all_to_all
from collectives.algorithms.grid import grid_steps
from collectives.algorithms.registry import algorithm
from collectives.algorithms.relays import hierarchical_all_to_all
from collectives.model.collective import collective
from collectives.model.schedule import (
    UNSTATED,
    DoesNotFitError,
    IntArray,
    Schedule,
    ScheduleError,
    Step,
    Team,
    Transfers,
    as_team,
    join,
)
from topology import border
from topology.fabric import FloatArray
from topology.naming import natural_key
from topology.routing import Pairs, add_demands

_MOST_PAIRWISE = 2048


# Direct sends the same messages over the same paths, all at once, so pairwise never beats it.
@algorithm("all_to_all", "pairwise", candidate=False)
def pairwise_all_to_all(team: Team | int, *, window: int = 1) -> Schedule:
    """All-to-all in ⌈(p-1)/w⌉ steps of w messages of S/p each: ⌈(p-1)/w⌉·α + (p-1)/p · S/B.

    In exchange t, of w at once, rank r exchanges with r XOR t where p is a power of two, and
    elsewhere sends to r + t and receives from r - t.

    Parameters
    ----------
    team
        Who takes part.
    window
        w; p - 1 and more is the direct exchange.

    Raises
    ------
    DoesNotFitError
        Above 2048 ranks: every step has a pattern of its own, so cost grows as p².
    """
    p = as_team(team).size
    at_once = border.whole(window, "pairwise: window", error=ScheduleError)
    if p > _MOST_PAIRWISE:
        raise DoesNotFitError(
            f"pairwise: {p} ranks would take {p - 1} different exchanges; it is made for up to "
            f"{_MOST_PAIRWISE} ranks, use 'direct' or 'bruck'"
        )
    steps = tuple(
        _pairwise_step(p, np.arange(first, min(first + at_once, p)))
        for first in range(1, p, at_once)
    )
    return Schedule("pairwise", collective("all_to_all"), p, p * p, steps)


def _pairwise_step(p: int, exchanges: IntArray) -> Step:
    ranks = np.arange(p)[:, None]
    to = (ranks ^ exchanges if p & (p - 1) == 0 else (ranks + exchanges) % p).reshape(-1)
    src = np.repeat(np.arange(p), len(exchanges))

    def transfers(_: int) -> Transfers:
        return Transfers(src, to, src * p + to)

    return Step(transfers, Pairs(src, to, np.full(len(src), 1 / p)), 1, "exchange")


@algorithm("all_to_all", "bruck")
def bruck_all_to_all(team: Team | int, *, radix: int = 2) -> Schedule:
    """All-to-all in a logarithmic number of steps, by the digits of the distance to travel.

    The block that has j = d - o ranks to go is forwarded z·r^k ranks in the step for digit z at
    place k of j, written in base r. That is (r-1)·⌈log_r p⌉ steps at most; places whose digit
    no distance below p has are left out, so it is (r-1)(w-1) + ⌈p/r^(w-1)⌉ - 1 for
    w = ⌈log_r p⌉ exactly. Each step sends S/p for every distance with that digit: in all
    (S/p)·Σ_j (nonzero digits of j), which is (r-1)/r · S · w where p is a power of r.

    Parameters
    ----------
    team
        Who takes part.
    radix
        r, 2 or more; p and above is a pairwise exchange.

    Raises
    ------
    ScheduleError
        If the radix is not a whole number of 2 or more.
    """
    border.whole(radix, "bruck: radix", least=2, error=ScheduleError)
    p = as_team(team).size
    name = "bruck" if radix == 2 else f"bruck{radix}"
    steps = []
    place = 1
    while place < p:
        steps += [_bruck_step(p, place, radix, z) for z in range(1, min(radix, -(-p // place)))]
        place *= radix
    return Schedule(name, collective("all_to_all"), p, p * p, tuple(steps))


for _radix in (4, 8):
    algorithm("all_to_all", f"bruck{_radix}")(partial(bruck_all_to_all, radix=_radix))


def _bruck_step(p: int, place: int, radix: int, digit: int) -> Step:
    ranks = np.arange(p)
    distance = ranks[(ranks // place) % radix == digit]
    to = (ranks + digit * place) % p

    def transfers(_: int) -> Transfers:
        origin = (ranks[:, None] - distance % place) % p
        chunk = origin * p + (origin + distance) % p
        return Transfers(
            np.repeat(ranks, len(distance)), np.repeat(to, len(distance)), chunk.reshape(-1)
        )

    traffic = Pairs(ranks, to, np.full(p, len(distance) / p))
    return Step(transfers, traffic, 1, f"distance {digit * place}")


@algorithm("all_to_all", "dimension")
def dimension_all_to_all(team: Team | int, *, dims: Sequence[int] | None = None) -> Schedule:
    """All-to-all along one dimension of a grid after the other: a torus, a mesh, a HyperX.

    In phase i every rank sends each of the a_i - 1 others in its row what is meant for
    that coordinate, S/a_i: D steps, Σ (a_i-1)/a_i · S in all, with messages p/a_i times larger
    than the direct ones and none that leaves its row.

    Parameters
    ----------
    team
        Who takes part; on a machine, the grid is the nodes' ``coord`` attribute.
    dims
        Ranks per dimension, instead; position (c_0, c_1, ...) counts the last fastest.

    Raises
    ------
    DoesNotFitError
        If the ranks do not form a full grid.
    """
    grid = grid_of(as_team(team), dims)
    return Schedule(
        "dimension", collective("all_to_all"), grid.size, grid.size**2, grid_steps(grid)
    )


@algorithm("all_to_all", "rotated")
def rotated_all_to_all(team: Team | int, *, dims: Sequence[int] | None = None) -> Schedule:
    """All-to-all along the dimensions with every dimension at work at once.

    Every block is cut in D parts; part i goes through the dimensions from the i-th on, round
    and round. The bytes of `dimension_all_to_all`, but each phase spreads them over all
    dimensions: on a grid of equal dimensions it is D times faster.

    Parameters
    ----------
    team, dims
        As in `dimension_all_to_all`.
    """
    grid = grid_of(as_team(team), dims)
    grid = grid.reshape([n for n in grid.shape if n > 1])
    parts = max(1, grid.ndim)
    orders = [[(first + i) % parts for i in range(parts)] for first in range(parts)]
    columns = [grid_steps(grid.transpose(order)) for order in orders if grid.ndim]
    steps = tuple(_together(phase) for phase in zip(*columns, strict=True))
    chunks = grid.size**2 * parts
    return Schedule("rotated", collective("all_to_all"), grid.size, chunks, steps)


def _together(phase: Sequence[Step]) -> Step:
    """Return the steps of the parts of all blocks as one: part i takes the i-th."""
    parts = len(phase)

    def transfers(t: int) -> Transfers:
        moved = [step.transfers(t) for step in phase]
        return join([Transfers(m.src, m.dst, m.chunk * parts + i) for i, m in enumerate(moved)])

    traffic = add_demands([step.traffic for step in phase]).scaled(1 / parts)
    return Step(transfers, traffic, 1, "all dimensions at once")


def grid_of(team: Team, dims: Sequence[int] | None = None) -> IntArray:
    """Return the position at each point of a team's grid, one axis to a dimension.

    Raises
    ------
    DoesNotFitError
        If the ranks do not form a full grid.
    """
    if dims is not None:
        sizes = tuple(int(n) for n in dims)
        if not sizes or min(sizes) < 1 or prod(sizes) != team.size:
            raise ScheduleError(
                f"dimension: dims is {tuple(dims)}; their product must be the {team.size} ranks"
            )
        return np.arange(team.size).reshape(sizes)
    return _grid_of_coordinates(_coordinates(team))


def _coordinates(team: Team) -> list[tuple[object, ...]]:
    if team.supernode is None or team.ranks is None:
        raise DoesNotFitError("dimension needs a grid: give dims=, ranks per dimension")
    nodes, npus = team.supernode.graph.nodes, team.supernode.npus
    found = [nodes[npus[rank]].get("coord") for rank in team.ranks.tolist()]
    bare = [rank for rank, at in zip(team.ranks.tolist(), found, strict=True) if at is None]
    if bare:
        raise DoesNotFitError(
            f"dimension needs a grid, and {npus[bare[0]]} of {team.supernode.name} has no 'coord' "
            "attribute: give dims=, ranks per dimension"
        )
    return [tuple(at) if isinstance(at, tuple | list) else (at,) for at in found]


def _grid_of_coordinates(coordinates: list[tuple[object, ...]]) -> IntArray:
    depths = {len(at) for at in coordinates}
    if len(depths) > 1:
        raise DoesNotFitError(
            f"dimension: coordinates have {' and '.join(map(str, sorted(depths)))} dimensions"
        )
    axes = []
    for axis in zip(*coordinates, strict=True):
        values = sorted(set(axis), key=lambda value: natural_key(str(value)))
        index = {value: i for i, value in enumerate(values)}
        axes.append(np.array([index[value] for value in axis], dtype=np.int64))
    sizes = tuple(int(axis.max()) + 1 for axis in axes)
    cell = np.ravel_multi_index(tuple(axes), sizes)
    if prod(sizes) != len(coordinates) or len(np.unique(cell)) != len(coordinates):
        raise DoesNotFitError(
            f"dimension: {len(coordinates)} ranks do not fill the {'x'.join(map(str, sizes))} grid "
            "of their coordinates; choose ranks= that do, or give dims="
        )
    grid = np.empty(len(cell), dtype=np.int64)
    grid[cell] = np.arange(len(cell))
    return grid.reshape(sizes)


def check_matrix(matrix: npt.ArrayLike, ranks: int) -> FloatArray:
    """Return a byte matrix as an array, row = sender; raise `ScheduleError` if it is not one.

    Parameters
    ----------
    matrix
        Bytes from each rank to each, shape (ranks, ranks).
    ranks
        How many ranks there are.
    """
    bytes_to = border.numbers(matrix, "all-to-all-v: the matrix of bytes", ScheduleError)
    if bytes_to.shape != (ranks, ranks):
        raise ScheduleError(
            f"all-to-all-v: the matrix has shape {bytes_to.shape}; {ranks} ranks need "
            f"({ranks}, {ranks}), row = sender"
        )
    return bytes_to


def mean_size(matrix: FloatArray) -> float:
    """Return S of an all-to-all-v in bytes: what a rank sends on average, its own included."""
    return float(matrix.sum()) / len(matrix)


def uneven(schedule: Schedule, matrix: npt.ArrayLike) -> Schedule:
    """Return an all-to-all schedule with blocks of different sizes: an all-to-all-v.

    The blocks take the ways they took, each with its own bytes; a message of no bytes is not
    sent. The size S is then the mean over the ranks of what each sends (`mean_size`), so the
    schedule's cost at that size is the cost of the matrix, and at twice the size of its double.

    Parameters
    ----------
    schedule
        Any all-to-all schedule: direct, hierarchical (rail-aligned), pairwise, Bruck, ...
    matrix
        Bytes from each position to each, shape (p, p), row = sender.

    Raises
    ------
    ScheduleError
        If the schedule is not for all-to-all, or the matrix does not fit it.
    """
    if schedule.collective.name != "all_to_all":
        raise ScheduleError(
            f"all-to-all-v: schedule {schedule.name!r} is for {schedule.collective.title}"
        )
    share = check_matrix(matrix, schedule.ranks)
    size = mean_size(share)
    steps = tuple(replace(step, traffic=UNSTATED) for step in schedule.steps)
    note = "blocks of different sizes; S is the mean over the ranks of what each sends"
    return replace(
        schedule,
        steps=steps,
        notes=(*schedule.notes, note),
        overlaps=False,
        block_sizes=share / size if size > 0 else share,
    )


def all_to_all_v(matrix: npt.ArrayLike, *, groups: npt.ArrayLike | None = None) -> Schedule:
    """Return a direct all-to-all-v, or a rail-aligned one where ranks come in groups.

    Parameters
    ----------
    matrix
        Bytes from each position to each, shape (p, p), row = sender.
    groups
        Positions of each node, as equal rows: blocks then go to the neighbour on the right rail
        and along that rail, as in `hierarchical_all_to_all`.
    """
    raw = border.numbers(matrix, "all-to-all-v: the matrix of bytes", ScheduleError)
    p = len(raw) if raw.ndim else 0
    if not p:
        raise ScheduleError("all-to-all-v: the matrix is empty; it needs a row for each rank")
    if groups is None:
        return uneven(direct_all_to_all(p), matrix)
    rows = border.numbers(groups, "all-to-all-v: groups", ScheduleError)
    if rows.ndim != 2 or not np.array_equal(np.sort(rows, axis=None), np.arange(p)):
        raise ScheduleError(
            f"all-to-all-v: groups must be equal rows that hold each position 0 to {p - 1} once"
        )
    return uneven(hierarchical_all_to_all("pxn", Team(p, rows.astype(np.int64))), matrix)
