"""AWS Trainium2: an instance of 16 chips, and an UltraServer of four instances.

Wiring: AWS Neuron documentation, Trn2 architecture: the 16 chips of an instance are a 4 x 4 torus,
and chips with the same place in the four instances of an UltraServer form a ring. AWS prints 1,024
and 256 GB/s a chip without a direction; here they are both directions together.
"""

from __future__ import annotations

import numpy as np

from topology.placement import Floor, Place
from topology.shapes.parts import coordinates, pairs
from topology.supernode import Builder, Supernode
from topology.systems.cabling import assumed, connect_placed
from topology.systems.catalogue import build_row, system_builder

_SIDE = 4
_CHIPS = _SIDE * _SIDE
_INSTANCES, _PER_RACK = 4, 2
_FLOOR = Floor()
_UNITS = 20
_SOURCES = (
    "AWS Neuron documentation, Trn2 architecture: 4 x 4 torus, rings between instances",
    "estimate: NeuronLink rates are taken as both directions together, which AWS does not say",
)


@system_builder("trainium2")
def trainium2() -> Supernode:
    """Return an instance, trn2.48xlarge.

    ::

        o--o--o--o--      a 4 x 4 torus, links of 128 GB/s each way:
        |  |  |  |        16 chips, 32 links, 512 GB/s to a chip
        o--o--o--o--
        :  :  :  :

    The chips pass on the traffic of others.
    """
    builder = Builder()
    chips = _add_instances(builder, 1)
    return build_row(builder, "trainium2", chips, sources=_SOURCES)


@system_builder("trainium2-ultraserver")
def trainium2_ultraserver() -> Supernode:
    """Return an UltraServer: four instances in two racks.

    ::

        [instance 0]==[instance 1]      = 16 links of 64 GB/s each way, one to each pair of
            ||            ||              chips with the same place in their instance
        [instance 3]==[instance 2]        64 chips, 640 GB/s to a chip

    A torus of 4 x 4 x 4 whose first dimension has half the rate. The chips pass on the traffic
    of others.
    """
    builder = Builder()
    chips = _add_instances(builder, _INSTANCES)
    places = {
        chip: Place(i // _CHIPS // _PER_RACK, i // _CHIPS % _PER_RACK * _UNITS)
        for i, chip in enumerate(chips)
    }
    grid = np.arange(len(chips)).reshape(_INSTANCES, _CHIPS)
    ring = pairs(chips, grid, chips, np.roll(grid, -1, axis=0))
    connect_placed(builder, ring, places, ["neuronlink3-ring"], _FLOOR)
    sources = (*_SOURCES, "estimate: two instances to a rack", assumed(_FLOOR))
    return build_row(builder, "trainium2-ultraserver", chips, sources=sources)


def _add_instances(builder: Builder, count: int) -> list[str]:
    """Add instances with their torus, and return the chips."""
    total = count * _CHIPS
    dims = (_SIDE, _SIDE) if count == 1 else (count, _SIDE, _SIDE)
    chips = builder.add_grid(
        "npu", total, kind="npu", tier=0, device="trainium2", forwards=True,
        per={"node": _CHIPS, "rack": _CHIPS * _PER_RACK}, among={"slot": _CHIPS},
        coord=coordinates(dims),
    )  # fmt: skip
    grid = np.arange(total).reshape(count, _SIDE, _SIDE)
    for axis in (1, 2):
        ends = pairs(chips, grid, chips, np.roll(grid, -1, axis=axis))
        builder.connect(ends, "neuronlink3")
    return chips
