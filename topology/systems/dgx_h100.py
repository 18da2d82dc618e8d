"""NVIDIA DGX H100 nodes on a rail-optimised InfiniBand leaf and spine: the traditional cluster.

Wiring: Hot Chips 34 (NVLink Network switch) for the 5/4/4/5 links of a GPU to its four
NVSwitches; NVIDIA DGX SuperPOD H100 Reference Architecture RA-11333-001, Table 4, for the
network: NIC i of every node goes to leaf i of its scalable unit of 32 nodes.
"""

from __future__ import annotations

from dataclasses import replace

from topology import border
from topology.shapes.parts import LinkLike
from topology.supernode import Supernode
from topology.systems.board import Board, Chips
from topology.systems.catalogue import system_builder
from topology.systems.rails import RAILS, Node, build_nodes

_H100 = Node(Board("h100", Chips("nvswitch3", "nvlink4", (5, 4, 4, 5))), "pcie5-x16", "ndr-optical")
_KINDS = {
    "h100": _H100,
    "h200": replace(_H100, board=Board("h200", _H100.board.inside)),
    "h800": replace(
        _H100,
        board=Board("h800", Chips("nvswitch3", "nvlink4", (2, 2, 2, 2))),
        sources=("two links from each H800 to each chip: derived, 8 / 4",),
    ),
    "h20": replace(_H100, board=Board("h20", _H100.board.inside)),
}
_SOURCES = (
    "NVIDIA, The NVLink-Network Switch, Hot Chips 34, 2022-08: 5/4/4/5 links",
    RAILS,
)


@system_builder("dgx-h100", copies=4)
def dgx_h100(
    nodes: int = 4,
    *,
    gpu: str = "h100",
    nic: LinkLike | None = None,
    oversubscription: float = 1.0,
    sharp: bool = False,
) -> Supernode:
    r"""Return a cluster of DGX H100 nodes, 8 GPUs each, or of the like with H200, H800 or H20.

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
    gpu
        "h100"; "h200" and "h20", which have its NVLinks; "h800", two to each NVSwitch.
    nic
        What leaves the node for each GPU, and joins the switches: a link type of media.csv, such
        as "hdr-optical" or "roce-optical", or a rate such as "200 Gbps", which is that of a part
        of a NIC where GPUs share one, or of several together. By default "ndr-optical".
    oversubscription
        Leaf downlinks over leaf uplinks, at least 1. A leaf takes as many nodes as its 64
        ports allow at this ratio (32 at 1:1), and uplinks are rounded up to whole links.
    sharp
        Whether the network's switches add up and copy what passes, as InfiniBand's with SHARP.

    Raises
    ------
    GraphError
        If nodes is not a positive whole number, oversubscription is below 1, a name or rate is
        not known, or two tiers of 64-port switches do not reach (more than 64 leaves).
    """
    return build_nodes(
        "dgx-h100", _KINDS, _SOURCES,
        gpu=gpu, nodes=border.whole(nodes, "dgx_h100: nodes"), nic=nic,
        oversubscription=oversubscription, sharp=sharp,
    )  # fmt: skip
