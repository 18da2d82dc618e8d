"""Lay out answers for people: sentences and tables, in colour on a terminal, plain elsewhere.

Lines are broken between words, never inside one, and a number stays with its unit. A table that
is too wide even so is printed in pieces, each with the columns that name the rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any, TypeAlias

_WIDTH = 80
_BETWEEN, _EDGES = 3, 2
"""Columns of text between the cells of a row, and at its two ends together."""
_FIGURE = 40
"""A cell with more letters is text, though it may begin with a number."""
_TIE = "\N{NO-BREAK SPACE}"
_TIED = re.compile(r"(?<=\d) (?=[^\W\d_]|%)|(?<=[≈×]) (?=\d)|(?<=\d) (?=[×→] )|(?<= [×→]) (?=\d)")


@dataclass(frozen=True)
class Table:
    """Rows of text under headers; columns of figures are set to the right.

    Attributes
    ----------
    title
        Above the table; may be empty.
    headers
        One for each column; all empty for a table without a header.
    rows
        Cells as text.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


Part: TypeAlias = str | Table


def styled_lines(parts: Iterable[Part], width: int) -> Iterator[tuple[bool, str]]:
    """Yield the lines of parts, and whether each stands out: the first sentence, and titles."""
    for at, part in enumerate(parts):
        if isinstance(part, Table):
            for piece in _pieces(part, width):
                yield from _table_lines(piece, width)
        else:
            yield from ((at == 0, line) for line in _wrapped(part, width))


def plain(*parts: Part, width: int | None = None) -> str:
    """Return the parts as text without colour.

    Parameters
    ----------
    *parts
        Sentences and tables.
    width
        Columns of text; by default those of the terminal or of ``COLUMNS``, or 80.
    """
    room = width or get_terminal_size((_WIDTH, 0)).columns
    return "\n".join(line for _, line in styled_lines(parts, room))


def counted(count: float, word: str, words: str = "") -> str:
    """Return how many of something, or how many on average: "1 NPU", "384 NPUs", "1.25 nodes"."""
    said = f"{count:.3g}" if isinstance(count, float) else f"{count:,}"
    return f"{said} {word if said == '1' else words or f'{word}s'}"


def span(low: float, high: float, printer: Callable[[Any], str]) -> str:
    """Return a range as printed, "100 GB/s to 125 GB/s"; one figure where the ends print alike."""
    few, many = printer(low), printer(high)
    return many if few == many else f"{few} to {many}"


def html_parts(parts: Iterable[Part]) -> str:
    """Return the parts as HTML: paragraphs and tables, without a style of their own."""
    return "\n".join(
        _html_table(part) if isinstance(part, Table) else f"<p>{escape(part)}</p>" for part in parts
    )


def _html_table(table: Table) -> str:
    words = "" if any(table.headers) else ' class="words"'
    out = [f"<table{words}>"]
    if table.title:
        out.append(f"<caption>{escape(table.title)}</caption>")
    rows = [("td", row) for row in table.rows]
    if any(table.headers):
        rows.insert(0, ("th", table.headers))
    for tag, row in rows:
        cells = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row)
        out.append(f"<tr>{cells}</tr>")
    return "\n".join([*out, "</table>"])


def _table_lines(table: Table, width: int) -> Iterator[tuple[bool, str]]:
    """Yield the lines of a table: its title, headers over a rule, and rows."""
    if table.title:
        yield from ((True, line) for line in _wrapped(table.title, width))
    yield False, ""
    columns = _columns(table)
    rooms = _rooms(columns, width)
    cells = [
        [_wrapped(cell, room) for cell in column]
        for column, room in zip(columns, rooms, strict=True)
    ]
    rooms = [max(len(line) for cell in column for line in cell) for column in cells]
    right = [bool(column[0]) and _figures(column[1:]) for column in columns]
    headed = any(table.headers)
    for number, row in enumerate(zip(*cells, strict=True)):
        if number == 0 and not headed:
            continue
        for line in zip_longest(*row, fillvalue=""):
            padded = (
                " " * (room - len(text)) + text if figures
                else text + " " * (room - len(text))
                for text, room, figures in zip(line, rooms, right, strict=True)
            )  # fmt: skip
            yield False, f" {(' ' * _BETWEEN).join(padded)}".rstrip()
        if number == 0:
            yield False, " " + "─" * (sum(rooms) + _BETWEEN * (len(rooms) - 1))
    yield False, ""


