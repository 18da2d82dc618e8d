"""NVIDIA GB200 NVL72: 72 GPUs on one tier of NVLink switches, all copper.

Wiring: NVIDIA DGX SuperPOD GB200 Reference Architecture, Network Fabrics: 18 compute trays of 4
GPUs and 2 Grace CPUs, 9 switch trays of 2 chips, one link from each GPU to each of the 18 chips.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.nvl72 import GB200, single_rack

_SOURCES = (
    "NVIDIA DGX SuperPOD GB200 Reference Architecture, Network Fabrics, Multi-node NVLink",
    "NVIDIA GB200 NVL72 product page",
)


def gb200_nvl72(*, cpus: bool = True, nics: bool = True) -> Supernode:
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
        Whether the 72 ConnectX-7 are there, one to a GPU. Their network is not part of the
        rack, so they pass nothing on.
    """
    return single_rack("gb200-nvl72", GB200, _SOURCES, cpus=cpus, nics=nics)
