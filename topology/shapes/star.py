"""A single switch with every NPU on it."""

from __future__ import annotations

from topology import border
from topology.hardware.media import link_type
from topology.shapes.parts import LinkLike
from topology.shapes.registry import shape
from topology.supernode import Builder, Supernode


@shape
def star(npus: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return NPUs around one switch.

    ::

        o   o   o   o
         \  |   |  /
          [switch]

    N + 1 nodes, N links, diameter 2 hops.

    Parameters
    ----------
    npus
        1 or more.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links from each NPU to the switch.
    """
    n = border.whole(npus, "star: npus")
    border.afford("star", n + 1, 2 * n)
    kind = link_type(link)
    builder = Builder()
    names = builder.add_grid("npu", n, kind="npu", tier=0)
    hub = builder.add_grid("switch", 1, kind="switch", tier=1)
    width = border.whole(lanes, "star: lanes")
    builder.connect(((name, hub[0]) for name in names), kind, lanes=width)
    parameters = {"npus": n, "link": kind.name, "lanes": width}
    return builder.build(f"star-{n}", names, parameters=parameters)
