"""``supernode simulate``: a collective event by event, and its Gantt chart."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from collectives.analysis.question import Job
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
from collectives.model.collective import collective
from collectives.workloads.groups import AXES, groups
from topology import border
from topology.errors import SupernodeError, shown
from topology.routing import chosen_ranks

TERMS = (
    argument("--forwarding", default=FORWARDING[0], help=f"{' or '.join(FORWARDING)}"),
    argument("--window", type=int, help="messages of a rank under way at most in a step"),
    argument("--injection", metavar="RATE", help="what a rank can send in all: 200GB/s"),
    argument("--ejection", metavar="RATE", help="what a rank can receive in all: 200GB/s"),
    argument("--tick", metavar="TIME", help="cut durations to whole ones: 1ns"),
)
"""How messages move."""

_LONG = 16  # letters of ranks that a job is called by
_EXAMPLE = "'tp all-reduce 64MiB'"
JOBS = (
    argument(
        "--job", action="append", metavar=_EXAMPLE,
        help="one of several that run at once: groups, collective, size, and an algorithm if not "
        "the fastest; groups are tp, ep, dp, pp or several as ep+dp, all, or ranks: 0-7/8-15",
    ),
    *(
        argument(f"--{axis}", type=int, metavar="N", help=f"ranks in a group of {axis}, for --job")
        for axis in AXES
    ),
)  # fmt: skip
"""What runs at once, in place of one collective."""


@command(
    "simulate",
    "a collective event by event: fair shares of links, the critical path, a Gantt chart",
    SYSTEM,
    replace(COLLECTIVE, options={**COLLECTIVE.options, "nargs": "?"}),
    size_argument("size", nargs="?"),
    ALGORITHM,
    *JOBS,
    *TERMS,
    argument(
        "-o", "--gantt", metavar="FILE", help="draw it: ends in .png, .svg or .pdf", read=drawable
    ),
    STYLE,
    *MODEL,
    RANKS,
)
def simulate_command(arguments: Namespace, say: Say) -> Result:
    """Simulate, and draw what happened if asked."""
    names = ("algorithm", "ranks", "forwarding", "window", "injection", "ejection")
    choices: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    what = arguments.collective
    if arguments.job:
        if what is not None:
            raise SupernodeError(f"--job {_EXAMPLE} is in place of {shown(what)}; give one of them")
        what, choices["ranks"] = _jobs(arguments), None
    elif what is None:
        raise SupernodeError(f"give a collective and a size, or several as --job {_EXAMPLE}")
    elif _axes(arguments):
        raise SupernodeError(f"--{next(iter(_axes(arguments)))} is of groups that --job names")
    found = simulate(
        arguments.system, what, arguments.size, tick=arguments.tick or 0.0,
        progress=say, **choices, **model(arguments),
    )  # fmt: skip
    if arguments.gantt is None:
        if "style" in arguments.given:
            raise SupernodeError("--style is of the picture that --gantt draws; give both")
        return found
    figure, _ = import_module("collectives.plots").plot_gantt(found, style=arguments.style)
    path = import_module("topology.drawing").save(figure, arguments.gantt)
    return Answer([*found.parts(), f"{path}: Gantt chart"], {**found.to_dict(), "file": str(path)})


def _axes(arguments: Namespace) -> dict[str, Any]:
    """Return how many ranks a group has, of the dimensions that were given."""
    return {axis: n for axis in AXES if (n := getattr(arguments, axis)) is not None}


def _jobs(arguments: Namespace) -> list[Job]:
    """Return what runs at once."""
    machine, ranks = arguments.system, arguments.ranks
    grid = groups(machine, ranks=ranks, **_axes(arguments))
    found = []
    for text in arguments.job:
        where, *asked = text.split() or [""]
        if not 2 <= len(asked) <= 3:
            raise SupernodeError(
                f"--job {shown(text)} is not groups, collective, size and perhaps an algorithm; "
                f"write it like {_EXAMPLE}"
            )
        kind = collective(asked[0])
        axes = where.split("+")
        if where == "all":
            rows = [chosen_ranks(ranks, len(machine.npus))]
        elif set(axes) <= set(AXES):
            rows = list(grid.along(*axes))
        else:
            rows = [
                np.array(border.rank_numbers(row, len(machine.npus))) for row in where.split("/")
            ]
        title = f"{where} {kind.title}" if len(where) <= _LONG else ""
        size, algorithm = [*asked[1:], "auto"][:2]
        found.append(Job(kind.name, rows, size, algorithm, title))
    return found
