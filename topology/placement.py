"""Place nodes in racks, and so find how long a cable is and whether copper reaches.

Cables run as in a data hall: inside a rack straight up or down, between racks up to a tray over
them, along the rows at right angles, and down again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from topology import border
from topology.errors import GraphError
from topology.hardware.media import LinkType, link_type

_MICROMETRES = partial(round, ndigits=6)


@dataclass(frozen=True)
class Place:
    """Where a node is: its rack, counted along the rows, and its slot from the bottom."""

    rack: int
    slot: int = 0

    def __post_init__(self) -> None:
        for name in ("rack", "slot"):
            border.whole(getattr(self, name), f"place: {name}", least=-border.MOST_COUNT)


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A floor of racks in rows; all lengths in metres.

    Attributes
    ----------
    racks_per_row
        Rack r stands in row r // racks_per_row.
    rack_pitch, row_pitch
        Between the middles of neighbouring racks, and of neighbouring rows.
    slots
        Slots of a rack, from the bottom.
    slot_pitch
        Height of a slot: 44.45 mm is one rack unit (EIA-310).
    tray
        Height of the cable tray over the racks' tops.
    slack
        What every cable has to spare, both ends together.
    """

    racks_per_row: int = 16
    rack_pitch: float = 0.6
    row_pitch: float = 2.4
    slots: int = 48
    slot_pitch: float = 0.04445
    tray: float = 0.3
    slack: float = 0.5

    def __post_init__(self) -> None:
        for name in ("racks_per_row", "slots"):
            border.whole(getattr(self, name), f"floor: {name}")
        for name in ("rack_pitch", "row_pitch", "slot_pitch", "tray", "slack"):
            border.number(getattr(self, name), f"floor: {name}", unit="metres")

    def length(self, a: Place, b: Place) -> float:
        """Return the metres of a cable between two places.

        Raises
        ------
        GraphError
            If a slot is above the rack's top, or a rack or slot is below zero.
        """
        for place in (a, b):
            if not isinstance(place, Place):
                border.refuse(place, "floor: a place", "a topology.Place")
        low, high = self._height(a), self._height(b)
        if a.rack == b.rack:
            return abs(low - high) + self.slack
        (row, column), (other_row, other_column) = self._spot(a), self._spot(b)
        top = self.slots * self.slot_pitch + self.tray
        across = abs(column - other_column) * self.rack_pitch
        along = abs(row - other_row) * self.row_pitch
        return (top - low) + (top - high) + across + along + self.slack

    def _spot(self, place: Place) -> tuple[int, int]:
        return divmod(place.rack, self.racks_per_row)

    def _height(self, place: Place) -> float:
        if place.rack < 0 or not 0 <= place.slot < self.slots:
            raise GraphError(
                f"floor: there is no slot {place.slot} in rack {place.rack}; a rack has slots 0 to "
                f"{self.slots - 1}, and racks count from 0"
            )
        return place.slot * self.slot_pitch


def choose_link(length: float, candidates: Iterable[str | float | LinkType]) -> LinkType:
    """Return the link type for a length: the copper of shortest reach that reaches, else optical.

    Parameters
    ----------
    length
        Metres.
    candidates
        Link types; the one chosen is returned at this length.

    Raises
    ------
    GraphError
        If none reaches, with the reach of each.
    """
    length = border.number(length, "choose_link: length", unit="metres")
    kinds = [link_type(candidate) for candidate in candidates]
    fitting = [kind for kind in kinds if kind.reach >= length]
    if not fitting:
        reaches = ", ".join(f"{kind.name} {kind.reach:g} m" for kind in kinds) or "none given"
        raise GraphError(f"no link type reaches {length:g} m; reaches: {reaches}")
    best = min(fitting, key=lambda kind: (kind.medium != "copper", kind.reach))
    return best.at(length)


def placed_links(
    ends: Iterable[tuple[str, str]],
    places: Mapping[str, Place],
    candidates: Sequence[str | float | LinkType],
    floor: Floor | None = None,
    *,
    rounded: Callable[[float], float] = _MICROMETRES,
) -> dict[LinkType, list[tuple[str, str]]]:
    """Choose the link of each pair of nodes by where they are.

    Parameters
    ----------
    ends
        Pairs of node ids.
    places
        Where each node is.
    candidates
        Link types to choose from, as in `choose_link`.
    floor
        The floor; by default `Floor()`.
    rounded
        Returns the length of the cable that is used; by default, to the micrometre.

    Returns
    -------
    dict
        For each link type, at its length, the pairs that it joins: hand each to
        `Builder.connect`.

    Raises
    ------
    GraphError
        If a node has no place, or no candidate reaches; the message names the pair.
    """
    floor = Floor() if floor is None else floor
    known: dict[tuple[Place, Place], float] = {}
    by_length: dict[float, list[tuple[str, str]]] = {}
    for u, v in ends:
        for end in (u, v):
            if end not in places:
                raise GraphError(f"link {u} to {v}: {end} has no place; give its rack and slot")
        key = places[u], places[v]
        metres = known.get(key)
        if metres is None:
            metres = known[key] = rounded(floor.length(*key))
        by_length.setdefault(metres, []).append((u, v))
    return {_chosen(pairs[0], metres, candidates): pairs for metres, pairs in by_length.items()}


def _chosen(
    ends: tuple[str, str], metres: float, candidates: Sequence[str | float | LinkType]
) -> LinkType:
    try:
        return choose_link(metres, candidates)
    except GraphError as error:
        raise GraphError(f"link {ends[0]} to {ends[1]}: {error}") from error
