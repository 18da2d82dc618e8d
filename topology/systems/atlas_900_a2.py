"""Huawei Atlas 900 A2 (Atlas 800T A2): 8 Ascend 910B in a full mesh of HCCS links.

Wiring: Huawei's simulator msmodeling, tensor_cast/device.py (Ascend/msmodeling commit 84fec853):
A2_INTERCONNECT is a full mesh of 8 with 196 GB/s an NPU.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.board import meshed_board
from topology.systems.catalogue import system_builder

_SOURCES = ("Huawei msmodeling, tensor_cast/device.py (commit 84fec853), A2_INTERCONNECT",)


@system_builder("atlas-900-a2")
def atlas_900_a2() -> Supernode:
    """Return the node.

    ::

        8 NPUs, each with a link of 28 GB/s to each of the 7 others: 196 GB/s in all

    The NPUs do not pass on the traffic of others.
    """
    return meshed_board("atlas-900-a2", "ascend910b", "hccs", _SOURCES)
