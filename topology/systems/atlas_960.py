"""Huawei Atlas 960 SuperPoD: 15,488 Ascend 960 in 220 racks, all-optical between racks.

Published (Eric Xu, keynote at Huawei Connect 2025): 15,488 NPUs, 220 racks, 34 PB/s in all, so 1.1
TB/s a NPU in one direction. How it is wired inside is NOT published, and nothing is on ports or
lanes: the model takes over that of the Atlas 950, with 176 racks of 88 NPUs on 11 boards (176 x 88
= 15,488), 22 ports of 50 GB/s to an NPU, five backplanes to a rack, and 440 switches in 44 racks.
"""

from __future__ import annotations

from topology.placement import Floor
from topology.supernode import Supernode
from topology.systems.catalogue import system_builder
from topology.systems.ub_rack import Rack, Spine, build_superpod

_RACKS = 176
_RACK = Rack(11, 8, 5, "ascend960", "ub-backplane-960", "ub960-board", "ub960-passive")
_SPINE = Spine("hrs-960", "ub960-optical", uplinks=88, ports=176, per_rack=10)
_FLOOR = Floor(racks_per_row=20)
_SOURCES = (
    "Eric Xu, keynote at Huawei Connect 2025: 15,488 NPUs, 220 racks, 34 PB/s",
    "estimate: the topology is not published; modelled as the Atlas 950 is, with 176 racks of 88 "
    "NPUs, 22 ports of 50 GB/s to an NPU, 17 of them inside the rack",
)


@system_builder("atlas-960")
def atlas_960(racks: int = _RACKS) -> Supernode:
    r"""Return the SuperPoD, or a smaller one of the same kind.

    ::

        5 planes of 88 switches        [hrs 0/0] ... [hrs 4/87]    in 44 racks
                                          |    \ /     |           fibre, 50 GB/s each
        5 backplanes to a rack         [0] [1] [2] [3] [4]         x 176 racks
                                        |   |   |   |   |          copper, 50 GB/s each
        88 NPUs, 11 x 8 full mesh       o---o---o---o---o          17 links of 50 GB/s

    850 GB/s of an NPU's 1,100 stay in the rack, 250 leave it.

    Parameters
    ----------
    racks
        1 to 176 racks of 88 NPUs; the switches follow, without oversubscription.
    """
    return build_superpod("atlas-960", _RACK, _SPINE, racks, _RACKS, _FLOOR, _SOURCES)
