"""Intel Gaudi 3, 8 to a node (HLS-3): a full mesh of triple Ethernet links.

Wiring: Intel's network configuration guide for Gaudi: 21 of the 24 ports of 200 GbE go to the 7
other accelerators of the node, three to each; three leave it.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.board import meshed_board
from topology.systems.catalogue import system_builder

_SOURCES = (
    "Intel Gaudi network configuration guide, docs.habana.ai: 21 ports inside, all to all",
    "three ports to each of 7 peers: derived, 21 / 7",
)


@system_builder("gaudi3")
def gaudi3() -> Supernode:
    """Return the node, without the three scale-out ports of each accelerator.

    ::

        8 accelerators, each with 3 x 25 GB/s to each of the 7 others: 525 GB/s in all

    The accelerators are RDMA endpoints and do not pass on the traffic of others.
    """
    return meshed_board("gaudi3", "gaudi3", "gaudi-200g", _SOURCES, lanes=3)
