"""Name what a certificate is about: which links, how many, of what."""

from __future__ import annotations

import numpy as np

from collectives.bounds.network import Network
from topology import units
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.naming import natural_sort


def cut_words(fabric: Fabric, net: Network, sends: BoolArray, halved: frozenset[str]) -> str:
    """Return the links of a cut in words.

    Parameters
    ----------
    fabric
        The whole fabric.
    net
        What was cut: the part of it that carries data.
    sends
        Which nodes of that part are on the sending side, shape (n,).
    halved
        Switches cut by their own forwarding limit.
    """
    bare = net.fabric
    limited = np.isin(np.arange(len(bare.nodes)), [bare.index[node] for node in halved])
    leaving = net.arc[sends[bare.tail] & ~sends[bare.head] & ~limited[bare.head]]
    crossing = np.zeros(len(fabric.tail), dtype=bool)
    crossing[leaving] = True
    parts = [f"{crossing_words(fabric, crossing)} {_side(net, sends)}"] if len(leaving) else []
    if halved:
        plural = "es" if len(halved) > 1 else ""
        parts.append(f"what {len(halved):,} switch{plural} can forward")
    total = fabric.capacity[leaving].sum() + bare.node_capacity[limited].sum()
    return f"{' and '.join(parts)}, {units.format_rate(float(total))} in all"


def length_words(fabric: Fabric, net: Network, link: FloatArray, node: FloatArray) -> str:
    """Return the links and switches with a length in words.

    Parameters
    ----------
    fabric
        The whole fabric.
    net
        The part of it that carries data.
    link, node
        Lengths of its arcs and nodes, shapes (m,) and (n,).
    """
    long = np.flatnonzero(link)
    crossing = np.zeros(len(fabric.tail), dtype=bool)
    crossing[net.arc[long]] = True
    parts = [crossing_words(fabric, crossing) + _shared_end(net.fabric, long)] if len(long) else []
    switches = int(np.count_nonzero(node))
    if switches:
        parts.append(f"what {switches:,} switch{'es' if switches > 1 else ''} can forward")
    return " and ".join(parts)


def _shared_end(bare: Fabric, arcs: IntArray) -> str:
    tails, heads = np.unique(bare.tail[arcs]), np.unique(bare.head[arcs])
    if len(tails) == 1:
        return f" out of {bare.nodes[int(tails[0])]}"
    return f" into {bare.nodes[int(heads[0])]}" if len(heads) == 1 else ""


def crossing_words(fabric: Fabric, crossing: BoolArray) -> str:
    """Return arcs by class in words: "the 2,688 L1→L2 optics".

    Parameters
    ----------
    fabric
        The whole fabric.
    crossing
        Which of its arcs are meant, shape (arcs,).
    """
    said = []
    for cls in fabric.classes:
        count = int(crossing[cls.arcs].sum())
        if count:
            many = "all" if count == len(cls.arcs) and count > 1 else "the"
            noun = "optics" if cls.medium == "optical" else "links"
            noun = noun if count > 1 or cls.medium == "optical" else "link"
            said.append(f"{many} {count:,} {cls.name} {noun}")
    if len(said) > 2:
        said = [", ".join(said[:-1]), said[-1]]
    return " and ".join(said)


def _side(net: Network, sends: BoolArray) -> str:
    inside = sends[net.fabric.npus]
    near, far = net.fabric.npus[inside], net.fabric.npus[~inside]
    out = len(near) <= len(far) and len(far) != 1
    few, word = (near, "out of") if out else (far, "into")
    names = natural_sort(net.fabric.nodes[node] for node in few.tolist())
    if len(names) == 1:
        return f"{word} {names[0]}"
    listed = " and ".join(names) if len(names) == 2 else f"{names[0]} to {names[-1]}"
    return f"{word} {len(names):,} of the {len(inside):,} ranks ({listed})"
