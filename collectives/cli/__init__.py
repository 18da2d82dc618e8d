"""The ``supernode`` command: the answer first, tables after, ``--json`` for machines."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, is_dataclass
from typing import Any, NoReturn

import numpy as np
from rich.console import Console

from collectives.cli.commands import COMMANDS
from collectives.cli.commands.answer import Result, run
from collectives.cli.commands.progress import progress_bar
from topology.border import MOST_LINKS, MOST_NODES, budget
from topology.errors import SupernodeError, unknown_name
from topology.text import plain, styled_lines

_INTERRUPTED = 130
_FAULT = 2


class _Parser(ArgumentParser):
    """A parser whose errors read like the library's own."""

    def error(self, message: str) -> NoReturn:
        raise SupernodeError(f"{message}; `{self.prog} --help` tells more")


def build_parser() -> ArgumentParser:
    """Return the parser with every command."""
    parser = _Parser(
        prog="supernode",
        description="Say what limits an AI supernode, and what nothing could beat.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.help, description=command.help)
        command.configure(sub)
        sub.add_argument("--json", action="store_true", help="print everything as JSON")
        told = f"machines beyond {MOST_NODES:,} nodes or {MOST_LINKS:,} directed links too"
        sub.add_argument("--large", action="store_true", help=told)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for a fault, 130 if interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_command(words)
        parser = build_parser()
        parsed = parser.parse_args(words)
        if parsed.command is None:
            parser.print_help()
            return 0
        with budget() if parsed.large else nullcontext(), progress_bar() as say:
            found = run(parsed, say)
        show(found, as_json=parsed.json)
    except SupernodeError as error:
        said = f"supernode: {error}"  # a line of a log stays whole; on a screen it is broken
        sys.stderr.write((plain(said) if sys.stderr.isatty() else said) + "\n")
        return _FAULT
    except KeyboardInterrupt:
        sys.stderr.write("supernode: interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:
        return 0
    return 0


def _check_command(words: Sequence[str]) -> None:
    names = [command.name for command in COMMANDS]
    if words and not words[0].startswith("-") and words[0] not in names:
        raise unknown_name("command", words[0], names)


def show(found: Result, *, as_json: bool = False) -> None:
    """Print a result: JSON, tables on a terminal, plain text elsewhere."""
    if as_json:
        _put(json.dumps(_plain_data(found.to_dict()), indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    if console.is_terminal:
        for bold, line in styled_lines(found.parts(), console.width):
            console.print(line, style="bold" if bold else None, soft_wrap=True, markup=False)
    else:
        _put(plain(*found.parts()))


def _put(text: str) -> None:
    """Print a text; what the terminal's encoding lacks is escaped."""
    code = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(code, "backslashreplace").decode(code) + "\n")


def _plain_data(value: Any) -> Any:
    """Return data that JSON can hold: no records, no NumPy, no infinity."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain_data(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain_data(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
