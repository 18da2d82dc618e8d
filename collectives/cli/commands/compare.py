"""``supernode compare``: machines side by side, a source behind each figure."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.analysis.comparison import SIZES, compare
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_system, load_system
from collectives.cli.commands.progress import progress_bar
from topology.units import parse_size

NAME = "compare"
HELP = "machines side by side: published figures with sources, graphs, collectives"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser, many=True)
    parser.add_argument("--sizes", metavar="1MiB,1GiB", help="sizes of the collectives, with units")


def run(arguments: Namespace) -> Answer:
    """Compare."""
    sizes = SIZES
    if arguments.sizes is not None:
        sizes = tuple(parse_size(text) for text in arguments.sizes.split(","))
    machines = [load_system(name) for name in arguments.systems]
    with progress_bar() as say:
        found = compare(machines, sizes=sizes, progress=say)
    return Answer(found.parts(), found.to_dict())
