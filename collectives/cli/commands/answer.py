"""Say what a command has to offer: parts for people, data for JSON."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from topology.text import Part


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes
    ----------
    parts
        Sentences and tables, the answer first.
    data
        The same as plain data in SI units, for ``--json``.
    """

    parts: Sequence[Part]
    data: Mapping[str, Any] = field(default_factory=dict)


class Command(Protocol):
    """A subcommand: a module with a name, a line of help, its arguments and its work."""

    NAME: str
    HELP: str

    def configure(self, parser: ArgumentParser) -> None:
        """Add the command's arguments; ``--json`` is there already."""

    def run(self, arguments: Namespace) -> Answer:
        """Do the work; raise `SupernodeError` for anything the user can mend."""
