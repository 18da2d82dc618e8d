"""Read the ``[[connect]]`` tables of a spec file: which nodes are linked, and by what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise

from topology import border
from topology.errors import shown
from topology.hardware.media import LinkType
from topology.spec.fields import Faults, Table, attempt, nearest
from topology.spec.groups import Group, find_link
from topology.units import parse_length

BETWEEN = ("all", "one-to-one", "fill", "stripe")
"""Patterns between two groups: every pair; i to i; blocks of the first to each of the second;
i to i modulo the second."""

WITHIN = ("full", "ring", "line")
"""Patterns within one group."""

_FIELDS = (
    "from", "to", "link", "pattern", "same", "along", "lanes", "uplinks", "length",
)  # fmt: skip

Pair = tuple[str, str]
Block = tuple[tuple[int, ...], list[str]]


@dataclass(frozen=True)
class Wires:
    """The links of one ``[[connect]]``.

    Attributes
    ----------
    index
        Its place in the file, from 0.
    ends
        Pairs of node ids.
    links
        The link type, or those to choose from by length.
    lanes
        Of each pair.
    """

    index: int
    ends: list[Pair]
    links: tuple[LinkType, ...]
    lanes: list[int]


def read_wires(
    data: object, groups: Mapping[str, Group], own: Mapping[str, LinkType], faults: Faults
) -> list[Wires]:
    """Return the links of every ``[[connect]]``."""
    if not isinstance(data, list):
        faults.add(("connect",), " must be an array of tables; write [[connect]]")
        return []
    found = []
    for index, item in enumerate(data):
        table = Table(item, ("connect", index), faults, _FIELDS)
        before = len(faults.found)
        links = _links(table, own)
        ends = attempt(table.path, faults, partial(_held, table, groups)) or []
        lanes = _lanes(table, ends)
        if len(faults.found) == before:
            found.append(Wires(index, ends, links, lanes))
    return found


def _links(table: Table, own: Mapping[str, LinkType]) -> tuple[LinkType, ...]:
    given = table.need("link", 'link = "ub-copper" or link = "50 GB/s"')
    if given is None:
        return ()
    length = table.quantity("length", parse_length, None)
    found = []
    for text in given if isinstance(given, list) else [given]:
        kind = find_link(text, own)
        if isinstance(kind, str):
            table.fault("link", kind)
        else:
            found.append(kind if length is None else kind.at(length))
    return tuple(found)


def _held(table: Table, groups: Mapping[str, Group]) -> list[Pair]:
    return border.take(_ends(table, groups), links=0, each=2)


def _ends(table: Table, groups: Mapping[str, Group]) -> Iterable[Pair]:
    """Return the pairs of a table, and note what is wrong with its groups and pattern."""
    first = _group(table, "from", groups)
    if first is None:
        return []
    second = _group(table, "to", groups) if "to" in table else first
    if second is None:
        return []
    within = second is first
    patterns = WITHIN if within else BETWEEN
    default = "full" if within else "all"
    pattern = table.choice("pattern", patterns, default) or default
    same = _attributes(table, "same", (first, second))
    if "along" in table:
        if not within:
            table.fault("along", ": it is for links within a group; leave out to")
        return _along(table, first, pattern, same)
    if within:
        blocks = _blocks(first, same)
        return (pair for _, ids in blocks for pair in _within(pattern, ids))
    return _between(table, pattern, first, second, same)


def _group(table: Table, name: str, groups: Mapping[str, Group]) -> Group | None:
    given = table.need(name, f'{name} = "npu"')
    if given is None:
        return None
    if not isinstance(given, str) or given not in groups:
        table.fault(name, f" is {shown(given)}; {nearest(given, groups)}")
        return None
    return groups[given]


def _attributes(table: Table, name: str, among: Sequence[Group]) -> list[str]:
    """Return attributes that every group has."""
    known = [key for key in among[0].columns if all(key in group.columns for group in among)]
    found = []
    for key in table.words(name):
        if key in known:
            found.append(key)
        else:
            both = " and ".join(dict.fromkeys(group.name for group in among))
            said = nearest(key, known) if known else f"{both} have none in common"
            table.fault(name, f" holds {shown(key)}; {said}")
    return found


def _blocks(group: Group, keys: Sequence[str]) -> list[Block]:
    """Return the ids of a group by their values of some attributes, in order of first sight."""
    blocks: dict[tuple[int, ...], list[str]] = {}
    columns = [group.columns[key] for key in keys]
    for i, name in enumerate(group.ids):
        blocks.setdefault(tuple(column[i] for column in columns), []).append(name)
    return list(blocks.items())


def _along(table: Table, group: Group, pattern: str, same: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs along coordinates: all others are equal."""
    for axis in table.words("along"):
        if axis not in group.axes:
            known = nearest(axis, group.axes) if group.axes else f"{group.name} has no shape"
            table.fault("along", f" holds {shown(axis)}; {known}")
            continue
        others = [key for key in dict.fromkeys([*group.axes, *same]) if key != axis]
        yield from (pair for _, ids in _blocks(group, others) for pair in _within(pattern, ids))


def _within(pattern: str, ids: Sequence[str]) -> Iterable[Pair]:
    if pattern == "full":
        return combinations(ids, 2)
    if pattern == "line" or len(ids) < 3:
        return pairwise(ids)
    return [*pairwise(ids), (ids[-1], ids[0])]


def _between(
    table: Table, pattern: str, first: Group, second: Group, same: Sequence[str]
) -> Iterator[Pair]:
    theirs = dict(_blocks(second, same))
    for key, ids in _blocks(first, same):
        others = theirs.get(key, [])
        if not others:
            where = ", ".join(f"{k} {value}" for k, value in zip(same, key, strict=True))
            table.fault("same", f": {first.name} of {where} has no {second.name} with the same")
            return
        if pattern == "all":
            yield from ((u, v) for u in ids for v in others)
        elif pattern == "stripe":
            yield from ((u, others[i % len(others)]) for i, u in enumerate(ids))
        elif pattern == "fill":
            yield from ((u, others[i * len(others) // len(ids)]) for i, u in enumerate(ids))
        elif len(ids) == len(others):
            yield from zip(ids, others, strict=True)
        else:
            said = f"{len(ids)} {first.name} and {len(others)} {second.name}"
            table.fault("pattern", f": one-to-one needs as many on each side, not {said}")
            return


def _lanes(table: Table, ends: Sequence[Pair]) -> list[int]:
    """Return the lanes of each pair: the same for all, or a node's uplinks shared evenly."""
    if "uplinks" not in table:
        return [table.get("lanes", border.whole, 1) or 1] * len(ends)
    if "lanes" in table:
        table.fault("uplinks", ": give one of lanes (per pair) and uplinks (per node)")
    total = table.get("uplinks", border.whole) or 1
    out: dict[str, int] = {}
    for u, _ in ends:
        out[u] = out.get(u, 0) + 1
    for u, pairs in out.items():
        if total % pairs:
            table.fault("uplinks", f" is {total}; {u} has {pairs} links, which do not divide it")
            return []
    return [total // out[u] for u, _ in ends]
