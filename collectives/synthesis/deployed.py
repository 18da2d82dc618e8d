"""The synthesised forest as an algorithm among others, where it is found in about a second."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from collectives.algorithms import algorithm
from collectives.model.schedule import DoesNotFitError, Schedule, ScheduleError, Team
from collectives.synthesis.synthesize import find_forest, synthesize
from topology.units import MiB

_MOST_RANKS = 256
_MOST_PACKED = 32


def forest(kind: str, team: Team) -> Schedule:
    """Send down, or add up, trees that keep the links busy that bound the collective.

    Parameters
    ----------
    kind
        All-gather, reduce-scatter or all-reduce.
    team
        Who takes part.

    Raises
    ------
    DoesNotFitError
        If it takes long to find, there is none, or it is the direct exchange.
    """
    if team.supernode is None or team.ranks is None:
        raise DoesNotFitError("forest needs to know the machine: give it a team with one")
    if not 1 < team.size <= _MOST_RANKS:
        raise DoesNotFitError(
            f"forest: {team.size} ranks; it is looked for here on 2 to {_MOST_RANKS}, and by "
            "collectives.synthesize on any number"
        )
    try:
        found = find_forest(team.supernode, team.ranks, pack=_MOST_PACKED)
    except ScheduleError as error:
        raise DoesNotFitError(f"forest: {error}") from error
    if found.forest.depth <= 1:
        raise DoesNotFitError("forest: none better than stars was found; use 'direct'")
    made = synthesize(
        team.supernode, kind, ranks=team.ranks, size=team.volume or 256 * MiB, pack=_MOST_PACKED
    )
    return replace(made, sized=team.volume is not None)


for _kind in ("all_gather", "reduce_scatter", "all_reduce"):
    algorithm(_kind, "forest")(partial(forest, _kind))
