"""Measure what an NPU can send, and how the tiers above it narrow."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from topology.errors import unknown_name
from topology.fabric import FloatArray, IntArray
from topology.metrics.carrying import live_arcs
from topology.supernode import Supernode

LINKS = ("both", "scale-up", "scale-out")
"""Which links a bandwidth per NPU counts: all, all but those to NICs, those to NICs."""


def npu_bandwidths(supernode: Supernode, links: str = "both") -> FloatArray:
    """Return bytes/s out of each rank over links that lead to other NPUs, shape (ranks,).

    Links to CPUs, to NICs without a network and to switches that lead nowhere do not count; a
    link to a NIC counts for no more than the NIC can send on.

    Parameters
    ----------
    supernode
        The machine.
    links
        Which count, one of `LINKS`: "scale-up", all but those to NICs; "scale-out", those to
        NICs; or "both".

    Raises
    ------
    UnknownNameError
        If ``links`` is none of them.
    """
    if links not in LINKS:
        raise unknown_name("choice of links", links, LINKS)
    fabric = supernode.fabric
    live = np.flatnonzero(live_arcs(fabric))
    tail, head, capacity = fabric.tail[live], fabric.head[live], fabric.capacity[live]
    nodes, other = len(fabric.nodes), fabric.back[live]
    back = np.where(other >= 0, fabric.capacity[other], 0.0)
    onward = np.bincount(tail, capacity, minlength=nodes)[head] - back
    rate = np.where(fabric.is_nic[head], np.minimum(capacity, onward), capacity)
    if links != "both":
        rate = np.where(fabric.is_nic[head] == (links == "scale-out"), rate, 0.0)
    out = np.bincount(tail, rate, minlength=nodes)
    return np.asarray(out[fabric.npus], dtype=float)


def per_npu_bandwidth(supernode: Supernode, links: str = "both") -> float:
    """Return bytes/s out of the NPU that has the least; see `npu_bandwidths` for each."""
    return float(npu_bandwidths(supernode, links).min())


def oversubscription(supernode: Supernode) -> Mapping[str, float]:
    """Return, for each sort of switch with links up and down, capacity from below over upwards.

    The worst switch of a sort counts: 1 is none, 2 is 2:1. Links to lower and to higher ``tier``
    count if they can carry traffic between NPUs.
    """
    fabric = supernode.fabric
    live = live_arcs(fabric)
    tier = _tiers(supernode)
    tail, head = fabric.tail[live], fabric.head[live]
    capacity, nodes = fabric.capacity[live], len(fabric.nodes)
    above, below = tier[head] > tier[tail], tier[tail] < tier[head]
    up = np.bincount(tail[above], capacity[above], minlength=nodes)
    down = np.bincount(head[below], capacity[below], minlength=nodes)
    worst: dict[str, float] = {}
    for i in np.flatnonzero((up > 0) & (down > 0)).tolist():
        if fabric.kind[i] == "switch":
            word = fabric.labels[i]
            worst[word] = max(worst.get(word, 0.0), float(down[i] / up[i]))
    return MappingProxyType(worst)


def _tiers(supernode: Supernode) -> IntArray:
    nodes = supernode.graph.nodes
    fabric = supernode.fabric
    tiers = (
        nodes[name].get("tier", 0 if kind == "npu" else 1)
        for name, kind in zip(fabric.nodes, fabric.kind, strict=True)
    )
    return np.array(list(tiers), dtype=np.int64)
