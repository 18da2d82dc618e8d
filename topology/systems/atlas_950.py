"""Huawei Atlas 950 SuperPoD: 8,192 Ascend 950DT in 128 racks, all-optical between racks.

Published (Eric Xu, keynote at Huawei Connect 2025): 8,192 NPUs, 160 racks of which 32 hold the
interconnect, 2 TB/s a NPU both ways, 16 PB/s in all. How it is wired inside is NOT published: the
racks here are those of Huawei's UB-Mesh paper (arXiv:2503.20377), 8 x 8 NPUs in a 2D full mesh,
and the racks are joined by one tier of its high-radix switches (x512). The numbers close: 128
racks x x1024 = 256 switches x x512, 8 of them to each of the 32 racks.
"""

from __future__ import annotations

from topology.placement import Floor
from topology.supernode import Supernode
from topology.systems.catalogue import system_builder
from topology.systems.ub_rack import Rack, Spine, build_superpod

_RACKS = 128
_RACK = Rack(8, 8, 4, "ascend950", "ub-backplane", "ub-x4-board", "ub-x4-passive")
_SPINE = Spine("hrs", "ub-x4-optical", uplinks=64, ports=128, per_rack=8)
_FLOOR = Floor(racks_per_row=16)
_SOURCES = (
    "Eric Xu, keynote at Huawei Connect 2025: 8,192 NPUs, 160 racks, optical between racks",
    "estimate: the topology is not published; modelled as racks of UB-Mesh (arXiv:2503.20377) "
    "under one tier of x512 switches",
)


@system_builder("atlas-950")
def atlas_950(racks: int = _RACKS) -> Supernode:
    r"""Return the SuperPoD, or a smaller one of the same kind.

    ::

        4 planes of 64 x512 switches   [hrs 0/0] ... [hrs 3/63]    in 32 racks
                                          |    \ /     |           fibre, 56 GB/s each
        4 backplanes to a rack         [0] [1] [2] [3]             x 128 racks
                                        |   |   |   |              copper, 56 GB/s each
        64 NPUs, 8 x 8 full mesh        o---o---o---o              14 links of 56 GB/s

    784 GB/s of an NPU's 1,008 stay in the rack, 224 leave it.

    Parameters
    ----------
    racks
        1 to 128 racks of 64 NPUs; the switches follow, without oversubscription.
    """
    return build_superpod("atlas-950", _RACK, _SPINE, racks, _RACKS, _FLOOR, _SOURCES)
