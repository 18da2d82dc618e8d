"""``supernode analyze``: how long a collective takes, and what limits it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.analysis import analyze
from collectives.commands.answer import Answer
from collectives.commands.arguments import add_ranks, add_system, given, load_system, parse_ranks
from topology.units import parse_size, parse_time

NAME = "analyze"
HELP = "how long a collective takes on a machine, and what limits it"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser)
    parser.add_argument("collective", help="all-reduce, all-to-all, all-gather, reduce-scatter")
    parser.add_argument("size", help="with a unit: 64MiB")
    parser.add_argument("--algorithm", default="auto", help="by default the fastest")
    parser.add_argument("--routing", default="ecmp", help="ecmp")
    parser.add_argument("--rate", default="line", help="line or effective")
    parser.add_argument("--group-size", type=int, help="ranks to a group in two-level algorithms")
    parser.add_argument("--alpha", metavar="TIME", help="endpoint time per step: 1us")
    parser.add_argument("--message", metavar="TIME", help="endpoint time per message: 2ns")
    add_ranks(parser)


def run(arguments: Namespace) -> Answer:
    """Analyse."""
    size = parse_size(arguments.size)
    overheads = {
        name: parse_time(text) for name, text in given(arguments, "alpha", "message").items()
    }
    found = analyze(
        load_system(arguments.system),
        arguments.collective,
        size,
        algorithm=arguments.algorithm,
        routing=arguments.routing,
        rate=arguments.rate,
        ranks=parse_ranks(arguments.ranks),
        group_size=arguments.group_size,
        **overheads,
    )
    return Answer(found.parts(), found.to_dict())
