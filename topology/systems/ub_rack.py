"""Lay down what UB-Mesh and the Atlas 950 and 960 models share: racks of meshed NPUs.

In a rack NPUs stand on boards. Those of a board are fully meshed, and so are those with the same
place on all boards (a 2D full mesh). What leaves the rack goes over backplanes: every NPU has the
same port to each. Liao et al., UB-Mesh, arXiv:2503.20377, §3. The paper builds a backplane of
low-radix switches; their wiring is not published, so a backplane is one switch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from topology import border
from topology.fabric import IntArray
from topology.hardware.media import link_type
from topology.placement import Floor, Place
from topology.shapes.parts import pairs
from topology.shapes.tree import spread
from topology.supernode import Builder, Supernode
from topology.systems.cabling import assumed, connect_placed
from topology.systems.catalogue import build_row

_HALF_WAY = 22
_FIRST_BOARD, _PER_BOARD = 0.3, 0.1
NOTE = (
    "estimate: each of a rack's backplanes is taken as one switch; how its low-radix switches are "
    "wired is not published",
    f"estimate: cables between boards of a rack take {_FIRST_BOARD:g} m and {_PER_BOARD:g} m a "
    "board",
)


@dataclass(frozen=True)
class Rack:
    """A kind of rack.

    Attributes
    ----------
    boards, slots
        Boards, and NPUs on each.
    backplanes
        How many; an NPU has one lane to each.
    npu, backplane
        Devices.
    on_board, in_rack
        Link types: between NPUs of a board, and across the rack.
    """

    boards: int
    slots: int
    backplanes: int
    npu: str
    backplane: str
    on_board: str
    in_rack: str

    @property
    def npus(self) -> int:
        """Return the NPUs in a rack."""
        return self.boards * self.slots


@dataclass(frozen=True)
class Spine:
    """High-radix switches over the backplanes, a group to each backplane of a rack.

    Attributes
    ----------
    device, link
        Device, and link type to the backplanes.
    uplinks
        Lanes of a backplane upwards.
    ports
        Of a switch.
    per_rack
        Switches in an interconnect rack.
    """

    device: str
    link: str
    uplinks: int
    ports: int
    per_rack: int

    def switches(self, racks: int) -> int:
        """Return the fewest switches in a group that give every rack the same lanes to each."""
        return self.uplinks // spread(self.uplinks, self.ports // racks)


def add_racks(builder: Builder, rack: Rack, count: int) -> list[str]:
    """Add racks of NPUs with their backplanes, and return the NPUs.

    Ids are ``npu/i`` and ``backplane/rack/plane``; ``node`` is the board, ``slot`` the place on it.
    """
    total = count * rack.npus
    npus = builder.add_grid(
        "npu", total, kind="npu", tier=0, device=rack.npu, forwards=True,
        per={"rack": rack.npus, "node": rack.slots}, among={"slot": rack.slots},
    )  # fmt: skip
    grid = np.arange(total).reshape(count, rack.boards, rack.slots)
    i, j = np.triu_indices(rack.slots, k=1)
    builder.connect(pairs(npus, grid[:, :, i], npus, grid[:, :, j]), rack.on_board)
    across = link_type(rack.in_rack)
    for apart in range(1, rack.boards):
        kind = across.at(_FIRST_BOARD + _PER_BOARD * apart)
        builder.connect(pairs(npus, grid[:, apart:], npus, grid[:, :-apart]), kind)
    _add_backplanes(builder, rack, npus, grid)
    return npus


def _add_backplanes(builder: Builder, rack: Rack, npus: list[str], grid: IntArray) -> None:
    names = builder.add_grid(
        "backplane", len(grid), rack.backplanes, kind="switch", tier=1, device=rack.backplane,
        per={"rack": rack.backplanes}, among={"plane": rack.backplanes},
    )  # fmt: skip
    numbers = np.arange(len(names)).reshape(len(grid), 1, 1, rack.backplanes)
    below, above = np.broadcast_arrays(grid[..., None], numbers)
    builder.connect(pairs(npus, below, names, above), rack.in_rack)


def backplane_places(rack: Rack, count: int) -> dict[str, Place]:
    """Return where the backplanes of each rack are: half-way up."""
    every = product(range(count), range(rack.backplanes))
    return {f"backplane/{r}/{p}": Place(r, _HALF_WAY + p) for r, p in every}


def build_superpod(
    row: str, rack: Rack, spine: Spine, racks: int, most: int, floor: Floor,
    sources: tuple[str, ...],
) -> Supernode:  # fmt: skip
    """Return racks, at most those of the whole machine, joined by one tier of switches.

    Switch j of plane p, ``hrs/p/j``, has lanes to backplane p of every rack. The switches stand
    in racks of their own, numbered after those of the NPUs.
    """
    border.whole(racks, f"{row.replace('-', '_')}: racks", most=most)
    builder = Builder()
    npus = add_racks(builder, rack, racks)
    each = spine.switches(racks)
    every = list(product(range(rack.backplanes), range(each)))
    homes = [racks + i // spine.per_rack for i in range(len(every))]
    names = builder.add_grid(
        "hrs", rack.backplanes, each,
        kind="switch", tier=2, device=spine.device, rack=homes, per={"plane": each},
    )  # fmt: skip
    places = backplane_places(rack, racks)
    places |= {
        hrs: Place(home, i % spine.per_rack)
        for i, (hrs, home) in enumerate(zip(names, homes, strict=True))
    }
    ends = ((f"backplane/{r}/{p}", f"hrs/{p}/{j}") for r in range(racks) for p, j in every)
    lanes = spine.uplinks // each
    connect_placed(builder, ends, places, (spine.link,), floor, lanes=lanes)
    notes = (*sources, *NOTE, assumed(floor))
    variant = "" if racks == most else f"{racks}-racks"
    return build_row(builder, row, npus, variant, sources=notes, parameters={"racks": racks})
