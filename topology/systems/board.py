"""Lay down what single nodes have in common: NPUs meshed, wired by a list, or on switch chips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from topology.shapes.parts import add_nics
from topology.supernode import Builder, Supernode
from topology.systems.catalogue import build_row


def add_npus(
    builder: Builder, count: int, device: str, *, forwards: bool = False, prefix: str = "npu"
) -> list[str]:
    """Add the NPUs of one node, and return their ids."""
    return builder.add_grid(
        prefix, count,
        kind="npu", tier=0, device=device, forwards=forwards, node=0, per={"slot": 1},
    )  # fmt: skip


Wiring: TypeAlias = Mapping[tuple[int, int], int]
"""{(i, j): lanes} of NPUs i and j of a node."""


@dataclass(frozen=True)
class Chips:
    """Switch chips on a board: which, how many, and how each NPU is linked to each of them."""

    device: str
    count: int
    link: str
    lanes: int


def switched_board(
    name: str, npu: str, chips: Chips, nic: tuple[str, str] | None, sources: Iterable[str]
) -> Supernode:
    """Return 8 NPUs, each linked to every switch chip of the board.

    Parameters
    ----------
    name
        The machine.
    npu
        Device of the NPUs.
    chips
        The switch chips.
    nic
        Device and link of a NIC for each NPU; None for none.
    sources
        Where the wiring comes from.
    """
    builder = Builder()
    npus = add_npus(builder, 8, npu)
    switches = builder.add_grid(
        "nvswitch", chips.count,
        kind="switch", tier=1, device=chips.device, node=0, per={"plane": 1},
    )  # fmt: skip
    ends = ((u, v) for u in npus for v in switches)
    builder.connect(ends, chips.link, lanes=chips.lanes)
    if nic is not None:
        add_nics(builder, npus, *nic, forwards=False, node=0)
    parameters = {"nics": nic is not None}
    return build_row(builder, name, npus, sources=sources, parameters=parameters)


def meshed_board(
    name: str, npu: str, link: str, sources: Iterable[str], *, lanes: int = 1
) -> Supernode:
    """Return 8 NPUs that all have ``lanes`` links to each other."""
    builder = Builder()
    npus = add_npus(builder, 8, npu)
    builder.connect(combinations(npus, 2), link, lanes=lanes)
    return build_row(builder, name, npus, sources=sources)


def connect_listed(
    builder: Builder, npus: Sequence[str], wiring: Wiring, link: str, each: int
) -> None:
    """Link pairs of NPUs by a table of lanes.

    Parameters
    ----------
    builder
        Where the links go.
    npus
        Ids, node by node.
    wiring
        Which pairs of a node.
    link
        The link type of a lane.
    each
        NPUs to a node.
    """
    firsts = range(0, len(npus), each)
    ends = ((npus[first + i], npus[first + j]) for first in firsts for i, j in wiring)
    builder.connect(ends, link, lanes=[*wiring.values()] * len(firsts))


def wiring_of(text: str) -> Wiring:
    """Read a table such as ``"0-1:4 0-2:1"`` as {(0, 1): 4, (0, 2): 1}."""
    rows: dict[tuple[int, int], int] = {}
    for item in text.split():
        ends, lanes = item.split(":")
        i, j = map(int, ends.split("-"))
        rows[i, j] = int(lanes)
    return rows
