"""Lines, rings, meshes and tori of any number of dimensions, and hypercubes.

The NPUs are the vertices and forward; ``coord`` holds a vertex's place, and ranks run with the
last dimension fastest. A torus of k_1 x ... x k_D has N = k_1 ... k_D vertices; a dimension of
width k has N links, or N/2 if k = 2 (both ways round are the same cable), or none if k = 1; a
mesh has N (k - 1) / k. See Dally and Towles, Principles and Practices of Interconnection
Networks, 2004, chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from topology import border
from topology.errors import GraphError, shown
from topology.fabric import IntArray
from topology.shapes.parts import Dims, LinkLike, Steps, by_x, coordinates, dimensions, graph_of
from topology.shapes.registry import shape
from topology.supernode import Supernode

_STRAIGHT: Mapping[tuple[int, int], int] = MappingProxyType({})


@shape
def line(npus: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    """Return NPUs in a row.

    ::

        o---o---o---o

    N vertices, N - 1 links, diameter N - 1.

    Parameters
    ----------
    npus
        1 or more.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links between neighbours.
    """
    size = dimensions("line", border.whole(npus, "line: npus"))
    return _lattice("line", size, lattice_steps(size, wrap=False), link, lanes, npus=size[0])


@shape
def ring(npus: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return NPUs in a circle.

    ::

        o---o---o---o
         \_________/

    N vertices, N links (1 if N = 2), diameter floor(N / 2).

    Parameters
    ----------
    npus
        1 or more.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links between neighbours.
    """
    size = dimensions("ring", border.whole(npus, "ring: npus"))
    return _lattice("ring", size, lattice_steps(size, wrap=True), link, lanes, npus=size[0])


@shape
def mesh(
    dims: Dims, *, link: LinkLike | Sequence[LinkLike], lanes: int | Sequence[int] = 1
) -> Supernode:
    """Return a grid without wrap-around.

    ::

        o---o---o
        |   |   |
        o---o---o

    N = k_1 ... k_D vertices, sum N (k_i - 1) / k_i links, diameter sum (k_i - 1).

    Parameters
    ----------
    dims
        The widths, such as ``(4, 4)``; each 1 or more.
    link
        A link type for all dimensions (catalogue name, bytes/s per lane, or `LinkType`), or a
        list with one for each.
    lanes
        Parallel links between neighbours, for all dimensions or for each.
    """
    size = dimensions("mesh", dims)
    return _lattice("mesh", size, lattice_steps(size, wrap=False), link, lanes)


@shape
def torus(
    dims: Dims, *, link: LinkLike | Sequence[LinkLike], lanes: int | Sequence[int] = 1
) -> Supernode:
    r"""Return a grid with wrap-around.

    ::

        o---o---o--        every row and column is a ring; a ring of 2 is one link,
        |   |   |          a ring of 1 none
        o---o---o--
        |   |   |

    N = k_1 ... k_D vertices; N links a dimension (N / 2 if its width is 2, none if 1);
    diameter sum floor(k_i / 2); vertex-transitive.

    Parameters
    ----------
    dims
        The widths, such as ``(4, 4, 8)``; each 1 or more.
    link
        A link type for all dimensions (catalogue name, bytes/s per lane, or `LinkType`), or a
        list with one for each.
    lanes
        Parallel links between neighbours, for all dimensions or for each.
    """
    size = dimensions("torus", dims)
    return _lattice("torus", size, lattice_steps(size, wrap=True), link, lanes)


