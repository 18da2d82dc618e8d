"""Name what can go wrong, in one small tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


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


class UnreachableError(RoutingError):
    """Two ranks between which there is no path."""


class UnknownNameError(SupernodeError):
    """A name that is not known; the near ones are listed."""


_SHOWN = 60


def shown(value: object) -> str:
    """Return a value as a message shows it: its repr, cut short; its type if it has no repr."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number of more than 4,300 digits, or a loop
        return f"a {type(value).__name__} too long to print"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def known_as(what: str, name: str, known: Mapping[str, T]) -> T:
    """Return what has a name; raise `UnknownNameError`, with the near ones, if nothing has."""
    if name not in known:
        raise unknown_name(what, name, known)
    return known[name]


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
    said = shown(name)
    near = get_close_matches(said.strip("'"), names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return UnknownNameError(f"{what} {said} is not known; {hint}known: {', '.join(names)}")
