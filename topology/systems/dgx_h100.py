"""NVIDIA DGX H100 nodes on a rail-optimised InfiniBand leaf and spine: the traditional cluster.

Wiring: Hot Chips 34 (NVLink Network switch) for the 5/4/4/5 links of a GPU to its four
NVSwitches; NVIDIA DGX SuperPOD H100 Reference Architecture RA-11333-001, Table 4, for the
network: NIC i of every node goes to leaf i of its scalable unit of 32 nodes.
"""

from __future__ import annotations

from itertools import product
from math import ceil

from topology import border
from topology.errors import GraphError
from topology.shapes.parts import add_nics
from topology.shapes.tree import shares, spread, uplinks
from topology.supernode import Builder, Supernode
from topology.systems.catalogue import system_builder

_GPUS = 8
_NVLINKS = (5, 4, 4, 5)
_PORTS = 64
_SOURCES = (
    "NVIDIA, The NVLink-Network Switch, Hot Chips 34, 2022-08: 5/4/4/5 links",
    "NVIDIA DGX SuperPOD H100 Reference Architecture RA-11333-001, Table 4",
)


@system_builder("dgx-h100", copies=4)
def dgx_h100(nodes: int = 4, *, oversubscription: float = 1.0) -> Supernode:
    r"""Return a cluster of DGX H100 nodes, 8 GPUs each.

    ::

        spines of 64 x 400G           [0]    ...    [s]
                                       | \  /  |
        leaves, one to a rail      [rail 0] ... [rail 7]     x ceil(nodes / downlinks)
                                       |           |
        NICs, 400G, one to a GPU       n           n         x nodes
        8 GPUs, 4 NVSwitches           o ..5/4/4/5.. o

    Parameters
    ----------
    nodes
        1 or more. One node has no network.
    oversubscription
        Leaf downlinks over leaf uplinks, at least 1. A leaf takes as many nodes as its 64
        ports allow at this ratio (32 at 1:1), and uplinks are rounded up to whole links.

    Raises
    ------
    GraphError
        If nodes is not a positive whole number, oversubscription is below 1, or two tiers of
        64-port switches do not reach (more than 64 leaves).
    """
    nodes = border.whole(nodes, "dgx_h100: nodes")
    ratio = border.number(oversubscription, "dgx_h100: oversubscription", least=1)
    border.afford("dgx_h100", nodes * (_GPUS + len(_NVLINKS)))
    builder = Builder()
    gpus = builder.add_grid(
        "npu", nodes * _GPUS, kind="npu", tier=0, device="h100",
        per={"node": _GPUS}, among={"slot": _GPUS},
    )  # fmt: skip
    chips = len(_NVLINKS)
    builder.add_grid(
        "nvswitch", nodes, chips, kind="switch", tier=1, device="nvswitch3",
        per={"node": chips}, among={"plane": chips},
    )  # fmt: skip
    for j, lanes in enumerate(_NVLINKS):
        ends = ((gpu, f"nvswitch/{i // _GPUS}/{j}") for i, gpu in enumerate(gpus))
        builder.connect(ends, "nvlink4", lanes=lanes)
    if nodes > 1:
        _add_rails(builder, nodes, gpus, ratio)
    return builder.build(
        f"dgx-h100-{nodes}-nodes" if nodes > 1 else "dgx-h100",
        gpus,
        sources=_SOURCES,
        parameters={"nodes": nodes, "oversubscription": oversubscription},
        row="dgx-h100",
        copies=nodes,
    )


def _add_rails(builder: Builder, nodes: int, gpus: list[str], ratio: float) -> None:
    down = min(nodes, shares(_PORTS, ratio)[0])
    units = ceil(nodes / down)
    if units * _GPUS > _PORTS:
        most = down * (_PORTS // _GPUS)
        raise GraphError(
            f"dgx_h100: nodes is {nodes}; two tiers of 64-port switches reach {most} nodes at "
            f"{ratio:g}:1; a larger cluster needs a third tier"
        )
    nics = add_nics(
        builder, gpus, "connectx7", "pcie5-x16", forwards=True,
        per={"node": _GPUS}, among={"plane": _GPUS},
    )  # fmt: skip
    leaf = builder.add_grid(
        "leaf", units, _GPUS, kind="switch", tier=2, device="quantum2", among={"plane": _GPUS}
    )
    above = (leaf[i // _GPUS // down * _GPUS + i % _GPUS] for i in range(len(nics)))
    builder.connect(zip(nics, above, strict=True), "ndr-optical")
    up = uplinks(down, ratio)
    lanes = spread(up, _PORTS // len(leaf))
    spine = builder.add_grid("spine", up // lanes, kind="switch", tier=3, device="quantum2")
    builder.connect(product(leaf, spine), "ndr-optical", lanes=lanes)
