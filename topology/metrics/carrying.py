"""Tell which nodes and links can carry traffic between NPUs, and which are dead ends."""

from __future__ import annotations

import numpy as np

from topology.fabric import BoolArray, Fabric, IntArray, distinct


def carriers(fabric: Fabric, *, relay: bool = True) -> BoolArray:
    """Return the nodes that can lie on a path between NPUs, shape (nodes,).

    Parameters
    ----------
    fabric
        The fabric.
    relay
        Whether NPUs may pass others' traffic on by store-and-forward, as schedules do. False
        leaves the nodes that forward inside the network.
    """
    if not relay:
        return fabric.forwards.copy()
    found: BoolArray = fabric.forwards | fabric.is_npu
    found[fabric.npus] = True
    return found


def live_arcs(fabric: Fabric) -> BoolArray:
    """Return the arcs that lie on some way between two NPUs, shape (arcs,).

    Nodes that do not carry traffic are left out, and so, again and again, is every switch or
    NIC with fewer than two neighbours: what enters it has nowhere else to go.
    """
    alive = carriers(fabric)
    is_npu = carriers(fabric, relay=True) & ~fabric.forwards
    is_npu[fabric.npus] = True
    while True:
        live = alive[fabric.tail] & alive[fabric.head]
        dead = alive & ~is_npu & (_neighbours(fabric, live) < 2)
        if not dead.any():
            return live
        alive &= ~dead


def _neighbours(fabric: Fabric, live: BoolArray) -> IntArray:
    """Return how many different neighbours each node has over the live arcs, either way."""
    nodes = len(fabric.nodes)
    tail, head = fabric.tail[live], fabric.head[live]
    pairs = distinct(np.minimum(tail, head) * nodes + np.maximum(tail, head))
    low, high = np.divmod(pairs, nodes)
    return np.bincount(low, minlength=nodes) + np.bincount(high, minlength=nodes)
