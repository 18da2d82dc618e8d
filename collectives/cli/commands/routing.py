"""``supernode routing``: routings of a machine side by side, and whether they can deadlock."""

from __future__ import annotations

from argparse import Namespace

from collectives.cli.commands.answer import Result, Say, argument, command
from collectives.cli.commands.arguments import RANKS, SYSTEM
from topology.routing import compare_routings, routing_names


@command(
    "routing",
    "what each routing makes of uniform traffic, whether it can deadlock, virtual channels",
    SYSTEM,
    argument(
        "routings", nargs="*", metavar="ROUTING",
        help="such as hashed:seed=3; by default all that suit: " + ", ".join(routing_names()),
    ),
    RANKS,
)  # fmt: skip
def routing_command(arguments: Namespace, say: Say) -> Result:
    """Compare."""
    return compare_routings(
        arguments.system, arguments.routings or (), ranks=arguments.ranks, progress=say
    )
