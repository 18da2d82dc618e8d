"""Lay down what single nodes have in common: NPUs meshed, wired by a list, or on switch chips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from topology.supernode import Builder, Supernode
from topology.systems.catalogue import build_row

NPUS = 8
"""How many a board has."""


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
    """Switch chips on a board: which, by what links, and how many links an NPU has to each."""

    device: str
    link: str
    lanes: tuple[int, ...]


@dataclass(frozen=True)
class Mesh:
    """Links from every NPU of a board to every other: of which type, and how many."""

    link: str
    lanes: int = 1


@dataclass(frozen=True)
class Board:
    """A board of 8 NPUs: which, and what joins them."""

    npu: str
    inside: Chips | Mesh

    @property
    def size(self) -> int:
        """How many NPUs and switch chips it has."""
        return NPUS + (len(self.inside.lanes) if isinstance(self.inside, Chips) else 0)


def add_boards(builder: Builder, board: Board, nodes: int | None = None) -> list[str]:
    """Add boards, a node each, and return the NPUs.

    Parameters
    ----------
    builder
        Where they go.
    board
        What they are.
    nodes
        How many; None for one whose chips are not numbered by node.
    """
    count = nodes or 1
    npus = builder.add_grid(
        "npu", count * NPUS, kind="npu", tier=0, device=board.npu,
        per={"node": NPUS}, among={"slot": NPUS},
    )  # fmt: skip
    inside = board.inside
    if isinstance(inside, Mesh):
        firsts = range(0, len(npus), NPUS)
        ends = (pair for i in firsts for pair in combinations(npus[i : i + NPUS], 2))
        builder.connect(ends, inside.link, lanes=inside.lanes)
        return npus
    each = len(inside.lanes)
    chips = builder.add_grid(
        "nvswitch", *([] if nodes is None else [nodes]), each,
        kind="switch", tier=1, device=inside.device, per={"node": each}, among={"plane": each},
    )  # fmt: skip
    for j, lanes in enumerate(inside.lanes):
        up = ((npu, chips[i // NPUS * each + j]) for i, npu in enumerate(npus))
        builder.connect(up, inside.link, lanes=lanes)
    return npus


def meshed_board(
    name: str, npu: str, link: str, sources: Iterable[str], *, lanes: int = 1
) -> Supernode:
    """Return 8 NPUs that all have ``lanes`` links to each other, and no NICs."""
    builder = Builder()
    npus = add_boards(builder, Board(npu, Mesh(link, lanes)))
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
