"""Check the sizes and links a shape is asked for, and lay down what shapes have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from topology.errors import GraphError
from topology.fabric import IntArray
from topology.hardware.media import LinkType, link_type
from topology.supernode import Builder

LinkLike: TypeAlias = str | float | LinkType
"""A link type: its name in media.csv, a rate per lane in bytes/s, or a `LinkType`."""

Dims: TypeAlias = int | Sequence[int]
"""Widths of every dimension; a single number is one dimension."""


def whole(shape: str, what: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Return a whole number within its limits.

    Parameters
    ----------
    shape, what
        The function and its parameter, for the message.
    value
        What the user gave.
    least, most
        The limits, both allowed.

    Raises
    ------
    GraphError
        If it is not a whole number, or outside the limits.
    """
    number = _integer(value)
    if number is None or number < least or (most is not None and number > most):
        limits = f"{least} or more" if most is None else f"{least} to {most}"
        raise GraphError(f"{shape}: {what} is {value!r}; it must be a whole number, {limits}")
    return number


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return None
    return int(value)


def dimensions(shape: str, dims: object, what: str = "dims", least: int = 1) -> tuple[int, ...]:
    """Return the widths of every dimension; raise `GraphError` if one is below ``least``."""
    if _integer(dims) is not None:
        return (whole(shape, what, dims, least),)
    if isinstance(dims, str) or not isinstance(dims, Iterable):
        raise GraphError(f"{shape}: {what} is {dims!r}; give the widths, such as (4, 4)")
    widths = tuple(dims)
    if not widths:
        raise GraphError(f"{shape}: {what} is empty; give one width or more, such as (4, 4)")
    return tuple(whole(shape, f"{what}[{i}]", k, least) for i, k in enumerate(widths))


def links_per_dimension(shape: str, link: object, count: int) -> list[LinkType]:
    """Return the link type of each of ``count`` dimensions, from one for all or one for each."""
    if isinstance(link, str | Real | LinkType) or not isinstance(link, Iterable):
        return [link_type(link)] * count  # type: ignore[arg-type]
    kinds = [link_type(each) for each in link]
    if len(kinds) != count:
        raise GraphError(
            f"{shape}: link has {len(kinds)} link types for {count} dimensions; "
            "give one for all, or one for each"
        )
    return kinds


def lanes_per_dimension(shape: str, lanes: object, count: int) -> list[int]:
    """Return the lanes of each of ``count`` dimensions, from one for all or one for each."""
    if not isinstance(lanes, Iterable) or isinstance(lanes, str):
        return [whole(shape, "lanes", lanes)] * count
    each = [whole(shape, f"lanes[{i}]", n) for i, n in enumerate(lanes)]
    if len(each) != count:
        raise GraphError(
            f"{shape}: lanes has {len(each)} numbers for {count} dimensions; "
            "give one for all, or one for each"
        )
    return each


def said(kinds: Sequence[LinkType]) -> str | tuple[str, ...]:
    """Return the name of the link types for a supernode's parameters: one if all are equal."""
    names = tuple(kind.name for kind in kinds)
    return names[0] if len(set(kinds)) == 1 else names


def by_x(numbers: Sequence[int]) -> str:
    """Return widths as words: 4x4x8."""
    return "x".join(map(str, numbers))


def coordinates(dims: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the coordinates of every vertex, the last dimension fastest."""
    grid = np.indices(tuple(dims)).reshape(len(dims), -1).T
    return [tuple(row) for row in grid.tolist()]


def pairs(
    tails: Sequence[str], u: IntArray, heads: Sequence[str], v: IntArray
) -> Iterator[tuple[str, str]]:
    """Yield the ids of pairs of indices: ``tails[u], heads[v]``, elementwise."""
    below = (tails[i] for i in u.ravel().tolist())
    return zip(below, (heads[i] for i in v.ravel().tolist()), strict=True)


def vertices(
    builder: Builder,
    count: int,
    *,
    npus_per_switch: int = 0,
    link: LinkType | None = None,
    coord: Sequence[tuple[int, ...]] | None = None,
) -> tuple[list[str], list[str]]:
    """Add the vertices of a graph, as NPUs that forward or as switches with NPUs on them.

    Parameters
    ----------
    builder
        Where they are added.
    count
        Of the vertices.
    npus_per_switch
        0 makes the vertices themselves NPUs.
    link
        From an NPU to its switch.
    coord
        The coordinates of each vertex; an NPU on a switch has the switch's and its slot.

    Returns
    -------
    vertices, npus
        The ids of both, the same list where the vertices are the NPUs.
    """
    extra: dict[str, Any] = {} if coord is None else {"coord": list(coord)}
    if not npus_per_switch:
        ids = (f"npu/{i}" for i in range(count))
        names = builder.add_nodes(ids, kind="npu", tier=0, forwards=True, **extra)
        return names, names
    ids = (f"switch/{i}" for i in range(count))
    names = builder.add_nodes(ids, kind="switch", tier=1, **extra)
    homes = [i // npus_per_switch for i in range(count * npus_per_switch)]
    slots = [i % npus_per_switch for i in range(len(homes))]
    if coord is not None:
        extra["coord"] = [(*coord[i], slot) for i, slot in zip(homes, slots, strict=True)]
    ids = (f"npu/{i}" for i in range(len(homes)))
    npus = builder.add_nodes(ids, kind="npu", tier=0, slot=slots, **extra)
    if link is not None:
        builder.connect(zip(npus, (names[i] for i in homes), strict=True), link)
    return names, npus
