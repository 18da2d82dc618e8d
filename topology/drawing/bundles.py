"""Merge the links between two glyphs into one bundle with a count, a width and a load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology import border
from topology.drawing.grouping import Glyph
from topology.errors import GraphError
from topology.fabric import Fabric, FloatArray, IntArray


@dataclass(frozen=True)
class Bundle:
    """The links of one medium between two glyphs, both directions.

    Attributes
    ----------
    low, high
        Indices of the glyphs, the lower in the picture first; equal for links inside one.
    medium
        "copper" or "optical".
    links
        How many directed links one way (the busier way, if the two differ).
    capacity
        Bytes/s, one direction, all together.
    each
        Bytes/s of the narrowest and the widest link.
    utilisation
        Of the busiest link, 0 to 1.
    worst
        Index of that link among the fabric's arcs.
    """

    low: int
    high: int
    medium: str
    links: int
    capacity: float
    each: tuple[float, float]
    utilisation: float
    worst: int


@dataclass(frozen=True)
class BundleClass:
    """All bundles between two sorts of device over one medium.

    Attributes
    ----------
    name
        "NPU–L1".
    medium
        "copper" or "optical".
    links
        Cables: full-duplex links count once.
    capacity
        Bytes/s of all, one direction.
    each
        Bytes/s of the narrowest and the widest link.
    utilisation
        Of the busiest link, 0 to 1.
    rows
        Rows of the two ends.
    """

    name: str
    medium: str
    links: int
    capacity: float
    each: tuple[float, float]
    utilisation: float
    rows: tuple[int, int]


def check_utilisation(fabric: Fabric, utilisation: object) -> FloatArray:
    """Return the utilisation as an array over the fabric's arcs; zeros for None.

    Raises
    ------
    GraphError
        If it is not a finite number, zero or more, for every arc.
    """
    count = len(fabric.tail)
    if utilisation is None:
        return np.zeros(count)
    values = border.numbers(utilisation, "utilisation")
    if values.shape != (count,):
        raise GraphError(
            f"utilisation has shape {values.shape}; it must have one number for each of the "
            f"{count} arcs of the fabric, such as Analysis.utilisation"
        )
    return values


def bundle(fabric: Fabric, glyphs: Sequence[Glyph], utilisation: FloatArray) -> tuple[Bundle, ...]:
    """Return the bundles between glyphs, the idle ones first.

    Parameters
    ----------
    fabric
        The machine.
    glyphs
        What its devices were gathered into.
    utilisation
        Of every arc, 0 to 1, shape (arcs,).
    """
    owner = owners(fabric, glyphs)
    low = np.minimum(owner[fabric.tail], owner[fabric.head])
    high = np.maximum(owner[fabric.tail], owner[fabric.head])
    key = (low * len(glyphs) + high) * 2 + fabric.optical
    order = np.lexsort((utilisation, key))
    firsts = np.flatnonzero(np.diff(key[order], prepend=-1))
    lasts = np.append(firsts[1:], len(order)) - 1 if len(order) else firsts
    up = (owner[fabric.tail] <= owner[fabric.head]).astype(float)
    found = []
    for lo, hi in zip(firsts.tolist(), lasts.tolist(), strict=True):
        arcs = order[lo : hi + 1]
        found.append(_bundle(fabric, arcs, owner, up[arcs], utilisation))
    return tuple(sorted(found, key=lambda b: (b.utilisation, b.low, b.high, b.medium)))


def owners(fabric: Fabric, glyphs: Sequence[Glyph]) -> IntArray:
    """Return the glyph of every node, shape (nodes,)."""
    owner = np.zeros(len(fabric.nodes), dtype=np.int64)
    for i, glyph in enumerate(glyphs):
        owner[glyph.members] = i
    return owner


def _bundle(
    fabric: Fabric, arcs: IntArray, owner: IntArray, up: FloatArray, utilisation: FloatArray
) -> Bundle:
    worst = int(arcs[-1])
    low, high = sorted(int(owner[side[worst]]) for side in (fabric.tail, fabric.head))
    capacity = fabric.capacity[arcs]
    whole = max(float(capacity @ up), float(capacity @ (1 - up)))
    links = max(int(up.sum()), int((1 - up).sum()))
    if low == high:
        links, whole = -(-len(arcs) // 2), whole / 2
    each = float(capacity.min()), float(capacity.max())
    medium = fabric.links[fabric.link[worst]].medium
    return Bundle(low, high, medium, links, whole, each, float(utilisation[worst]), worst)


def bundle_classes(glyphs: Sequence[Glyph], bundles: Sequence[Bundle]) -> tuple[BundleClass, ...]:
    """Return the bundles by the sorts of device they join, from the bottom up."""
    every: dict[tuple[str, str], list[Bundle]] = {}  # a sort may stand above or below another
    for item in bundles:
        ends = (glyphs[item.low], glyphs[item.high])
        words, back = (f"{a.word}–{b.word}" for a, b in (ends, ends[::-1]))
        words = back if (back, item.medium) in every else words
        every.setdefault((words, item.medium), []).append(item)
    found = [_class(glyphs, name, members) for name, members in every.items()]
    return tuple(sorted(found, key=lambda cls: (cls.rows, cls.name, cls.medium)))


def _class(
    glyphs: Sequence[Glyph], name: tuple[str, str], members: Sequence[Bundle]
) -> BundleClass:
    words, medium = name
    ends = [(glyphs[item.low].row, glyphs[item.high].row) for item in members]
    return BundleClass(
        name=words,
        medium=medium,
        links=sum(item.links for item in members),
        capacity=sum(item.capacity for item in members),
        each=(min(item.each[0] for item in members), max(item.each[1] for item in members)),
        utilisation=max(item.utilisation for item in members),
        rows=(min(low for low, _ in ends), max(high for _, high in ends)),
    )
