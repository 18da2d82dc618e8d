"""Find the trees of switches that add, or copy, over some ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.errors import RoutingError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.quotient import expand


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree of one top switch over the members.

    Attributes
    ----------
    top
        Its node.
    up, down
        Arc from each node of the tree but the top to its parent, and back, shape (k,); nodes
        that are farther from the top come first.
    parent
        Position in ``up`` of each parent; k for the top, shape (k,).
    leaf
        Position in ``up`` of each member, shape (p,).
    starts
        Where each distance from the top begins, the farthest first, and k.
    """

    top: int
    up: IntArray
    down: IntArray
    parent: IntArray
    leaf: IntArray
    starts: tuple[int, ...]

    def collected(self, amount: FloatArray) -> FloatArray:
        """Return what the members below each arc have in all, shape (k,)."""
        total = np.zeros(len(self.up) + 1)
        total[self.leaf] += amount
        for lo, hi in zip(self.starts, self.starts[1:], strict=False):
            np.add.at(total, self.parent[lo:hi], total[lo:hi])
        return total[:-1]

    def summed(self, value: FloatArray) -> FloatArray:
        """Return a value of each arc added up from each member to the top, shape (p,)."""
        total = np.zeros(len(self.up) + 1)
        spans = list(zip(self.starts, self.starts[1:], strict=False))
        for lo, hi in reversed(spans):
            total[lo:hi] = value[lo:hi] + total[self.parent[lo:hi]]
        return total[self.leaf]

    def way(self, member: int) -> list[int]:
        """Return the positions of the arcs from a member to the top."""
        at, found = int(self.leaf[member]), []
        while at < len(self.up):
            found.append(at)
            at = int(self.parent[at])
        return found


def in_network_trees(fabric: Fabric, members: IntArray, *, adds: bool, copies: bool) -> list[Tree]:
    """Return the lowest trees of switches that can add, or copy, over some ranks.

    A NIC between an NPU and a switch passes on what it gets.

    Parameters
    ----------
    fabric
        The machine.
    members
        Ranks, shape (p,).
    adds, copies
        What the switches have to do, besides passing data on: have the attribute ``reduces``,
        ``multicasts``.

    Raises
    ------
    RoutingError
        If there is no such tree.
    """
    able = fabric.is_switch & fabric.forwards
    if adds:
        able &= fabric.reduces
    if copies:
        able &= fabric.multicasts
    leaves = fabric.npus[members]
    passes = able | (fabric.is_nic & fabric.forwards & (np.diff(fabric.out_start) == 2))
    trees = _lowest(fabric, able, passes, leaves)
    if not trees:
        verbs = " and ".join([*(["add"] if adds else []), *(["copy"] if copies else [])])
        raise RoutingError(
            f"there is no switch that can {verbs or 'pass data on'} for all {len(leaves)} ranks; "
            "it takes switches with the attribute 'reduces' (to add) or 'multicasts' (to copy)"
        )
    return trees


def _lowest(fabric: Fabric, able: BoolArray, passes: BoolArray, leaves: IntArray) -> list[Tree]:
    """Return the trees of least height, those with tops near the first leaf tried first."""
    near = _depths(fabric, int(leaves[0]), passes, leaves)
    tops = np.flatnonzero(able & (near > 0))
    chosen: list[tuple[int, IntArray]] = []
    lowest = len(fabric.nodes)
    for top in tops[np.argsort(near[tops], kind="stable")].tolist():
        if near[top] > lowest:
            break
        depth = _depths(fabric, top, passes, leaves)
        height = int(depth[leaves].max()) if (depth[leaves] > 0).all() else len(fabric.nodes)
        if height < lowest:
            chosen, lowest = [], height
        if height == lowest < len(fabric.nodes):
            chosen.append((top, depth))
    return [_tree(fabric, top, depth, leaves) for top, depth in chosen]


def _depths(fabric: Fabric, top: int, passes: BoolArray, leaves: IntArray) -> IntArray:
    """Return hops from a top over nodes that pass on, shape (nodes,); -1 beyond their reach."""
    depth = np.full(len(fabric.nodes), -1)
    depth[top] = 0
    inside, allowed = passes.copy(), passes.copy()
    inside[top] = allowed[leaves] = True
    front, level = np.array([top]), 0
    while len(front):
        level += 1
        heads = fabric.head[expand(fabric.out_start, front[inside[front]])[1]]
        front = np.unique(heads[(depth[heads] < 0) & allowed[heads]])
        depth[front] = level
    return depth


def _tree(fabric: Fabric, top: int, depth: IntArray, leaves: IntArray) -> Tree:
    nodes, arcs, starts = [], [], [0]
    waiting = np.zeros(0, dtype=np.int64)
    for level in range(int(depth[leaves].max()), 0, -1):
        here = np.unique(np.concatenate([waiting, leaves[depth[leaves] == level]]))
        chosen = _parent_arcs(fabric, here, depth)
        waiting = fabric.head[chosen]
        nodes.append(here)
        arcs.append(chosen)
        starts.append(starts[-1] + len(here))
    up = np.concatenate(arcs)
    place = np.full(len(fabric.nodes), starts[-1])
    place[np.concatenate(nodes)] = np.arange(starts[-1])
    back = fabric.arcs_between(fabric.head[up], fabric.tail[up])
    return Tree(top, up, back, place[fabric.head[up]], place[leaves], tuple(starts))


def _parent_arcs(fabric: Fabric, nodes: IntArray, depth: IntArray) -> IntArray:
    """Return the widest arc of each node that leads nearer to the top, the first of equals."""
    which, arc = expand(fabric.out_start, nodes)
    nearer = depth[fabric.head[arc]] == depth[nodes[which]] - 1
    which, arc = which[nearer], arc[nearer]
    order = np.lexsort((arc, -fabric.capacity[arc], which))
    found, first = np.unique(which[order], return_index=True)
    if len(found) < len(nodes):
        lost = fabric.nodes[int(nodes[np.setdiff1d(np.arange(len(nodes)), found)[0]])]
        raise RoutingError(f"{lost} has no link back up the tree it is reached by")
    chosen: IntArray = arc[order][first]
    return chosen
