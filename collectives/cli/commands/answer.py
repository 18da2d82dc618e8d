"""Say what a command is: its arguments, its work, and what it has to offer."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from topology.errors import SupernodeError
from topology.text import Part


class Result(Protocol):
    """What a command offers: every result of the library, or an `Answer`."""

    def parts(self) -> Sequence[Part]:
        """Return sentences and tables, the answer first."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return the same as plain data in SI units, for ``--json``."""


@dataclass(frozen=True)
class Answer:
    """What a command found that is not a result of its own.

    Attributes
    ----------
    said
        Sentences and tables, the answer first.
    data
        The same as plain data in SI units.
    """

    said: Sequence[Part]
    data: Mapping[str, Any] = field(default_factory=dict)

    def parts(self) -> Sequence[Part]:
        """Return what people read."""
        return self.said

    def to_dict(self) -> Mapping[str, Any]:
        """Return what machines read."""
        return self.data


@dataclass(frozen=True)
class Argument:
    """An argument of commands: what argparse is told, and what a given text means.

    Attributes
    ----------
    names, options
        As `ArgumentParser.add_argument` takes them.
    read
        Makes of a text what the command works with; raises `SupernodeError`. It is called once
        the size of machines is settled, and not for arguments that are left out.
    """

    names: tuple[str, ...]
    options: Mapping[str, Any]
    read: Callable[[Any], Any] | None


def argument(*names: str, read: Callable[[Any], Any] | None = None, **options: Any) -> Argument:
    """Return an argument of commands."""
    return Argument(names, options, read)


Say = Callable[[str, float], None]
Work = Callable[[Namespace, Say], Result]


@dataclass(frozen=True)
class Command:
    """A subcommand: a name, a line of help, its arguments, and its work.

    Attributes
    ----------
    name, help, arguments
        What people write.
    work
        Takes the arguments, read, and a function to tell progress to.
    """

    name: str
    help: str
    arguments: tuple[Argument, ...]
    work: Work

    def configure(self, parser: ArgumentParser) -> None:
        """Add the command's arguments; `run` fills in what is left out."""
        readers, defaults, flags = {}, {}, {}
        for one in self.arguments:
            action = parser.add_argument(*one.names, **one.options)
            if one.read is not None:
                readers[action.dest] = one.read
            flags[action.dest] = one.names[-1] if action.option_strings else action.dest.upper()
            defaults[action.dest], action.default = action.default, SUPPRESS
        parser.set_defaults(work=self.work, readers=readers, defaults=defaults, flags=flags)


def command(name: str, told: str, *arguments: Argument) -> Callable[[Work], Command]:
    """Make a subcommand of a function."""
    return lambda work: Command(name, told, arguments, work)


def run(parsed: Namespace, say: Say) -> Result:
    """Run the command that was given; machines are read last, as they take the longest."""
    parsed.given = [name for name in parsed.flags if hasattr(parsed, name)]
    for name, default in parsed.defaults.items():
        setattr(parsed, name, getattr(parsed, name, default))
    for name, read in sorted(parsed.readers.items(), key=lambda item: "system" in item[0]):
        given = getattr(parsed, name)
        if given is not None:
            setattr(parsed, name, read(given))
    found: Result = parsed.work(parsed, say)
    return found


def takes_only(parsed: Namespace, what: str, *names: str) -> None:
    """Refuse arguments that were given and would change nothing.

    Parameters
    ----------
    parsed
        The arguments.
    what
        What was asked for, in words.
    *names
        Those that count for it.
    """
    idle = [parsed.flags[name] for name in parsed.given if name not in names]
    if idle:
        used = ", ".join(parsed.flags[name] for name in names)
        raise SupernodeError(f"{what} does not use {', '.join(idle)}; it takes {used}")
