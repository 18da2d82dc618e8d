"""Read the catalogue: CSV files in which every row is what one source says.

A header cell is a figure's name with its unit (``hbm_bandwidth_TBps``); a subject may
have several rows, one for each source. The first row that fills a cell gives the value
the library uses; later rows are kept, so that two sources can disagree in the open.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from topology import files, units
from topology.errors import CatalogueError
from topology.hardware.printing import figure_name, figure_text
from topology.text import Part, Printed, Table

CONFIDENCES = ("vendor", "measured", "derived", "estimate")
"""How a figure is known, best first; ``estimate`` covers press, analysts and guesses."""

_BOOKKEEPING = ("source", "date", "confidence", "note")
_UNITS: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "ns_per_m": (units.ns, "s/m"),
        "GBps": (units.GB, "B/s"),
        "TBps": (units.TB, "B/s"),
        "B": (units.B, "B"),
        "KiB": (units.KiB, "B"),
        "GB": (units.GB, "B"),
        "TB": (units.TB, "B"),
        "ns": (units.ns, "s"),
        "us": (units.us, "s"),
        "m": (units.m, "m"),
        "W": (units.W, "W"),
        "kW": (units.kW, "W"),
        "TFLOPS": (units.TFLOPS, "FLOP/s"),
        "PFLOPS": (units.PFLOPS, "FLOP/s"),
        "USD": (1.0, "USD"),
        "FIT": (1.0, "FIT"),
    }
)
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, repr=False)
class Figure(Printed):
    """One number, in SI units, and how it is known."""

    name: str
    value: float
    unit: str
    source: str
    date: str
    confidence: str
    note: str = ""

    @property
    def title(self) -> str:
        """The figure's name in words."""
        return figure_name(self.name)

    @property
    def text(self) -> str:
        """The value with its unit."""
        return figure_text(self.name, self.value, self.unit)

    def parts(self) -> list[Part]:
        """Return what a person reads: the figure, and how it is known."""
        note = f" ({self.note})" if self.note else ""
        said = f"{self.title} {self.text}"
        return [said, f"{self.confidence}: {self.source}, {self.date}{note}"]


