"""NVIDIA HGX B200: 8 GPUs on 2 NVLink switch chips.

Wiring: NVIDIA Fabric Manager User Guide, as quoted in openfabric-systems/simllm PR 238, and the
board shown at Computex 2024: two chips, so 9 of a GPU's 18 links go to each.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.board import Chips, switched_board
from topology.systems.catalogue import system_builder

_SOURCES = (
    "NVIDIA Fabric Manager User Guide, quoted in openfabric-systems/simllm PR 238: two chips",
    "9 links from each GPU to each chip: derived, 18 / 2; the host sees only 18 links to all",
)


@system_builder("hgx-b200")
def hgx_b200(*, nics: bool = True) -> Supernode:
    """Return the node.

    ::

        2 switch chips              [0]       [1]            72 of 72 ports used
                                     nine links of 50 GB/s from each GPU to each chip
        8 GPUs, 900 GB/s each        o  o  o  o  o  o  o  o

    Parameters
    ----------
    nics
        Whether the 8 ConnectX-7 of 400 Gbps of a DGX B200 are there, one to a GPU. Their
        network is not part of the node, so they pass nothing on.
    """
    nic = ("connectx7", "pcie5-x16") if nics else None
    chips = Chips("nvswitch4", 2, "nvlink5-board", 9)
    return switched_board("hgx-b200", "b200-hgx", chips, nic, _SOURCES)
