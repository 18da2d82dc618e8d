"""``supernode list``: the machines of the catalogue."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.cli.commands.answer import Answer
from topology.systems import system_catalogue, system_names
from topology.text import Table

NAME = "list"
HELP = "the machines of the catalogue"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments: none."""


def run(arguments: Namespace) -> Answer:  # noqa: ARG001 - every command takes them
    """List."""
    known = system_catalogue()
    rows = []
    for name in system_names():
        entry = known.get(name)
        npus = entry.figure("npus") if entry else None
        rows.append(
            (
                name,
                entry.words.get("title", "") if entry else "",
                f"{npus.value:.0f}" if npus else "",
            )
        )
    data = {"systems": [dict(zip(("name", "title", "npus"), row, strict=True)) for row in rows]}
    first = f"{len(rows)} machines; `supernode show NAME` tells what one is made of"
    return Answer([first, Table("", ("name", "machine", "NPUs"), rows)], data)
