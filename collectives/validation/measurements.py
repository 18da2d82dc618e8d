"""Read what people measured: one published time or bandwidth to a row, with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from collectives.model.collective import collective, collective_names
from topology.errors import CatalogueError
from topology.hardware.catalogue import Row, load_rows
from topology.text import Part, Printed
from topology.units import format_rate, format_size, format_time

WORDS = (
    "run", "machine", "collective", "stack", "version", "algorithm", "protocol", "launch",
    "options",
)  # fmt: skip
LEFT_OUT = ("faulty", "superseded")
"""What a note begins with where a row counts for no mean."""
TRANSFERS = ("read", "write")
MOE = ("moe_dispatch", "moe_combine")


@dataclass(frozen=True, repr=False)
class Measurement(Printed):
    """One published time or bandwidth.

    Attributes
    ----------
    run
        The table or curve it is from.
    machine
        As `supernode` takes it.
    collective
        Its name; ``moe_dispatch`` and ``moe_combine`` for those of experts.
    size
        S in bytes.
    ranks
        How many took part.
    stack, version, algorithm, protocol, launch
        The software; empty where the source does not say.
    options
        What else the source says, by name.
    seconds, rate
        How long it took, or, where only that is printed, its algbw in bytes/s; 0 for the other.
    source, date, note
        Where it stands.
    """

    run: str
    machine: str
    collective: str
    size: float
    ranks: int
    stack: str
    version: str
    algorithm: str
    protocol: str
    launch: str
    options: Mapping[str, str]
    seconds: float
    rate: float
    source: str
    date: str
    note: str

    @property
    def name(self) -> str:
        """Return what rows of stacks call it: the run and the size."""
        return f"{self.run}@{self.size:.0f}"

    def took(self, size: float) -> float:
        """Return seconds, where S is so many bytes: it is what a bandwidth counts."""
        return self.seconds or size / self.rate

    @cached_property
    def healthy(self) -> bool:
        """Whether it counts: the source reports no fault, and the software is not an old one's."""
        return not any(part.strip().startswith(LEFT_OUT) for part in self.note.split(";"))

    def parts(self) -> list[Part]:
        """Return what people read."""
        what = f"{self.stack} {self.collective.replace('_', '-')} of {format_size(self.size)}"
        where = f"{self.ranks} ranks of {self.machine}"
        said = format_time(self.seconds) if self.seconds else format_rate(self.rate)
        return [f"{what} on {where}: {said}", f"{self.source}, {self.date}"]


def measurements() -> tuple[Measurement, ...]:
    """Return every published measurement that the library knows."""
    return tuple(_measurement(row) for row in load_rows("measurements.csv", WORDS))


def _measurement(row: Row) -> Measurement:
    words = {name: row.words.get(name, "") for name in WORDS}
    options = dict(pair.split("=", 1) for pair in words.pop("options").split(";") if pair)
    ranks, size = int(row.values["ranks"]), row.values.get("size", 0.0)
    seconds, rate = row.values.get("time", 0.0), row.values.get("algbw", 0.0)
    if not rate and "busbw" in row.values:
        kind = words["collective"]
        factor = collective(kind).factor(ranks) if kind in collective_names() else 1.0
        rate = row.values["busbw"] / factor
    if size and not seconds:
        seconds = size / rate
    if not (seconds or rate):
        raise CatalogueError(f"measurements.csv: {words['run']} has neither time nor bandwidth")
    return Measurement(
        **words, options=MappingProxyType(options), size=size, ranks=ranks, seconds=seconds,
        rate=0.0 if seconds else rate, source=row.source, date=row.date, note=row.note,
    )  # fmt: skip
