"""``supernode show``: what a machine is made of, and where every figure comes from."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from collectives.cli.commands.answer import Answer, Say, argument, command
from collectives.cli.commands.arguments import SYSTEM
from topology import units
from topology.hardware.catalogue import Entry
from topology.hardware.devices import device_catalogue
from topology.hardware.media import link_catalogue
from topology.inventory import Inventory, inventory
from topology.metrics.physical import cable_catalogue
from topology.metrics.tiers import npu_bandwidths
from topology.supernode import Supernode
from topology.systems import system_entry
from topology.text import Part, Table, span

_THIN = "estimate"


@command(
    "show",
    "what a machine is made of, and with --sources where every figure comes from",
    SYSTEM,
    argument("--sources", action="store_true", help="every figure with its source"),
)
def show_command(arguments: Namespace, _: Say) -> Answer:
    """Show."""
    machine: Supernode = arguments.system
    made_of = inventory(machine)
    entry = system_entry(machine)
    subjects = list(_subjects(made_of, entry))
    parts = _made_of(machine, made_of, entry)
    if arguments.sources:
        parts += [_sources_table(what, subject) for what, subject in subjects]
    else:
        parts += _published(entry)
        parts += _thin(subjects)
        parts.append("`--sources` prints every figure with its source, date and confidence")
    return Answer(parts, _data(machine, made_of, entry, subjects))


def _subjects(made_of: Inventory, entry: Entry | None) -> Iterator[tuple[str, Entry]]:
    """Yield the catalogue's rows behind a machine: itself, its devices, its link types."""
    if entry is not None:
        yield "machine", entry
    for catalogue, names, what in (
        (device_catalogue(), made_of.devices, "device"),
        (link_catalogue(), made_of.link_types, "link"),
        (cable_catalogue(), made_of.link_types, "cable"),
    ):
        for name in names:
            if name in catalogue:
                yield what, catalogue[name]


def _made_of(machine: Supernode, made_of: Inventory, entry: Entry | None) -> list[Part]:
    title = entry.title if entry else machine.name
    said = f" ({machine.name})" if title != machine.name else ""
    rates = " and ".join(
        f"{span(*ends, units.format_rate)} per NPU, one way, {name}"
        for name, ends in _bandwidths(machine).items()
    )
    counts, cables, *tables = made_of.parts()
    changes = [f"changed: {change}" for change in machine.history]
    first = f"{title}{said}: {counts}; {rates or 'no way between NPUs'}"
    wiring = [(source,) for source in machine.sources] or [("no source is given",)]
    return [first, cables, *changes, *tables, Table("wiring", ("",), wiring)]


def _bandwidths(machine: Supernode) -> dict[str, tuple[float, float]]:
    """Return the least and the most bytes/s of an NPU, over the links that scale up and out."""
    found = {name: npu_bandwidths(machine, name) for name in ("scale-up", "scale-out")}
    return {name: (float(r.min()), float(r.max())) for name, r in found.items() if r.any()}


def _published(entry: Entry | None) -> list[Part]:
    if entry is None:
        return ["the catalogue has no published figures for this machine"]
    title = f"published figures of {entry.title}"
    if not entry.figures:
        return [f"there are no {title}"]
    return [
        Table(title, ("", "", ""), [(said, sure, note) for said, sure, _, note in _rows(entry)])
    ]


def _thin(subjects: Iterable[tuple[str, Entry]]) -> list[Part]:
    """Return the figures in use that nobody published or measured."""
    rows = [
        (f"{what} {entry.name}", said, source)
        for what, entry in subjects
        for said, _, source, _ in _rows(entry, only=_THIN)
    ]
    if not rows:
        return ["every figure in use is a vendor's, measured, or derived from those"]
    return [Table("estimates: thin sources, or none", ("", "", ""), rows)]


def _sources_table(what: str, entry: Entry) -> Table:
    rows = [
        (said, confidence, source + (f" ({note})" if note else ""))
        for said, confidence, source, note in _rows(entry)
    ]
    return Table(f"{what} {entry.name}: {entry.title}", ("", "", ""), rows)


def _rows(entry: Entry, only: str | None = None) -> list[tuple[str, str, str, str]]:
    """Return (figures, confidence, source and date, note) for each source of a subject.

    With ``only`` just the figures in use that have this confidence.
    """
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for known in entry.figures.values():
        for at, figure in enumerate(known):
            if only is not None and (at > 0 or figure.confidence != only):
                continue
            row = (figure.confidence, figure.source, figure.date, figure.note)
            said = f"{figure.title} {figure.text}"
            groups.setdefault(row, []).append(said if at == 0 else f"{said} (another source)")
    return [
        ("; ".join(said), confidence, source if date in source else f"{source}, {date}", note)
        for (confidence, source, date, note), said in groups.items()
    ]


def _data(
    machine: Supernode,
    made_of: Inventory,
    entry: Entry | None,
    subjects: Iterable[tuple[str, Entry]],
) -> dict[str, Any]:
    """Return everything as plain data in SI units."""
    return {
        "system": machine.name,
        "title": entry.title if entry else machine.name,
        "parameters": dict(machine.parameters),
        "history": machine.history,
        "wiring_sources": machine.sources,
        "npus": len(machine.npus),
        "racks": made_of.racks,
        "npu_bandwidth_Bps": _bandwidths(machine),
        "nodes": made_of.nodes,
        "links": made_of.links,
        "figures": [
            {"of": what, "subject": subject.name, "used": at == 0, **asdict(figure)}
            for what, subject in subjects
            for known in subject.figures.values()
            for at, figure in enumerate(known)
        ],
    }
