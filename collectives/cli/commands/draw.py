"""``supernode draw``: a machine as a picture, or what a collective does to it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, TypeAlias

from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.answer import Analysis
from collectives.analysis.comparison import compare
from collectives.analysis.tuning import analyze_all
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_ranks, add_system, load_system, parse_ranks
from collectives.cli.commands.options import add_model, model_choices
from collectives.cli.commands.progress import progress_bar
from topology.errors import SupernodeError, unknown_name
from topology.supernode import Supernode

NAME = "draw"
HELP = "a machine, or what a collective does to it, as a PNG, SVG or PDF picture"

Drawing: TypeAlias = Callable[[Namespace, list[Supernode]], tuple[Any, str]]


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser, many=True)
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="ends in .png, .svg or .pdf"
    )
    told = f"one of {', '.join(PICTURES)}; by default fabric"
    parser.add_argument("--picture", default="fabric", metavar="KIND", help=told)
    parser.add_argument("--collective", help="what to run: all-reduce, all-to-all, ...")
    parser.add_argument("--size", default="64MiB", help="with a unit; by default 64MiB")
    parser.add_argument("--algorithm", help="by default the fastest")
    parser.add_argument("--style", default="light", help="light, dark or print")
    add_model(parser)
    add_ranks(parser)


def run(arguments: Namespace) -> Answer:
    """Draw, and say what the picture concludes and where it is."""
    if arguments.picture not in PICTURES:
        raise unknown_name("picture", arguments.picture, PICTURES)
    drawing = import_module("topology.drawing")
    drawing.check_format(arguments.output)
    drawing.draw_style(arguments.style)
    machines = [load_system(name) for name in arguments.systems]
    figure, said = PICTURES[arguments.picture](arguments, machines)
    path = drawing.save(figure, arguments.output)
    data = {"file": str(path), "picture": arguments.picture, "conclusion": said}
    return Answer([said, f"{path}: {arguments.picture} picture"], data)


def _one(arguments: Namespace, machines: list[Supernode]) -> Supernode:
    if len(machines) != 1:
        raise SupernodeError(
            f"a {arguments.picture} picture is of one machine, not {len(machines)}; "
            "bandwidth and machines pictures take several"
        )
    return machines[0]


def _collective(arguments: Namespace) -> str:
    if arguments.collective is None:
        raise SupernodeError(
            f"a {arguments.picture} picture needs --collective, such as --collective all-to-all"
        )
    return str(arguments.collective)


def _analysis(arguments: Namespace, machine: Supernode) -> Analysis:
    with progress_bar() as say:
        return analyze_sizes(
            machine,
            _collective(arguments),
            [arguments.size],
            algorithm=arguments.algorithm or "auto",
            ranks=parse_ranks(arguments.ranks),
            progress=say,
            **model_choices(arguments),
        )[0]


def _analyses(arguments: Namespace, machine: Supernode) -> list[Analysis]:
    """Return an analysis for every algorithm that fits."""
    with progress_bar() as say:
        found = analyze_all(
            machine, _collective(arguments), arguments.size, around=1.0,
            ranks=parse_ranks(arguments.ranks), progress=say, **model_choices(arguments),
        )  # fmt: skip
    return list(found.analyses)


def _of_analysis(name: str) -> Drawing:
    """Return what draws one analysis by a function of `collectives.plots`."""

    def draw(arguments: Namespace, machines: list[Supernode]) -> tuple[Any, str]:
        analysis = _analysis(arguments, _one(arguments, machines))
        plot = getattr(import_module("collectives.plots"), name)
        return plot(analysis, style=arguments.style)[0], analysis.bottleneck.sentence

    return draw


def _fabric(arguments: Namespace, machines: list[Supernode]) -> tuple[Any, str]:
    machine = _one(arguments, machines)
    if arguments.collective is not None:
        return _of_analysis("plot_fabric")(arguments, machines)
    drawing = import_module("topology.drawing")
    return drawing.draw(machine, style=arguments.style)[0], drawing.describe(machine).title


def _bandwidth(arguments: Namespace, machines: list[Supernode]) -> tuple[Any, str]:
    if len(machines) == 1 and arguments.algorithm is None:
        analyses = _analyses(arguments, machines[0])
    else:
        analyses = [_analysis(arguments, machine) for machine in machines]
    plots = import_module("collectives.plots")
    figure, _ = plots.plot_bandwidth(analyses, style=arguments.style)
    return figure, plots.bandwidth_conclusion(plots.bandwidth_curves(analyses))


def _machines(arguments: Namespace, machines: list[Supernode]) -> tuple[Any, str]:
    comparison = compare(machines)
    figure, _ = import_module("collectives.plots").plot_machines(comparison, style=arguments.style)
    return figure, str(comparison.parts()[0])


def _racks(arguments: Namespace, machines: list[Supernode]) -> tuple[Any, str]:
    machine = _one(arguments, machines)
    drawing = import_module("topology.drawing")
    racks = drawing.plan_racks(machine)
    said = f"{machine.name}: {len(racks.names):,} {racks.by}s of {len(racks.kinds):,} kinds"
    return drawing.draw_racks(machine, style=arguments.style)[0], said


PICTURES: Mapping[str, Drawing] = MappingProxyType(
    {
        "fabric": _fabric,
        "racks": _racks,
        "loads": _of_analysis("plot_loads"),
        "distribution": _of_analysis("plot_distribution"),
        "bandwidth": _bandwidth,
        "latency": _of_analysis("plot_latency"),
        "steps": _of_analysis("plot_steps"),
        "traffic": _of_analysis("plot_traffic"),
        "failures": _of_analysis("plot_failures"),
        "machines": _machines,
    }
)
"""What can be drawn, by name."""
