"""NVIDIA DGX A100: 8 GPUs on 6 NVSwitch chips.

Wiring: the NCCL topology dump in github.com/NVIDIA/nccl issue 1505 has two NVLinks from each GPU
to each of six switch chips, 12 in all.
"""

from __future__ import annotations

from topology.shapes.parts import LinkLike
from topology.supernode import Supernode
from topology.systems.board import Board, Chips
from topology.systems.catalogue import system_builder
from topology.systems.rails import Node, build_nodes

_KINDS = {
    "a100": Node(Board("a100", Chips("nvswitch2", "nvlink3", (2,) * 6)), "pcie4-x16", "hdr-optical")
}
_SOURCES = (
    "NCCL topology dump of a DGX A100, github.com/NVIDIA/nccl issue 1505: 6 chips, 2 links",
)


@system_builder("dgx-a100")
def dgx_a100(
    nodes: int | None = None,
    *,
    nic: LinkLike | None = None,
    oversubscription: float = 1.0,
    sharp: bool = False,
    nics: bool = True,
) -> Supernode:
    """Return the node, or a cluster of them.

    ::

        6 switch chips              [0] [1] [2] [3] [4] [5]     16 of 36 ports used
                                     two links of 25 GB/s from each GPU to each chip
        8 GPUs, 300 GB/s each        o   o   o   o   o   o   o   o

    Parameters
    ----------
    nodes
        None for the node alone; else how many there are on rails, as in `dgx_h100`.
    nic, oversubscription
        As in `dgx_h100`; by default "hdr-optical" and 1, on switches of 40 ports.
    nics
        Whether the 8 ConnectX-6 of 200 Gbps of a node alone are there, one to a GPU. They are on
        no network, so they pass nothing on.
    """
    return build_nodes(
        "dgx-a100", _KINDS, _SOURCES,
        gpu="a100", nodes=nodes, nic=nic, oversubscription=oversubscription, sharp=sharp, nics=nics,
    )  # fmt: skip
