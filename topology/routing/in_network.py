"""Route traffic that switches add up on its way, or copy to many receivers.

A tree has one switch at its top and the members as leaves, over switches that can do it. On the
way up every link carries what its side adds up to, once; on the way down every link carries one
copy. Where several switches can be the top, each takes a share of the data, by what its tree
can carry.

References
----------
Graham et al., Scalable hierarchical aggregation protocol (SHArP), COMHPC 2016; Klenk, Jiang,
Thorson and Dennison, An in-network architecture for accelerating shared-memory multiprocessor
collectives, ISCA 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from topology.errors import RoutingError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.demand import Pairs
from topology.routing.flow import Slowest
from topology.supernode import Supernode

_MOST_TOPS = 256


@dataclass(frozen=True, eq=False)
class Combined(Pairs):
    """What the members of a set send each other through switches that add and copy.

    ``src``, ``dst`` and ``amount`` say what the same exchange is without their help.

    Attributes
    ----------
    members
        Ranks, shape (p,).
    added
        What is added up for each member: every member sends its version, the receiver's own
        too, and the receiver gets the sum. Shape (p,).
    copied
        What is copied from each member: every member gets it, the sender too. Shape (p,).
    through
        What is added up and copied to all: every member sends its version and gets the sum.
    """

    members: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    added: FloatArray = field(default_factory=lambda: np.zeros(0))
    copied: FloatArray = field(default_factory=lambda: np.zeros(0))
    through: float = 0.0

    @property
    def needs(self) -> dict[str, bool]:
        """What the switches must do: the keywords of `combining_trees`."""
        return {
            "adds": bool(self.added.any()) or self.through > 0,
            "copies": bool(self.copied.any()) or self.through > 0,
        }


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree of one top switch over the members.

    Attributes
    ----------
    top
        Its node.
    up
        Arc from each node of the tree but the top to its parent, shape (k,).
    down
        The arcs back, shape (k,).
    path
        For each member, the arcs (indices into ``up``) from it to the top.
    """

    top: int
    up: IntArray
    down: IntArray
    path: tuple[IntArray, ...]


@dataclass(frozen=True, eq=False)
class CombinedFlow:
    """Combined traffic on its trees; answers what a `Flow` does.

    Attributes
    ----------
    fabric
        What it is routed on.
    loads
        What each arc carries, shape (arcs,).
    """

    fabric: Fabric
    loads: FloatArray
    _trees: tuple[Tree, ...] = field(repr=False)

    def busy(self, capacity: FloatArray | None = None) -> FloatArray:
        """Return seconds each arc is busy, shape (arcs,), for a demand in bytes.

        Parameters
        ----------
        capacity
            Bytes/s of each arc; by default the fabric's own.
        """
        return self.loads / (self.fabric.capacity if capacity is None else capacity)

    def node_busy(self) -> FloatArray:
        """Return seconds each node's forwarding capacity is busy, shape (nodes,)."""
        inside = np.array([kind == "switch" for kind in self.fabric.kind])
        total = np.bincount(self.fabric.head, self.loads, minlength=len(self.fabric.nodes))
        return np.where(inside, total, 0.0) / self.fabric.node_capacity

    def slowest(self, capacity: FloatArray | None = None) -> Slowest:
        """Return the slowest way up and down, and the most loaded link of the trees."""
        latency = sum(float(self.fabric.latency[arc]) for arc in self.path) + sum(
            float(self.fabric.node_latency[self.fabric.head[arc]]) for arc in self.path[:-1]
        )
        busiest = max(self.busy(capacity).max(initial=0.0), self.node_busy().max(initial=0.0))
        ends = self.fabric.tail[self.path[0]], self.fabric.head[self.path[-1]]
        return Slowest(
            np.array([latency]), np.array([busiest]), np.array([ends[0]]), np.array([ends[1]])
        )

    @cached_property
    def path(self) -> list[int]:
        """The arcs from the member that is the farthest up, over the top, to one as far down."""
        best: list[int] = []
        longest = -1.0
        for tree in self._trees:
            ups = [self._seconds(tree.up[arcs]) for arcs in tree.path]
            downs = [self._seconds(tree.down[arcs]) for arcs in tree.path]
            first = int(np.argmax(ups))
            rest = [d if i != first or len(downs) == 1 else -1.0 for i, d in enumerate(downs)]
            last = int(np.argmax(rest))
            if ups[first] + downs[last] > longest:
                longest = ups[first] + downs[last]
                best = [*tree.up[tree.path[first]].tolist(),
                        *tree.down[tree.path[last]][::-1].tolist()]  # fmt: skip
        return best

    def _seconds(self, arcs: IntArray) -> float:
        nodes = np.concatenate([self.fabric.head[arcs], self.fabric.tail[arcs]])
        return float(self.fabric.latency[arcs].sum() + self.fabric.node_latency[nodes].sum() / 2)


