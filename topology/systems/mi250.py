"""AMD Instinct MI250, 8 packages of two GCDs to a node.

Wiring: AMD RCCL, src/graph/rome_models.cc, model 56, and tools/topo_expl/models/topo_16p1h.xml
(ROCm/rccl commit 0cbce2a7), which agree. Package i holds GCDs 2i and 2i + 1.
"""

from __future__ import annotations

from topology.supernode import Builder, Supernode
from topology.systems.board import add_npus, connect_listed, wiring_of
from topology.systems.catalogue import build_row, system_builder

_INSIDE = wiring_of("0-1:4 2-3:4 4-5:4 6-7:4 8-9:4 10-11:4 12-13:4 14-15:4")
_BETWEEN = wiring_of(
    "0-2:1 0-4:2 1-2:1 1-3:1 1-5:1 2-6:1 3-7:2 4-12:1 5-13:1 5-14:1 6-13:1 6-14:1 7-15:1 "
    "8-10:1 8-12:2 9-10:1 9-11:1 9-13:1 10-14:1 11-15:2"
)
_SOURCES = ("AMD RCCL source, src/graph/rome_models.cc (commit 0cbce2a7), model 56",)


@system_builder("mi250")
def mi250() -> Supernode:
    """Return the node.

    ::

        package: [GCD 2i]==4==[GCD 2i+1]     200 GB/s inside
                  |  |  |      |  |  |       three links of 50 GB/s from each GCD outside

        16 GCDs, 32 + 24 links, 350 GB/s to a GCD

    The GCDs are the ranks. They pass on the traffic of others: Infinity Fabric routes over
    several hops.
    """
    builder = Builder()
    gcds = add_npus(builder, 16, "mi250-gcd", forwards=True, prefix="gcd")
    connect_listed(builder, gcds, _INSIDE, "xgmi2-package", 16)
    connect_listed(builder, gcds, _BETWEEN, "xgmi2", 16)
    return build_row(builder, "mi250", gcds, sources=_SOURCES)
