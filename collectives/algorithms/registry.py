"""Find an algorithm by collective and name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TypeAlias, TypeVar

from collectives.model.collective import collective
from collectives.model.schedule import Schedule, Team
from topology.registry import Registry

Algorithm: TypeAlias = Callable[[Team], Schedule]
F = TypeVar("F", bound=Callable[..., Schedule])

FAMILIES = (
    "ring", "multi_ring", "direct", "hierarchical", "relays", "butterfly", "pat", "rooted",
    "pipeline", "spread", "torus", "swing", "fan", "bfb", "matching", "innetwork", "alltoall",
)  # fmt: skip
"""Modules in the order in which "auto" tries what is in them: of equal ones the first is taken."""

_NEVER_BEST: set[tuple[str, str]] = set()


@cache
def _registry(kind: str) -> Registry[Algorithm]:
    title = collective(kind).title
    return Registry(f"{title} algorithm", "supernode.algorithms", also=("auto",))


def algorithm(collective_name: str, name: str, *, candidate: bool = True) -> Callable[[F], F]:
    """Return a decorator that makes an algorithm known by name; parameters as in `register`."""

    def put(function: F) -> F:
        _put(collective_name, name, function, candidate=candidate)
        return function

    return put


def register(
    collective_name: str, name: str, algorithm: Algorithm, *, candidate: bool = True
) -> None:
    """Make an algorithm known by name; one that has the name already is replaced.

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
    _put(collective_name, name, algorithm, candidate=candidate, replace=True)


def _put(
    collective_name: str, name: str, made: Algorithm, *, candidate: bool, replace: bool = False
) -> None:
    kind = collective(collective_name).name
    _registry(kind).add(name, made, replace=replace)
    (_NEVER_BEST.discard if candidate else _NEVER_BEST.add)((kind, name))


def algorithm_names(collective_name: str) -> list[str]:
    """Return the algorithms known for a collective."""
    known = _registry(collective(collective_name).name)
    return sorted(known, key=lambda name: _family(known[name]))


def _family(made: Algorithm) -> int:
    """Return the place among `FAMILIES` of the module an algorithm is written in."""
    package, _, module = str(getattr(_function(made), "__module__", "")).rpartition(".")
    own = package == __name__.rpartition(".")[0] and module in FAMILIES
    return FAMILIES.index(module) if own else len(FAMILIES)


def _function(made: Algorithm) -> Algorithm:
    return made.func if isinstance(made, partial) else made


def candidate_names(collective_name: str) -> list[str]:
    """Return the algorithms that "auto" chooses from."""
    kind = collective(collective_name).name
    return [name for name in algorithm_names(kind) if (kind, name) not in _NEVER_BEST]


def find_algorithm(collective_name: str, name: str) -> Algorithm:
    """Return an algorithm; raise `UnknownNameError` with the near names if it is not known."""
    return _registry(collective(collective_name).name)[name]
