"""Write a reduce-scatter and an all-gather as one; the all-reduce is one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import lcm
from typing import NamedTuple, TypeAlias, TypeVar

from collectives.algorithms.compose import Steps, finer, reverse
from collectives.algorithms.registry import algorithm
from collectives.model.collective import collective
from collectives.model.schedule import Schedule, Team, as_team


class Part(NamedTuple):
    """The steps of a collective, how many chunks they move, and notes for its schedule.

    ``overlaps`` and ``sized`` are as in `Schedule`.
    """

    steps: Steps
    chunks: int
    notes: tuple[str, ...] = ()
    overlaps: bool = False
    sized: bool = False


Half: TypeAlias = Callable[..., Part]
"""Called with ``reduce=True`` for the reduce-scatter, with ``reduce=False`` for the all-gather."""

F = TypeVar("F", bound=Callable[..., Half])

_HALVES = {"reduce_scatter": (True,), "all_gather": (False,), "all_reduce": (True, False)}


def halves(name: str, *kinds: str) -> Callable[[F], F]:
    """Return a decorator that makes the collectives of two halves known by name.

    The function below it takes a `Team`, and options, and returns the halves.

    Parameters
    ----------
    name
        What `analyze` and the command line call it.
    kinds
        Which collectives; by default reduce-scatter, all-gather and all-reduce.
    """

    def put(prepare: F) -> F:
        for kind in kinds or _HALVES:
            algorithm(kind, name)(_whole(kind, name, prepare))
        return prepare

    return put


def _whole(kind: str, name: str, prepare: Callable[..., Half]) -> Callable[..., Schedule]:
    @wraps(prepare)
    def make(team: Team | int, **options: object) -> Schedule:
        made = as_team(team)
        half = prepare(made, **options)
        parts = [half(reduce=reduce) for reduce in _HALVES[kind]]
        chunks = lcm(*(part.chunks for part in parts))
        steps = (step for part in parts for step in finer(part.steps, chunks // part.chunks))
        overlaps = all(part.overlaps for part in parts)
        return Schedule(
            name, collective(kind), made.size, chunks, tuple(steps), parts[0].notes,
            overlaps=overlaps, sized=any(part.sized for part in parts),
        )  # fmt: skip

    return make


def mirrored(gather: Steps, chunks: int) -> Half:
    """Return an all-gather, and its reverse as the reduce-scatter."""
    return lambda reduce: Part(reverse(gather) if reduce else gather, chunks)
