"""NVIDIA GB200, GB300 and Vera Rubin NVL72: 72 GPUs on one tier of NVLink switches, all copper.

Wiring: NVIDIA DGX SuperPOD GB200 Reference Architecture, Network Fabrics: 18 compute trays of 4
GPUs and 2 CPUs, 9 trays of switch chips, one link from each GPU to each chip. The racks that
followed differ in their parts: see `RACKS`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from topology.hardware.media import link_type
from topology.shapes.parts import add_nics
from topology.supernode import Builder, Supernode
from topology.systems.catalogue import build_row, from_table
from topology.units import GB

TRAYS = 18
GPUS, CPUS = 4, 2
SWITCH_TRAYS = 9
TOTAL = TRAYS * GPUS
HOMES = {"node": GPUS, "rack": TOTAL}
"""How many GPUs, or NICs, a tray and a rack have."""


@dataclass(frozen=True)
class Parts:
    """What a rack is made of, by name in the catalogue.

    Attributes
    ----------
    gpu, chip, cpu, nic
        Devices.
    chips
        Switch chips; every GPU has one link to each.
    nvlink, c2c, pcie
        Link types: GPU to chip, GPU to its CPU, GPU to its NIC.
    """

    gpu: str
    chip: str
    chips: int
    nvlink: str
    cpu: str
    c2c: str
    nic: str
    pcie: str


def add_racks(builder: Builder, parts: Parts, racks: int | None = None) -> list[str]:
    """Add GPUs and switch chips, and return the GPUs.

    Parameters
    ----------
    builder
        Where they go.
    parts
        What they are.
    racks
        How many; None for one whose chips are not numbered by rack.
    """
    count = racks or 1
    gpus = builder.add_grid(
        "npu", count * TOTAL, kind="npu", tier=0, device=parts.gpu,
        per=HOMES, among={"slot": GPUS},
    )  # fmt: skip
    for rack in range(count):
        prefix = "nvswitch" if racks is None else f"nvswitch/{rack}"
        chips = builder.add_grid(
            prefix, parts.chips, kind="switch", tier=1, device=parts.chip, rack=rack,
            per={"plane": 1, "slot": parts.chips // SWITCH_TRAYS},
        )  # fmt: skip
        mine = gpus[rack * TOTAL : (rack + 1) * TOTAL]
        builder.connect(((gpu, chip) for gpu in mine for chip in chips), parts.nvlink)
    return gpus


def add_cpus(builder: Builder, parts: Parts, gpus: list[str]) -> None:
    """Add a CPU for every two GPUs."""
    each = GPUS // CPUS
    cpus = builder.add_grid(
        "cpu", len(gpus) // each, kind="cpu", tier=0, device=parts.cpu,
        per={"node": CPUS, "rack": TOTAL // each},
    )  # fmt: skip
    builder.connect(((gpu, cpus[i // each]) for i, gpu in enumerate(gpus)), parts.c2c)


GB200 = Parts("b200", "nvswitch4", 18, "nvlink5", "grace", "c2c", "connectx7", "pcie5-x16")


class RackBuilder(Protocol):
    """What builds a rack, with or without its hosts."""

    def __call__(self, *, cpus: bool = True, nics: bool = True) -> Supernode:
        """Return the rack."""


def _rack(name: str, parts: Parts, said: str, *sources: str) -> RackBuilder:
    """Return the builder of a rack that is known by name."""

    def rack(*, cpus: bool = True, nics: bool = True) -> Supernode:
        """Return the rack.

        ::

            {chips} switch chips, 72 ports of 50 GB/s     [0] [1] [2] ... [{last}]
            that reduce and multicast                |   |   |        |
            72 GPUs, 4 to a tray: each has one lane to each chip, {rate:,.0f} GB/s in all

        {said}

        Parameters
        ----------
        cpus
            Whether the 36 CPUs are there, each by NVLink-C2C to its two GPUs.
        nics
            Whether the NICs are there, a node for each GPU. Their network is not part of the
            rack, so they pass nothing on.
        """
        builder = Builder()
        gpus = add_racks(builder, parts)
        if cpus:
            add_cpus(builder, parts, gpus)
        if nics:
            add_nics(builder, gpus, parts.nic, parts.pcie, forwards=False, per=HOMES)
        parameters = {"cpus": cpus, "nics": nics}
        return build_row(builder, name, gpus, sources=sources, parameters=parameters)

    rate = parts.chips * link_type(parts.nvlink).capacity / GB
    return from_table(name, rack, chips=parts.chips, last=parts.chips - 1, rate=rate, said=said)


gb200_nvl72 = _rack(
    "gb200-nvl72", GB200, "Grace CPUs and ConnectX-7.",
    "NVIDIA DGX SuperPOD GB200 Reference Architecture, Network Fabrics, Multi-node NVLink",
    "NVIDIA GB200 NVL72 product page",
)  # fmt: skip
# A GPU tells NCCL that it has 18 NVLinks; that each goes to a chip of its own is taken over.
gb300_nvl72 = _rack(
    "gb300-nvl72", replace(GB200, gpu="b300", nic="connectx8", pcie="pcie6-x16"),
    "The NVLink network of GB200 NVL72, with Blackwell Ultra GPUs and ConnectX-8.",
    "NVIDIA NVL72 Enterprise Reference Architecture, components and physical topologies",
    "NCCL topology dump of a GB300 NVL72: 18 NVLinks a GPU",
    "one link from each GPU to each switch chip: derived, as GB200 NVL72",
)  # fmt: skip
# NVIDIA does not confirm the chips: 9 trays of 4 with 72 ports keep one link to each chip.
vera_rubin_nvl72 = _rack(
    "vera-rubin-nvl72",
    Parts("rubin", "nvswitch6", 36, "nvlink6", "vera", "c2c-vera", "connectx9", "pcie6-x32"),
    "Vera CPUs, and two ConnectX-9 to a GPU as one node of 200 GB/s.",
    "NVIDIA NCCL design note on Vera Rubin: 36 NVLinks and 7 C2C links a GPU",
    "estimate: 36 switch chips (9 trays of 4) with one link from each GPU; not confirmed",
)  # fmt: skip
