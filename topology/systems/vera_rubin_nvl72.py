"""NVIDIA Vera Rubin NVL72: 72 GPUs with 36 NVLink6 links each, all copper.

Wiring: a GPU has 36 NVLinks (NVIDIA's NCCL design note on Vera Rubin) and 3,600 GB/s both ways
(NVLink page). The switch chips are not confirmed by NVIDIA: 9 trays of 4 chips of 72 ports keep
the rule of GB200 NVL72, one link from each GPU to each chip.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.nvl72 import Parts, single_rack

_PARTS = Parts(
    "rubin", "nvswitch6", 36, "nvlink6", "vera", "c2c-vera", "connectx9", "pcie6-x32"
)  # fmt: skip
_SOURCES = (
    "NVIDIA NCCL design note on Vera Rubin: 36 NVLinks and 7 C2C links a GPU",
    "estimate: 36 switch chips (9 trays of 4) with one link from each GPU; not confirmed",
)


def vera_rubin_nvl72(*, cpus: bool = True, nics: bool = True) -> Supernode:
    """Return the rack.

    ::

        36 switch chips (72 ports of 50 GB/s)   [0] [1] [2] ... [35]   reduce and multicast
                                                 |   |   |        |
        72 GPUs, 4 to a tray: each has one NVLink6 lane to each chip, 1,800 GB/s in all

    Parameters
    ----------
    cpus
        Whether the 36 Vera CPUs are there, each by NVLink-C2C to its two GPUs.
    nics
        Whether the ConnectX-9 are there, two to a GPU, as one node of 200 GB/s. Their network
        is not part of the rack, so they pass nothing on.
    """
    return single_rack("vera-rubin-nvl72", _PARTS, _SOURCES, cpus=cpus, nics=nics)
