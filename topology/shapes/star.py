"""A single switch with every NPU on it."""

from __future__ import annotations

from topology.errors import GraphError
from topology.media import LinkType, link_type
from topology.supernode import Builder, Supernode


def star(npus: int, *, link: str | float | LinkType, lanes: int = 1) -> Supernode:
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
    if isinstance(npus, bool) or not isinstance(npus, int) or npus < 1:
        raise GraphError(f"star: npus is {npus!r}; it must be a whole number, 1 or more")
    kind = link_type(link)
    builder = Builder()
    names = builder.add_nodes((f"npu/{i}" for i in range(npus)), kind="npu", tier=0)
    hub = builder.add_nodes(["switch/0"], kind="switch", tier=1)
    builder.connect(((name, hub[0]) for name in names), kind, lanes=lanes)
    parameters = {"npus": npus, "link": kind.name, "lanes": lanes}
    return builder.build(f"star-{npus}", names, parameters=parameters)
