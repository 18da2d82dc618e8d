"""Complete bipartite graphs, and the Petersen graph."""

from __future__ import annotations

import numpy as np

from topology import border
from topology.hardware.media import link_type
from topology.shapes.parts import LinkLike, graph_of, vertices
from topology.shapes.registry import shape
from topology.supernode import Builder, Supernode


@shape
def complete_bipartite(
    left: int, right: int | None = None, *, link: LinkLike, lanes: int = 1, switches: bool = False
) -> Supernode:
    r"""Return two sides, each vertex with a link to every vertex of the other.

    ::

        o   o   o   o
        |\\\|XXX|///|      K4,4: m + n vertices, m n links, diameter 2, girth 4
        o   o   o   o

    Parameters
    ----------
    left
        m, NPUs; 1 or more.
    right
        n, 1 or more; by default as many as on the left.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links between each two.
    switches
        Whether the right side is switches (every NPU has a link to each of n switch planes)
        instead of NPUs. NPUs on both sides forward.
    """
    m = border.whole(left, "complete_bipartite: left")
    n = m if right is None else border.whole(right, "complete_bipartite: right")
    border.afford("complete_bipartite", m + n, 2 * m * n)
    kind = link_type(link)
    builder = Builder()
    if border.flag(switches, "complete_bipartite: switches"):
        names = builder.add_grid("npu", m, kind="npu", tier=0)
        others = builder.add_grid("switch", n, kind="switch", tier=1, per={"plane": 1})
        npus = names
    else:
        coord = [(0, i) for i in range(m)] + [(1, j) for j in range(n)]
        npus, _ = vertices(builder, m + n, coord=coord)
        names, others = npus[:m], npus[m:]
    ends = ((u, v) for u in names for v in others)
    builder.connect(ends, kind, lanes=border.whole(lanes, "complete_bipartite: lanes"))
    parameters = {
        "left": m, "right": n, "link": kind.name, "lanes": lanes, "switches": switches
    }  # fmt: skip
    return builder.build(f"complete-bipartite-{m}-{n}", npus, parameters=parameters)


@shape
def petersen(*, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return the Petersen graph: a pentagon around a pentagram.

    ::

              o
            / | \
           /  o  \           outer i - i + 1, spoke i - 5 + i, inner 5 + i - 5 + (i + 2)
        o--o-/-\-o--o
         \  X   X  /         10 vertices of degree 3, 15 links, diameter 2, girth 5:
          o-------o          the Moore graph of degree 3; vertex-transitive

    Petersen, Sur le theoreme de Tait, L'Intermediaire des Mathematiciens 5, 1898.

    Parameters
    ----------
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links between neighbours.
    """
    i = np.arange(5)
    tails = np.concatenate([i, i, 5 + i])
    heads = np.concatenate([(i + 1) % 5, 5 + i, 5 + (i + 2) % 5])
    coord = [(ring, i) for ring in range(2) for i in range(5)]
    return graph_of("petersen", 10, [(tails, heads)], link, lanes, {}, size="", coord=coord)
