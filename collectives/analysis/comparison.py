"""Set machines side by side: published figures with their sources, and what the graphs say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from collectives.analysis.analyze import analyze_sizes
from collectives.model.collective import collective
from topology import border, metrics, units
from topology.errors import SupernodeError
from topology.hardware.catalogue import Figure
from topology.hardware.devices import device_catalogue
from topology.supernode import Supernode
from topology.systems.catalogue import system_entry, times
from topology.text import Part, Printed, Table, counted

SIZES: tuple[float, ...] = (units.KiB, units.MiB, 64 * units.MiB, units.GiB)
"""The sizes at which machines are compared."""

COLLECTIVES = ("all_reduce", "all_to_all")
"""The collectives by which machines are compared."""


_ANOTHER = ", another source"
_HEADLINES = {
    "NPUs": "NPUs",
    "dense BF16": "BF16 compute",
    "bisection, one way": "bisection",
    "scale-up bandwidth per NPU, one way": "scale-up bandwidth per NPU",
    "power": "power",
}


@dataclass(frozen=True)
class Cell:
    """One figure of one machine.

    Attributes
    ----------
    value
        In SI units; None where nobody says.
    text
        As printed.
    source, confidence
        Where it comes from; confidence "computed" is this library's own result.
    """

    value: float | None
    text: str
    source: str
    confidence: str


@dataclass(frozen=True)
class Row:
    """One quantity over all machines, and the first machine over the second."""

    title: str
    cells: tuple[Cell, ...]

    @property
    def ratio(self) -> float | None:
        """Return the first machine's value over the second's, if there are two."""
        values = [cell.value for cell in self.cells]
        if len(values) != 2 or None in values or not values[1]:
            return None
        return values[0] / values[1]  # type: ignore[operator]


@dataclass(frozen=True)
class Timing:
    """A collective at one size on every machine."""

    collective: str
    size: float
    times: tuple[float, ...]
    algorithms: tuple[str, ...]
    bottlenecks: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Comparison(Printed):
    """Machines side by side.

    Attributes
    ----------
    names
        The machines.
    published
        What vendors, papers and analysts say; a quantity has a row for each disagreement.
    computed
        What the graphs say.
    timings
        Collectives at several sizes.
    """

    names: tuple[str, ...]
    published: tuple[Row, ...]
    computed: tuple[Row, ...]
    timings: tuple[Timing, ...]

    def parts(self) -> list[Part]:
        """Return what people read, the answer first."""
        return [
            self._headline(),
            self._table("published figures (each source below)", self.published),
            self._table("what the graphs say", self.computed),
            self._timing_table(),
            Table("what limits", ("collective", "machine", "sizes", "sentence"), self._limits()),
            Table(
                "sources",
                ("of", "figure", "confidence", "source"),
                self._sources(),
            ),
        ]

    def _headline(self) -> str:
        if len(self.names) == 2:
            said = [
                f"{row.ratio:.2g}× the {_HEADLINES[row.title]}"
                for row in (*self.published, *self.computed)
                if row.title in _HEADLINES and row.ratio is not None
            ]
            if said:
                return f"{self.names[0]} has {', '.join(said)} of {self.names[1]}"
        size = max((t.size for t in self.timings), default=0.0)
        said = []
        for timing in self.timings:
            if timing.size == size:
                best = min(range(len(self.names)), key=timing.times.__getitem__)
                what = f"{collective(timing.collective).title} of {units.format_size(size)}"
                time = units.format_time(timing.times[best])
                said.append(f"{what} is fastest on {self.names[best]}, {time}")
        return "; ".join(said) or ", ".join(self.names)

    def _table(self, title: str, rows: Iterable[Row]) -> Table:
        pair = len(self.names) == 2
        headers = ("", *self.names, "ratio") if pair else ("", *self.names)
        lines = []
        for row in rows:
            ratio = "" if row.ratio is None else f"{row.ratio:.2g}×"
            texts = tuple(cell.text for cell in row.cells)
            lines.append((row.title, *texts, ratio) if pair else (row.title, *texts))
        return Table(title, headers, lines)

    def _timing_table(self) -> Table:
        lines = [
            (
                collective(t.collective).title,
                units.format_size(t.size),
                *(
                    f"{units.format_time(time)} ({name})"
                    for time, name in zip(t.times, t.algorithms, strict=True)
                ),
            )
            for t in self.timings
        ]
        return Table("time by the fastest algorithm", ("collective", "size", *self.names), lines)

    def _limits(self) -> list[tuple[str, ...]]:
        """Return what limits, sizes with the same sentence (but for times) together."""
        sizes: dict[tuple[str, str, str], list[float]] = {}
        for t in self.timings:
            for name, sentence in zip(self.names, t.bottlenecks, strict=True):
                title = collective(t.collective).title
                sizes.setdefault((title, name, sentence), []).append(t.size)
        return [
            (title, name, ", ".join(map(units.format_size, held)), sentence)
            for (title, name, sentence), held in sizes.items()
        ]

    def _sources(self) -> list[tuple[str, ...]]:
        seen: dict[tuple[str, ...], None] = {}
        for row in self.published:
            for name, cell in zip(self.names, row.cells, strict=True):
                title = row.title.removesuffix(_ANOTHER)
                if cell.source:
                    seen[f"{title}, {name}", cell.text, cell.confidence, cell.source] = None
        return list(seen)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {
            "machines": list(self.names),
            "published": [{**asdict(row), "ratio": row.ratio} for row in self.published],
            "computed": [{**asdict(row), "ratio": row.ratio} for row in self.computed],
            "timings": [asdict(timing) for timing in self.timings],
        }


_PUBLISHED: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
    ("dense BF16", "bf16", "bf16", lambda v: f"{v / units.PFLOPS:.4g} PFLOPS"),
    ("HBM capacity", "hbm", "hbm", lambda v: f"{v / units.TB:.4g} TB"),
    ("HBM bandwidth", "memory", "memory", lambda v: f"{v / units.TB:.4g} TB/s"),
    ("power", "power", "", units.format_power),
    ("optics (400G modules)", "optics", "", lambda v: f"{v:,.0f}"),
    ("optics, scale-up", "optics_scale_up", "", lambda v: f"{v:,.0f}"),
    ("optics, scale-out", "optics_scale_out", "", lambda v: f"{v:,.0f}"),
    ("copper cables", "copper_cables", "", lambda v: f"{v:,.0f}"),
    ("price", "price", "", lambda v: f"{v / 1e6:.3g} M$"),
)


def compare(
    supernodes: Sequence[Supernode],
    *,
    sizes: Sequence[float] = SIZES,
    progress: Callable[[str, float], None] | None = None,
) -> Comparison:
    """Compare machines: published figures, what the graphs say, and collectives.

    Parameters
    ----------
    supernodes
        Two or more; one works too.
    sizes
        Bytes, at which collectives are timed.
    progress
        Called with what is being done and the fraction done.
    """
    machines = list(supernodes)
    if not machines or not all(isinstance(machine, Supernode) for machine in machines):
        raise SupernodeError("compare needs a list of supernodes, one or more")
    amounts = [border.size(size) for size in border.ordered(sizes, "compare: sizes")]
    say = progress or (lambda _what, _done: None)
    published = _published(machines)
    steps = len(machines) * (1 + len(COLLECTIVES))
    done = 0
    columns = []
    found = {}
    for machine in machines:
        say(f"graph of {machine.name}", done / steps)
        columns.append(_graph_cells(machine))
        done += 1
        for kind in COLLECTIVES:
            say(f"{collective(kind).title} on {machine.name}", done / steps)
            found[kind, machine] = analyze_sizes(machine, kind, amounts)
            done += 1
    say("done", 1.0)
    titles = [title for title, _ in columns[0]]
    computed = tuple(
        Row(title, tuple(column[at][1] for column in columns)) for at, title in enumerate(titles)
    )
    timings = []
    for kind in COLLECTIVES:
        for at, size in enumerate(amounts):
            answers = [found[kind, machine][at] for machine in machines]
            timings.append(
                Timing(
                    kind,
                    size,
                    tuple(answer.time for answer in answers),
                    tuple(answer.algorithm for answer in answers),
                    tuple(answer.bottleneck.sentence for answer in answers),
                )
            )
    return Comparison(tuple(m.title for m in machines), published, computed, tuple(timings))


def _published(machines: Sequence[Supernode]) -> tuple[Row, ...]:
    rows = []
    for title, name, part, show in _PUBLISHED:
        columns = [_figures(machine, name, part) for machine in machines]
        for at in range(max(map(len, columns))):
            cells = []
            for machine, column in zip(machines, columns, strict=True):
                figure = column[min(at, len(column) - 1)] if column else None
                cells.append(_cell(machine, figure, show))
            label = title if at == 0 else title + _ANOTHER
            rows.append(Row(label, tuple(cells)))
    return tuple(rows)


def _cell(machine: Supernode, figure: Figure | None, show: Callable[[float], str]) -> Cell:
    if figure is None:
        variant = " for this variant" if machine.row and not machine.copies else ""
        return Cell(None, f"not published{variant}", "", "")
    return Cell(figure.value, show(figure.value), figure.source, figure.confidence)


def _figures(machine: Supernode, name: str, part: str) -> list[Figure]:
    """Return what is published of a machine, or follows from what is published of its NPUs."""
    entry = system_entry(machine)
    if entry is not None and entry.figures.get(name):
        return list(entry.figures[name])
    kinds = {machine.graph.nodes[npu].get("device") for npu in machine.npus}
    device = device_catalogue().get(kinds.pop()) if part and len(kinds) == 1 else None
    known = device.figures.get(part, ()) if device else ()
    return [times(len(machine.npus), figure) for figure in known]


def _graph_cells(machine: Supernode) -> list[tuple[str, Cell]]:
    npus = len(machine.npus)
    switches = sum(kind == "switch" for kind in machine.fabric.kind)
    cut = metrics.bisection(machine)
    hops = metrics.diameter(machine)
    return [
        ("NPUs", _computed(npus, f"{npus:,}")),
        ("switch chips", _computed(switches, f"{switches:,}")),
        *(
            (f"{links} bandwidth per NPU, one way", _computed(rate, units.format_rate(rate)))
            for links in ("scale-up", "scale-out")
            for rate in [metrics.per_npu_bandwidth(machine, links)]
        ),
        ("bisection, one way", _computed(cut, units.format_rate(cut))),
        ("bisection per NPU", _computed(2 * cut / npus, units.format_rate(2 * cut / npus))),
        ("diameter", _computed(hops, counted(hops, "hop"))),
        *_link_cells(machine),
    ]


def _link_cells(machine: Supernode) -> list[tuple[str, Cell]]:
    modules = metrics.optics(machine)
    copper, optical = (metrics.cable_count(machine, medium) for medium in ("copper", "optical"))
    wires = metrics.copper_wires(machine)
    pairs = _computed(wires, f"{wires:,.0f}") if wires else Cell(None, "not known", "", "")
    return [
        ("optical modules in the graph", _computed(modules, f"{modules:,.0f}")),
        ("optical links (lanes, full duplex)", _computed(optical, f"{optical:,.0f}")),
        ("copper links (lanes, full duplex)", _computed(copper, f"{copper:,.0f}")),
        ("copper wire pairs in cables", pairs),
    ]


def _computed(value: float, text: str) -> Cell:
    return Cell(float(value), text, "this library, from the graph", "computed")
