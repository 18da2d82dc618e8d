"""Check the arguments of public calls against their annotations, where a package lets them in.

Numbers and ranks are looked at by the function itself, which knows their limits (see
`topology.border`); what else has a type is looked at here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from functools import cache, wraps
from inspect import Parameter, isfunction, ismodule, signature
from itertools import islice
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import networkx as nx
import numpy as np

from topology import border
from topology.errors import SupernodeError

F = TypeVar("F", bound=Callable[..., Any])
_HINT = "; topology.from_networkx() makes a supernode of a graph"
_ANY = (int, float, object, Hashable)
_PROJECT = ("topology", "collectives")
_SELVES = ("shapes", "systems", "calls", "registry", "")
"""Rooms whose functions take numbers and words only and check them, and what builds rooms."""

_ROOMS = ("formats", "metrics", "routing", "shapes", "systems", "units")
"""Rooms of `topology` that are public as a whole."""


class ArgumentError(SupernodeError, TypeError):
    """An argument of a call has a type that it cannot have."""


def check_calls(package: str) -> None:
    """Check the arguments of every function that a package lets in, from now on.

    Parameters
    ----------
    package
        Its ``__name__``. The functions are replaced in the package and where they were defined.
    """
    room: Any = sys.modules[package]
    for name, function in list(vars(room).items()):
        if not isfunction(function) or hasattr(function, "__wrapped__"):
            continue
        project, _, module = function.__module__.partition(".")
        if project in _PROJECT and module.split(".")[0] not in _SELVES:
            home: Any = sys.modules[function.__module__]
            checked = _checking(function)
            if getattr(home, name, None) is function:
                setattr(home, name, checked)  # so that it can be pickled
            setattr(room, name, checked)


def public_names(package: str, *late: str) -> list[str]:
    """Return ``__all__`` of a package: what of the project it lets in, and what comes late.

    Parameters
    ----------
    package
        Its ``__name__``.
    *late
        Names that are brought in only when they are asked for.
    """
    names = [
        name
        for name, thing in vars(sys.modules[package]).items()
        if not name.startswith("_") and name not in ("check_calls", "public_names")
        if str(getattr(thing, "__module__", getattr(thing, "__name__", ""))).startswith(package)
        if not ismodule(thing) or name in _ROOMS
    ]
    return sorted({*names, *late})


def _checking(function: F) -> F:
    taken = signature(function)

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        bound = taken.bind(*given, **named)
        for name, kind in _kinds(function).items():
            if name in bound.arguments:
                value, what = bound.arguments[name], f"{function.__name__}: {name}"
                if kind is bool:
                    bound.arguments[name] = border.flag(value, what)
                elif not _fits(value, kind):
                    must = f"of type {_words(kind)}" + _HINT * isinstance(value, nx.Graph)
                    border.refuse(value, what, must, ArgumentError)
        return function(*bound.args, **bound.kwargs)

    return call  # type: ignore[return-value]


@cache
def _kinds(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the annotations of the parameters that are looked at."""
    hints = get_type_hints(function)
    many = (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    return {
        name: hints[name]
        for name, one in signature(function).parameters.items()
        if one.kind not in many and hints.get(name, Any) is not Any
    }


def _fits(value: object, kind: Any) -> bool:
    """Tell whether a value has the type of an annotation; True for what is not looked at."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inside)
    if kind is NoneType:
        return value is None
    if origin is Callable:
        return callable(value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray)
    if isinstance(origin, type) and issubclass(origin, Iterable):
        if not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
            return False  # an array without dimensions says that it can be gone through
        some: Iterable[Any] = value if isinstance(value, list | tuple) else ()
        some = islice(value, 1) if not some and isinstance(value, Collection) else some
        return origin is tuple or all(_fits(one, inside[0]) for one in some)
    looked_at = isinstance(kind, type) and kind not in _ANY and not _is_protocol(kind)
    return isinstance(value, kind) if looked_at else True


def _words(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(_words, get_args(kind)))
    return "None" if kind is NoneType else str(getattr(kind, "__name__", kind))


def _is_protocol(kind: type) -> bool:
    return bool(getattr(kind, "_is_protocol", False))
