"""Find the scale-up domains of a machine: what NPUs reach without going through a NIC."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from topology.fabric import BoolArray, Fabric, IntArray


def network_arcs(fabric: Fabric) -> BoolArray:
    """Return which arcs are of the network between domains, shape (arcs,).

    Those at a NIC, and what is linked to no NPU but through NICs.
    """
    label = _inside(fabric)
    with_npu = np.zeros(int(label.max(initial=-1)) + 1, dtype=bool)
    with_npu[label[fabric.npus]] = True
    near = fabric.is_nic[fabric.tail] | fabric.is_nic[fabric.head]
    found: BoolArray = near | ~with_npu[label[fabric.tail]]
    return found


def domains(fabric: Fabric) -> IntArray:
    """Return the number of each rank's scale-up domain, shape (ranks,), counted from 0."""
    _, number = np.unique(_inside(fabric)[fabric.npus], return_inverse=True)
    found: IntArray = number.reshape(-1).astype(np.int64)
    return found


def _inside(fabric: Fabric) -> IntArray:
    """Return the number of each node's part of the machine once NICs are taken away."""
    kept = ~(fabric.is_nic[fabric.tail] | fabric.is_nic[fabric.head])
    ends = fabric.tail[kept], fabric.head[kept]
    shape = len(fabric.nodes), len(fabric.nodes)
    linked = sparse.coo_array((np.ones(len(ends[0])), ends), shape=shape)
    _, label = connected_components(linked, directed=False)
    found: IntArray = label.astype(np.int64)
    return found
