"""Trees over positions: chains, binary and binomial trees, and NCCL's double binary tree.

A tree is the array of its parents, -1 at the root.

References
----------
Sanders, Speck and Träff, Two-tree algorithms for full bandwidth broadcast, reduction and scan,
Parallel Computing 35 (2009) 581-594.
NVIDIA NCCL 2.30, src/graph/trees.cc, for the trees themselves.
"""

from __future__ import annotations

import numpy as np

from collectives.model.schedule import IntArray


def chain(p: int) -> IntArray:
    """Return 0 -> 1 -> ... -> p - 1."""
    return np.arange(p) - 1


def binary_tree(p: int) -> IntArray:
    """Return NCCL's binary tree, in which every odd position is a leaf.

    The parent of a rank has the rank's lowest bit moved up one place; where that is not a rank,
    the bit is dropped instead.
    """
    parent = np.full(p, -1)
    for rank in range(1, p):
        bit = rank & -rank
        up = (rank ^ bit) | (bit << 1)
        parent[rank] = up if up < p else rank ^ bit
    return parent


def double_binary_tree(p: int) -> tuple[IntArray, IntArray]:
    """Return NCCL's two trees: a rank that has children in one is a leaf in the other.

    The second is the first mirrored for even p, and moved on by one rank for odd p.
    """
    first = binary_tree(p)
    ranks = np.arange(p)
    label = p - 1 - ranks if p % 2 == 0 else (ranks + 1) % p
    return first, moved(first, label)


def moved(parent: IntArray, label: IntArray) -> IntArray:
    """Return a tree with position i at ``label[i]``."""
    found = np.full(len(parent), -1)
    found[label] = np.where(parent >= 0, label[parent], -1)
    return found


def rooted_at(parent: IntArray, root: int) -> IntArray:
    """Return a tree with all positions moved on, so that its root 0 is at ``root``."""
    p = len(parent)
    return moved(parent, (np.arange(p) + root) % p)


def depths(parent: IntArray) -> IntArray:
    """Return how far each position is from the root."""
    found = np.zeros(len(parent), dtype=np.int64)
    above = parent.copy()
    while (above >= 0).any():
        found += above >= 0
        above = np.where(above >= 0, parent[above], -1)
    return found