@shape
def hypercube(dimension: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return a binary cube: NPUs whose numbers differ in one bit are neighbours.

    ::

          o-----o
         /|    /|
        o-----o |        2**n vertices, n 2**(n-1) links, diameter n;
        | o---|-o        bipartite, vertex-transitive
        |/    |/
        o-----o

    Parameters
    ----------
    dimension
        n, 1 or more.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links between neighbours.
    """
    n = border.whole(dimension, "hypercube: dimension", most=24)
    size = dimensions("hypercube", (2,) * n)
    steps = lattice_steps(size, wrap=True)
    called = {"dimension": n}
    return graph_of(
        "hypercube", 2**n, steps, link, lanes, called, size=str(n), coord=coordinates(size)
    )


@shape
def twisted_torus(
    dims: Dims,
    twists: Mapping[tuple[int, int], int],
    *,
    link: LinkLike | Sequence[LinkLike],
    lanes: int | Sequence[int] = 1,
) -> Supernode:
    r"""Return a torus whose wrap-around links shift another coordinate.

    ::

        twists={(0, 1): 2}: going round dimension 0 shifts dimension 1 by 2

        o---o---o---o      the last row's link leads not to the head of its own
        |   |   |   |      column, but to that of the column 2 further on
        2   3   0   1

    N vertices and as many links as the torus; vertex-transitive. k x 2k with a shift of k is
    symmetric in its two dimensions and its diameter is k (Camara et al., Twisted Torus
    Topologies for Enhanced Interconnection Networks, IEEE TPDS 21(12), 2010).

    Parameters
    ----------
    dims
        The widths; a twisted dimension needs 3 or more, or its two ways round are one cable.
    twists
        {(i, j): shift}: the wrap-around of dimension i adds ``shift`` to coordinate j. A
        dimension that is twisted is not shifted by another.
    link, lanes
        As in `torus`.

    Raises
    ------
    GraphError
        If a dimension is not there, twists itself, is both twisted and shifted, or is
        twisted and narrower than 3.
    """
    size = dimensions("twisted_torus", dims)
    shifts = _checked_twists(size, twists)
    steps = lattice_steps(size, wrap=True, twists=shifts)
    return _lattice("twisted_torus", size, steps, link, lanes, dims=size, twists=shifts)


def _checked_twists(
    dims: tuple[int, ...], twists: Mapping[tuple[int, int], int]
) -> dict[tuple[int, int], int]:
    what = "twisted_torus: twists"
    if not isinstance(twists, Mapping):
        border.refuse(twists, what, "a mapping {(dimension, shifted dimension): shift}")
    for key in twists:
        if not isinstance(key, tuple) or len(key) != 2:
            raise GraphError(f"{what} has {shown(key)}; a key is (dimension, shifted dimension)")
        for axis in key:
            border.whole(axis, f"{what}: a dimension", least=0, most=len(dims) - 1)
    twisted = {i for i, _ in twists}
    for i, j in twists:
        if j in twisted:
            raise GraphError(f"{what} shifts dimension {j}, which is twisted itself; use one")
        if dims[i] < 3:
            raise GraphError(f"{what}: dimension {i} is {dims[i]} wide; it must be 3 or more")
    return {
        (i, j): border.whole(n, f"{what}[{i}, {j}]", least=0, most=dims[j] - 1)
        for (i, j), n in sorted(twists.items())
    }


def lattice_steps(
    dims: tuple[int, ...], *, wrap: bool, twists: Mapping[tuple[int, int], int] = _STRAIGHT
) -> list[tuple[IntArray, IntArray]]:
    """Return the links of each dimension as index arrays, each cable once.

    Parameters
    ----------
    dims
        The widths.
    wrap
        Whether there are links from the last of each line to the first; not where these two
        are neighbours.
    twists
        {(i, j): shift}: those of dimension i land so much further on in dimension j.
    """
    grid = np.arange(np.prod(dims)).reshape(dims)
    steps = []
    for axis, k in enumerate(dims):
        landing = grid
        for (at, other), shift in twists.items():
            if at == axis:
                landing = np.roll(landing, -shift, axis=other)
        moved = np.moveaxis(grid, axis, 0)
        following = np.concatenate([moved[1:], np.moveaxis(landing, axis, 0)[:1]])
        count = k if wrap and k > 2 else k - 1
        steps.append((moved[:count], following[:count]))
    return steps


def _lattice(
    shape: str, size: tuple[int, ...], steps: Steps, link: object, lanes: object, **called: object
) -> Supernode:
    count, coord = int(np.prod(size)), coordinates(size)
    said = called or {"dims": size}
    return graph_of(shape, count, steps, link, lanes, said, size=by_x(size), coord=coord)
