"""Know the copper and optical link types, and what one link of a graph is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from topology import border, units
from topology.errors import GraphError, UnitError, known_as, shown
from topology.hardware.catalogue import Entry, load_catalogue
from topology.text import Part, Printed

MEDIA = ("copper", "optical")
_RATE = "bytes/s, such as 50 * GB"


@dataclass(frozen=True, repr=False)
class Link(Printed):
    """What the link on an edge is made of; shared by every edge made the same way.

    Attributes
    ----------
    type
        Name of the link type.
    medium
        ``"copper"`` or ``"optical"``.
    length
        Metres.
    propagation, transceivers, fec
        Seconds, one way: the parts of the edge's latency. The transceivers are both ends'.
    efficiency
        What software reaches of the line rate, 0 to 1.
    modules
        Pluggable transceivers per lane, both ends together (a module may carry several lanes).
    sources
        Where the figures come from.
    power
        Watts per transceiver, 0 where it is not known.
    """

    type: str = "custom"
    medium: str = "copper"
    length: float = 0.0
    propagation: float = 0.0
    transceivers: float = 0.0
    fec: float = 0.0
    efficiency: float = 1.0
    modules: float = 0.0
    sources: tuple[str, ...] = ()
    power: float = 0.0

    def __post_init__(self) -> None:
        _check_record("link", self)

    def parts(self) -> list[Part]:
        """Return what a person reads: what the link is, and where its latency comes from."""
        named = ("propagation", "transceivers", "fec")
        split = (f"{part} {units.format_time(getattr(self, part))}" for part in named)
        first = f"{self.type}: {self.medium}, {self.length:g} m"
        return [f"{first}, {units.format_time(self.latency)} one way", ", ".join(split)]

    @property
    def latency(self) -> float:
        """Seconds from one end to the other: propagation + transceivers + FEC."""
        return self.propagation + self.transceivers + self.fec


@dataclass(frozen=True, kw_only=True, repr=False)
class LinkType(Printed):
    """A kind of link: its rate per lane, one direction, and where its latency comes from.

    Attributes
    ----------
    capacity
        Bytes per second of one lane in one direction, line rate.
    name, medium
        A name for tables; ``"copper"`` or ``"optical"``.
    latency
        Seconds, one way, that do not depend on the length and have no known split; they are
        counted as propagation.
    length
        Metres, unless the builder knows better.
    propagation
        Seconds per metre.
    transceivers, fec
        Seconds, one way.
    reach
        Metres; a longer link of this type is an error.
    efficiency
        What software reaches of the line rate, 0 to 1.
    modules
        Pluggable transceivers per lane, both ends together.
    power
        Watts per transceiver.
    """

    capacity: float
    name: str = "custom"
    medium: str = "copper"
    latency: float = 0.0
    length: float = 0.0
    propagation: float = 0.0
    transceivers: float = 0.0
    fec: float = 0.0
    reach: float = math.inf
    efficiency: float = 1.0
    modules: float = 0.0
    power: float = 0.0
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = _check_record("link type", self, ("latency",))
        border.number(self.capacity, f"{what}: capacity", above=0, unit=_RATE)
        if not (isinstance(self.reach, float) and math.isinf(self.reach) and self.reach > 0):
            border.number(self.reach, f"{what}: reach", unit="metres")

    def parts(self) -> list[Part]:
        """Return what a person reads: the rate and the medium, and where they are from."""
        reach = "" if self.reach == math.inf else f", up to {self.reach:g} m"
        rate = units.format_rate(self.capacity)
        return [f"{self.name}: {rate} a lane, one way, {self.medium}{reach}", *self.sources]

    def at(self, length: float) -> LinkType:
        """Return the same type at another length in metres."""
        return replace(self, length=length)

    def link(self) -> Link:
        """Return the record for an edge of this type; raise `GraphError` beyond its reach."""
        if self.length > self.reach:
            raise GraphError(
                f"link type {shown(self.name)}: a length of {self.length:g} m is beyond its reach "
                f"of {self.reach:g} m; use an optical type or place the ends nearer"
            )
        return Link(
            type=self.name,
            medium=self.medium,
            length=self.length,
            propagation=self.latency + self.length * self.propagation,
            transceivers=self.transceivers,
            fec=self.fec,
            efficiency=self.efficiency,
            modules=self.modules,
            sources=self.sources,
            power=self.power,
        )


def _check_record(sort: str, record: Link | LinkType, more: Sequence[str] = ()) -> str:
    """Raise `GraphError` unless what links and link types have in common is right; name it."""
    name = border.word(record.type if isinstance(record, Link) else record.name, sort)
    what = f"{sort} {shown(name)}"
    for part in ("length", "propagation", "transceivers", "fec", "modules", "power", *more):
        border.number(getattr(record, part), f"{what}: {part}")
    border.number(record.efficiency, f"{what}: efficiency", above=0, most=1)
    border.choice(record.medium, f"{what}: medium", MEDIA)
    sources = tuple(border.ordered(record.sources, f"{what}: sources"))
    for text in sources:
        border.word(text, f"{what}: a source")
    object.__setattr__(record, "sources", sources)  # records are hashed
    return what


def link_catalogue() -> Mapping[str, Entry]:
    """Return every row of media.csv, by the link type's name."""
    return load_catalogue("media.csv", ("link", "title", "medium"))


def link_types() -> Mapping[str, LinkType]:
    """Return every link type of the catalogue by name."""
    return MappingProxyType({name: _link_type(row) for name, row in link_catalogue().items()})


def _link_type(row: Entry) -> LinkType:
    return LinkType(
        name=row.name,
        medium=row.words["medium"],
        capacity=row.value("lane"),
        length=row.value("length"),
        propagation=row.value("propagation"),
        transceivers=row.value("transceivers"),
        fec=row.value("fec"),
        reach=row.value("reach", math.inf),
        efficiency=row.value("efficiency", 1.0),
        modules=row.value("modules"),
        power=row.value("module_power"),
        sources=row.sources,
    )


def link_type(link: str | float | LinkType) -> LinkType:
    """Return a link type from its catalogue name, a rate per lane, or itself.

    Parameters
    ----------
    link
        A rate is in bytes/s, or a text with a unit such as "400 Gbps".

    Raises
    ------
    UnknownNameError
        If the catalogue has no such name; the near ones are listed.
    UnitError
        If a text begins with a digit and is no rate.
    """
    if isinstance(link, LinkType):
        return link
    if isinstance(link, str):
        if link[:1].isdigit():
            try:
                return LinkType(capacity=units.parse_rate(link), name=link)
            except UnitError as error:
                raise UnitError(f"link type: {error}") from error
        return _link_type(known_as("link type", link, link_catalogue()))
    return LinkType(capacity=link)
