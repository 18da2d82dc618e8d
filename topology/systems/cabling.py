"""Run cables between placed nodes: the length, the medium and the latency follow from the racks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

from topology.hardware.media import LinkType
from topology.placement import Floor, Place, placed_links
from topology.supernode import Builder

STEP = 0.5
"""Metres by which cables are sold."""


def whole_cable(metres: float) -> float:
    """Return a length rounded up to the next cable."""
    return ceil(metres / STEP - 1e-9) * STEP


def connect_placed(
    builder: Builder,
    ends: Iterable[tuple[str, str]],
    places: Mapping[str, Place],
    links: Sequence[str | float | LinkType],
    floor: Floor,
    *,
    lanes: int = 1,
) -> None:
    """Link pairs of nodes, each by the link type that fits its length.

    Parameters
    ----------
    builder
        Where the links go.
    ends
        Pairs of node ids.
    places
        Where each node is.
    links
        Link types to choose from, as in `choose_link`.
    floor
        How racks stand.
    lanes
        Parallel links between the two.

    Raises
    ------
    GraphError
        If no link type reaches; the message names the pair.
    """
    for kind, pairs in placed_links(ends, places, links, floor, rounded=whole_cable).items():
        builder.connect(pairs, kind, lanes=lanes)


def assumed(floor: Floor) -> str:
    """Return what a floor assumes in words, for a machine's sources."""
    return (
        f"estimate: cable lengths assume rows of {floor.racks_per_row} racks "
        f"{floor.rack_pitch:g} m apart, rows {floor.row_pitch:g} m apart, and overhead trays"
    )
