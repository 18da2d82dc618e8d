"""Huawei CloudMatrix384: 384 Ascend 910C NPUs on a two-tier optical fabric.

Wiring: *Serving Large Language Models on Huawei CloudMatrix384*, arXiv:2506.12708v2, §3.3.
A node has 8 NPUs (two dies each), 4 CPUs and 7 L1 switch chips; chip k belongs to sub-plane k,
and sub-planes never meet inside the network. Every sub-plane has its own L2 chips of 48 ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from math import ceil

from topology import border
from topology.shapes.tree import spread
from topology.supernode import Builder, Supernode
from topology.systems.catalogue import build_row, system_builder

_PLANES = 7
_UPLINKS = 16
_L2_PORTS = 48
_MOST_NODES = 48
_NPUS, _CPUS = 8, 4
_NODES_PER_RACK = 4
_COMMUNICATION_RACKS = 4
_RANKS = ("npu", "die")
_SOURCES = (
    "Serving Large Language Models on Huawei CloudMatrix384, arXiv:2506.12708v2, §3.3, Fig. 5, "
    "Table 11",
    "one UB link from each die to each L1 chip of its node, and the equal CPU fan-out: derived",
)


@system_builder("cloudmatrix384")
def cloudmatrix384(
    nodes: int = 48, *, ranks: str = "npu", cpus: bool = True, scale_out: bool = False
) -> Supernode:
    """Return the supernode with 48 nodes, or a smaller one of the same kind.

    ::

        L2 chips, 16 to a plane     [0] [1] ... [15]       x 7 planes (48 ports of 28 GB/s)
                                     |   |       |         optical, 28 GB/s each
        L1 chips, 7 to a node       [plane 0] ... [plane 6]
                                     |  copper, 56 GB/s to an NPU, 22.9 GB/s to a CPU
        8 NPUs and 4 CPUs            o o o o o o o o  x x x x

    Parameters
    ----------
    nodes
        1 to 48. The L2 chips follow: two for every 6 nodes in each plane, as in Table 11 of the
        paper (a logical switch there is two chips). See `l2_wiring` for the links.
    ranks
        "npu" for 8 ranks a node, or "die" for 16, with 270 GB/s between the dies of a package.
    cpus
        Whether the Kunpeng CPUs are on the UB plane too.
    scale_out
        Whether to add the RDMA plane: 400 Gbps per NPU, two switch tiers without
        oversubscription (the wiring is derived from the optics count).

    Raises
    ------
    GraphError
        If nodes is not a whole number from 1 to 48, or ranks is neither "npu" nor "die".
    """
    nodes = border.whole(nodes, "cloudmatrix384: nodes", most=_MOST_NODES)
    border.choice(ranks, "cloudmatrix384: ranks", _RANKS)
    builder = Builder()
    npus = _add_npus(builder, nodes, dies=ranks == "die")
    _add_planes(builder, nodes, npus, cpus=cpus, lanes=1 if ranks == "die" else 2)
    if ranks == "die":
        builder.connect(zip(npus[0::2], npus[1::2], strict=True), "die-to-die")
    if scale_out:
        _add_rdma(builder, npus)
    parameters = {"nodes": nodes, "ranks": ranks, "cpus": cpus, "scale_out": scale_out}
    variant = "" if nodes == _MOST_NODES else f"{nodes}-nodes"
    return build_row(
        builder, "cloudmatrix384", npus, variant, sources=_SOURCES, parameters=parameters
    )


def _add_npus(builder: Builder, nodes: int, *, dies: bool) -> list[str]:
    each = _NPUS * (2 if dies else 1)
    return builder.add_grid(
        "die" if dies else "npu", nodes * each,
        kind="npu", tier=0, device="ascend910c-die" if dies else "ascend910c",
        per={"node": each, "rack": each * _NODES_PER_RACK}, among={"slot": each},
    )  # fmt: skip


def _add_planes(builder: Builder, nodes: int, npus: list[str], *, cpus: bool, lanes: int) -> None:
    builder.add_grid(
        "l1", nodes, _PLANES, kind="switch", tier=1, device="ub-switch-l1",
        per={"node": _PLANES, "rack": _PLANES * _NODES_PER_RACK}, among={"plane": _PLANES},
    )  # fmt: skip
    each = len(npus) // nodes
    down = [(npu, f"l1/{i // each}/{k}") for i, npu in enumerate(npus) for k in range(_PLANES)]
    builder.connect(down, "ub-copper", lanes=lanes)
    if cpus:
        _add_cpus(builder, nodes)
    _add_l2(builder, nodes)


def _add_cpus(builder: Builder, nodes: int) -> None:
    names = builder.add_grid(
        "cpu", nodes * _CPUS, kind="cpu", tier=0, device="kunpeng920",
        per={"node": _CPUS, "rack": _CPUS * _NODES_PER_RACK},
    )  # fmt: skip
    up = [(cpu, f"l1/{i // _CPUS}/{k}") for i, cpu in enumerate(names) for k in range(_PLANES)]
    builder.connect(up, "ub-cpu")


def _add_l2(builder: Builder, nodes: int) -> None:
    chips = l2_chips(nodes)
    first = ceil(nodes / _NODES_PER_RACK)
    racks = [first + j * _COMMUNICATION_RACKS // chips for j in range(chips)]
    builder.add_grid(
        "l2", _PLANES, chips, kind="switch", tier=2, device="ub-switch-l2",
        rack=racks * _PLANES, per={"plane": chips},
    )  # fmt: skip
    wiring = list(l2_wiring(nodes))
    for k in range(_PLANES):
        ends = [(f"l1/{n}/{k}", f"l2/{k}/{j}") for n, j, _ in wiring]
        builder.connect(ends, "ub-optical", lanes=[lanes for _, _, lanes in wiring])


def l2_chips(nodes: int) -> int:
    """Return the L2 chips in each sub-plane: two (a logical switch) for every 6 nodes.

    The uplinks of a plane, 16 a node, fill the 96 ports of a logical switch: Table 11 of the
    paper has 56 logical switches for 48 and 44 nodes, 42 for 36 and 32, and 28 for 24.
    """
    return 2 * ceil(_UPLINKS * nodes / (2 * _L2_PORTS))


def l2_wiring(nodes: int) -> Iterator[tuple[int, int, int]]:
    """Yield (node, L2 chip, lanes) for one sub-plane: 16 uplinks over the chips of `l2_chips`.

    Where the chips divide 16, every node has the same number of lanes to every chip. Where they
    do not (6, 10, 12, 14 chips), giving some chips more lanes than others would overload the
    thin ones: traffic that a node sends up two lanes comes down one. So a node has equal lanes
    to some chips and none to the rest, and which chips it leaves out follows a balanced
    incomplete block design: any two nodes with different chips have equally many in common.
    With equal shares of nodes per block, uniform traffic then loads every link the same.
    """
    chips = l2_chips(nodes)
    blocks = _blocks(chips)
    for n in range(nodes):
        block = blocks[n % len(blocks)]
        for j in block:
            yield n, j, _UPLINKS // len(block)


def _blocks(chips: int) -> list[list[int]]:
    """Return which chips the nodes use in turn: the blocks of a design over groups of chips."""
    if _UPLINKS % chips == 0:
        return [list(range(chips))]
    groups, used = {6: (3, 2), 10: (5, 4), 12: (3, 2), 14: (7, 4)}[chips]
    size = chips // groups
    if groups == _PLANES:  # the complements of the lines of the Fano plane
        lines = [{(i + d) % groups for d in (0, 1, 3)} for i in range(groups)]
        chosen = [[g for g in range(groups) if g not in line] for line in lines]
    else:
        chosen = [list(block) for block in combinations(range(groups), used)]
    return [[g * size + j for g in block for j in range(size)] for block in chosen]


def _add_rdma(builder: Builder, npus: list[str]) -> None:
    """Add the RoCE plane: a NIC per NPU, leaves of 32 down and 32 up, spines of 64 ports."""
    ports, switch = 64, "roce-switch-400g"
    owners = npus if npus[0].startswith("npu/") else npus[0::2]
    per_leaf = ports // 2
    nics = builder.add_grid(
        "nic", len(owners), kind="nic", tier=1, device="rdma-nic-910c", forwards=True,
        per={"node": _NPUS, "rack": _NPUS * _NODES_PER_RACK},
    )  # fmt: skip
    leaves = ceil(len(owners) / per_leaf)
    leaf = builder.add_grid("leaf", leaves, kind="switch", tier=2, device=switch)
    if owners is npus:
        builder.connect(zip(owners, nics, strict=True), "roce-internal")
    else:  # each die has 200 Gbps of its own
        for offset in (0, 1):
            builder.connect(zip(npus[offset::2], nics, strict=True), "roce-internal-die")
    builder.connect(((nic, leaf[i // per_leaf]) for i, nic in enumerate(nics)), "roce-optical")
    lanes = spread(per_leaf, ports // leaves)
    spine = builder.add_grid("spine", per_leaf // lanes, kind="switch", tier=3, device=switch)
    builder.connect(product(leaf, spine), "roce-optical", lanes=lanes)
