"""``supernode analyze``: how long a collective takes, and what limits it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.tuning import analyze_all
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_ranks, add_system, load_system, parse_ranks
from collectives.cli.commands.options import add_model, model_choices
from collectives.cli.commands.progress import progress_bar
from topology.errors import SupernodeError
from topology.units import parse_size

NAME = "analyze"
HELP = "how long a collective takes on a machine, and what limits it"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser)
    parser.add_argument("collective", help="all-reduce, all-to-all, all-gather, reduce-scatter")
    parser.add_argument("size", help="with a unit: 64MiB")
    parser.add_argument("--algorithm", default="auto", help="by default the fastest")
    parser.add_argument(
        "--all", action="store_true", help="every algorithm, and where one overtakes another"
    )
    add_model(parser)
    add_ranks(parser)


def run(arguments: Namespace) -> Answer:
    """Analyse."""
    size = parse_size(arguments.size)
    if arguments.all:
        return _every(arguments, size)
    with progress_bar() as say:
        found = analyze_sizes(
            load_system(arguments.system),
            arguments.collective,
            [size],
            algorithm=arguments.algorithm,
            ranks=parse_ranks(arguments.ranks),
            progress=say,
            **model_choices(arguments),
        )[0]
    return Answer(found.parts(), found.to_dict())


def _every(arguments: Namespace, size: float) -> Answer:
    if arguments.algorithm != "auto":
        raise SupernodeError("--all takes every algorithm; leave out --algorithm")
    machine, ranks = load_system(arguments.system), parse_ranks(arguments.ranks)
    choices = model_choices(arguments)
    with progress_bar() as say:
        found = analyze_all(
            machine, arguments.collective, size, progress=say, ranks=ranks, **choices
        )
    return Answer(found.parts(), found.to_dict())
