"""Name what can go wrong, in one small tree."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class SupernodeError(ValueError):
    """Anything the user can mend: the message says what, where and what to do."""


class UnitError(SupernodeError):
    """A quantity without a unit, or with one that does not fit."""


class CatalogueError(SupernodeError):
    """A row of a catalogue file is faulty, or a name is not in it."""


class GraphError(SupernodeError):
    """A graph that is not a supernode; every fault is listed at once."""


class RoutingError(SupernodeError):
    """A demand that the fabric cannot carry."""


class UnknownNameError(SupernodeError):
    """A name that is not known; the near ones are listed."""


def unknown_name(what: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Return the error for an unknown name, with the near ones first.

    Parameters
    ----------
    what
        What was being looked up, such as ``"system"``.
    name
        The name as the user gave it.
    known
        Every name that would have been right.
    """
    names = sorted(known)
    near = get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return UnknownNameError(f"{what} {name!r} is not known; {hint}known: {', '.join(names)}")
