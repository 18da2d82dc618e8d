"""Measure what crosses from one half of the NPUs to the other, by max-flow min-cut.

The flow may use any path: through switches, and through NPUs that pass data on by
store-and-forward. CPUs and NICs that forward nothing are not on the way. The value is exact for
each split; the smallest over the natural splits is an upper bound on the bisection width, which
is hard to find in general.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from topology import border, units
from topology.errors import GraphError, shown
from topology.fabric import IntArray
from topology.metrics.carrying import carriers
from topology.metrics.flow import max_flow
from topology.naming import natural_key, node_id
from topology.supernode import Supernode
from topology.text import Part, Printed, counted

Split: TypeAlias = str | tuple[Collection[Hashable], Collection[Hashable]]

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, repr=False)
class BisectionCut(Printed):
    """A smallest cut between two sets of NPUs.

    Attributes
    ----------
    split
        What tells the two sets apart: "order", "rack", "node", "given" and the like.
    capacity
        Bytes/s across, in the weaker direction.
    forward, backward
        Bytes/s from the first set to the second, and back.
    sizes
        NPUs in each set.
    side
        Ids of all nodes on the sending side of the weaker direction, in natural order.
    """

    split: str
    capacity: float
    forward: float
    backward: float
    sizes: tuple[int, int]
    side: tuple[str, ...]

    def parts(self) -> list[Part]:
        """Return what a person reads: what crosses between the two sets, and either way."""
        rates = units.format_rate
        first = (
            f"{rates(self.capacity)} between {self.sizes[0]:,} and {counted(self.sizes[1], 'NPU')}"
        )
        ways = f"{rates(self.forward)} one way, {rates(self.backward)} back"
        return [f"{first}, split by {self.split}", ways]


def bisection(supernode: Supernode, split: Split | None = None, *, relay: bool = True) -> float:
    """Return bytes/s across a split of the NPUs, in one direction (the weaker).

    Parameters
    ----------
    supernode
        The machine, of 2 NPUs or more.
    split
        Two sets of NPUs, as ids or ranks; or one of `natural_splits` by name, such as "node" or
        "rack"; by default the natural split that the least crosses.
    relay
        Whether NPUs may pass on the traffic of others, as schedules do.

    Raises
    ------
    GraphError
        If a set is empty, the sets overlap, or the split is not known.
    """
    return bisection_cut(supernode, split, relay=relay).capacity


def bisection_cut(
    supernode: Supernode, split: Split | None = None, *, relay: bool = True
) -> BisectionCut:
    """Return the cut behind `bisection`, with its parameters."""
    if split is not None and not isinstance(split, str):
        return _cut(supernode, "given", *_given(supernode, split), relay=relay)
    splits = natural_splits(supernode)
    if isinstance(split, str):
        if split not in splits:
            raise GraphError(
                f"{supernode.name} has no split by {shown(split)}; it has {', '.join(splits)}, or "
                "give two sets of NPUs"
            )
        splits = {split: splits[split]}
    if not splits:
        raise GraphError(f"{supernode.name} has 1 NPU; a bisection needs 2 or more")
    halved = _distinct(splits).items()
    cuts = [_cut(supernode, name, *halves, relay=relay) for name, halves in halved]
    return min(cuts, key=lambda cut: cut.capacity)


def natural_splits(supernode: Supernode) -> Mapping[str, tuple[IntArray, IntArray]]:
    """Return the natural ways to halve the NPUs, by name: the ranks of either half.

    The NPUs are sorted by their rank ("order"), by an attribute of theirs ("rack", "node",
    "slot", "plane", any other number or word, each part of a tuple of coordinates) or by a part
    of their id ("id 1"), ties by rank; the first half stands against the rest.
    """
    found: dict[str, tuple[IntArray, IntArray]] = {}
    count = len(supernode.npus)
    if count < 2:
        return found
    for name, values in _columns(supernode):
        order = sorted(range(count), key=lambda rank: (values[rank], rank))
        first = np.sort(np.array(order[: count // 2], dtype=np.int64))
        rest = np.sort(np.array(order[count // 2 :], dtype=np.int64))
        found[name] = first, rest
    return found


def _distinct(
    splits: Mapping[str, tuple[IntArray, IntArray]],
) -> dict[str, tuple[IntArray, IntArray]]:
    """Return the splits without repeats; of equal ones the first name stays."""
    names: dict[bytes, str] = {}
    for name, halves in splits.items():
        lead = halves[0] if halves[0][0] == 0 else halves[1]
        names.setdefault(lead.tobytes(), name)
    return {name: splits[name] for name in names.values()}


def _columns(supernode: Supernode) -> Iterable[tuple[str, list[Any]]]:
    """Yield the ways to sort the NPUs: a name, and a value for each rank."""
    yield "order", list(range(len(supernode.npus)))
    rows = [supernode.graph.nodes[npu] for npu in supernode.npus]
    names = dict.fromkeys(["node", "rack", *sorted({str(name) for row in rows for name in row})])
    for name in names:
        values = [row.get(name) for row in rows]
        yield from _sortable(name, values)
    parts = [tuple(int(part) for part in _DIGITS.findall(npu)) for npu in supernode.npus]
    if len({len(part) for part in parts}) == 1 and len(parts[0]) > 1:
        yield from _sortable("id", parts)


def _sortable(name: str, values: list[Any]) -> Iterable[tuple[str, list[Any]]]:
    """Yield a column if it tells NPUs apart: numbers, words, or tuples of them part by part."""
    if all(isinstance(value, int | float) for value in values):
        columns = {name: values}
    elif all(isinstance(value, str) for value in values):
        columns = {name: [natural_key(value) for value in values]}
    elif all(isinstance(value, tuple | list) for value in values):
        width = {len(value) for value in values}
        each = range(width.pop()) if len(width) == 1 else ()
        for i in each:
            yield from _sortable(f"{name} {i}", [value[i] for value in values])
        return
    else:
        return
    yield from ((key, column) for key, column in columns.items() if len(set(column)) > 1)


def _given(
    supernode: Supernode, split: tuple[Collection[Hashable], Collection[Hashable]]
) -> tuple[IntArray, IntArray]:
    try:
        first, second = split
    except (TypeError, ValueError):
        raise GraphError(
            f"split: {shown(split)} is not two sets of NPUs; write it like (range(8), range(8, 16))"
        ) from None
    ranks = {npu: rank for rank, npu in enumerate(supernode.npus)}
    a, b = (_ranks(supernode, ranks, part) for part in (first, second))
    if not len(a) or not len(b):
        raise GraphError("split: a set is empty; each side needs one NPU or more")
    both = np.intersect1d(a, b)
    if len(both):
        raise GraphError(f"split: {supernode.npus[both[0]]} is in both sets; an NPU has one side")
    return a, b


def _ranks(supernode: Supernode, ranks: Mapping[str, int], part: Collection[Hashable]) -> IntArray:
    members = [part] if isinstance(part, str) else border.members(part, "split: a side")
    found = set()
    for who in members:
        name = node_id(who)
        if name in ranks:
            found.add(ranks[name])
        elif border.is_whole(who) and 0 <= who < len(ranks):
            found.add(int(who))
        else:
            raise GraphError(
                f"split: {shown(who)} is not an NPU of {supernode.name}; give ids or ranks from "
                f"0 to {len(ranks) - 1}"
            )
    return np.array(sorted(found), dtype=np.int64)


def _cut(
    supernode: Supernode, name: str, first: IntArray, second: IntArray, *, relay: bool
) -> BisectionCut:
    fabric = supernode.fabric
    carrying = carriers(fabric, relay=relay)
    a, b = fabric.npus[first], fabric.npus[second]
    forward = max_flow(fabric, a, b, carrying)
    backward = forward if fabric.mirrored else max_flow(fabric, b, a, carrying)
    weaker = forward if forward.value <= backward.value else backward
    side = tuple(fabric.nodes[i] for i in np.flatnonzero(weaker.side))
    return BisectionCut(
        name, weaker.value, forward.value, backward.value, (len(first), len(second)), side
    )
