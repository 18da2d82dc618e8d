"""``supernode report``: one HTML file to send to a colleague."""

from __future__ import annotations

from argparse import Namespace

from collectives.cli.commands.answer import Answer, Say, argument, command
from collectives.cli.commands.arguments import STYLE, SYSTEMS, size_argument, split
from collectives.report.html import COLLECTIVES, check_target, write_report

_USUAL = ",".join(COLLECTIVES).replace("_", "-")


@command(
    "report",
    "tables, pictures and sources as one HTML file that needs no network",
    argument(
        "-o", "--output", required=True, metavar="FILE", help="ends in .html", read=check_target
    ),
    SYSTEMS,
    argument(
        "--collectives", metavar="NAMES", default=_USUAL,
        help=f"what to run, with commas; by default {_USUAL}", read=split,
    ),
    size_argument("--size", default="64MiB"),
    STYLE,
)  # fmt: skip
def report_command(arguments: Namespace, say: Say) -> Answer:
    """Write the report, and say where it is."""
    path = write_report(
        arguments.output, arguments.systems, kinds=arguments.collectives, size=arguments.size,
        style=arguments.style, progress=say,
    )  # fmt: skip
    names = [machine.name for machine in arguments.systems]
    said = f"{path}: report on {' and '.join(names)}, {path.stat().st_size / 1e6:.1f} MB"
    return Answer([said], {"file": str(path), "systems": names})
