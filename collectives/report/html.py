"""Write a report about machines as one HTML file: tables, pictures and sources, nothing outside.

The file asks for nothing from the network: pictures are inline SVG, style is in the page, and a
content security policy forbids the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.answer import Analysis
from collectives.analysis.comparison import compare
from collectives.model.collective import collective
from topology import border, files, units
from topology.errors import SupernodeError
from topology.supernode import Supernode
from topology.text import Table, html_parts

COLLECTIVES = ("all_to_all", "all_reduce")
"""What a report is about by default."""

_OTHER_SIZES = (64 * units.KiB, units.MiB, units.GiB)
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r"\sxmlns(:\w+)?=\"[^\"]*\"")
_SIZE = re.compile(r"(<svg\b[^>]*?)\s(?:width|height)=\"[^\"]*\"")
_NAMES = re.compile(r"(\bid=\"|href=\"#|url\(#)")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
       max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { margin-top: 2.2em; border-bottom: 1px solid #dedede; }
.bottleneck { font-weight: 600; font-size: 1.1em; margin: 0.3em 0; }
table { border-collapse: collapse; margin: 0.6em 0 1.2em; font-size: 0.9em; }
caption { text-align: left; font-weight: 600; padding: 0.2em 0; }
th, td { padding: 0.15em 0.8em 0.15em 0; text-align: right; vertical-align: top;
         border-bottom: 1px solid #eee; }
th:first-child, td:first-child, table.words td { text-align: left; }
figure { margin: 1.2em 0; } figure svg { width: 100%; height: auto; }
details { margin: 0.6em 0; } li { margin: 0.15em 0; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def report(
    supernodes: Sequence[Supernode],
    *,
    kinds: Iterable[str] = COLLECTIVES,
    size: float | str = 64 * units.MiB,
    style: str = "light",
    progress: Callable[[str, float], None] | None = None,
) -> str:
    """Return a report about machines as HTML.

    Parameters
    ----------
    supernodes
        One or more.
    kinds
        Collectives to analyse on each.
    size
        S in bytes, or a string with a unit.
    style
        Of the pictures: "light", "dark" or "print".
    progress
        Called with what is being done and the fraction done.

    Raises
    ------
    SupernodeError
        If there is no machine, or a collective or size does not fit.
    """
    machines = list(supernodes)
    if not machines or not all(isinstance(machine, Supernode) for machine in machines):
        raise SupernodeError("report needs a list of supernodes, one or more")
    names = [collective(kind).name for kind in kinds]
    amount = border.size(size)
    say = progress or (lambda _what, _done: None)
    sections = []
    for k, machine in enumerate(machines):
        say(machine.name, k / (len(machines) + 1))
        sections.append(_machine_section(machine, names, amount, style))
    say("side by side", len(machines) / (len(machines) + 1))
    sections.append(_comparison_section(machines, style))
    say("done", 1.0)
    return _page([machine.name for machine in machines], sections)


def write_report(path: str | Path, supernodes: Sequence[Supernode], **choices: Any) -> Path:
    """Write a report to an HTML file; the choices are those of `report`.

    Raises
    ------
    SupernodeError
        If the name does not end in .html, or the file cannot be written.
    """
    target = check_target(path)
    text = report(supernodes, **choices)
    return files.write_text(target, text)


def check_target(path: str | Path) -> Path:
    """Return the path of a report; raise `SupernodeError` if it does not end in .html."""
    target = files.path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise SupernodeError(f"{str(path)!r}: a report is written as .html")
    return target


def inline_svg(figure: Any, prefix: str) -> str:
    """Return a figure as SVG to put into a page: no prologue, no metadata, names of its own.

    Parameters
    ----------
    figure
        A matplotlib figure.
    prefix
        Put before every id, so that several pictures share a page.
    """
    file = StringIO()
    mpl = import_module("matplotlib")
    with mpl.rc_context({"svg.hashsalt": "supernode", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = _METADATA.sub("", _PROLOGUE.sub("", file.getvalue()))
    text = _NAMESPACE.sub("", text)
    for _ in range(2):
        text = _SIZE.sub(r"\1", text, count=1)
    return _NAMES.sub(rf"\g<1>{prefix}-", text).replace("xlink:href", "href")


def _machine_section(machine: Supernode, kinds: Sequence[str], size: float, style: str) -> str:
    plots = import_module("collectives.plots")
    drawing = import_module("topology.drawing")
    every = [analyze_sizes(machine, kind, (size, *_OTHER_SIZES)) for kind in kinds]
    found = [analyses[0] for analyses in every]
    figures = [("racks", drawing.draw_racks(machine, style=style)[0])]
    for analyses in every:
        figures += _figures(analyses, plots, style)
    slug = re.sub(r"\W+", "-", machine.name)
    notes = (note for analysis in found for note in analysis.assumptions)
    return _section(
        machine.title,
        map(_sentence, found),
        [(words, inline_svg(figure, f"{slug}-{k}")) for k, (words, figure) in enumerate(figures)],
        [part for analysis in found for part in analysis.parts() if isinstance(part, Table)],
        tuple(dict.fromkeys((*notes, *sources_of(machine)))),
    )


def _sentence(analysis: Analysis) -> str:
    took = units.format_time(analysis.time)
    if analysis.collective.moves:
        took = f"{units.format_size(analysis.size)} take {took}, busbw "
        took += units.format_rate(analysis.busbw)
    return (
        f"{analysis.bottleneck.sentence}: {took}, "
        f"{units.format_percent(analysis.efficiency)} of the bound"
    )


def _figures(analyses: Sequence[Analysis], plots: Any, style: str) -> list[tuple[str, Any]]:
    """Return pictures of one collective: the size asked for comes first, then a small one."""
    analysis, small, *_ = analyses
    title = analysis.collective.title
    winners = list({found.algorithm: found for found in analyses}.values())
    figures = [("critical path of a small one", plots.plot_latency(small, style=style))]
    if analysis.collective.moves:
        figures[:0] = [
            ("load of every bundle", plots.plot_fabric(analysis, style=style)),
            ("load by node and plane", plots.plot_loads(analysis, style=style)),
            ("bus bandwidth by size", plots.plot_bandwidth(winners, style=style)),
        ]
    return [(f"{title}: {what}", figure) for what, (figure, _) in figures]


def _comparison_section(machines: Sequence[Supernode], style: str) -> str:
    comparison = compare(machines)
    figure = import_module("collectives.plots").plot_machines(comparison, style=style)[0]
    parts = comparison.parts()
    return _section(
        "Side by side" if len(machines) > 1 else "Figures",
        [part for part in parts if isinstance(part, str)],
        [("machines side by side", inline_svg(figure, "machines"))],
        [part for part in parts if isinstance(part, Table)],
    )


def sources_of(machine: Supernode) -> tuple[str, ...]:
    """Return where a machine's wiring and links come from, each once."""
    links = (source for link in machine.fabric.links for source in link.sources)
    return tuple(dict.fromkeys((*machine.sources, *links)))


