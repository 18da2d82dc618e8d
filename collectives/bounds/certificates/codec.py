"""Write frozen dataclasses of plain facts as data for JSON, and read them back by their types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from topology.errors import SupernodeError

Kinds = Mapping[str, type[Any]]


class CertificateError(SupernodeError):
    """A certificate that does not prove what it claims."""


def to_plain(value: Any, kinds: Kinds) -> Any:
    """Return facts as dicts, lists, strings and numbers; a dataclass says its kind."""
    if isinstance(value, tuple):
        return [to_plain(one, kinds) for one in value]
    if not is_dataclass(value):
        return value
    kind = next(name for name, made in kinds.items() if made is type(value))
    parts = {part.name: to_plain(getattr(value, part.name), kinds) for part in fields(value)}
    return {"kind": kind, **parts}


def from_plain(data: Any, kinds: Kinds, path: str = "certificate") -> Any:
    """Return the dataclass that data is about; raise `CertificateError` at what does not fit.

    Parameters
    ----------
    data
        What `to_plain` made.
    kinds
        The dataclasses that may occur, by name.
    path
        What messages call it.
    """
    if not isinstance(data, Mapping):
        raise CertificateError(f"{path} is {_short(data)}; it must be a table with a kind")
    made = kinds.get(str(data.get("kind")))
    if made is None:
        known = ", ".join(sorted(kinds))
        raise CertificateError(f"{path}: kind {_short(data.get('kind'))}; known: {known}")
    hints = _hints(made)
    if unknown := sorted(set(map(str, data)) - set(hints) - {"kind"}):
        raise CertificateError(f"{path} has {unknown[0]!r}, which is none of {', '.join(hints)}")
    if missing := [name for name in hints if name not in data]:
        raise CertificateError(f"{path}: {missing[0]} is missing")
    read = {n: _read(data[n], hint, kinds, f"{path}, {n}") for n, hint in hints.items()}
    return made(**read)


def _hints(made: type[Any]) -> dict[str, Any]:
    found: dict[str, Any] = get_type_hints(made)
    return found


def _read(value: Any, wanted: Any, kinds: Kinds, path: str) -> Any:
    """Return a value of a type: a plain one, a tuple, a dataclass, or one of several."""
    options = get_args(wanted)
    if get_origin(wanted) is tuple and isinstance(value, list | tuple):
        if options[-1] is Ellipsis:
            return tuple(_read(one, options[0], kinds, path) for one in value)
        if len(value) == len(options):
            return tuple(_read(v, o, kinds, path) for v, o in zip(value, options, strict=True))
    elif NoneType in options and value is None:
        return None
    elif options and get_origin(wanted) is not tuple:
        if not any(is_dataclass(option) for option in options):
            return _read(value, next(o for o in options if o is not NoneType), kinds, path)
        if isinstance(found := from_plain(value, kinds, path), options):
            return found
    elif wanted is float and _is_number(value):
        return float(value)
    elif not options and isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool):
        return value
    raise CertificateError(f"{path}: {_short(value)} does not fit")


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < 1e308 and math.isfinite(value)


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 40 else f"{said[:37]}..."
