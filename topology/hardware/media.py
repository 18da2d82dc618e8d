"""Know the copper and optical link types, and what one link of a graph is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from types import MappingProxyType

from topology.errors import GraphError, unknown_name
from topology.hardware.catalogue import Entry, load_catalogue

MEDIA = ("copper", "optical")


@dataclass(frozen=True)
class Link:
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

    @property
    def latency(self) -> float:
        """Seconds from one end to the other: propagation + transceivers + FEC."""
        return self.propagation + self.transceivers + self.fec


@dataclass(frozen=True, kw_only=True)
class LinkType:
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
        if not (_is_number(self.capacity) and 0 < self.capacity < math.inf):
            raise GraphError(
                f"link type {self.name!r}: capacity is {self.capacity!r}; "
                "it must be a positive, finite number of bytes/s, such as 50 * GB"
            )
        for part in ("latency", "length", "propagation", "transceivers", "fec", "modules"):
            value = getattr(self, part)
            if not (_is_number(value) and 0 <= value < math.inf):
                raise GraphError(
                    f"link type {self.name!r}: {part} is {value!r}; it must be zero or more"
                )
        if not (_is_number(self.efficiency) and 0 < self.efficiency <= 1):
            raise GraphError(
                f"link type {self.name!r}: efficiency is {self.efficiency!r}; "
                "it must be above 0 and at most 1"
            )
        if self.medium not in MEDIA:
            raise GraphError(
                f"link type {self.name!r}: medium is {self.medium!r}; "
                f"it must be one of {', '.join(MEDIA)}"
            )

    def at(self, length: float) -> LinkType:
        """Return the same type at another length in metres."""
        return replace(self, length=length)

    def link(self) -> Link:
        """Return the record for an edge of this type; raise `GraphError` beyond its reach."""
        if self.length > self.reach:
            raise GraphError(
                f"link type {self.name!r}: a length of {self.length:g} m is beyond its reach of "
                f"{self.reach:g} m; use an optical type or place the ends nearer"
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


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and value == value


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
    """Return a link type from its catalogue name, a rate in bytes/s per lane, or itself.

    Raises
    ------
    UnknownNameError
        If the catalogue has no such name; the near ones are listed.
    """
    if isinstance(link, LinkType):
        return link
    if isinstance(link, str):
        rows = link_catalogue()
        if link not in rows:
            raise unknown_name("link type", link, rows)
        return _link_type(rows[link])
    return LinkType(capacity=link)
