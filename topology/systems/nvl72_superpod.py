"""NVIDIA DGX SuperPOD of GB200 NVL72: racks joined by rails of InfiniBand.

Wiring: NVIDIA DGX SuperPOD GB200 Reference Architecture: a scalable unit is 8 racks; there is no
NVLink between racks; the compute fabric is NDR 400 Gbps InfiniBand, rail-aligned, one port to a
GPU. How many leaves and spines there are was not found, so their number here is an estimate: the
least that is rail-aligned, without oversubscription and even.
"""

from __future__ import annotations

from itertools import product

from topology import border
from topology.placement import Floor, Place
from topology.shapes.parts import add_nics
from topology.shapes.tree import spread
from topology.supernode import Builder, Supernode
from topology.systems.cabling import assumed, connect_placed
from topology.systems.catalogue import build_row, system_builder
from topology.systems.nvl72 import GB200, GPUS, HOMES, TOTAL, TRAYS, add_cpus, add_racks

_PORTS = 64
_SCALABLE_UNIT, _MOST_RACKS = 8, 16
_MOST_LEAVES = 32
_LINK = ("ndr-optical",)
_FLOOR = Floor(racks_per_row=10)
_SOURCES = (
    "NVIDIA DGX SuperPOD GB200 Reference Architecture, abstract and Network Fabrics",
    "estimate: a leaf to each rail and rack with 18 ports down and 18 up, and the fewest spines "
    "of 64 ports; the counts of the reference architecture were not found",
    assumed(_FLOOR),
)


@system_builder("nvl72-superpod")
def nvl72_superpod(racks: int = _SCALABLE_UNIT, *, cpus: bool = True) -> Supernode:
    r"""Return racks of GB200 NVL72 on a leaf and spine network.

    ::

        spines of 64 x 400G             [0]   ...   [s]
                                         |  \ /      |
        leaves, one to a rail and rack  [0/0] [0/1] [0/2] [0/3] [1/0] ...
                                         | 18 ports of 400G, one from each tray
        racks of 72 GPUs               (NVLink)                (NVLink)

    Parameters
    ----------
    racks
        1 to 16; a scalable unit of the reference architecture is 8, with 9 spines.
    cpus
        Whether the Grace CPUs are there.
    """
    border.whole(racks, "nvl72_superpod: racks", most=_MOST_RACKS)
    builder = Builder()
    gpus = add_racks(builder, GB200, racks)
    if cpus:
        add_cpus(builder, GB200, gpus)
    nics = add_nics(builder, gpus, GB200.nic, GB200.pcie, forwards=True, per=HOMES)
    _add_rails(builder, racks, nics)
    variant = "" if racks == _SCALABLE_UNIT else f"{racks}-racks"
    parameters = {"racks": racks, "cpus": cpus}
    return build_row(
        builder, "nvl72-superpod", gpus, variant, sources=_SOURCES, parameters=parameters
    )


def _add_rails(builder: Builder, racks: int, nics: list[str]) -> None:
    """Add a leaf for each rack and rail, half of them in each of two network racks, and spines."""
    count = racks * GPUS
    lanes = spread(TRAYS, _PORTS // count)
    spines = TRAYS // lanes
    homes = [racks + i * 2 // count for i in range(count)]
    leaves = builder.add_grid(
        "leaf", racks, GPUS, kind="switch", tier=2, device="quantum2",
        rack=homes, among={"plane": GPUS},
    )  # fmt: skip
    tops = [racks + i % 2 for i in range(spines)]
    spine = builder.add_grid("spine", spines, kind="switch", tier=3, device="quantum2", rack=tops)
    places = {nic: Place(i // TOTAL, i % TOTAL // GPUS) for i, nic in enumerate(nics)}
    places |= {leaf: Place(homes[i], i % (count // 2)) for i, leaf in enumerate(leaves)}
    places |= {top: Place(tops[i], _MOST_LEAVES + i // 2) for i, top in enumerate(spine)}
    down = ((nic, leaves[i // TOTAL * GPUS + i % GPUS]) for i, nic in enumerate(nics))
    connect_placed(builder, down, places, _LINK, _FLOOR)
    up = product(leaves, spine)
    connect_placed(builder, up, places, _LINK, _FLOOR, lanes=lanes)
