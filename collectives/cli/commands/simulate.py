"""``supernode simulate``: a collective event by event, and its Gantt chart."""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module
from typing import Any

from collectives.analysis.simulate import FORWARDING, simulate
from collectives.cli.commands.answer import Answer, Result, Say, argument, command
from collectives.cli.commands.arguments import (
    ALGORITHM,
    COLLECTIVE,
    MODEL,
    RANKS,
    STYLE,
    SYSTEM,
    drawable,
    model,
    size_argument,
)
from topology.errors import SupernodeError
from topology.units import parse_rate, parse_time

TERMS = (
    argument("--forwarding", default=FORWARDING[0], help=f"{' or '.join(FORWARDING)}"),
    argument("--window", type=int, help="messages of a rank under way at most in a step"),
    argument("--injection", metavar="RATE", help="what a rank can send in all: 200GB/s",
             read=parse_rate),
    argument("--ejection", metavar="RATE", help="what a rank can receive in all: 200GB/s",
             read=parse_rate),
    argument("--tick", metavar="TIME", help="cut durations to whole ones: 1ns", read=parse_time),
)  # fmt: skip
"""How messages move."""


@command(
    "simulate",
    "a collective event by event: fair shares of links, the critical path, a Gantt chart",
    SYSTEM,
    COLLECTIVE,
    size_argument("size"),
    ALGORITHM,
    *TERMS,
    argument("--gantt", metavar="FILE", help="draw it: ends in .png, .svg or .pdf", read=drawable),
    STYLE,
    *MODEL,
    RANKS,
)
def simulate_command(arguments: Namespace, say: Say) -> Result:
    """Simulate, and draw what happened if asked."""
    names = ("algorithm", "ranks", "forwarding", "window", "injection", "ejection")
    choices: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    found = simulate(
        arguments.system, arguments.collective, arguments.size, tick=arguments.tick or 0.0,
        progress=say, **choices, **model(arguments),
    )  # fmt: skip
    if arguments.gantt is None:
        if "style" in arguments.given:
            raise SupernodeError("--style is of the picture that --gantt draws; give both")
        return found
    figure, _ = import_module("collectives.plots").plot_gantt(found, style=arguments.style)
    path = import_module("topology.drawing").save(figure, arguments.gantt)
    return Answer([*found.parts(), f"{path}: Gantt chart"], {**found.to_dict(), "file": str(path)})
