"""``supernode analyze``, ``tune``, ``faults`` and ``compare``: a question, and its answer."""

from __future__ import annotations

from argparse import Namespace

from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.comparison import SIZES, compare
from collectives.analysis.failures import failures
from collectives.analysis.simulate import both_ways
from collectives.analysis.tuning import analyze_all, tune
from collectives.cli.commands.answer import Result, Say, argument, command
from collectives.cli.commands.arguments import (
    ALGORITHM,
    COLLECTIVE,
    MODEL,
    RANKS,
    STACK,
    SYSTEM,
    SYSTEMS,
    model,
    size_argument,
    split,
)
from topology.errors import SupernodeError
from topology.units import parse_size


@command(
    "analyze",
    "how long a collective takes on a machine, and what limits it",
    SYSTEM,
    COLLECTIVE,
    size_argument("size"),
    ALGORITHM,
    argument("--all", action="store_true", help="every algorithm, and where one overtakes another"),
    argument("--simulate", action="store_true", help="also event by event, and how they differ"),
    *MODEL,
    *STACK,
    RANKS,
)
def analyze_command(arguments: Namespace, say: Say) -> Result:
    """Analyse with one algorithm, or with all."""
    machine, kind = arguments.system, arguments.collective
    choices = {"ranks": arguments.ranks, "progress": say, **model(arguments)}
    if not arguments.all:
        algorithm = arguments.algorithm
        sizes = [arguments.size]
        found = analyze_sizes(machine, kind, sizes, algorithm=algorithm, **choices)[0]
        return both_ways(found) if arguments.simulate else found
    if arguments.algorithm != "auto" or arguments.simulate:
        raise SupernodeError("--all takes every algorithm; leave out --algorithm and --simulate")
    return analyze_all(machine, kind, arguments.size, **choices)


@command(
    "tune",
    "which algorithm is the fastest at which size, and where they change over",
    SYSTEM,
    COLLECTIVE,
    size_argument("--low", default="1KiB", help="smallest size, with a unit"),
    size_argument("--high", default="1GiB", help="largest size, with a unit"),
    argument("--algorithms", metavar="A,B", help="by default all", read=split),
    *MODEL,
    *STACK,
    RANKS,
)
def tune_command(arguments: Namespace, say: Say) -> Result:
    """Tune."""
    return tune(
        arguments.system, arguments.collective, low=arguments.low, high=arguments.high,
        algorithms=arguments.algorithms, ranks=arguments.ranks, progress=say, **model(arguments),
    )  # fmt: skip


@command(
    "faults",
    "what every single failure costs: switch, link, transceiver, node, plane ...",
    SYSTEM,
    COLLECTIVE,
    size_argument("size", nargs="?", default="64MiB"),
    argument("--units", default="switch", help="what fails; by default switch"),
    ALGORITHM,
    *MODEL,
    *STACK,
    RANKS,
)
def faults_command(arguments: Namespace, say: Say) -> Result:
    """Fail one unit after the other."""
    return failures(
        arguments.system, arguments.collective, arguments.size, units=arguments.units,
        algorithm=arguments.algorithm, ranks=arguments.ranks, progress=say, **model(arguments),
    )  # fmt: skip


@command(
    "compare",
    "machines side by side: published figures with sources, graphs, collectives",
    SYSTEMS,
    argument(
        "--sizes", metavar="1MiB,1GiB", help="sizes of the collectives, with units",
        read=lambda text: [*map(parse_size, split(text))],
    ),
)  # fmt: skip
def compare_command(arguments: Namespace, say: Say) -> Result:
    """Compare."""
    return compare(arguments.systems, sizes=arguments.sizes or SIZES, progress=say)
