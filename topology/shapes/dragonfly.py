"""Dragonfly and Dragonfly+: groups of switches, joined by links between every two groups.

Which port of a group leads to which other group is the arrangement. Number a group's global
ports 0, 1, ... switch by switch and let there be G groups; port k of group i leads to

- palmtree: group i - k - 1, modulo G;
- absolute: the k-th of the other groups in order.

With fewer groups than ports allow, ports G - 1 and on start over, so every two groups have
floor(ports / (G - 1)) links, and the ports left over stay free. Links of the same two switches
become lanes. Camarero, Vallejo and Beivide, Topological Characterization of Hamming and
Dragonfly Networks and Its Implications on Routing, ACM TACO 11(4), 2014; Hastings et al.,
Comparing Global Link Arrangements for Dragonfly Networks, IEEE Cluster 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from topology import border
from topology.errors import GraphError
from topology.fabric import IntArray
from topology.hardware.media import LinkType, link_type
from topology.shapes.parts import LinkLike, coordinates, pairs
from topology.shapes.registry import shape
from topology.supernode import Builder, Supernode

_ARRANGEMENTS = ("palmtree", "absolute")


@shape
def dragonfly(
    p: int,
    a: int | None = None,
    h: int | None = None,
    groups: int | None = None,
    *,
    link: LinkLike,
    local_link: LinkLike | None = None,
    global_link: LinkLike | None = None,
    arrangement: str = "palmtree",
) -> Supernode:
    r"""Return a Dragonfly.

    ::

        group 0                 group 1
        +-----------------+     +-----------------+
        | [r]---[r]---[r] |=====| [r]---[r]---[r] |     routers of a group: full mesh
        |  ooo   ooo   ooo|     |  ooo   ooo   ooo|     any two groups: a global link
        +-----------------+     +-----------------+

    a p G NPUs on a G routers of p + a - 1 + h ports; G a (a - 1) / 2 local links and, at the
    largest G = a h + 1, one global link for every two groups, G a h / 2 in all. At most 5 hops
    between NPUs (3 between routers). Balanced: a = 2 p = 2 h.

    Kim, Dally, Scott and Abts, Technology-Driven, Highly-Scalable Dragonfly Topology, ISCA 2008.

    Parameters
    ----------
    p
        NPUs to a router, 1 or more.
    a
        Routers to a group; 2 p by default.
    h
        Global ports of a router; p by default.
    groups
        G, 1 to a h + 1; the most by default.
    link
        From an NPU to its router: catalogue name, rate per lane in bytes/s, or `LinkType`.
    local_link, global_link
        Within a group and between groups; by default the same.
    arrangement
        "palmtree" or "absolute".

    Raises
    ------
    GraphError
        If a number is out of range, or there are more groups than global ports can join.
    """
    sizes = {"a": (a, 2), "h": (h, 1)}
    links = (link, local_link, global_link)
    plan = _plan("dragonfly", p, sizes, groups, links, arrangement)
    count, routers = plan.sizes["groups"], plan.sizes["a"]
    border.afford(
        plan.shape, count * routers * (1 + plan.sizes["p"]), count * routers * (routers - 1)
    )
    builder = Builder()
    router = _add_tier(builder, "router", 1, count, routers)
    npus = _add_npus(builder, plan, router, routers)
    inside = (
        (router[i * routers + r], router[i * routers + s])
        for i in range(count)
        for r, s in combinations(range(routers), 2)
    )
    builder.connect(inside, plan.local)
    return _joined(builder, plan, router, npus)


@shape
def dragonfly_plus(
    p: int,
    leaves: int | None = None,
    spines: int | None = None,
    h: int | None = None,
    groups: int | None = None,
    *,
    link: LinkLike,
    local_link: LinkLike | None = None,
    global_link: LinkLike | None = None,
    arrangement: str = "palmtree",
) -> Supernode:
    r"""Return a Dragonfly+ (megafly): groups of leaves and spines, global links at the spines.

    ::

        group 0                       group 1
        +-----------------------+     +-----------------------+
        | [spine]      [spine]  |=====| [spine]      [spine]  |
        |    |    \  /    |     |     |    |    \  /    |     |    leaves and spines of a
        |  [leaf]      [leaf]   |     |  [leaf]      [leaf]   |    group: complete bipartite
        |   o o         o o     |     |   o o         o o     |
        +-----------------------+     +-----------------------+

    l p G NPUs, l G leaves of p + s ports, s G spines of l + h ports; G l s local links and, at
    the largest G = s h + 1, G s h / 2 global links. At most 3 hops between leaves (up, over,
    down), 5 between NPUs. Balanced from R-port switches: p = l = s = h = R / 2.

    Shpiner et al., Dragonfly+: Low Cost Topology for Scaling Datacenters, HiPINEB 2017.

    Parameters
    ----------
    p
        NPUs to a leaf, 1 or more.
    leaves, spines
        Of a group; p by default.
    h
        Global ports of a spine; p by default.
    groups
        G, 1 to s h + 1; the most by default.
    link
        From an NPU to its leaf: catalogue name, rate per lane in bytes/s, or `LinkType`.
    local_link, global_link
        Within a group and between groups; by default the same.
    arrangement
        "palmtree" or "absolute".

    Raises
    ------
    GraphError
        If a number is out of range, or there are more groups than global ports can join.
    """
    sizes = {"leaves": (leaves, 1), "spines": (spines, 1), "h": (h, 1)}
    links = (link, local_link, global_link)
    plan = _plan("dragonfly_plus", p, sizes, groups, links, arrangement)
    each, low, high, _, count = plan.sizes.values()
    border.afford(plan.shape, count * (low * (1 + each) + high), 2 * count * low * high)
    builder = Builder()
    leaf = _add_tier(builder, "leaf", 1, count, low)
    spine = _add_tier(builder, "spine", 2, count, high)
    npus = _add_npus(builder, plan, leaf, low)
    inside = (
        (leaf[i * low + r], spine[i * high + s])
        for i in range(count)
        for r in range(low)
        for s in range(high)
    )
    builder.connect(inside, plan.local)
    return _joined(builder, plan, spine, npus)


def global_links(
    groups: int, ports: int, arrangement: str = "palmtree"
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return the cables between groups: group and port at one end, group and port at the other.

    Parameters
    ----------
    groups
        G; at most ``ports`` + 1.
    ports
        Global ports of a group.
    arrangement
        "palmtree" or "absolute"; see the module.

    Raises
    ------
    GraphError
        If the arrangement is not known.
    """
    border.choice(arrangement, "dragonfly: arrangement", _ARRANGEMENTS)
    others = groups - 1
    used = ports // others * others if others else 0
    i, k = (grid.ravel() for grid in np.meshgrid(np.arange(groups), np.arange(used), indexing="ij"))
    turn = k - k % max(others, 1)
    if arrangement == "palmtree":
        far = (i - k % max(others, 1) - 1) % groups
        port = turn + (far - i - 1) % groups
    else:
        far = k % max(others, 1)
        far = far + (far >= i)
        port = turn + np.where(i < far, i, i - 1)
    once = i < far
    return i[once], k[once], far[once], port[once]


