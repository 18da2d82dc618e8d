"""``supernode report``: machines as one HTML file to send to a colleague."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_system, load_system
from collectives.cli.commands.progress import progress_bar
from collectives.report.html import COLLECTIVES, check_target, write_report
from topology.units import parse_size

NAME = "report"
HELP = "tables, pictures and sources as one HTML file that needs no network"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser, many=True)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="ends in .html")
    told = f"what to run, with commas; by default {','.join(COLLECTIVES).replace('_', '-')}"
    parser.add_argument("--collectives", metavar="NAMES", help=told)
    parser.add_argument("--size", default="64MiB", help="with a unit; by default 64MiB")
    parser.add_argument("--style", default="light", help="light, dark or print")


def run(arguments: Namespace) -> Answer:
    """Write the report, and say where it is."""
    check_target(arguments.output)
    size = parse_size(arguments.size)
    kinds = COLLECTIVES
    if arguments.collectives is not None:
        kinds = tuple(arguments.collectives.split(","))
    machines = [load_system(name) for name in arguments.systems]
    with progress_bar() as say:
        path = write_report(
            arguments.output, machines, kinds=kinds, size=size, style=arguments.style, progress=say
        )
    names = [machine.name for machine in machines]
    said = f"{path}: report on {' and '.join(names)}, {path.stat().st_size / 1e6:.1f} MB"
    return Answer([said], {"file": str(path), "systems": names})
