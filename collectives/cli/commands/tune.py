"""``supernode tune``: which algorithm is the fastest at which size."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.analysis.tuning import tune
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_ranks, add_system, load_system, parse_ranks
from collectives.cli.commands.options import add_model, model_choices
from collectives.cli.commands.progress import progress_bar
from topology.units import parse_size

NAME = "tune"
HELP = "which algorithm is the fastest at which size, and where they change over"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser)
    parser.add_argument("collective", help="all-reduce, all-to-all, all-gather, reduce-scatter")
    parser.add_argument("--low", default="1KiB", help="smallest size, with a unit")
    parser.add_argument("--high", default="1GiB", help="largest size, with a unit")
    parser.add_argument("--algorithms", metavar="A,B", help="by default all")
    add_model(parser)
    add_ranks(parser)


def run(arguments: Namespace) -> Answer:
    """Tune."""
    low, high = parse_size(arguments.low), parse_size(arguments.high)
    names = arguments.algorithms.split(",") if arguments.algorithms else None
    machine, ranks = load_system(arguments.system), parse_ranks(arguments.ranks)
    choices = model_choices(arguments)
    with progress_bar() as say:
        found = tune(
            machine, arguments.collective, low=low, high=high, algorithms=names,
            progress=say, ranks=ranks, **choices,
        )  # fmt: skip
    return Answer(found.parts(), found.to_dict())
