"""Build the machine that the nodes and links of a spec file describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields as record_fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from topology import border
from topology.hardware.media import LinkType
from topology.placement import Floor, Place, placed_links
from topology.spec.fields import Faults, Table, attempt
from topology.spec.groups import Group, read_groups
from topology.spec.wiring import Wires, read_wires
from topology.supernode import Builder, Supernode
from topology.units import parse_length

T = TypeVar("T")


def build_nodes(
    data: Mapping[str, Any], links: Mapping[str, LinkType], faults: Faults, name: str | None
) -> Supernode | None:
    """Return the machine of ``[nodes.…]`` and ``[[connect]]``; None, and faults, if it is none."""
    groups = read_groups(data["nodes"], faults)
    wires = read_wires(data.get("connect", []), groups, links, faults)
    floor = _floor(data.get("floor", {}), faults)
    npus = [name for group in groups.values() if group.kind == "npu" for name in group.ids]
    if groups and not npus:
        faults.add(("nodes",), ': there is no NPU; name a group npu, or give it kind = "npu"')
    if faults.found:
        return None
    builder = Builder()
    forwarding = _forwarding(groups, data.get("connect", []))
    for group in groups.values():
        common = {"forwards": group.name in forwarding, **group.common}
        columns: dict[str, Any] = dict(group.columns)
        builder.add_nodes(group.ids, **common, **columns)
    for wire in wires:
        attempt(("connect", wire.index), faults, partial(_connect, builder, wire, groups, floor))
    faults.stop()
    title, parameters = name or Path(faults.file).stem, {"spec": Path(faults.file).name}
    return attempt((), faults, lambda: builder.build(title, npus, parameters=parameters))


def _forwarding(groups: Mapping[str, Group], wires: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the groups that forward: switches, NICs on them, and NPUs where there are none."""
    switches = {name for name, group in groups.items() if group.kind == "switch"}
    ends = [{wire["from"], wire.get("to", wire["from"])} for wire in wires]
    near = {name for pair in ends if pair & switches for name in pair}
    kind = "nic" if switches else "npu"
    return switches | {
        name for name, group in groups.items()
        if group.kind == kind and (name in near or not switches)
    }  # fmt: skip


def _connect(builder: Builder, wires: Wires, groups: Mapping[str, Group], floor: Floor) -> None:
    if len(wires.links) == 1:
        builder.connect(wires.ends, wires.links[0], lanes=wires.lanes)
        return
    places = _places(groups)
    lanes = dict(zip(wires.ends, wires.lanes, strict=True))
    for kind, ends in placed_links(wires.ends, places, wires.links, floor).items():
        builder.connect(ends, kind, lanes=[lanes[pair] for pair in ends])


def _places(groups: Mapping[str, Group]) -> dict[str, Place]:
    """Return where the nodes of groups with a rack are."""
    found = {}
    for group in groups.values():
        if "rack" in group.columns:
            slots = group.columns.get("slot", [0] * len(group.ids))
            for name, rack, slot in zip(group.ids, group.columns["rack"], slots, strict=True):
                found[name] = Place(rack, slot)
    return found


def _floor(data: object, faults: Faults) -> Floor:
    names = [item.name for item in record_fields(Floor)]
    table = Table(data, ("floor",), faults, names)
    found: dict[str, Any] = {}
    for name in names:
        if name in ("racks_per_row", "slots"):
            found[name] = table.get(name, border.whole, getattr(Floor, name))
        else:
            found[name] = table.quantity(name, parse_length, getattr(Floor, name))
    return attempt(table.path, faults, lambda: Floor(**found)) or Floor()
