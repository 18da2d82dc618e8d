"""``supernode list``: the machines of the catalogue."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.cli.commands.answer import Answer
from topology import units
from topology.registry import plugin_faults
from topology.systems import system_names
from topology.systems.catalogue import SYSTEMS, default_entry
from topology.text import Table

NAME = "list"
HELP = "the machines of the catalogue"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments: none."""


def run(arguments: Namespace) -> Answer:  # noqa: ARG001 - every command takes them
    """List."""
    rows = []
    for name in system_names():
        entry = default_entry(name)
        npus, rate = (entry.figure(what) if entry else None for what in ("npus", "npu_bandwidth"))
        title = entry.words.get("title", "") if entry else ""
        said = units.format_rate(rate.value) if rate else ""
        rows.append((name, title, f"{npus.value:.0f}" if npus else "", said))
    columns = ("name", "title", "npus", "npu_bandwidth")
    data = {"systems": [dict(zip(columns, row, strict=True)) for row in rows]}
    first = f"{len(rows)} machines; `supernode show NAME` tells what one is made of"
    headers = ("name", "machine", "NPUs", "scale-up per NPU, one way")
    broken = [fault for fault in plugin_faults(SYSTEMS.group).values() if fault]
    return Answer([first, Table("", headers, rows), *broken], data)
