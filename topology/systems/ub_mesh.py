"""UB-Mesh, the nD full mesh of Huawei's paper: a rack of 64 NPUs and a pod of 16 racks.

Wiring: Liao et al., UB-Mesh: a Hierarchically Localized nD-FullMesh Datacenter Network
Architecture, arXiv:2503.20377v3, §3: 8 x 8 NPUs in a 2D full mesh to a rack, 4 x 4 racks in a 2D
full mesh to a pod, UB x128 from rack to rack, x256 of a rack left for the tier above. The abstract
was read itself, the lane counts in readings of the paper; x4 between NPUs and x16 out of the rack
are arithmetic that closes: 7 x4 + 7 x4 + x16 = x72, and 64 x16 = x1024 = 6 x128 + x256.
"""

from __future__ import annotations

from itertools import combinations

from topology.errors import GraphError
from topology.placement import Floor
from topology.shapes.parts import by_x
from topology.supernode import Builder, Supernode
from topology.systems.cabling import assumed, connect_placed
from topology.systems.catalogue import build_row, system_builder
from topology.systems.sizes import Box, box
from topology.systems.ub_rack import NOTE, Rack, add_racks, backplane_places

_RACK = Rack(8, 8, 4, "ub-mesh-npu", "ub-backplane", "ub-x4-board", "ub-x4-passive")
_BETWEEN = ("ub-x4-passive", "ub-x4-active", "ub-x4-optical")
_LANES = 8  # x32 of each backplane to each of its peers: x128 from rack to rack
_MOST_PEERS = 8
_FLOOR = Floor(racks_per_row=8)
_SOURCES = (
    "Liao et al., UB-Mesh, arXiv:2503.20377v3, abstract, and §3 as given in readings of the paper",
    "estimate: x4 from NPU to NPU and x16 out of the rack, x4 to each backplane: arithmetic",
    *NOTE,
)


@system_builder("ub-mesh-rack")
def ub_mesh_rack() -> Supernode:
    """Return a rack, without its backup NPU and its CPUs.

    ::

        4 backplanes         [0]  [1]  [2]  [3]      a port of 56 GB/s (UB x4) from each NPU to each
        8 boards of 8 NPUs    o--o--o ... o          each board is a full mesh,
                              o--o--o ... o          and so is each column;
                              :  :  :     :          1,008 GB/s to an NPU

    The NPUs pass on the traffic of others. The ways out of the rack are not connected.
    """
    builder = Builder()
    npus = add_racks(builder, _RACK, 1)
    return build_row(builder, "ub-mesh-rack", npus, sources=_SOURCES)


@system_builder("ub-mesh-pod")
def ub_mesh_pod(racks: Box = (4, 4)) -> Supernode:
    """Return racks in a 2D full mesh: a 4D full mesh of NPUs in all.

    ::

        [rack]==[rack]==[rack]==[rack]      == UB x128: 8 links of 56 GB/s from each backplane
          ||      ||      ||      ||        to the same one of each rack in its row and column

    Parameters
    ----------
    racks
        Rows and columns, as (4, 4) or "4x4"; a rack has ports for 8 others, and 6 of them are
        used in the paper's pod. The rest, x256 of a rack, is for the tier above.

    Raises
    ------
    GraphError
        If it is not two widths, or a rack would have more than 8 peers.
    """
    dims = box("ub_mesh_pod", "racks", racks)
    if len(dims) != 2 or sum(dims) - 2 > _MOST_PEERS:
        raise GraphError(
            f"ub_mesh_pod: racks is {by_x(dims)}; it must be rows and columns, such as (4, 4), "
            f"with at most {_MOST_PEERS} other racks in a row and column together"
        )
    count = dims[0] * dims[1]
    builder = Builder()
    npus = add_racks(builder, _RACK, count)
    ends = [
        (f"backplane/{a}/{plane}", f"backplane/{b}/{plane}")
        for a, b in _peers(dims)
        for plane in range(_RACK.backplanes)
    ]
    connect_placed(builder, ends, backplane_places(_RACK, count), _BETWEEN, _FLOOR, lanes=_LANES)
    variant = "" if dims == (4, 4) else by_x(dims)
    about = {"sources": (*_SOURCES, assumed(_FLOOR)), "parameters": {"racks": dims}}
    return build_row(builder, "ub-mesh-pod", npus, variant, **about)


def _peers(dims: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return pairs of racks in one row or one column; rack r is in row r // columns."""
    columns = dims[1]
    every = combinations(range(dims[0] * columns), 2)
    return [(a, b) for a, b in every if a // columns == b // columns or a % columns == b % columns]