def route_combined(supernode: Supernode, demand: Combined) -> CombinedFlow:
    """Return combined traffic on its trees.

    Parameters
    ----------
    supernode
        The machine.
    demand
        The traffic, in ranks.

    Raises
    ------
    RoutingError
        If no switch can add, or copy, for all the members.
    """
    fabric = supernode.fabric
    trees = combining_trees(supernode, demand.members, **demand.needs)
    weight = np.array([fabric.capacity[np.append(t.up, t.down)].min() for t in trees])
    loads = np.zeros(len(fabric.tail))
    for tree, part in zip(trees, (weight / weight.sum()).tolist(), strict=True):
        loads[tree.up] += part * (float(demand.added.sum()) + demand.through)
        loads[tree.down] += part * (float(demand.copied.sum()) + demand.through)
        for arcs, down in zip(tree.path, demand.added.tolist(), strict=False):
            loads[tree.down[arcs]] += part * down
        for arcs, up in zip(tree.path, demand.copied.tolist(), strict=False):
            loads[tree.up[arcs]] += part * up
    return CombinedFlow(fabric, loads, tuple(trees))


def combining_trees(
    supernode: Supernode, members: IntArray, *, adds: bool, copies: bool
) -> list[Tree]:
    """Return the lowest trees of switches that can add, or copy, over some ranks.

    Parameters
    ----------
    supernode
        The machine.
    members
        Ranks, shape (p,).
    adds, copies
        What the switches have to do: have the attribute ``reduces``, ``multicasts``.

    Raises
    ------
    RoutingError
        If there is no such tree.
    """
    fabric, nodes = supernode.fabric, supernode.graph.nodes
    able = np.array(
        [
            nodes[name].get("kind") == "switch"
            and (not adds or bool(nodes[name].get("reduces")))
            and (not copies or bool(nodes[name].get("multicasts")))
            for name in fabric.nodes
        ]
    )
    leaves = fabric.npus[members]
    trees = _lowest(fabric, able, leaves)
    if not trees:
        verbs = " and ".join([*(["add"] if adds else []), *(["copy"] if copies else [])])
        raise RoutingError(
            f"{supernode.name} has no switch that can {verbs} for all {len(leaves)} ranks; it "
            "takes switches with the attribute 'reduces' (to add) or 'multicasts' (to copy)"
        )
    return trees


def _lowest(fabric: Fabric, able: BoolArray, leaves: IntArray) -> list[Tree]:
    """Return the trees of least height, those with tops near the first leaf tried first."""
    near = _depths(fabric, int(leaves[0]), able, leaves)
    tops = np.flatnonzero(able & (near > 0))
    chosen: list[tuple[int, IntArray]] = []
    lowest = len(fabric.nodes)
    for top in tops[np.argsort(near[tops], kind="stable")].tolist():
        if near[top] > lowest or len(chosen) == _MOST_TOPS:
            break
        depth = _depths(fabric, top, able, leaves)
        height = int(depth[leaves].max()) if (depth[leaves] > 0).all() else len(fabric.nodes)
        if height < lowest:
            chosen, lowest = [], height
        if height == lowest < len(fabric.nodes):
            chosen.append((top, depth))
    return [_tree(fabric, top, depth, leaves) for top, depth in chosen]


def _depths(fabric: Fabric, top: int, able: BoolArray, leaves: IntArray) -> IntArray:
    """Return hops from a top over able switches, shape (nodes,); -1 where they do not reach."""
    depth = np.full(len(fabric.nodes), -1)
    depth[top] = 0
    front, level = np.array([top]), 0
    inside, allowed = able.copy(), able.copy()
    inside[top] = allowed[leaves] = True
    while len(front):
        level += 1
        heads = np.concatenate([
            fabric.head[fabric.out_start[u] : fabric.out_start[u + 1]]
            for u in front.tolist() if inside[u]
        ] or [np.zeros(0, dtype=np.int64)])  # fmt: skip
        front = np.unique(heads[(depth[heads] < 0) & allowed[heads]])
        depth[front] = level
    return depth


def _tree(fabric: Fabric, top: int, depth: IntArray, leaves: IntArray) -> Tree:
    up: dict[int, int] = {}  # arc to the parent, of each node
    place: dict[int, int] = {}
    paths = []
    for leaf in leaves.tolist():
        node, path = leaf, []
        while node != top:
            if node not in up:
                up[node] = _parent_arc(fabric, node, depth)
                place[node] = len(place)
            path.append(place[node])
            node = int(fabric.head[up[node]])
        paths.append(np.array(path))
    arcs = np.array(list(up.values()))
    names = fabric.nodes
    back = [
        fabric.arc(names[h], names[t])
        for t, h in zip(fabric.tail[arcs].tolist(), fabric.head[arcs].tolist(), strict=True)
    ]
    return Tree(top, arcs, np.array(back), tuple(paths))


def _parent_arc(fabric: Fabric, node: int, depth: IntArray) -> int:
    """Return the widest arc of a node that leads nearer to the top, the first of equals."""
    arcs = np.arange(fabric.out_start[node], fabric.out_start[node + 1])
    nearer = arcs[depth[fabric.head[arcs]] == depth[node] - 1]
    if not len(nearer):
        raise RoutingError(f"{fabric.nodes[node]} has no link back up the tree it is reached by")
    return int(nearer[np.argmax(fabric.capacity[nearer])])