def _columns(table: Table) -> list[list[str]]:
    """Return the header and the cells of each column."""
    rows = [table.headers, *table.rows]
    return [[str(row[at]) for row in rows] for at in range(len(table.headers))]


def _pieces(table: Table, width: int) -> Iterator[Table]:
    """Yield the table, or groups of its columns that fit, each after those that name the rows."""
    least = [_widest(column, words=True) for column in _columns(table)]
    keys = _keys(table, least, width)
    groups: list[list[int]] = [[]]
    for at in range(len(least)):
        held = [*keys, *groups[-1]] if len(groups) > 1 else groups[-1]
        if groups[-1] and _taken(least, [*held, at]) > width and at > keys[-1] + 1:
            groups.append([])
        groups[-1].append(at)
    for number, group in enumerate(groups):
        chosen = group if number == 0 else [*keys, *group]
        yield Table(
            "" if number else table.title,
            [table.headers[i] for i in chosen],
            [[row[i] for i in chosen] for row in table.rows],
        )


def _keys(table: Table, least: Sequence[int], width: int) -> list[int]:
    """Return the first columns that tell rows apart, as far as there is room; at least one."""
    keys: list[int] = []
    told = 1
    for at in range(len(least)):
        others = max((least[i] for i in range(len(least)) if i not in (*keys, at)), default=0)
        room = _taken(least, range(at + 1)) <= width
        room = room and _taken(least, [*keys, at]) + _BETWEEN + others <= width
        apart = len({tuple(row[i] for i in (*keys, at)) for row in table.rows})
        if told == len(table.rows) or (keys and not room):
            break
        if apart > told:
            keys, told = [*keys, at], apart
    return keys or [0]


def _taken(least: Sequence[int], columns: Iterable[int]) -> int:
    """Return the width of some columns together."""
    rooms = [least[at] for at in columns]
    return sum(rooms) + _BETWEEN * (len(rooms) - 1) + _EDGES


def _rooms(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the width of each column: that of its longest word, and a share of what is left."""
    rooms = [_widest(column, words=True) for column in columns]
    wished = [_widest(column, words=False) for column in columns]
    left = width - _EDGES - _BETWEEN * (len(columns) - 1) - sum(rooms)
    while left > 0:
        short = [i for i, room in enumerate(rooms) if room < wished[i]]
        if not short:
            break
        # The column with the most text to a line gets the next place.
        at = max(short, key=lambda i: wished[i] / rooms[i])
        rooms[at] += 1
        left -= 1
    return rooms


def _widest(cells: Iterable[str], *, words: bool) -> int:
    """Return the longest word of some cells, or the longest line; at least 1."""
    lines = [line for cell in cells for line in _tied(cell).split("\n")]
    found = [word for line in lines for word in line.split(" ")] if words else lines
    return max([1, *map(len, found)])


def _tied(text: str) -> str:
    """Return a text whose numbers are one word with their units."""
    return _TIED.sub(_TIE, text)


def _wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines, broken between words, that have a width where words allow."""
    lines = (
        wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
        for line in _tied(text).split("\n")
    )
    return [line.replace(_TIE, " ") for part in lines for line in part]


def _figures(cells: Sequence[str]) -> bool:
    """Tell whether most cells of a column are short and begin with a digit."""
    begun = sum(cell.lstrip("-≈<>×")[:1].isdigit() and len(cell) <= _FIGURE for cell in cells)
    return 2 * begun >= sum(bool(cell) for cell in cells) > 0


class Printed:
    """A result that prints well: `parts` is what a person reads, the answer first."""

    def parts(self) -> list[Part]:
        """Return sentences and tables, the answer first."""
        raise NotImplementedError

    def __str__(self) -> str:
        return plain(*self.parts())

    def __repr__(self) -> str:
        first = next((part for part in self.parts() if isinstance(part, str)), "")
        return f"<{type(self).__name__}: {' '.join(first.split())}>"

    def _repr_html_(self) -> str:
        return html_parts(self.parts())