@dataclass(frozen=True, repr=False)
class Entry(Printed):
    """Everything the catalogue knows about one subject: words, and figures with sources."""

    name: str
    words: Mapping[str, str]
    figures: Mapping[str, tuple[Figure, ...]]

    @property
    def title(self) -> str:
        """What people call it: its title, or its name."""
        return self.words.get("title", self.name)

    def figure(self, name: str) -> Figure | None:
        """Return the figure the library uses, or None where no source gives one."""
        known = self.figures.get(name, ())
        return known[0] if known else None

    def value(self, name: str, default: float = 0.0) -> float:
        """Return a figure's value in SI units, or the default where there is none."""
        figure = self.figure(name)
        return default if figure is None else figure.value

    def parts(self) -> list[Part]:
        """Return what a person reads: every figure with its source."""
        rows = [
            (figure.title, figure.text, figure.confidence, f"{figure.source}, {figure.date}")
            for known in self.figures.values()
            for figure in known
        ]
        first = f"{self.title}: {len(rows)} figures"
        return [first, Table("", ("figure", "value", "confidence", "source"), rows)]

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source cited for this subject, in the order of the rows."""
        every = (figure.source for known in self.figures.values() for figure in known)
        return tuple(dict.fromkeys(every))


def _column(header: str) -> tuple[str, float, str]:
    for suffix, (factor, unit) in _UNITS.items():
        if header.endswith("_" + suffix):
            return header.removesuffix("_" + suffix), factor, unit
    return header, 1.0, ""


def _row_faults(row: Mapping[str, str], numbers: Iterable[str]) -> list[str]:
    faults = [f"{name} is empty" for name in ("source", "date", "confidence") if not row[name]]
    if row["confidence"] and row["confidence"] not in CONFIDENCES:
        faults.append(f"confidence {row['confidence']!r} is not one of {', '.join(CONFIDENCES)}")
    if row["date"] and not _DATE.fullmatch(row["date"]):
        faults.append(f"date {row['date']!r} is not YYYY, YYYY-MM or YYYY-MM-DD")
    for header in numbers:
        text = row[header]
        if text and not _is_number(text):
            faults.append(f"{header} {text!r} is not a finite number, zero or more")
    return faults


def _is_number(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return math.isfinite(value) and value >= 0


def parse_catalogue(lines: Iterable[str], words: tuple[str, ...], where: str) -> dict[str, Entry]:
    """Read a catalogue file's lines.

    Parameters
    ----------
    lines
        The lines of the CSV file, header first.
    words
        The columns that hold words; the first of them names the subject. All other columns
        but source, date, confidence and note hold numbers.
    where
        The file's name, for messages.

    Raises
    ------
    CatalogueError
        Listing every faulty row at once.
    """
    return _entries(*_checked(lines, words, where))


def _checked(
    lines: Iterable[str], words: tuple[str, ...], where: str
) -> tuple[list[dict[str, str]], tuple[str, ...], list[str]]:
    """Return the rows of a file, which columns hold words, and which numbers."""
    reader = csv.DictReader(lines)
    headers = list(reader.fieldnames or ())
    missing = [name for name in (*words, *_BOOKKEEPING) if name not in headers]
    if missing:
        raise CatalogueError(f"{where}: the columns {', '.join(missing)} are missing")
    numbers = [header for header in headers if header not in (*words, *_BOOKKEEPING)]
    rows = []
    faults = []
    for row in reader:
        if None in row or None in row.values():
            faults.append(f"{where}, line {reader.line_num}: the row has not {len(headers)} cells")
            continue
        cells = {header: (text or "").strip() for header, text in row.items()}
        found = _row_faults(cells, numbers)
        if not cells[words[0]]:
            found.append(f"{words[0]} is empty")
        faults += [f"{where}, line {reader.line_num}: {fault}" for fault in found]
        rows.append(cells)
    if faults:
        raise CatalogueError("\n".join(faults))
    return rows, words, numbers


def _entries(
    rows: Iterable[Mapping[str, str]], words: tuple[str, ...], numbers: Iterable[str]
) -> dict[str, Entry]:
    columns = {header: _column(header) for header in numbers}
    texts: dict[str, dict[str, str]] = {}
    figures: dict[str, dict[str, list[Figure]]] = {}
    for row in rows:
        name = row[words[0]]
        said = texts.setdefault(name, {})
        for word in words[1:]:
            if row[word]:
                said.setdefault(word, row[word])
        for header, (figure, factor, unit) in columns.items():
            if row[header]:
                value = float(row[header]) * factor
                record = Figure(figure, value, unit, *(row[name] for name in _BOOKKEEPING))
                figures.setdefault(name, {}).setdefault(figure, []).append(record)
    return {
        name: Entry(
            name,
            MappingProxyType(said),
            MappingProxyType({k: tuple(v) for k, v in figures.get(name, {}).items()}),
        )
        for name, said in texts.items()
    }


@cache
def load_catalogue(file: str, words: tuple[str, ...]) -> Mapping[str, Entry]:
    """Read one of the library's own catalogue files, once."""
    return MappingProxyType(parse_catalogue(files.own_text(file).splitlines(), words, file))


@dataclass(frozen=True)
class Row:
    """One row of a file whose rows each say something of their own.

    Attributes
    ----------
    words, values
        What stands in its cells, numbers in SI units; empty cells are left out.
    source, date, confidence, note
        How it is known.
    """

    words: Mapping[str, str]
    values: Mapping[str, float]
    source: str
    date: str
    confidence: str
    note: str = ""


@cache
def load_rows(file: str, words: tuple[str, ...]) -> tuple[Row, ...]:
    """Read the rows of one of the library's own files, once; ``words`` as in `parse_catalogue`."""
    rows, _, numbers = _checked(files.own_text(file).splitlines(), words, file)
    columns = {header: _column(header) for header in numbers}
    return tuple(
        Row(
            MappingProxyType({word: row[word] for word in words if row[word]}),
            MappingProxyType(
                {name: float(row[header]) * factor for header, (name, factor, _) in columns.items()
                 if row[header]}
            ),
            *(row[name] for name in _BOOKKEEPING),
        )
        for row in rows
    )  # fmt: skip