@dataclass(frozen=True)
class _Plan:
    """Checked parameters of both kinds, as they are called."""

    shape: str
    sizes: Mapping[str, int]
    near: LinkType
    local: LinkType
    far: LinkType
    arrangement: str


def _plan(
    shape: str,
    p: int,
    given: Mapping[str, tuple[int | None, int]],
    groups: int | None,
    links: tuple[LinkLike, LinkLike | None, LinkLike | None],
    arrangement: str,
) -> _Plan:
    """Check parameters: sizes not given are so many times p, the last two make global ports."""
    least = border.whole(p, f"{shape}: p")
    sizes = {"p": least}
    for what, (value, times) in given.items():
        sizes[what] = least * times if value is None else border.whole(value, f"{shape}: {what}")
    switches, each = list(sizes.values())[-2:]
    sizes["groups"] = _group_count(shape, groups, switches * each)
    near, *others = links
    first = link_type(near)
    local, far = (first if other is None else link_type(other) for other in others)
    return _Plan(shape, sizes, first, local, far, arrangement)


def _joined(builder: Builder, plan: _Plan, switches: list[str], npus: list[str]) -> Supernode:
    """Join the groups at some of their switches, and build."""
    groups, h, total = plan.sizes["groups"], plan.sizes["h"], len(switches)
    each = total // groups
    i, k, j, m = global_links(groups, each * h, plan.arrangement)
    keys, lanes = np.unique((i * each + k // h) * total + j * each + m // h, return_counts=True)
    ends = pairs(switches, keys // total, switches, keys % total)
    builder.connect(ends, plan.far, lanes=lanes.tolist())
    name = "-".join([plan.shape.replace("_", "-"), *(f"{w[0]}{n}" for w, n in plan.sizes.items())])
    kinds = {"link": plan.near, "local_link": plan.local, "global_link": plan.far}
    words = {what: kind.name for what, kind in kinds.items()}
    called = {**plan.sizes, **words, "arrangement": plan.arrangement}
    return builder.build(name, npus, parameters=called)


def _group_count(shape: str, groups: object, ports: int) -> int:
    if groups is None:
        return ports + 1
    count = border.whole(groups, f"{shape}: groups")
    if count > ports + 1:
        raise GraphError(
            f"{shape}: groups is {count}; {ports} global ports of a group join at most "
            f"{ports + 1} groups; lower groups or raise h"
        )
    return count


def _add_tier(builder: Builder, word: str, tier: int, groups: int, each: int) -> list[str]:
    coord = coordinates((groups, each))
    return builder.add_grid(
        word, groups, each, kind="switch", tier=tier, per={"group": each}, coord=coord
    )


def _add_npus(builder: Builder, plan: _Plan, switches: list[str], each: int) -> list[str]:
    """Add the NPUs of switches, of which there are so many to a group."""
    p = plan.sizes["p"]
    npus = builder.add_grid(
        "npu", p * len(switches), kind="npu", tier=0, per={"group": p * each}, among={"slot": p}
    )
    builder.connect(((npu, switches[i // p]) for i, npu in enumerate(npus)), plan.near)
    return npus
