"""Read what several commands take: systems, sizes, ranks, and the options of the model."""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module
from pathlib import Path
from typing import Any

from collectives.cli.commands.answer import argument
from collectives.model.collective import collective_names
from collectives.stacks import stack_names
from topology import border
from topology.formats import read, suffixes
from topology.routing import routing_names
from topology.supernode import Supernode
from topology.systems import system
from topology.units import parse_size, parse_time


def load_system(name: str) -> Supernode:
    """Return the machine a system argument means.

    A file in one of the formats that can be read, or a name of the catalogue;
    ``name:key=value,...`` sets parameters.
    """
    suffix = Path(name).suffix.lower()
    if suffix and suffix in suffixes("read"):
        return read(name)
    base, parameters = border.named(name, "dgx-h100:nodes=16")
    return system(base, **parameters)


def split(text: str) -> list[str]:
    """Return the words of a list with commas."""
    return text.split(",")


def drawable(file: str) -> str:
    """Return the name of a file for a picture, checked before the work begins."""
    import_module("topology.drawing").check_format(file)
    return file


def _style(name: str) -> str:
    """Return the name of a style, if there is such a one."""
    import_module("topology.drawing").draw_style(name)
    return name


_TOLD = "a name from `supernode list`, a spec file (.toml) or a saved machine (.json)"
SYSTEM = argument("system", metavar="SYSTEM", help=_TOLD, read=load_system)
SYSTEMS = argument(
    "systems", nargs="+", metavar="SYSTEM", help=_TOLD, read=lambda all_: [*map(load_system, all_)]
)
COLLECTIVE = argument("collective", help=", ".join(collective_names()).replace("_", "-"))
ALGORITHM = argument("--algorithm", default="auto", help="by default the fastest")
STYLE = argument("--style", default="light", help="light, dark or print", read=_style)
RANKS = argument(
    "--ranks", metavar="0-319", help="ranks that take part: 0-31,64,72-79", read=border.rank_numbers
)
EXACT = argument(
    "--exact", action="store_true", help="refuse an answer that is approximate in any way"
)
MODEL = (
    argument(
        "--routing",
        default="ecmp",
        help="by default ecmp; options follow a colon, as in hashed:seed=3; known: "
        f"{', '.join(routing_names())}",
    ),
    argument("--rate", default="line", help="line or effective"),
    argument("--group-size", type=int, help="ranks to a group in two-level algorithms"),
    argument("--alpha", metavar="TIME", help="endpoint time per step: 1us", read=parse_time),
    argument("--message", metavar="TIME", help="endpoint time per message: 2ns", read=parse_time),
    EXACT,
)
"""The options of the model, which `model` returns."""
STACK = (
    argument("--stack", metavar="NAME", help="software that runs it: " + ", ".join(stack_names())),
    argument("--launch", help="how its processes are launched; by default process-per-gpu"),
)
"""The software, which `model` returns as well for commands that take it."""


def size_argument(*names: str, default: str | None = None, **options: Any) -> Any:
    """Return an argument that is a size."""
    told = "with a unit; by default " + default if default else "with a unit: 64MiB"
    return argument(*names, default=default, read=parse_size, **{"help": told, **options})


def model(arguments: Namespace) -> dict[str, Any]:
    """Return the model's options as `analyze` takes them."""
    names = ("routing", "rate", "group_size", "alpha", "message", "exact", "stack", "launch")
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
