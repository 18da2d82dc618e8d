"""The model's options, which several commands take."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from collectives.cli.commands.arguments import given
from topology.routing import routing_names
from topology.units import parse_time


def add_model(parser: ArgumentParser) -> None:
    """Add routing, rate, groups and endpoint overheads."""
    parser.add_argument(
        "--routing", default="ecmp", help=f"by default ecmp; known: {', '.join(routing_names())}"
    )
    parser.add_argument("--rate", default="line", help="line or effective")
    parser.add_argument("--group-size", type=int, help="ranks to a group in two-level algorithms")
    parser.add_argument("--alpha", metavar="TIME", help="endpoint time per step: 1us")
    parser.add_argument("--message", metavar="TIME", help="endpoint time per message: 2ns")
    parser.add_argument(
        "--exact", action="store_true", help="refuse an answer that is approximate in any way"
    )


def model_choices(arguments: Namespace) -> dict[str, Any]:
    """Return the model's options as `analyze` takes them."""
    times = {name: parse_time(text) for name, text in given(arguments, "alpha", "message").items()}
    return {
        "routing": arguments.routing,
        "rate": arguments.rate,
        "group_size": arguments.group_size,
        "exact": arguments.exact,
        **times,
    }
