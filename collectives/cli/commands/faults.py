"""``supernode faults``: what every single failure costs a collective."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.analysis.failures import failures
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_ranks, add_system, load_system, parse_ranks
from collectives.cli.commands.options import add_model, model_choices
from collectives.cli.commands.progress import progress_bar

NAME = "faults"
HELP = "what every single failure costs: switch, link, transceiver, node, plane ..."


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser)
    parser.add_argument("collective", help="all-reduce, all-to-all, all-gather, reduce-scatter")
    parser.add_argument("size", nargs="?", default="64MiB", help="with a unit; by default 64MiB")
    parser.add_argument("--units", default="switch", help="what fails; by default switch")
    parser.add_argument("--algorithm", default="auto", help="by default the fastest")
    add_model(parser)
    add_ranks(parser)


def run(arguments: Namespace) -> Answer:
    """Fail one unit after the other."""
    with progress_bar() as say:
        found = failures(
            load_system(arguments.system), arguments.collective, arguments.size,
            units=arguments.units, algorithm=arguments.algorithm,
            ranks=parse_ranks(arguments.ranks), progress=say, **model_choices(arguments),
        )  # fmt: skip
    return Answer(found.parts(), found.to_dict())
