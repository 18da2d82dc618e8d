"""Run cables between placed nodes: the length, the medium and the latency follow from the racks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from topology.media import LinkType
from topology.placement import Floor, Place, placed_links
from topology.supernode import Builder


def connect_placed(
    builder: Builder,
    ends: Iterable[tuple[str, str]],
    places: Mapping[str, Place],
    links: Sequence[str | float | LinkType],
    floor: Floor,
    *,
    lanes: int = 1,
) -> None:
    """Link pairs of nodes, each by the link type that fits its length; see `placed_links`."""
    for kind, pairs in placed_links(ends, places, links, floor).items():
        builder.connect(pairs, kind, lanes=lanes)


def assumed(floor: Floor) -> str:
    """Return what a floor assumes in words, for a machine's sources."""
    return (
        f"estimate: cable lengths assume rows of {floor.racks_per_row} racks "
        f"{floor.rack_pitch:g} m apart, rows {floor.row_pitch:g} m apart, and overhead trays"
    )
