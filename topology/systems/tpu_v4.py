"""Google TPU v4: any box of 4 x 4 x 4 cubes, up to 4,096 chips, as a 3D torus.

Wiring: Jouppi et al., TPU v4, ISCA 2023, arXiv:2304.01433, §2: 64 cubes of 64 chips, 48 optical
circuit switches (6 faces x 16 links / 2), twisted tori for n x n x 2n and n x 2n x 2n.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.sizes import Box
from topology.systems.tpu import Generation, build_slice

_SOURCES = (
    "Jouppi et al., TPU v4, ISCA 2023, arXiv:2304.01433, §2, as given in readings of the paper",
    "Google Cloud TPU v4 documentation: slice shapes, twisted tori",
)
_GENERATION = Generation(
    "tpu-v4", "tpu-v4", "ici-v4-copper", "ici-v4-optical", (16, 16, 16), _SOURCES
)


def tpu_v4(shape: Box | None = None, *, twisted: bool = False) -> Supernode:
    r"""Return a slice.

    ::

        [cube]~~[cube]~~  +-x, +-y, +-z       ~ fibre through a circuit switch
          ~       ~                           a cube is 4 x 4 x 4 chips on copper
        [cube]~~[cube]~~

        every chip has 6 links of 50 GB/s, 300 GB/s in all; of 3 links to a chip, 1/4 are fibre

    Parameters
    ----------
    shape
        Three widths, all multiples of 4, such as (4, 4, 8) or "4x4x8";
        by default the whole pod, (16, 16, 16). A part of one cube, 1, 2 or 4 wide each, is
        a mesh without wrap-around.
    twisted
        Whether the wrap-around of the short dimensions shifts the long ones, for n x n x 2n and
        n x 2n x 2n: all links are then loaded alike by all-to-all, and distances are shorter.

    Raises
    ------
    GraphError
        If there is no such slice.
    """
    return build_slice(_GENERATION, shape, twisted=twisted)
