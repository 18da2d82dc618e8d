"""Lay down what the NVL72 racks have in common: GPUs in trays on one tier of switch chips."""

from __future__ import annotations

from dataclasses import dataclass

from topology.supernode import Builder, Supernode

TRAYS = 18
GPUS, CPUS = 4, 2
SWITCH_TRAYS = 9
TOTAL = TRAYS * GPUS


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


GB200 = Parts("b200", "nvswitch4", 18, "nvlink5", "grace", "c2c", "connectx7", "pcie5-x16")


def single_rack(
    name: str, parts: Parts, sources: tuple[str, ...], *, cpus: bool, nics: bool
) -> Supernode:
    """Return one rack; the NICs' network is not part of it, so they pass nothing on."""
    builder = Builder()
    gpus = add_racks(builder, parts)
    if cpus:
        add_cpus(builder, parts, gpus)
    if nics:
        add_nics(builder, parts, gpus, forwards=False)
    return builder.build(name, gpus, sources=sources, parameters={"cpus": cpus, "nics": nics})


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
    gpus = builder.add_nodes(
        (f"npu/{i}" for i in range(count * TOTAL)),
        kind="npu", tier=0, device=parts.gpu, node=[i // GPUS for i in range(count * TOTAL)],
        rack=[i // TOTAL for i in range(count * TOTAL)],
        slot=[i % GPUS for i in range(count * TOTAL)],
    )  # fmt: skip
    for rack in range(count):
        prefix = "nvswitch" if racks is None else f"nvswitch/{rack}"
        chips = builder.add_nodes(
            (f"{prefix}/{j}" for j in range(parts.chips)),
            kind="switch", tier=1, device=parts.chip, plane=range(parts.chips), rack=rack,
            slot=[j * SWITCH_TRAYS // parts.chips for j in range(parts.chips)],
        )  # fmt: skip
        mine = gpus[rack * TOTAL : (rack + 1) * TOTAL]
        builder.connect(((gpu, chip) for gpu in mine for chip in chips), parts.nvlink)
    return gpus


def add_cpus(builder: Builder, parts: Parts, gpus: list[str]) -> None:
    """Add a CPU for every two GPUs."""
    each = GPUS // CPUS
    count = len(gpus) // each
    cpus = builder.add_nodes(
        (f"cpu/{i}" for i in range(count)),
        kind="cpu", tier=0, device=parts.cpu, node=[i // CPUS for i in range(count)],
        rack=[i * each // TOTAL for i in range(count)],
    )  # fmt: skip
    builder.connect(((gpu, cpus[i // each]) for i, gpu in enumerate(gpus)), parts.c2c)


def add_nics(builder: Builder, parts: Parts, gpus: list[str], *, forwards: bool) -> list[str]:
    """Add a NIC for every GPU, and return them."""
    count = len(gpus)
    nics = builder.add_nodes(
        (f"nic/{i}" for i in range(count)),
        kind="nic", tier=1, device=parts.nic, forwards=forwards,
        node=[i // GPUS for i in range(count)], rack=[i // TOTAL for i in range(count)],
    )  # fmt: skip
    builder.connect(zip(gpus, nics, strict=True), parts.pcie)
    return nics
