"""Write Python values as JSON and read the very same values back.

JSON has no tuples, sets, infinities or keys that are not strings. Such a value becomes an
object with one key that starts with ``$``: ``{"$tuple": [0, 1]}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from topology import border
from topology.errors import SupernodeError, shown
from topology.hardware.media import Link, LinkType

_RECORDS: Mapping[str, type[Link] | type[LinkType]] = {"$link": Link, "$link_type": LinkType}


def encode(value: object, where: str) -> Any:
    """Return JSON data for a value; raise `SupernodeError` if it has none.

    Parameters
    ----------
    value
        Numbers, words, None, lists, tuples, sets, mappings, link records and link types.
    where
        What holds the value, for the message.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        return encode(value.item(), where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, list | np.ndarray):
        return [encode(item, where) for item in value]
    return _encode_special(value, where)


def _encode_special(value: object, where: str) -> Any:
    if isinstance(value, tuple):
        return {"$tuple": [encode(item, where) for item in value]}
    if isinstance(value, set | frozenset):
        name = "$set" if isinstance(value, set) else "$frozenset"
        return {name: [encode(item, where) for item in sorted(value, key=repr)]}
    if isinstance(value, range):
        return {"$range": [value.start, value.stop, value.step]}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: encode(item, where) for key, item in value.items()}
        return {"$pairs": [[encode(k, where), encode(v, where)] for k, v in value.items()]}
    for name, kind in _RECORDS.items():
        if type(value) is kind:
            return {name: encode(record(value), where)}
    raise SupernodeError(
        f"{where} holds {shown(value)}, a {type(value).__name__}, which JSON cannot hold; use "
        "numbers, words, lists, tuples or mappings"
    )


def record(value: Link | LinkType | object) -> dict[str, Any]:
    """Return the fields of a link record or link type."""
    return {item.name: getattr(value, item.name) for item in fields(value)}  # type: ignore[arg-type]


def decode(data: object, where: str) -> Any:
    """Return the value that `encode` made data of; raise `SupernodeError` if it did not."""
    if isinstance(data, list):
        return [decode(item, where) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        name, inner = next(iter(data.items()))
        if name.startswith("$"):
            return _decode_special(name, inner, where)
    return {key: decode(item, where) for key, item in data.items()}


def _decode_special(name: str, inner: object, where: str) -> Any:
    make = _MAKERS.get(name)
    if make is None:
        raise SupernodeError(f"{where}: {name} is not known; known: {', '.join(_MAKERS)}")
    try:
        return make(decode(inner, where))
    except (TypeError, ValueError) as error:
        raise SupernodeError(f"{where}: {name} {shown(inner)} is not valid: {error}") from error


_MAKERS: Mapping[str, Callable[[Any], Any]] = {
    "$tuple": lambda items: tuple(border.members(items, "$tuple")),
    "$set": lambda items: set(border.members(items, "$set")),
    "$frozenset": lambda items: frozenset(border.members(items, "$frozenset")),
    "$range": lambda ends: range(*ends),
    "$float": float,
    "$pairs": dict,
    "$link": lambda data: Link(**data),
    "$link_type": lambda data: LinkType(**data),
}
