"""Check the sizes and links a shape is asked for, and lay down what shapes have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from topology import border
from topology.errors import GraphError
from topology.fabric import IntArray
from topology.hardware.media import LinkType, link_type
from topology.supernode import Builder, Supernode

_MOST_DIMENSIONS = 30
LinkLike: TypeAlias = str | float | LinkType
"""A link type: its name in media.csv, a rate per lane in bytes/s, or a `LinkType`."""

Dims: TypeAlias = int | Sequence[int]
"""Widths of every dimension; a single number is one dimension."""


def dimensions(shape: str, dims: object, what: str = "dims") -> tuple[int, ...]:
    """Return the widths of every dimension; raise `GraphError` if one is below 1.

    As many vertices as their product are within the budget.
    """
    name = f"{shape}: {what}"
    if isinstance(dims, Iterable):
        given = enumerate(border.ordered(dims, name))
        widths = [border.whole(width, f"{name}[{i}]") for i, width in given]
    else:
        widths = [border.whole(dims, name)]
    if not 1 <= len(widths) <= _MOST_DIMENSIONS:
        raise GraphError(
            f"{name} has {len(widths)} widths; give 1 to {_MOST_DIMENSIONS}, such as (4, 4)"
        )
    border.afford(shape, prod(widths))
    return tuple(widths)


def _each(shape: str, what: str, given: object, count: int) -> list[Any]:
    """Return a value for each dimension, from one for all or one for each."""
    if isinstance(given, str | Real | LinkType) or not isinstance(given, Iterable):
        return [given] * count
    values = border.ordered(given, f"{shape}: {what}")
    if len(values) != count:
        raise GraphError(
            f"{shape}: {what} has {len(values)} values for {count} dimensions; "
            "give one for all, or one for each"
        )
    return values


def links_per_dimension(shape: str, link: object, count: int) -> list[LinkType]:
    """Return the link type of each of ``count`` dimensions, from one for all or one for each."""
    return [link_type(kind) for kind in _each(shape, "link", link, count)]


def lanes_per_dimension(shape: str, lanes: object, count: int) -> list[int]:
    """Return the lanes of each of ``count`` dimensions, from one for all or one for each."""
    return [border.whole(n, f"{shape}: lanes") for n in _each(shape, "lanes", lanes, count)]


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
    border.afford("the machine", count * (1 + npus_per_switch))
    extra: dict[str, Any] = {} if coord is None else {"coord": list(coord)}
    if not npus_per_switch:
        names = builder.add_grid("npu", count, kind="npu", tier=0, forwards=True, **extra)
        return names, names
    names = builder.add_grid("switch", count, kind="switch", tier=1, **extra)
    each = npus_per_switch
    if coord is not None:
        extra["coord"] = [(*at, slot) for at in coord for slot in range(each)]
    npus = builder.add_grid("npu", count * each, kind="npu", tier=0, among={"slot": each}, **extra)
    if link is not None:
        builder.connect(((npu, names[i // each]) for i, npu in enumerate(npus)), link)
    return names, npus


def add_nics(
    builder: Builder, npus: Sequence[str], device: str | None, link: LinkLike, **attributes: Any
) -> list[str]:
    """Give each NPU a NIC, and return the NICs; attributes as in `Builder.add_grid`."""
    nics = builder.add_grid("nic", len(npus), kind="nic", tier=1, device=device, **attributes)
    builder.connect(zip(npus, nics, strict=True), link)
    return nics


Steps: TypeAlias = Sequence[tuple[IntArray, IntArray]]
"""Both ends of links by the numbers of their vertices; one entry for each kind of link."""


def graph_of(
    shape: str,
    count: int,
    steps: Steps,
    link: object,
    lanes: object,
    called: Mapping[str, object],
    *,
    size: str,
    coord: Sequence[tuple[int, ...]] | None = None,
    npus_per_switch: int = 0,
    npu_link: LinkLike | None = None,
    duplex: bool = True,
) -> Supernode:
    """Return vertices joined by links, as a machine.

    Parameters
    ----------
    shape
        The function that was called.
    count, coord, npus_per_switch
        As in `vertices`.
    steps
        The links.
    link, lanes
        One for all steps, or one for each.
    called
        The other parameters.
    size
        What tells this machine from others of the shape, for its name.
    npu_link
        From an NPU to its switch; by default that of the first step.
    duplex
        Whether links run both ways.
    """
    kinds = links_per_dimension(shape, link, len(steps))
    counts = lanes_per_dimension(shape, lanes, len(steps))
    down = kinds[0] if npu_link is None and kinds else link_type(npu_link)  # type: ignore[arg-type]
    builder = Builder()
    names, npus = vertices(builder, count, npus_per_switch=npus_per_switch, link=down, coord=coord)
    for (u, v), kind, n in zip(steps, kinds, counts, strict=True):
        builder.connect(pairs(names, u, names, v), kind, lanes=n, duplex=duplex)
    name = "-".join(filter(None, (shape.replace("_", "-"), size)))
    parameters = {**called, "link": said(kinds), "lanes": lanes}
    return builder.build(name, npus, parameters=parameters)
