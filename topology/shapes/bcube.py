"""BCube: servers with several ports, each on a switch of its own level."""

from __future__ import annotations

import numpy as np

from topology import border
from topology.hardware.media import link_type
from topology.shapes.parts import LinkLike, coordinates, pairs
from topology.shapes.registry import shape
from topology.supernode import Builder, Supernode


@shape
def bcube(n: int, k: int = 1, *, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return BCube_k of n-port switches, its NPUs in the place of servers.

    ::

        level 1      [1,0]     [1,1]         BCube_1, n = 2: NPU (1, 0) is on switch 0 of
                     |   \     /   |         level 1 and on switch 1 of level 0
        NPUs        0,0  0,1 1,0  1,1
                     \    /   \    /
        level 0      [0,0]     [0,1]

    n^(k+1) NPUs of degree k + 1, (k + 1) n^k switches of degree n, (k + 1) n^(k+1) links.
    Switches join NPUs only and **NPUs forward**: two of them that differ in d digits are d
    switches, 2 d hops, apart; k + 1 disjoint paths. An NPU a_k .. a_0 (``coord``, a_k first) is
    on switch a_k .. a_(l+1) a_(l-1) .. a_0 of every level l.

    Guo et al., BCube: A High Performance, Server-centric Network Architecture for Modular Data
    Centers, SIGCOMM 2009.

    Parameters
    ----------
    n
        Ports of a switch, 2 or more.
    k
        The highest level, 0 or more; level 0 alone is a star.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links from each NPU to each of its switches.
    """
    width = border.whole(n, "bcube: n", least=2)
    top = border.whole(k, "bcube: k", least=0)
    kind = link_type(link)
    dims = (width,) * (min(top, 64) + 1)
    border.afford("bcube", width ** len(dims), 2 * len(dims) * width ** len(dims))
    builder = Builder()
    total, coord = width ** len(dims), coordinates(dims)
    npus = builder.add_grid("npu", total, kind="npu", tier=0, forwards=True, coord=coord)
    grid = np.arange(len(npus)).reshape(dims)
    parallel = border.whole(lanes, "bcube: lanes")
    for level in range(top + 1):
        lines = np.moveaxis(grid, top - level, -1).reshape(-1, width)
        switches = builder.add_grid(
            f"switch/{level}", len(lines), kind="switch", tier=level + 1, plane=level
        )
        homes = np.repeat(np.arange(len(lines)), width)
        builder.connect(pairs(npus, lines, switches, homes), kind, lanes=parallel)
    called = {"n": width, "k": top, "link": kind.name, "lanes": parallel}
    return builder.build(f"bcube-{width}-{top}", npus, parameters=called)
