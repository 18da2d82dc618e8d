"""AMD Instinct MI300X, 8 to a node: a full mesh of Infinity Fabric links.

Wiring: AMD RCCL's own topology file tools/topo_expl/models/topo_8p_940.xml (ROCm/rccl commit
0cbce2a7): every pair of the 8 GPUs has one link.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.board import meshed_board
from topology.systems.catalogue import system_builder

_SOURCES = ("AMD RCCL source, tools/topo_expl/models/topo_8p_940.xml (commit 0cbce2a7): full mesh",)


@system_builder("mi300x")
def mi300x() -> Supernode:
    """Return the node.

    ::

        8 GPUs, each with a link of 64 GB/s to each of the 7 others: 448 GB/s in all

    The GPUs do not pass on the traffic of others; with a link missing its two GPUs need an
    algorithm that relays.
    """
    return meshed_board("mi300x", "mi300x", "xgmi3", _SOURCES)
