"""NVIDIA HGX B200 and B300: 8 GPUs on 2 NVLink switch chips.

Wiring: NVIDIA Fabric Manager User Guide, as quoted in openfabric-systems/simllm PR 238, and the
board shown at Computex 2024: two chips, so 9 of a GPU's 18 links go to each.
"""

from __future__ import annotations

from topology.shapes.parts import LinkLike
from topology.supernode import Supernode
from topology.systems.board import Board, Chips
from topology.systems.catalogue import system_builder
from topology.systems.rails import Node, build_nodes

_CHIPS = Chips("nvswitch4", "nvlink5-board", (9, 9))
_KINDS = {
    "b200": Node(Board("b200-hgx", _CHIPS), "pcie5-x16", "ndr-optical"),
    "b300": Node(
        Board("b300-hgx", _CHIPS), "pcie6-x16", "xdr-optical",
        ("estimate: the board of HGX B300 is wired as that of HGX B200",),
    ),
}  # fmt: skip
_SOURCES = (
    "NVIDIA Fabric Manager User Guide, quoted in openfabric-systems/simllm PR 238: two chips",
    "9 links from each GPU to each chip: derived, 18 / 2; the host sees only 18 links to all",
)


@system_builder("hgx-b200")
def hgx_b200(
    nodes: int | None = None,
    *,
    gpu: str = "b200",
    nic: LinkLike | None = None,
    oversubscription: float = 1.0,
    sharp: bool = False,
    nics: bool = True,
) -> Supernode:
    """Return the node, or a cluster of them.

    ::

        2 switch chips              [0]       [1]            72 of 72 ports used
                                     nine links of 50 GB/s from each GPU to each chip
        8 GPUs, 900 GB/s each        o  o  o  o  o  o  o  o

    Parameters
    ----------
    nodes
        None for the node alone; else how many there are on rails, as in `dgx_h100`.
    gpu
        "b200", or "b300" with ConnectX-8.
    nic, oversubscription
        As in `dgx_h100`; by default "ndr-optical", or "xdr-optical" for B300, and 1.
    nics
        Whether the 8 NICs of a node alone are there, one to a GPU: ConnectX-7 of 400 Gbps in a
        DGX B200. They are on no network, so they pass nothing on.
    """
    return build_nodes(
        "hgx-b200", _KINDS, _SOURCES,
        gpu=gpu, nodes=nodes, nic=nic, oversubscription=oversubscription, sharp=sharp, nics=nics,
    )  # fmt: skip
