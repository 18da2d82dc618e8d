"""NVIDIA GB200 NVL72: 72 GPUs on one tier of NVLink switches, all copper.

Wiring: NVIDIA DGX SuperPOD GB200 Reference Architecture, Network Fabrics: 18 compute trays of 4
GPUs and 2 Grace CPUs, 9 switch trays of 2 chips, one link from each GPU to each of the 18 chips.
"""

from __future__ import annotations

from topology.supernode import Builder, Supernode

_TRAYS = 18
_GPUS, _CPUS = 4, 2
_CHIPS = 18
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
    builder = Builder()
    total = _TRAYS * _GPUS
    trays = [i // _GPUS for i in range(total)]
    gpus = builder.add_nodes(
        (f"npu/{i}" for i in range(total)),
        kind="npu", tier=0, device="b200", node=trays, rack=0,
        slot=[i % _GPUS for i in range(total)],
    )  # fmt: skip
    chips = builder.add_nodes(
        (f"nvswitch/{j}" for j in range(_CHIPS)),
        kind="switch", tier=1, device="nvswitch4", plane=range(_CHIPS), rack=0,
        slot=[j // 2 for j in range(_CHIPS)],
    )  # fmt: skip
    builder.connect(((gpu, chip) for gpu in gpus for chip in chips), "nvlink5")
    if cpus:
        homes = [i // _CPUS for i in range(_TRAYS * _CPUS)]
        names = (f"cpu/{i}" for i in range(_TRAYS * _CPUS))
        grace = builder.add_nodes(names, kind="cpu", tier=0, device="grace", node=homes, rack=0)
        builder.connect(((gpu, grace[i // 2]) for i, gpu in enumerate(gpus)), "c2c")
    if nics:
        names = (f"nic/{i}" for i in range(total))
        cards = builder.add_nodes(
            names, kind="nic", tier=1, device="connectx7", node=trays, rack=0, forwards=False
        )
        builder.connect(zip(gpus, cards, strict=True), "pcie5-x16")
    parameters = {"cpus": cpus, "nics": nics}
    return builder.build("gb200-nvl72", gpus, sources=_SOURCES, parameters=parameters)
