"""Full meshes, and Hamming graphs: a full mesh along every line of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from topology import border
from topology.hardware.media import link_type
from topology.shapes.parts import Dims, LinkLike, by_x, coordinates, dimensions, graph_of
from topology.shapes.registry import shape
from topology.supernode import Supernode


@shape
def full_mesh(npus: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return NPUs that all have a link to each other.

    ::

        o---o
        |\ /|
        | X |
        |/ \|
        o---o

    N vertices, N (N - 1) / 2 links, diameter 1; vertex- and edge-transitive.

    Parameters
    ----------
    npus
        1 or more.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links between each two.
    """
    size = dimensions("full_mesh", border.whole(npus, "full_mesh: npus"))
    return _build("full_mesh", size, link, lanes, {"npus": size[0]})


@shape
def nd_full_mesh(
    dims: Dims, *, link: LinkLike | Sequence[LinkLike], lanes: int | Sequence[int] = 1
) -> Supernode:
    r"""Return NPUs on a grid, with a full mesh along every line of every dimension.

    ::

        o---o---o        each row and each column is a full mesh
        |\ /|\ /|
        o---o---o        N = k_1 ... k_D vertices of degree sum (k_i - 1),
                         N sum (k_i - 1) / 2 links, diameter: the dimensions wider than 1

    Liao et al., UB-Mesh: a Hierarchically Localized nD-FullMesh Datacenter Network
    Architecture, arXiv:2503.20377: short copper in the inner dimensions, longer and thinner
    links in the outer ones.

    Parameters
    ----------
    dims
        The widths, such as ``(8, 8, 4, 4)``; each 1 or more.
    link
        A link type for all dimensions (catalogue name, bytes/s per lane, or `LinkType`), or a
        list with one for each.
    lanes
        Parallel links between each two of a line, for all dimensions or for each.
    """
    size = dimensions("nd_full_mesh", dims)
    return _build("nd_full_mesh", size, link, lanes, {"dims": size})


@shape
def hyperx(
    dims: Dims,
    *,
    link: LinkLike | Sequence[LinkLike],
    lanes: int | Sequence[int] = 1,
    npus_per_switch: int = 0,
    npu_link: LinkLike | None = None,
) -> Supernode:
    r"""Return a HyperX: a full mesh along every line of a grid of switches, or of NPUs.

    ::

        [s]---[s]---[s]      T NPUs on each switch (not drawn);
         |     |     |       rows of more than 2 also have their longer links
        [s]---[s]---[s]

    S = S_1 ... S_L switches, T S NPUs, S sum (S_i - 1) / 2 links between switches. Any two
    switches are at most L apart, one hop in each dimension in which they differ. With T = 0 the
    NPUs are the vertices: the Hamming graph.

    Ahn, Binkert, Davis, McLaren, Schreiber, HyperX: Topology, Routing, and Packaging of
    Efficient Large-Scale Networks, SC 2009; ``lanes`` is their K.

    Parameters
    ----------
    dims
        The widths S_i, each 1 or more.
    link
        A link type for all dimensions (catalogue name, bytes/s per lane, or `LinkType`), or a
        list with one for each.
    lanes
        Parallel links between each two of a line, for all dimensions or for each.
    npus_per_switch
        T; 0 for NPUs as vertices, which forward.
    npu_link
        From an NPU to its switch; by default the first dimension's link.
    """
    size = dimensions("hyperx", dims)
    each = border.whole(npus_per_switch, "hyperx: npus_per_switch", least=0)
    down = None if npu_link is None else link_type(npu_link)
    called = {
        "dims": size,
        "npus_per_switch": each,
        "npu_link": None if down is None else down.name,
    }
    return _build("hyperx", size, link, lanes, called, each, down)


def _build(
    shape: str,
    dims: tuple[int, ...],
    link: object,
    lanes: object,
    called: Mapping[str, object],
    each: int = 0,
    npu_link: LinkLike | None = None,
) -> Supernode:
    total = int(np.prod(dims))
    border.afford(shape, total * (1 + each), total * (sum(dims) - len(dims) + 2 * each))
    grid = np.arange(total).reshape(dims)
    steps = []
    for axis, width in enumerate(dims):
        rows = np.moveaxis(grid, axis, 0)
        i, j = np.triu_indices(width, k=1)
        steps.append((rows[i], rows[j]))
    return graph_of(
        shape, total, steps, link, lanes, called, size=by_x(dims), coord=coordinates(dims),
        npus_per_switch=each, npu_link=npu_link,
    )  # fmt: skip
