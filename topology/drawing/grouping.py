"""Gather the devices of a machine into few glyphs, so that any size fits on a page.

Devices of one sort that stand together (in a node, then in a rack, then in several racks) become
one glyph; switches of one plane likewise. Whichever sort has the most glyphs is gathered more
coarsely until all fit. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from topology.fabric import IntArray
from topology.naming import numbered
from topology.supernode import Supernode

MOST_GLYPHS = 60
"""How many glyphs a picture has at most, as long as there is a coarser grouping."""
DRAWN_WHOLE = 32
"""Machines of at most this many devices are drawn device by device."""

_SPATIAL = ("node", "board", "cube", "rack", "group", "pod")
_LAYERS = ("plane", "rail", "rack", "group", "pod")
_ALIKE = 1.5  # a wire to a side device is worth less room than one that carries the collective


@dataclass(frozen=True, eq=False)
class Glyph:
    """Some devices of one sort, drawn as one.

    Attributes
    ----------
    label
        What they are called together: "rack 3", "plane 0", "npu/7".
    word
        Their sort: "NPU", "L1".
    kind
        "npu", "cpu", "switch" or "nic".
    row
        Height in the picture, 0 at the bottom.
    column
        Which column they stand in with others of the same place, or None where the row is
        spread evenly.
    members
        Node indices of the fabric, shape (k,).
    by
        What they have in common: "device", "node", "2 racks", "all".
    """

    label: str
    word: str
    kind: str
    row: int
    column: int | None
    members: IntArray
    by: str = "device"


@dataclass(frozen=True, eq=False)
class Level:
    """One way to gather some devices: a code for each, and what every code is called."""

    by: str
    code: IntArray
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Sort:
    """Devices of one word and tier."""

    word: str
    kind: str
    tier: float
    side: bool
    spatial: bool
    members: IntArray


def gather(supernode: Supernode, most: int = MOST_GLYPHS) -> tuple[Glyph, ...]:
    """Return the glyphs of a machine, at most ``most`` where its attributes allow.

    Parameters
    ----------
    supernode
        The machine.
    most
        How many glyphs there is room for.
    """
    sorts = _sorts(supernode)
    blocks = _blocks(supernode, sorts)
    chosen = [0] * len(blocks)
    if len(supernode.graph) > DRAWN_WHOLE:
        _coarsen(blocks, chosen, most)
    rows = _rows(sorts)
    glyphs: list[Glyph] = []
    for block, at in zip(blocks, chosen, strict=True):
        level = block.levels[at]
        aligned = block.sorts[0].spatial and level.by != "device" and len(level.labels) > 1
        for sort, part in zip(block.sorts, block.parts, strict=True):
            glyphs += _glyphs(sort, level, part, rows[_row_key(sort)], aligned=aligned)
    return tuple(sorted(glyphs, key=lambda g: (g.row, g.word, int(g.members[0]))))


@dataclass(frozen=True, eq=False)
class _Block:
    """Sorts that are gathered in the same way, and the ways from fine to coarse."""

    sorts: tuple[_Sort, ...]
    parts: tuple[slice, ...]
    levels: tuple[Level, ...]

    def count(self, at: int) -> int:
        code = self.levels[at].code
        return sum(len(np.unique(code[part])) for part in self.parts)

    def weight(self, at: int) -> float:
        return self.count(at) * (_ALIKE if self.sorts[0].side else 1.0)


def _sorts(supernode: Supernode) -> list[_Sort]:
    fabric, graph = supernode.fabric, supernode.graph
    data = [graph.nodes[node] for node in fabric.nodes]
    keys: dict[tuple[str, str, float], list[int]] = {}
    for i, (word, kind) in enumerate(zip(fabric.labels, fabric.kind, strict=True)):
        tier = float(data[i].get("tier", 0 if kind == "npu" else 1))
        keys.setdefault((word, kind, tier), []).append(i)
    beside = np.bincount(
        fabric.tail, weights=~fabric.is_npu[fabric.head], minlength=len(fabric.nodes)
    )
    racks = {row.get("rack") for row in data if row.get("kind") == "npu"}
    found = []
    for (word, kind, tier), members in keys.items():
        ids = np.array(members, dtype=np.int64)
        side = kind != "npu" and not fabric.forwards[ids].any() and not beside[ids].any()
        spatial = any(all(name in data[i] for i in members) for name in _SPATIAL[:3])
        spatial = spatial or _in_racks(members, data, racks)
        found.append(_Sort(word, kind, tier, side, spatial, ids))
    return found


def _in_racks(
    members: Sequence[int], data: Sequence[Mapping[str, object]], racks: set[object]
) -> bool:
    """Return whether some devices stand in several of the racks that the NPUs stand in."""
    homes = {data[i].get("rack") for i in members}
    return len(homes) > 1 and None not in homes and homes <= racks


def _blocks(supernode: Supernode, sorts: Sequence[_Sort]) -> list[_Block]:
    together = [sort for sort in sorts if sort.spatial and not sort.side]
    beside = [sort for sort in sorts if sort.spatial and sort.side]
    alone = [[sort] for sort in sorts if not sort.spatial]
    made = []
    for group in [together, beside, *alone]:
        if not group:
            continue
        sizes = [len(sort.members) for sort in group]
        ends = np.cumsum([0, *sizes]).tolist()
        parts = tuple(slice(lo, hi) for lo, hi in pairwise(ends))
        members = np.concatenate([sort.members for sort in group])
        attributes = _SPATIAL if group[0].spatial else _LAYERS
        levels = _levels(supernode, members, attributes)
        made.append(_Block(tuple(group), parts, levels))
    return made


def _levels(
    supernode: Supernode, members: IntArray, attributes: Iterable[str]
) -> tuple[Level, ...]:
    """Return the ways to gather some devices, from one glyph each to one for all."""
    nodes = [supernode.fabric.nodes[i] for i in members.tolist()]
    data = [supernode.graph.nodes[node] for node in nodes]
    levels = [_level("device", nodes, "{}")]
    for name in attributes:
        if all(name in row for row in data):
            level = _level(name, [str(row[name]) for row in data], name + " {}")
            if 1 < len(level.labels) < len(levels[-1].labels):
                levels.append(level)
    last, size = levels[-1], 2
    while len(levels[-1].labels) > 1:
        levels.append(_chunked(last, size))
        size *= 2
    return tuple(levels)


def _level(by: str, values: Sequence[str], form: str) -> Level:
    names, codes = numbered(values)
    return Level(by, codes, tuple(form.format(name) for name in names))


def _chunked(level: Level, size: int) -> Level:
    """Return a level whose groups are ``size`` consecutive groups of another."""
    count = -(-len(level.labels) // size)
    if count == 1:
        return Level("all", np.zeros_like(level.code), ("",))
    labels = []
    for i in range(count):
        first = level.labels[i * size]
        last = level.labels[min((i + 1) * size, len(level.labels)) - 1]
        labels.append(first if first == last else f"{first}–{_tail(last)}")
    return Level(f"{size} {level.by}s", level.code // size, tuple(labels))


def _tail(label: str) -> str:
    return label.replace("/", " ").split()[-1]


def _coarsen(blocks: Sequence[_Block], chosen: list[int], most: int) -> None:
    """Gather the block with the most glyphs more coarsely until all fit."""
    while sum(block.count(at) for block, at in zip(blocks, chosen, strict=True)) > most:
        able = [i for i, block in enumerate(blocks) if chosen[i] + 1 < len(block.levels)]
        if not able:
            return
        chosen[max(able, key=lambda i: blocks[i].weight(chosen[i]))] += 1


def _row_key(sort: _Sort) -> tuple[float, bool]:
    return (float("-inf"), False) if sort.side else (sort.tier, not sort.spatial)


def _rows(sorts: Sequence[_Sort]) -> dict[tuple[float, bool], int]:
    return {key: row for row, key in enumerate(sorted({_row_key(sort) for sort in sorts}))}


def _glyphs(sort: _Sort, level: Level, part: slice, row: int, *, aligned: bool) -> list[Glyph]:
    code = level.code[part]
    order = np.argsort(code, kind="stable")
    values, starts = np.unique(code[order], return_index=True)
    made = []
    for value, members in zip(values.tolist(), np.split(order, starts[1:]), strict=True):
        label = level.labels[value] or f"all {len(sort.members)}"
        column = value if aligned else None
        ids = np.sort(sort.members[members])
        made.append(Glyph(label, sort.word, sort.kind, row, column, ids, level.by))
    return made
