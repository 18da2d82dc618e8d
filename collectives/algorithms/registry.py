"""Find an algorithm by collective and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from collectives.model.collective import collective
from collectives.model.schedule import Schedule, Team
from topology.errors import unknown_name

Algorithm: TypeAlias = Callable[[Team], Schedule]

_REGISTRY: dict[str, dict[str, Algorithm]] = {}
_NEVER_BEST: set[tuple[str, str]] = set()


def register(
    collective_name: str, name: str, algorithm: Algorithm, *, candidate: bool = True
) -> None:
    """Make an algorithm known by name.

    Parameters
    ----------
    collective_name
        What it carries out: "all_reduce".
    name
        What `analyze` and the command line call it.
    algorithm
        A function from a `Team` to a `Schedule`.
    candidate
        Whether ``algorithm="auto"`` tries it; False for one that another always beats, or that
        takes too long to try.
    """
    kind = collective(collective_name).name
    _REGISTRY.setdefault(kind, {})[name] = algorithm
    (_NEVER_BEST.discard if candidate else _NEVER_BEST.add)((kind, name))


def algorithm_names(collective_name: str) -> list[str]:
    """Return the algorithms known for a collective."""
    return list(_REGISTRY.get(collective(collective_name).name, {}))


def candidate_names(collective_name: str) -> list[str]:
    """Return the algorithms that "auto" chooses from."""
    kind = collective(collective_name).name
    return [name for name in algorithm_names(kind) if (kind, name) not in _NEVER_BEST]


def find_algorithm(collective_name: str, name: str) -> Algorithm:
    """Return an algorithm; raise `UnknownNameError` with the near names if it is not known."""
    known = _REGISTRY.get(collective(collective_name).name, {})
    if name not in known:
        title = collective(collective_name).title
        raise unknown_name(f"{title} algorithm", name, [*known, "auto"])
    return known[name]
