"""NVIDIA DGX A100: 8 GPUs on 6 NVSwitch chips.

Wiring: the NCCL topology dump in github.com/NVIDIA/nccl issue 1505 has two NVLinks from each GPU
to each of six switch chips, 12 in all.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.board import Chips, switched_board
from topology.systems.catalogue import system_builder

_SOURCES = (
    "NCCL topology dump of a DGX A100, github.com/NVIDIA/nccl issue 1505: 6 chips, 2 links",
)


@system_builder("dgx-a100")
def dgx_a100(*, nics: bool = True) -> Supernode:
    """Return the node.

    ::

        6 switch chips              [0] [1] [2] [3] [4] [5]     16 of 36 ports used
                                     two links of 25 GB/s from each GPU to each chip
        8 GPUs, 300 GB/s each        o   o   o   o   o   o   o   o

    Parameters
    ----------
    nics
        Whether the 8 ConnectX-6 of 200 Gbps are there, one to a GPU. Their network is not part
        of the node, so they pass nothing on.
    """
    nic = ("connectx6", "pcie4-x16") if nics else None
    return switched_board("dgx-a100", "a100", Chips("nvswitch2", 6, "nvlink3", 2), nic, _SOURCES)
