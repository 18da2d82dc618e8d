"""``supernode draw``: a machine as a picture, or what a collective does to it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.answer import Analysis
from collectives.analysis.comparison import compare
from collectives.analysis.tuning import analyze_all
from collectives.cli.commands.answer import Answer, Say, argument, command, takes_only
from collectives.cli.commands.arguments import (
    MODEL,
    RANKS,
    STYLE,
    SYSTEMS,
    drawable,
    model,
    size_argument,
)
from topology.errors import SupernodeError, unknown_name
from topology.supernode import Supernode
from topology.text import counted

PICTURES = (
    "fabric", "racks", "loads", "distribution", "bandwidth", "latency", "steps", "traffic",
    "failures", "machines",
)  # fmt: skip
"""What can be drawn, by name."""

Drawn = tuple[Any, str]  # a figure, and what it concludes; matplotlib is loaded to draw only


def _picture(kind: str) -> str:
    """Return the name of a picture, if there is such a one."""
    if kind not in PICTURES:
        raise unknown_name("picture", kind, PICTURES)
    return kind


@command(
    "draw",
    "a machine, or what a collective does to it, as a PNG, SVG or PDF picture",
    argument(
        "--picture", default="fabric", metavar="KIND", read=_picture,
        help=f"one of {', '.join(PICTURES)}; by default fabric",
    ),
    argument(
        "-o", "--output", required=True, metavar="FILE", help="ends in .png, .svg or .pdf",
        read=drawable,
    ),
    SYSTEMS,
    argument("--collective", help="what to run: all-reduce, all-to-all, ..."),
    size_argument("--size", default="64MiB"),
    argument("--algorithm", help="by default the fastest"),
    STYLE,
    *MODEL,
    RANKS,
)  # fmt: skip
def draw_command(arguments: Namespace, say: Say) -> Answer:
    """Draw, and say what the picture concludes and where it is."""
    drawing = import_module("topology.drawing")
    kind = arguments.picture
    figure, said = _OWN.get(kind, _of_analysis)(arguments, say)
    path = drawing.save(figure, arguments.output)
    return Answer(
        [said, f"{path}: {kind} picture"], {"file": str(path), "picture": kind, "conclusion": said}
    )


def _plot(name: str, of: Any, arguments: Namespace) -> Any:
    """Return the figure that a function of `collectives.plots` makes."""
    plot = getattr(import_module("collectives.plots"), f"plot_{name}")
    return plot(of, style=arguments.style)[0]


def _one(arguments: Namespace) -> Supernode:
    machines: list[Supernode] = arguments.systems
    if len(machines) != 1:
        raise SupernodeError(
            f"a {arguments.picture} picture is of one machine, not {len(machines)}; "
            "bandwidth and machines pictures take several"
        )
    return machines[0]


def _machine_only(arguments: Namespace, how: str = "") -> None:
    """Refuse what only pictures of a collective use."""
    what = f"a {arguments.picture} picture{how}"
    takes_only(arguments, what, "systems", "picture", "output", "style")


def _choices(arguments: Namespace, say: Say) -> dict[str, Any]:
    """Return what the pipeline is asked besides machine and algorithm."""
    if arguments.collective is None:
        raise SupernodeError(
            f"a {arguments.picture} picture needs --collective, such as --collective all-to-all"
        )
    return {
        "kind": arguments.collective, "ranks": arguments.ranks, "progress": say,
        **model(arguments),
    }  # fmt: skip


def _analysis(machine: Supernode, arguments: Namespace, say: Say) -> Analysis:
    choices = _choices(arguments, say)
    algorithm = arguments.algorithm or "auto"
    return analyze_sizes(machine, sizes=[arguments.size], algorithm=algorithm, **choices)[0]


def _of_analysis(arguments: Namespace, say: Say) -> Drawn:
    analysis = _analysis(_one(arguments), arguments, say)
    figure = _plot(arguments.picture, analysis, arguments)
    title = " ".join(figure.axes[0].get_title(loc="left").split())  # without the breaks of lines
    return figure, title or analysis.bottleneck.sentence


def _fabric(arguments: Namespace, say: Say) -> Drawn:
    if arguments.collective is not None:
        return _of_analysis(arguments, say)
    _machine_only(arguments, " without --collective")
    machine, drawing = _one(arguments), import_module("topology.drawing")
    return drawing.draw(machine, style=arguments.style)[0], drawing.describe(machine).title


def _bandwidth(arguments: Namespace, say: Say) -> Drawn:
    """Draw a line for every algorithm that fits one machine, or one for each of several."""
    machines, choices = arguments.systems, _choices(arguments, say)
    analyses = (
        analyze_all(machines[0], size=arguments.size, around=1.0, **choices).analyses
        if len(machines) == 1 and arguments.algorithm is None
        else [_analysis(machine, arguments, say) for machine in machines]
    )
    plots = import_module("collectives.plots")
    said = plots.bandwidth_conclusion(plots.bandwidth_curves(analyses))
    return _plot("bandwidth", analyses, arguments), said


def _machines(arguments: Namespace, say: Say) -> Drawn:
    _machine_only(arguments)
    comparison = compare(arguments.systems, progress=say)
    return _plot("machines", comparison, arguments), str(comparison.parts()[0])


def _racks(arguments: Namespace, _: Say) -> Drawn:
    _machine_only(arguments)
    machine, drawing = _one(arguments), import_module("topology.drawing")
    racks = drawing.plan_racks(machine)
    kinds = counted(len(racks.kinds), "kind")
    said = f"{machine.name}: {counted(len(racks.names), racks.by)} of {kinds}"
    return drawing.draw_racks(machine, style=arguments.style)[0], said


_OWN: Mapping[str, Callable[[Namespace, Say], Drawn]] = MappingProxyType(
    {"fabric": _fabric, "racks": _racks, "bandwidth": _bandwidth, "machines": _machines}
)
