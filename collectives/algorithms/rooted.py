"""Broadcast, reduce, gather, scatter and barrier by binomial and Bine trees.

Positions are counted from the root on. A broadcast backwards is a reduce, and a scatter backwards
is a gather.

References
----------
Thakur, Rabenseifner and Gropp, Optimization of collective communication operations in MPICH,
IJHPCA 19 (2005) 49-66.
Hensgen, Finkel and Manber, Two algorithms for barrier synchronization, IJPP 17 (1988) 1-17, for
the dissemination barrier.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collectives.algorithms.compose import Steps, relabelled, reverse
from collectives.algorithms.registry import algorithm
from collectives.algorithms.ring import ring_steps
from collectives.model.collective import collective
from collectives.model.schedule import (
    Schedule,
    ScheduleError,
    Step,
    Team,
    Transfers,
    as_team,
    permutation,
)
from topology import border
from topology.routing import Pairs


def check_root(root: int, p: int) -> int:
    """Return a root; raise `ScheduleError` if there is no such position."""
    return border.whole(root, "root", least=0, most=p - 1, error=ScheduleError)


def from_root(
    kind: str, name: str, team: Team | int, root: int, make: Callable[[int], Steps],
    *, blocks: bool = False,
) -> Schedule:  # fmt: skip
    """Return a collective with a root from its steps with position 0 as root.

    Parameters
    ----------
    kind, name
        Of the collective and of the algorithm.
    team, root
        Who takes part.
    make
        Returns the steps for so many ranks.
    blocks
        Whether a block of each rank moves, rather than one vector.
    """
    p = as_team(team).size
    places = (np.arange(p) + check_root(root, p)) % p
    steps = relabelled(make(p), places, int(blocks))
    return Schedule(name, collective(kind), p, p if blocks else 1, steps, root=root)


def _halvings(p: int) -> list[int]:
    """Return the distances of a binomial tree, the largest first."""
    return [1 << i for i in reversed(range((p - 1).bit_length()))]


def binomial_steps(p: int) -> Steps:
    """Return a broadcast from position 0 in ⌈log2 p⌉ steps, the farthest first."""
    return tuple(_binomial_step(p, distance) for distance in _halvings(p))


def _binomial_step(p: int, distance: int) -> Step:
    src = np.arange(0, p - distance, 2 * distance)
    chunk = np.zeros(len(src), dtype=np.int64)
    return Step(
        lambda _: Transfers(src, src + distance, chunk),
        permutation(src, src + distance, 1.0), 1, "broadcast",
    )  # fmt: skip


def scatter_steps(p: int) -> Steps:
    """Return a scatter from position 0: every child gets the blocks of its whole subtree."""
    return tuple(_scatter_step(p, distance) for distance in _halvings(p))


def _scatter_step(p: int, distance: int) -> Step:
    src = np.arange(0, p - distance, 2 * distance)
    dst = src + distance
    width = np.minimum(distance, p - dst)

    def transfers(_: int) -> Transfers:
        which = np.repeat(np.arange(len(src)), width)
        offset = np.arange(len(which)) - np.repeat(np.cumsum(width) - width, width)
        return Transfers(src[which], dst[which], dst[which] + offset)

    return Step(transfers, Pairs(src, dst, width / p), 1, "scatter")


@algorithm("broadcast", "binomial_tree")
def binomial_broadcast(team: Team | int, *, root: int = 0) -> Schedule:
    """Broadcast down a binomial tree: ⌈log2 p⌉(α + S/B)."""
    return from_root("broadcast", "binomial_tree", team, root, binomial_steps)


@algorithm("reduce", "binomial_tree")
def binomial_reduce(team: Team | int, *, root: int = 0) -> Schedule:
    """Reduce up a binomial tree: ⌈log2 p⌉(α + S/B)."""
    return from_root(
        "reduce", "binomial_tree", team, root, lambda p: reverse(binomial_steps(p), "reduce")
    )


@algorithm("all_reduce", "binomial_tree")
def binomial_all_reduce(team: Team | int) -> Schedule:
    """All-reduce as a reduce and a broadcast over one binomial tree: 2⌈log2 p⌉(α + S/B)."""
    p = as_team(team).size
    down = binomial_steps(p)
    steps = (*reverse(down, "reduce"), *down)
    return Schedule("binomial_tree", collective("all_reduce"), p, 1, steps)


@algorithm("scatter", "binomial_tree")
def binomial_scatter(team: Team | int, *, root: int = 0) -> Schedule:
    """Scatter down a binomial tree: α ⌈log2 p⌉ + (p-1)/p · S/B."""
    return from_root("scatter", "binomial_tree", team, root, scatter_steps, blocks=True)


@algorithm("gather", "binomial_tree")
def binomial_gather(team: Team | int, *, root: int = 0) -> Schedule:
    """Gather up a binomial tree: α ⌈log2 p⌉ + (p-1)/p · S/B."""
    return from_root("gather", "binomial_tree", team, root, _gather_steps, blocks=True)


def _gather_steps(p: int) -> Steps:
    return reverse(scatter_steps(p), "gather", reduce=False)


@algorithm("broadcast", "scatter_gather")
def scatter_gather_broadcast(team: Team | int, *, root: int = 0) -> Schedule:
    """Broadcast as a scatter and a ring all-gather: (⌈log2 p⌉+p-1)α + 2(p-1)/p · S/B.

    The bandwidth-optimal broadcast of van de Geijn, but for a factor of 2.
    """

    def steps(p: int) -> Steps:
        return (*scatter_steps(p), *ring_steps(p, reduce=False))

    return from_root("broadcast", "scatter_gather", team, root, steps, blocks=True)


@algorithm("reduce", "scatter_gather")
def scatter_gather_reduce(team: Team | int, *, root: int = 0) -> Schedule:
    """Reduce as a ring reduce-scatter and a gather: (⌈log2 p⌉+p-1)α + 2(p-1)/p · S/B."""

    def steps(p: int) -> Steps:
        return (*ring_steps(p, reduce=True), *_gather_steps(p))

    return from_root("reduce", "scatter_gather", team, root, steps, blocks=True)


@algorithm("barrier", "dissemination")
def dissemination_barrier(team: Team | int) -> Schedule:
    """Barrier in ⌈log2 p⌉ steps: in step i rank r signals rank r + 2^i."""
    p = as_team(team).size
    ranks, chunk = np.arange(p), np.zeros(p, dtype=np.int64)
    steps = tuple(
        Step(
            lambda _, to=(ranks + (1 << i)) % p: Transfers(ranks, to, chunk, reduce=True),  # type: ignore[misc]
            permutation(ranks, (ranks + (1 << i)) % p, 1.0), 1, "signal",
        )
        for i in range((p - 1).bit_length())
    )  # fmt: skip
    return Schedule("dissemination", collective("barrier"), p, 1, steps)


@algorithm("barrier", "binomial_tree")
def binomial_barrier(team: Team | int) -> Schedule:
    """Barrier up and down a binomial tree in 2⌈log2 p⌉ steps."""
    p = as_team(team).size
    down = binomial_steps(p)
    steps = (*reverse(down, "gather signals"), *down)
    return Schedule("binomial_tree", collective("barrier"), p, 1, steps)
