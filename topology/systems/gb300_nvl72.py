"""NVIDIA GB300 NVL72: the NVLink network of GB200 NVL72 with Blackwell Ultra GPUs and 800G NICs.

Wiring: NVIDIA NVL72 Enterprise Reference Architecture (18 trays of 4 GPUs and 2 Grace CPUs, 9
switch trays, 4 ConnectX-8 a tray); a GB300 NVL72 tells NCCL that a GPU has 18 NVLinks. That each
goes to a chip of its own is taken over from GB200 NVL72.
"""

from __future__ import annotations

from dataclasses import replace

from topology.supernode import Supernode
from topology.systems.nvl72 import GB200, single_rack

_PARTS = replace(GB200, gpu="b300", nic="connectx8", pcie="pcie6-x16")
_SOURCES = (
    "NVIDIA NVL72 Enterprise Reference Architecture, components and physical topologies",
    "NCCL topology dump of a GB300 NVL72: 18 NVLinks a GPU",
    "one link from each GPU to each switch chip: derived, as GB200 NVL72",
)


def gb300_nvl72(*, cpus: bool = True, nics: bool = True) -> Supernode:
    """Return the rack.

    ::

        18 switch chips (72 ports of 50 GB/s)   [0] [1] [2] ... [17]   reduce and multicast
                                                 |   |   |        |
        72 GPUs, 4 to a tray: each has one NVLink5 lane to each chip, 900 GB/s in all

    Parameters
    ----------
    cpus
        Whether the 36 Grace CPUs are there, each by NVLink-C2C to its two GPUs.
    nics
        Whether the 72 ConnectX-8 are there, one to a GPU. Their network is not part of the
        rack, so they pass nothing on.
    """
    return single_rack("gb300-nvl72", _PARTS, _SOURCES, cpus=cpus, nics=nics)
