"""Google TPU7x (Ironwood): any box of 4 x 4 x 4 cubes, up to 9,216 chips, as a 3D torus.

Wiring: Google Cloud TPU7x documentation, which says that it is much like TPU v5p: 144 cubes of
64 chips. That all of a pod can be one slice of 16 x 16 x 36 was not confirmed.
"""

from __future__ import annotations

from topology.supernode import Supernode
from topology.systems.sizes import Box
from topology.systems.tpu import Generation, build_slice

_SOURCES = (
    "Google Cloud TPU7x documentation: 9,216 chips to a pod, much like TPU v5p",
    "estimate: one slice of 16 x 16 x 36 for the whole pod; the largest was not confirmed",
    "Jouppi et al., TPU v4, ISCA 2023, arXiv:2304.01433, §2: cubes on circuit switches",
)
_GENERATION = Generation(
    "ironwood", "ironwood", "ici-v7-copper", "ici-v7-optical", (16, 16, 36), _SOURCES
)


def ironwood(shape: Box | None = None, *, twisted: bool = False) -> Supernode:
    r"""Return a slice.

    ::

        [cube]~~[cube]~~  +-x, +-y, +-z       ~ fibre through a circuit switch
          ~       ~                           a cube is 4 x 4 x 4 chips on copper
        [cube]~~[cube]~~

        every chip has 6 links of 100 GB/s, 600 GB/s in all; of 3 links to a chip, 1/4 are fibre

    Parameters
    ----------
    shape
        Three widths, all multiples of 4, such as (4, 4, 8) or "4x4x8";
        by default the whole pod, (16, 16, 36). A part of one cube, 1, 2 or 4 wide each, is
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
