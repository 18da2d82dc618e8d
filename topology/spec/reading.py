"""Read a spec file: a machine in a few lines of TOML, without Python."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields as record_fields
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from topology import border, files
from topology.composition import compose
from topology.errors import UnknownNameError, shown
from topology.formats.registry import format  # noqa: A004
from topology.hardware.media import LinkType
from topology.registry import PluginError, Registry
from topology.scale_out import SCALE_OUTS, ScaleOut
from topology.shapes.registry import SHAPES
from topology.spec.building import build_nodes
from topology.spec.fields import Faults, SpecError, Table, attempt, nearest
from topology.spec.groups import find_link, read_links
from topology.spec.lines import field_lines
from topology.supernode import Supernode
from topology.systems import system
from topology.systems.catalogue import SYSTEMS

T = TypeVar("T")

_FIELDS = (
    "name", "sources", "links", "nodes", "connect", "floor", "system", "shape", "without",
    "compose",
)  # fmt: skip
_KINDS = ("nodes", "system", "shape")
_PLACE = re.compile(r"(.*) \(at line (\d+), column \d+\)")


def load_spec(path: str | Path) -> Supernode:
    """Return the supernode that a spec file describes; see `parse_spec`."""
    return parse_spec(files.read_text(path), where=str(path))


@format("spec", ".toml")
class Spec:
    """A spec file; there is no way back from a machine to its spec."""

    read = staticmethod(load_spec)


def parse_spec(text: str, *, where: str = "spec") -> Supernode:
    """Return the supernode that a TOML text describes.

    Parameters
    ----------
    text
        One of ``[nodes.…]`` with ``[[connect]]``, ``[system]`` or ``[shape]``; besides them
        ``name``, ``sources``, ``[links.…]``, ``[floor]``, ``[without]`` and ``[compose]``.
        Quantities are texts with a unit: ``"50 GB/s"``, ``"200 ns"``, ``"2 m"``.

        ``[nodes.NAME]``: ``count``, or ``shape = { plane = 7, chip = 16 }``, whose parts become
        coordinates in ids and attributes; ``per = { node = 8 }`` puts every 8 in a row on one
        node; ``kind`` (by default from the name, else a switch), ``tier``, ``device``,
        ``forwards``, ``latency``, ``capacity``, ``reduces``, ``multicasts``. The NPUs are the
        ranks, in the order of the file.

        ``[[connect]]``: ``from``, ``to`` (left out for links within a group), ``link`` (a name of
        the file or catalogue, a rate, or a list to choose from by distance on the ``[floor]``),
        ``same`` (attributes that must agree), ``pattern`` (all, one-to-one, fill, stripe; within
        a group full, ring, line), ``along`` (coordinates, for meshes and tori), ``lanes`` of
        each pair or ``uplinks`` of each node, ``length``.

        ``[links.NAME]``: the fields of a `LinkType`, with ``rate`` per lane,
        ``propagation_per_m``, and ``base`` for a type of the catalogue to start from.

        ``[system]``: ``name`` and its parameters. ``[shape]``: ``family`` and its parameters.
        ``[without]``: ``nodes`` and ``links``. ``[compose]``: ``count`` and ``scale_out``, a name
        or the fields of a `ScaleOut`.
    where
        What to call it in messages.

    Raises
    ------
    SpecError
        Listing every fault with file, line, field and allowed values.
    """
    try:
        data = files.parsed(tomllib.loads, text, where)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(_syntax(str(error), where)) from error
    faults = Faults(where, field_lines(text))
    with files.nesting(where):
        return _described(data, faults)


def _described(data: Mapping[str, Any], faults: Faults) -> Supernode:
    top = Table(data, (), faults, _FIELDS)
    links = read_links(data.get("links", {}), faults)
    machine = _machine(data, top, links, faults)
    faults.stop()
    if machine is None:
        raise SpecError(f"{faults.file}: nothing is described")
    for name, change in (("without", _without), ("compose", _compose)):
        if name in data:
            machine = change(machine, data[name], links, faults)
            faults.stop()
    return _named(machine, top, faults)


def _syntax(said: str, where: str) -> str:
    match = _PLACE.fullmatch(said)
    return f"{where}, line {match[2]}: {match[1]}" if match else f"{where}: {said}"


def _machine(
    data: Mapping[str, Any], top: Table, links: Mapping[str, LinkType], faults: Faults
) -> Supernode | None:
    given = [name for name in _KINDS if name in data]
    if len(given) != 1:
        several = " and ".join(given)
        said = f"{several} are both there; give one of" if given else "is missing; give one of"
        faults.add((given[-1] if given else "nodes",), f" {said} {', '.join(_KINDS)}")
        return None
    if given == ["system"]:
        return _system(data["system"], faults)
    if given == ["shape"]:
        return _shape(data["shape"], links, faults)
    return build_nodes(data, links, faults, top.get("name", border.word))


def _system(data: object, faults: Faults) -> Supernode | None:
    allowed = data if isinstance(data, dict) else ()
    table = Table(data, ("system",), faults, allowed)
    table.need("name", 'name = "gb200-nvl72"')
    name = table.get("name", border.word)
    if name is None:
        return None
    if _registered(table, "name", name, SYSTEMS) is None:
        return None
    rest = {key.replace("-", "_"): item for key, item in table.data.items() if key != "name"}
    found: Supernode | None = attempt(("system",), faults, lambda: system(name, **rest))
    return found


def _registered(table: Table, field: str, name: str, known: Registry[T]) -> T | None:
    """Return what a field names; None, and a fault, if there is no such thing."""
    try:
        return known[name]
    except UnknownNameError:
        table.fault(field, f" is {shown(name)}; {nearest(name, sorted(known))}")
    except PluginError as error:
        table.fault(field, f": {error}")
    return None


def _shape(data: object, links: Mapping[str, LinkType], faults: Faults) -> Supernode | None:
    allowed = data if isinstance(data, dict) else ()
    table = Table(data, ("shape",), faults, allowed)
    table.need("family", 'family = "torus"')
    family = table.get("family", border.word)
    if family is None:
        return None
    make = _registered(table, "family", family, SHAPES)
    if make is None:
        return None
    known = list(signature(make).parameters)
    rest = {}
    for key, value in table.data.items():
        if key == "family":
            continue
        if key not in known:
            table.fault(key, f" is not a parameter of {family}; {nearest(key, known)}")
        rest[key] = _own_links(table, key, value, links) if "link" in key else value
    if faults.found:
        return None
    found: Supernode | None = attempt(table.path, faults, lambda: SHAPES.call(family, **rest))
    return found


def _own_links(table: Table, key: str, value: object, links: Mapping[str, LinkType]) -> Any:
    if isinstance(value, list):
        return [_own_links(table, key, item, links) for item in value]
    kind = find_link(value, links)
    if isinstance(kind, str):
        table.fault(key, kind)
        return None
    return kind


def _without(
    machine: Supernode, data: object, _: Mapping[str, LinkType], faults: Faults
) -> Supernode:
    table = Table(data, ("without",), faults, ("nodes", "links"))
    nodes = table.words("nodes")
    pairs = table.data.get("links", [])
    if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        table.fault("links", ' must be pairs of ids, like [["npu/0", "l1/0/0"]]')
        return machine
    ends = [(str(u), str(v)) for u, v in pairs]
    changed = attempt(("without",), faults, lambda: machine.without(nodes=nodes, links=ends))
    return changed or machine


def _compose(
    machine: Supernode, data: object, links: Mapping[str, LinkType], faults: Faults
) -> Supernode:
    table = Table(data, ("compose",), faults, ("count", "scale_out"))
    count = table.get("count", border.whole, 1)
    plan = _scale_out(table, links, faults)
    if plan is None or count is None:
        return machine
    changed = attempt(("compose",), faults, lambda: compose(machine, count, scale_out=plan))
    return changed or machine


def _scale_out(table: Table, links: Mapping[str, LinkType], faults: Faults) -> Any:
    given = table.need("scale_out", 'scale_out = "infiniband"')
    if given is None or isinstance(given, str):
        if given is None or given in SCALE_OUTS:
            return given
        kind = find_link(given, links)
        if isinstance(kind, str):
            table.fault("scale_out", f" is {shown(given)}; {nearest(given, [*SCALE_OUTS, *links])}")
            return None
        return kind
    names = [item.name for item in record_fields(ScaleOut)]
    inner = Table(given, ("compose", "scale_out"), faults, names)
    rest = dict(inner.data)
    for key in ("link", "uplink", "nic_link"):
        if key in rest:
            rest[key] = _own_links(inner, key, rest[key], links)
    ratio = rest.get("oversubscription")
    if isinstance(ratio, list):
        rest["oversubscription"] = tuple(ratio)
    inner.need("link", 'link = "ndr-optical"')
    if faults.found:
        return None
    return attempt(inner.path, faults, lambda: ScaleOut(**rest))


def _named(machine: Supernode, top: Table, faults: Faults) -> Supernode:
    """Return the machine under the file's own name, with the file among its sources."""
    name, sources = top.get("name", border.word), top.words("sources")
    faults.stop()
    if name in (None, machine.name) and not sources:
        return machine
    every = (*machine.sources, *sources)
    return replace(machine, name=name or machine.name, sources=every)
