"""Lay out answers for people: sentences and tables, in colour on a terminal, plain elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TypeAlias

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

_PLAIN_WIDTH = 110


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


def rich_parts(parts: Iterable[Part]) -> list[RenderableType]:
    """Return the parts as rich renderables; the first sentence stands out."""
    shown: list[RenderableType] = []
    for at, part in enumerate(parts):
        if isinstance(part, Table):
            shown.append(_rich_table(part))
        else:
            shown.append(Text(part, style="bold" if at == 0 else ""))
    return shown


def _rich_table(table: Table) -> RichTable:
    made = RichTable(
        title=table.title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_header=any(table.headers),
        pad_edge=False,
    )
    for at, header in enumerate(table.headers):
        figures = bool(header) and _figures([row[at] for row in table.rows])
        made.add_column(header, justify="right" if figures else "left", overflow="fold")
    for row in table.rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    return made


def _figures(cells: Sequence[str]) -> bool:
    """Tell whether most cells of a column begin with a digit."""
    begun = sum(str(cell).lstrip("-≈<>×")[:1].isdigit() for cell in cells if cell)
    return 2 * begun >= sum(bool(cell) for cell in cells) > 0


def plain(*parts: Part, width: int = _PLAIN_WIDTH) -> str:
    """Return the parts as text without colour."""
    file = StringIO()
    console = Console(file=file, width=width, color_system=None, highlight=False)
    for part in rich_parts(parts):
        console.print(part)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


class Printed:
    """A result that prints well: `parts` is what a person reads, the answer first."""

    def parts(self) -> list[Part]:
        """Return sentences and tables, the answer first."""
        raise NotImplementedError

    def __str__(self) -> str:
        return plain(*self.parts())

    def __repr__(self) -> str:
        first = next((part for part in self.parts() if isinstance(part, str)), "")
        return f"<{type(self).__name__}: {first}>"
