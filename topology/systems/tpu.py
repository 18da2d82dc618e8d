"""Google TPU v4, v5p and TPU7x (Ironwood): any box of 4 x 4 x 4 cubes as a 3D torus.

Wiring: Jouppi et al., TPU v4, ISCA 2023, arXiv:2304.01433, §2: 64 cubes of 64 chips, 48 optical
circuit switches (6 faces x 16 links / 2), twisted tori for n x n x 2n and n x 2n x 2n. Google
Cloud's documentation of TPU v5p (a pod of 8,960 chips) and TPU7x (144 cubes) says that they are
much alike.
"""

from __future__ import annotations

from typing import Protocol

from topology.hardware.media import link_type
from topology.shapes.parts import by_x
from topology.supernode import Supernode
from topology.systems.catalogue import from_table
from topology.systems.sizes import Box
from topology.systems.tpu_slice import Generation, build_slice
from topology.units import GB

_CUBES = "Jouppi et al., TPU v4, ISCA 2023, arXiv:2304.01433, §2"


class SliceBuilder(Protocol):
    """What builds a slice of a pod."""

    def __call__(self, shape: Box | None = None, *, twisted: bool = False) -> Supernode:
        """Return the slice."""


def _slices(
    name: str, links: tuple[str, str], largest: tuple[int, int, int], *sources: str
) -> SliceBuilder:
    """Return the builder of a generation's slices that is known by name."""
    generation = Generation(name, *links, largest, sources)

    def pod(shape: Box | None = None, *, twisted: bool = False) -> Supernode:
        """Return a slice.

        ::

            [cube]~~[cube]~~  +-x, +-y, +-z       ~ fibre through a circuit switch
              ~       ~                           a cube is 4 x 4 x 4 chips on copper
            [cube]~~[cube]~~

            every chip has 6 links of {rate:g} GB/s, {all:g} GB/s in all; of 3 links to a chip,
            1/4 are fibre

        Parameters
        ----------
        shape
            Three widths, all multiples of 4, such as (4, 4, 8) or "4x4x8"; by default the largest
            slice, {largest}. A part of one cube, 1, 2 or 4 wide each, is a mesh without
            wrap-around.
        twisted
            Whether the wrap-around of the short dimensions shifts the long ones, for n x n x 2n
            and n x 2n x 2n: all links are then loaded alike by all-to-all, and distances are
            shorter.

        Raises
        ------
        GraphError
            If there is no such slice.
        """
        return build_slice(generation, shape, twisted=twisted)

    rate = link_type(links[0]).capacity / GB
    return from_table(name, pod, rate=rate, all=6 * rate, largest=by_x(largest))


tpu_v4 = _slices(
    "tpu-v4", ("ici-v4-copper", "ici-v4-optical"), (16, 16, 16),
    f"{_CUBES}, as given in readings of the paper",
    "Google Cloud TPU v4 documentation: slice shapes, twisted tori",
)  # fmt: skip
tpu_v5p = _slices(
    "tpu-v5p", ("ici-v5p-copper", "ici-v5p-optical"), (16, 16, 24),
    "Google Cloud TPU v5p documentation: slice shapes, 3D torus of cubes, twisted tori",
    f"{_CUBES}: cubes on circuit switches",
)  # fmt: skip
ironwood = _slices(
    "ironwood", ("ici-v7-copper", "ici-v7-optical"), (16, 16, 36),
    "Google Cloud TPU7x documentation: 9,216 chips to a pod, much like TPU v5p",
    "estimate: one slice of 16 x 16 x 36 for the whole pod; the largest was not confirmed",
    f"{_CUBES}: cubes on circuit switches",
)  # fmt: skip
