"""Frontier: a node of four MI250X, and a cabinet of them as one Slingshot dragonfly group.

Wiring of the node: AMD RCCL, src/graph/rome_models.cc, the 8-GPU model of Frontier's bus ids
(ROCm/rccl commit 0cbce2a7), and the OLCF Frontier User Guide: package i holds GCDs 2i and 2i + 1;
a NIC hangs on the odd GCD of each package. Wiring of the group: public notes on the Frontier
interconnect and the LUMI user guide: 32 switches in a full mesh, four to a chassis of 16 nodes,
NIC k of a node on switch k of its chassis. Global links leave the group and are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from topology import border
from topology.hardware.media import link_type
from topology.shapes.parts import add_nics
from topology.supernode import Builder, Supernode
from topology.systems.board import connect_listed, wiring_of
from topology.systems.catalogue import build_row, system_builder

_GCDS, _NICS = 8, 4
_CHASSIS, _NODES, _SWITCHES = 8, 16, 4
_NEAR, _PER_CHASSIS = 0.75, 0.234
_INSIDE = wiring_of("0-1:4 2-3:4 4-5:4 6-7:4")
_BETWEEN = wiring_of("0-2:1 0-6:2 1-3:1 1-5:1 2-4:2 3-7:1 4-6:1 5-7:1")
_NODE_SOURCES = (
    "AMD RCCL source, src/graph/rome_models.cc (commit 0cbce2a7), the model at line 524",
    "OLCF Frontier User Guide: host links, and a Slingshot NIC to each MI250X",
    "a NIC hangs on the odd GCD of its package: derived from the bus ids in the RCCL model",
)
_GROUP_SOURCES = (
    *_NODE_SOURCES,
    "estimate: 32 switches in a full mesh, 4 to a chassis of 16 nodes: public notes on the "
    "Frontier interconnect and LUMI user guide, not confirmed at a primary source",
    f"estimate: cables in the cabinet take {_NEAR:g} m and {_PER_CHASSIS:g} m a chassis",
)


@system_builder("frontier-node")
def frontier_node(*, cpus: bool = True, nics: bool = True) -> Supernode:
    """Return a node: 8 GCDs.

    ::

        [0]==4==[1]   [2]==4==[3]   [4]==4==[5]   [6]==4==[7]      packages, 200 GB/s inside

        even GCDs: 0-2, 4-6 one link, 0-6, 2-4 two;  odd GCDs: 1-3, 1-5, 3-7, 5-7 one link

        26 links of 50 GB/s: 350 GB/s to an even GCD, 300 GB/s to an odd one

    Parameters
    ----------
    cpus
        Whether the CPU is there, 36 GB/s each way to every GCD.
    nics
        Whether the four Slingshot NICs are there. Their network is not part of the node, so
        they pass nothing on.
    """
    builder = Builder()
    gcds = _add_nodes(builder, 1, cpus=cpus)
    if nics:
        _add_nics(builder, gcds, forwards=False)
    parameters = {"cpus": cpus, "nics": nics}
    return build_row(builder, "frontier-node", gcds, sources=_NODE_SOURCES, parameters=parameters)


@system_builder("frontier-group")
def frontier_group(chassis: int = _CHASSIS, *, cpus: bool = True) -> Supernode:
    """Return a dragonfly group, one cabinet: 128 nodes, 1,024 GCDs, 32 switches.

    ::

        [s]--[s]--[s]--[s] ...      32 switches of 64 x 25 GB/s, fully meshed:
         |    |    |    |           16 ports down, 31 inside the group, 17 for other groups
        NIC 0 to 3 of 16 nodes      each node has a NIC on each of the 4 switches of its chassis

    Parameters
    ----------
    chassis
        1 to 8, each with 16 nodes and 4 switches.
    cpus
        Whether the CPUs are there.
    """
    border.whole(chassis, "frontier_group: chassis", most=_CHASSIS)
    builder = Builder()
    gcds = _add_nodes(builder, chassis * _NODES, cpus=cpus)
    nics = _add_nics(builder, gcds, forwards=True)
    switches = builder.add_grid(
        "switch", chassis * _SWITCHES,
        kind="switch", tier=2, device="rosetta", rack=0, per={"slot": _SWITCHES},
    )  # fmt: skip
    short = link_type("slingshot-copper").at(_NEAR)
    nodes = _NODES * _NICS
    down = (
        (nic, switches[i // nodes * _SWITCHES + i % _NICS]) for i, nic in enumerate(nics)
    )  # fmt: skip
    builder.connect(down, short)
    for apart in range(chassis):
        kind = short.at(_NEAR + _PER_CHASSIS * apart)
        builder.connect(_pairs_apart(switches, apart), kind)
    variant = "" if chassis == _CHASSIS else f"{chassis}-chassis"
    parameters = {"chassis": chassis, "cpus": cpus}
    return build_row(
        builder, "frontier-group", gcds, variant, sources=_GROUP_SOURCES, parameters=parameters
    )


def _pairs_apart(switches: list[str], apart: int) -> Iterator[tuple[str, str]]:
    """Yield the pairs of switches whose chassis are so far apart."""
    for (i, u), (j, v) in combinations(enumerate(switches), 2):
        if j // _SWITCHES - i // _SWITCHES == apart:
            yield u, v


def _add_nodes(builder: Builder, count: int, *, cpus: bool) -> list[str]:
    """Add the GCDs and CPUs of some nodes, and return the GCDs."""
    gcds = builder.add_grid(
        "gcd", count * _GCDS, kind="npu", tier=0, device="mi250x-gcd", forwards=True, rack=0,
        per={"node": _GCDS}, among={"slot": _GCDS},
    )  # fmt: skip
    for wiring, link in ((_INSIDE, "xgmi2-package"), (_BETWEEN, "xgmi2")):
        connect_listed(builder, gcds, wiring, link, _GCDS)
    if cpus:
        hosts = builder.add_grid(
            "cpu", count, kind="cpu", tier=0, device="trento", rack=0, per={"node": 1}
        )
        builder.connect(((gcd, hosts[i // _GCDS]) for i, gcd in enumerate(gcds)), "xgmi2-host")
    return gcds


def _add_nics(builder: Builder, gcds: list[str], *, forwards: bool) -> list[str]:
    return add_nics(
        builder, gcds[1::2], "cassini", "pcie4-x16", forwards=forwards, rack=0,
        per={"node": _NICS}, among={"plane": _NICS},
    )  # fmt: skip
