"""Clos networks and fat trees: leaves, spines and cores above the NPUs, in one plane or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from topology import border
from topology.errors import GraphError
from topology.hardware.media import LinkType, link_type
from topology.shapes.parts import (
    LinkLike,
    by_x,
    dimensions,
    lanes_per_dimension,
    links_per_dimension,
    said,
)
from topology.shapes.registry import shape
from topology.shapes.tree import MOST_PORTS, Sizing, Tree, ratios, wire
from topology.supernode import Builder, Supernode


@shape
def clos(
    npus: int,
    *,
    link: LinkLike,
    uplink: LinkLike | None = None,
    radix: int = 64,
    tiers: int = 2,
    planes: int = 1,
    oversubscription: float | tuple[float, float] = 1.0,
    lanes: int = 1,
) -> Supernode:
    r"""Return NPUs on a folded Clos network of two or three tiers, sized from its switches.

    ::

        spines        [0]   [1]   [2]   [3]         (three tiers: cores above the spines of
                       | \ / | \ / | \ / |           several pods)
        leaves        [0]   [1]   [2]   [3]         x planes
                      /|\   /|\   /|\   /|\
        NPUs          ooo   ooo   ooo   ooo         each on one leaf of every plane

    With R ports, ratio o and no lanes, a leaf has d = R o / (1 + o) NPUs and d / o uplinks,
    spread evenly; two tiers carry d R NPUs, three tiers d^2 R. 2 hops under a leaf, 4 under a
    pod, 6 beyond. A single leaf has no spines: it is a star.

    Clos, A study of non-blocking switching networks, Bell Syst. Tech. J. 32(2), 1953;
    Leiserson, Fat-trees, IEEE Trans. Computers C-34(10), 1985.

    Parameters
    ----------
    npus
        1 or more. Leaves fill up in order.
    link
        From an NPU to its leaves: catalogue name, rate per lane in bytes/s, or `LinkType`.
    uplink
        Between switches; by default the same.
    radix
        Ports of every switch.
    tiers
        2 or 3.
    planes
        Copies of the network; every NPU has a port in each.
    oversubscription
        Bandwidth down over bandwidth up at a leaf, 1 or more; or a pair, for leaves and for
        spines. Uplinks are rounded up to whole links.
    lanes
        Ports of each NPU in each plane, all on the same leaf.

    Raises
    ------
    GraphError
        If a number is out of range, or the tiers do not reach that many NPUs.
    """
    count = border.whole(npus, "clos: npus")
    border.afford("clos", count)
    down = link_type(link)
    up = down if uplink is None else link_type(uplink)
    sizing = Sizing(
        "clos",
        radix=border.whole(radix, "clos: radix", least=2, most=MOST_PORTS),
        tiers=border.whole(tiers, "clos: tiers", least=2, most=3),
        ratios=ratios("clos", oversubscription),
        lanes=border.whole(lanes, "clos: lanes"),
        speed=down.capacity / up.capacity,
    )
    tree = sizing.tree(count)
    called = {
        "npus": count, "radix": radix, "tiers": tiers, "planes": planes,
        "oversubscription": oversubscription, "lanes": lanes,
        "link": down.name, "uplink": up.name,
    }  # fmt: skip
    layers = [down, up, up]
    return _build("clos", f"clos-{count}", tree, layers, count, planes, called)


@shape
def fat_tree(k: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return the k-ary fat tree: three tiers of k-port switches without oversubscription.

    ::

        cores         (k/2)^2         [ ] [ ] [ ] [ ]      core c: one link to every pod
        spines        k/2 to a pod    [ ] [ ] | [ ] [ ] |
                                       | X |     | X |     k pods
        leaves        k/2 to a pod    [ ] [ ] | [ ] [ ] |
        NPUs          k/2 to a leaf   o o o o   o o o o

    k^3 / 4 NPUs, 5 k^2 / 4 switches, 3 k^3 / 4 links, diameter 6. Al-Fares, Loukissas and
    Vahdat, A Scalable, Commodity Data Center Network Architecture, SIGCOMM 2008.

    Parameters
    ----------
    k
        Ports of a switch, even, 2 or more.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links in place of each.
    """
    ports = border.whole(k, "fat_tree: k", least=2)
    if ports % 2:
        raise GraphError(f"fat_tree: k is {k}; half the ports go up, so it must be even")
    half = ports // 2
    width = border.whole(lanes, "fat_tree: lanes")
    kind = link_type(link)
    tree = Tree((half, half, ports), (1, half, half), (width,) * 3)
    called = {"k": ports, "link": kind.name, "lanes": width}
    return _build("fat_tree", f"fat-tree-{k}", tree, [kind] * 3, tree.ends, 1, called)


@shape
def xgft(
    children: Sequence[int],
    parents: Sequence[int],
    *,
    link: LinkLike | Sequence[LinkLike],
    lanes: int | Sequence[int] = 1,
    planes: int = 1,
) -> Supernode:
    r"""Return an extended generalised fat tree, XGFT(h; m_1 .. m_h; w_1 .. w_h).

    ::

        tier 2      [0]  [1]  [2]        XGFT(2; 2, 3; 1, 3): three leaves of two NPUs,
                     | \/ | \/ |         three spines
        tier 1      [0]  [1]  [2]
                    / \  / \  / \
        NPUs        o o  o o  o o

    m_1 ... m_h NPUs; tier l has w_1 ... w_l m_(l+1) ... m_h switches, each with m_l children
    and w_(l+1) parents; any two NPUs are at most 2 h hops apart. A star is XGFT(1; n; 1), a
    k-ary n-tree has all m = k, w_1 = 1 and the other w = k.

    Ohring, Ibel, Das and Kumar, On Generalized Fat Trees, IPPS 1995.

    Parameters
    ----------
    children
        m_1 .. m_h: of a switch in each tier.
    parents
        w_1 .. w_h: of a node in the tier below it.
    link
        A link type for all tiers (catalogue name, bytes/s per lane, or `LinkType`), or a list
        with one for each, from the NPUs up.
    lanes
        Parallel links to each parent, for all tiers or for each.
    planes
        Copies of the tree over the same NPUs.
    """
    m = dimensions("xgft", children, "children")
    w = dimensions("xgft", parents, "parents")
    if len(m) != len(w):
        raise GraphError(
            f"xgft: children has {len(m)} tiers and parents {len(w)}; give one of each per tier"
        )
    kinds = links_per_dimension("xgft", link, len(m))
    tree = Tree(m, w, tuple(lanes_per_dimension("xgft", lanes, len(m))))
    called = {
        "children": m, "parents": w, "planes": planes, "link": said(kinds), "lanes": lanes
    }  # fmt: skip
    name = f"xgft-{by_x(m)}-{by_x(w)}"
    return _build("xgft", name, tree, kinds, tree.ends, planes, called)


def _build(
    shape: str,
    name: str,
    tree: Tree,
    links: Sequence[LinkType],
    npus: int,
    planes: object,
    called: Mapping[str, object],
) -> Supernode:
    copies = border.whole(planes, f"{shape}: planes")
    border.afford(shape, npus + copies * tree.switches(npus))
    builder = Builder()
    pod = tree.pod(0, npus).tolist() if len(tree.children) > 2 else None
    ends = builder.add_grid("npu", npus, kind="npu", tier=0, pod=pod)
    for plane in range(copies):
        wire(builder, ends, tree, links, plane=plane if copies > 1 else None)
    return builder.build(name, ends, parameters=called)
