"""AMD Instinct MI300X, MI325X and MI355X, 8 to a node: a full mesh of Infinity Fabric links.

Wiring: AMD RCCL's own topology file tools/topo_expl/models/topo_8p_940.xml (ROCm/rccl commit
0cbce2a7): every pair of the 8 GPUs has one link.
"""

from __future__ import annotations

from topology.shapes.parts import LinkLike
from topology.supernode import Supernode
from topology.systems.board import Board, Mesh
from topology.systems.catalogue import system_builder
from topology.systems.rails import Node, build_nodes

_KINDS = {
    gpu: Node(Board(gpu, Mesh(link)), "pcie5-x16", "roce-optical")
    for gpu, link in (("mi300x", "xgmi3"), ("mi325x", "xgmi3"), ("mi355x", "xgmi4"))
}
_SOURCES = ("AMD RCCL source, tools/topo_expl/models/topo_8p_940.xml (commit 0cbce2a7): full mesh",)


@system_builder("mi300x")
def mi300x(
    nodes: int | None = None,
    *,
    gpu: str = "mi300x",
    nic: LinkLike | None = None,
    oversubscription: float = 1.0,
) -> Supernode:
    """Return the node, without NICs, or a cluster of them.

    ::

        8 GPUs, each with a link of 64 GB/s to each of the 7 others: 448 GB/s in all

    The GPUs do not pass on the traffic of others; with a link missing its two GPUs need an
    algorithm that relays.

    Parameters
    ----------
    nodes
        None for the node alone; else how many there are on rails, as in `dgx_h100`.
    gpu
        "mi300x"; "mi325x", which has its links; "mi355x", with links of 76.8 GB/s.
    nic, oversubscription
        As in `dgx_h100`; by default "roce-optical" and 1.
    """
    return build_nodes(
        "mi300x", _KINDS, _SOURCES,
        gpu=gpu, nodes=nodes, nic=nic, oversubscription=oversubscription, nics=nodes is not None,
    )  # fmt: skip
