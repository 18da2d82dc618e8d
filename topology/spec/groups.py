"""Read the node groups and link types of a spec file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import inf, prod
from typing import Any

from topology import border
from topology.errors import SupernodeError, shown
from topology.hardware.devices import KINDS, device_catalogue
from topology.hardware.media import MEDIA, LinkType, link_catalogue, link_type
from topology.spec.fields import Faults, Table, nearest
from topology.units import parse_length, parse_power, parse_rate, parse_time

_KIND_OF = {"gpu": "npu", "tpu": "npu", "gcd": "npu", "die": "npu", "xpu": "npu"}
_NODE_FIELDS = (
    "count", "shape", "kind", "device", "tier", "forwards", "per", "latency", "capacity",
    "reduces", "multicasts",
)  # fmt: skip
_LINK_FIELDS = (
    "base", "rate", "medium", "latency", "length", "propagation_per_m", "transceivers", "fec",
    "reach", "efficiency", "modules", "power",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z][\w-]*")


@dataclass(frozen=True)
class Group:
    """Nodes of one sort.

    Attributes
    ----------
    name, kind
        The first part of their ids; "npu", "cpu", "switch" or "nic".
    ids
        Their ids.
    axes
        The coordinates that the ids are made of, if they have a shape.
    columns
        Attributes with a value for each node.
    common
        Attributes that all share.
    """

    name: str
    kind: str
    ids: list[str]
    axes: tuple[str, ...]
    columns: Mapping[str, list[int]]
    common: Mapping[str, Any]


def read_groups(data: object, faults: Faults) -> dict[str, Group]:
    """Return the groups of ``[nodes.…]`` by name."""
    if not isinstance(data, dict) or not data:
        faults.add(("nodes",), " must be tables, one for each sort of node, such as [nodes.npu]")
        return {}
    return {name: group for name in data if (group := _group(name, data[name], faults)) is not None}


def _group(name: str, data: object, faults: Faults) -> Group | None:
    path = ("nodes", name)
    if not _NAME.fullmatch(name):
        faults.add(path, ": a group's name begins with a letter and has letters, digits, - and _")
        return None
    table = Table(data, path, faults, _NODE_FIELDS)
    shape = table.counts("shape")
    count = _count(table, shape)
    kind = table.choice("kind", KINDS) or _kind(name)
    per = table.counts("per")
    for key in sorted(per.keys() & shape.keys()):
        table.fault("per", f": {key} is in shape already")
    for field in ("shape", "per"):
        for key in sorted(table.counts(field).keys() & {"ids", *_NODE_FIELDS}):
            table.fault(field, f": {key} is a field of its own; choose another word")
    cells = list(product(*map(range, shape.values() if shape else [count]))) if count else []
    ids = ["/".join([name, *map(str, cell)]) for cell in cells]
    columns = {axis: [cell[i] for cell in cells] for i, axis in enumerate(shape)}
    columns |= {key: [i // each for i in range(len(ids))] for key, each in per.items()}
    return Group(name, kind, ids, tuple(shape), columns, _common(table, name, kind))


def _count(table: Table, shape: Mapping[str, int]) -> int:
    """Return how many nodes there are; 0, and a fault, if that is not said once."""
    if ("count" in table) == ("shape" in table):
        table.fault("count", ": give one of count and shape, like count = 8")
        return 0
    count = prod(shape.values()) if shape else table.get("count", border.whole) or 0
    wrong = border.faults_of(border.afford, "", count)
    if wrong:
        table.fault("shape" if shape else "count", wrong[0])
    return 0 if wrong else count


def _kind(name: str) -> str:
    word = re.split(r"[-_\d]", name.lower())[0]
    word = _KIND_OF.get(word, word)
    return word if word in KINDS else "switch"


def _tier(name: str, kind: str) -> int:
    level = re.fullmatch(r"l(\d+)", name.lower())
    return int(level[1]) if level else {"npu": 0, "cpu": 0}.get(kind, 1)


def _common(table: Table, name: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": kind,
        "tier": table.get("tier", border.whole, _tier(name, kind), least=0),
        "device": table.choice("device", device_catalogue()),
        "forwards": table.get("forwards", border.flag),
        "latency": table.quantity("latency", parse_time, None),
        "capacity": table.quantity("capacity", parse_rate, None),
        "reduces": table.get("reduces", border.flag),
        "multicasts": table.get("multicasts", border.flag),
    }
    return {key: value for key, value in found.items() if value is not None}


def read_links(data: object, faults: Faults) -> dict[str, LinkType]:
    """Return the link types of ``[links.…]`` by name."""
    if not isinstance(data, dict):
        faults.add(("links",), " must be tables, one for each link type, such as [links.mine]")
        return {}
    found = {name: _link(name, item, faults) for name, item in data.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def _link(name: str, data: object, faults: Faults) -> LinkType | None:
    table = Table(data, ("links", name), faults, _LINK_FIELDS)
    base = table.choice("base", link_catalogue())
    if base is None and "base" not in table and "rate" not in table:
        table.fault("rate", ' is missing; write it like rate = "50 GB/s", or give a base')
    start = link_type(base) if base else LinkType(capacity=1.0)
    before = len(faults.found)
    fields: dict[str, Any] = {
        "capacity": table.quantity("rate", parse_rate, start.capacity),
        "medium": table.choice("medium", MEDIA, start.medium),
        "efficiency": table.get("efficiency", border.number, start.efficiency, least=0, most=1),
        "modules": table.get("modules", border.number, start.modules, least=0, most=1e6),
        "power": table.quantity("power", parse_power, start.power),
        "propagation": table.quantity("propagation_per_m", parse_time, start.propagation),
    }
    for part in ("latency", "transceivers", "fec"):
        fields[part] = table.quantity(part, parse_time, getattr(start, part))
    for part in ("length", "reach"):
        fields[part] = table.quantity(part, parse_length, getattr(start, part, inf))
    if len(faults.found) > before:
        return None
    try:
        return replace(start, name=name, **fields)
    except SupernodeError as error:
        faults.add(table.path, f": {error}")
        return None


def find_link(text: object, own: Mapping[str, LinkType]) -> LinkType | str:
    """Return a link type by its name in the file or catalogue or as a rate; else what is wrong."""
    if isinstance(text, str):
        if text in own:
            return own[text]
        if text in link_catalogue() or text[:1].isdigit():
            try:
                return link_type(text)
            except SupernodeError as error:
                return f": {error}"
    known = nearest(text, [*own, *link_catalogue()])
    return f' is {shown(text)}; {known}, or a rate such as "50 GB/s"'
