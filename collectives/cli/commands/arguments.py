"""Read what several commands take: systems, sizes, ranks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from topology import border
from topology.errors import SupernodeError, shown
from topology.formats import read, suffixes
from topology.supernode import Supernode
from topology.systems import system


def add_system(parser: ArgumentParser, *, many: bool = False) -> None:
    """Add the machine, or machines, a command is about."""
    told = "a name from `supernode list`, a spec file (.toml) or a saved machine (.json)"
    if many:
        parser.add_argument("systems", nargs="+", metavar="SYSTEM", help=told)
    else:
        parser.add_argument("system", metavar="SYSTEM", help=told)


def add_ranks(parser: ArgumentParser) -> None:
    """Add the choice of ranks."""
    parser.add_argument("--ranks", metavar="0-319", help="ranks that take part: 0-31,64,72-79")


def load_system(name: str) -> Supernode:
    """Return the machine a system argument means.

    A file in one of the formats that can be read, or a name of the catalogue;
    ``name:key=value,...`` sets parameters.
    """
    suffix = Path(name).suffix.lower()
    if suffix and suffix in suffixes("read"):
        return read(name)
    base, _, rest = name.partition(":")
    parameters = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise SupernodeError(
                f"{shown(name)}: {shown(item)} is not key=value; write it like dgx-h100:nodes=16"
            )
        parameters[key.strip().replace("-", "_")] = border.plain_value(value.strip())
    return system(base, **parameters)


def parse_ranks(text: str | None) -> list[int] | None:
    """Return the ranks a text such as ``0-31,64`` names; None for all."""
    return None if text is None else border.rank_numbers(text)


def given(arguments: Namespace, *names: str) -> dict[str, object]:
    """Return the named options that were given."""
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}