def _page(names: Sequence[str], sections: Iterable[str]) -> str:
    title = escape(" and ".join(names))
    body = "\n".join(sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Supernode report: {title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>What limits {title}</h1>\n{body}\n</body>\n</html>\n"
    )


def _section(
    heading: str,
    sentences: Iterable[str],
    pictures: Iterable[tuple[str, str]],
    tables: Sequence[Table],
    notes: Sequence[str] = (),
) -> str:
    """Return a part of a report: under a heading what is to be read first, pictures, the rest.

    Parameters
    ----------
    heading, sentences
        What stands above.
    pictures
        Words for those who cannot see it, and inline SVG.
    tables
        What the pictures stand on.
    notes
        Sources and assumptions.
    """
    out = [f"<section>\n<h2>{escape(heading)}</h2>"]
    out += [f'<p class="bottleneck">{escape(said)}</p>' for said in sentences]
    out += [
        f'<figure role="img" aria-label="{escape(words)}">{svg}</figure>' for words, svg in pictures
    ]
    if tables:
        out += ["<details open><summary>Tables</summary>", html_parts(tables), "</details>"]
    if notes:
        out.append("<details><summary>Sources and assumptions</summary><ul>")
        out += [f"<li>{escape(note)}</li>" for note in notes]
        out.append("</ul></details>")
    return "\n".join([*out, "</section>"])
