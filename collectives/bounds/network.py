"""Keep what can carry a collective: forwarding nodes and the ranks, twins merged.

CPUs, and NICs that pass nothing on, carry nothing. NPUs may relay by store-and-forward unless
that is ruled out. Latencies, media and places do not matter to bandwidth, so more nodes are
interchangeable here than in routing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from collectives.model.schedule import IntArray
from topology.fabric import BoolArray, Fabric
from topology.hardware.media import Link
from topology.routing.quotient import Quotient, coloured_quotient, quotient, twin_groups
from topology.solvers.fractions import whole_units
from topology.symmetry import Orbits, codes, orbits


@dataclass(frozen=True, eq=False)
class Network:
    """The part of a fabric that can carry a collective.

    Attributes
    ----------
    fabric
        That part alone: ``npus`` are the ranks that take part, ``forwards`` the nodes that may
        lie inside a path, ``node_capacity`` is finite at switches with a limit only; latencies
        are zero.
    node, arc
        Index in the whole fabric of each node and each arc, shapes (n,) and (m,).
    relay
        Whether NPUs may pass others' data on.
    mark
        Nodes with different marks are never interchangeable, shape (n,).
    """

    fabric: Fabric
    node: IntArray
    arc: IntArray
    relay: bool
    mark: IntArray

    @property
    def ranks(self) -> int:
        """Return how many take part."""
        return len(self.fabric.npus)

    @property
    def passes(self) -> BoolArray:
        """Return which nodes may lie inside a path, shape (n,)."""
        return self.fabric.forwards

    @cached_property
    def groups(self) -> IntArray:
        """Return the group of twins of each node, shape (n,)."""
        return twin_groups(self.fabric, self.mark)

    @cached_property
    def quotient(self) -> Quotient:
        """Return the graph of groups."""
        return quotient(self.fabric, self.groups)

    @cached_property
    def rank_groups(self) -> IntArray:
        """Return the groups that hold ranks, shape (k,)."""
        return np.unique(self.quotient.group[self.fabric.npus])

    @cached_property
    def orbits(self) -> Orbits:
        """Return groups and merged arcs sorted by symmetry."""
        q = self.quotient
        is_rank = np.zeros(len(q.size), dtype=np.int64)
        is_rank[self.rank_groups] = 1
        limit = np.unique(self.fabric.node_capacity[q.member], return_inverse=True)[1]
        colour = codes([is_rank, limit.reshape(-1), self.mark[q.member]])
        graph = coloured_quotient(q, colour, codes([q.latency]))
        return orbits(graph)

    @cached_property
    def representatives(self) -> IntArray:
        """Return a group of ranks for each orbit of them, shape (k,), in the fabric's order."""
        groups = self.rank_groups
        _, first = np.unique(self.orbits.node[groups], return_index=True)
        chosen = groups[first]
        ordered: IntArray = chosen[np.argsort(self.quotient.member[chosen])]
        return ordered

    @cached_property
    def balanced(self) -> bool:
        """Tell whether as much capacity leaves every node as enters it, to the last bit."""
        bare, count = self.fabric, len(self.fabric.nodes)
        out = np.bincount(bare.tail, bare.capacity, count)
        into = np.bincount(bare.head, bare.capacity, count)
        free = not np.isfinite(bare.node_capacity).any() and bool(self.passes.all())
        return free and np.array_equal(out, into)

    @cached_property
    def even(self) -> bool:
        """Tell whether every node inside that is no rank gives out exactly what it takes in.

        Then it can be replaced by links between its neighbours without narrowing any cut (edge
        splitting), and trees that branch at ranks alone reach the narrowest cut. Where a switch
        takes in another rate than it gives out, or forwards less than its links bring, they may
        not. A node that leads nowhere does not matter.

        References
        ----------
        Mader, Konstruktion aller n-fach kantenzusammenhängenden Digraphen, European J. Combin. 3
        (1982) 63-67; Bang-Jensen, Frank and Jackson, SIAM J. Discrete Math. 8 (1995) 155-178.
        """
        bare, count = self.fabric, len(self.fabric.nodes)
        units, _ = whole_units(bare.capacity)
        into, out = (np.zeros(count, dtype=units.dtype) for _ in range(2))
        np.add.at(into, bare.head, units)
        np.add.at(out, bare.tail, units)
        inner = self.passes.copy()
        inner[bare.npus] = False
        offered = np.bincount(bare.head, bare.capacity, count)
        free = bare.node_capacity >= offered * (1 - 1e-12)
        return bool(((into == out) & free | (into == 0) | (out == 0))[inner].all())

    def reversed(self) -> Network:
        """Return the network with every link turned round."""
        turned = replace(self.fabric, tail=self.fabric.head, head=self.fabric.tail)
        return replace(self, fabric=turned)

    def marked(self, mark: IntArray) -> Network:
        """Return the network with some nodes told apart, shape (n,)."""
        return replace(self, mark=mark)


def network(fabric: Fabric, ranks: IntArray, *, relay: bool = True) -> Network:
    """Return the part of a fabric that can carry a collective among some ranks.

    Parameters
    ----------
    fabric
        The whole fabric.
    ranks
        Who takes part, shape (p,).
    relay
        Whether NPUs that do not forward in the network may still pass data on.
    """
    nodes = fabric.npus[ranks]
    member = np.zeros(len(fabric.nodes), dtype=bool)
    member[nodes] = True
    passes = fabric.forwards.copy()
    if relay:
        passes |= member | (np.array(fabric.kind) == "npu")
    kept = np.flatnonzero(passes | member)
    place = np.full(len(fabric.nodes), -1)
    place[kept] = np.arange(len(kept))
    arc = np.flatnonzero((place[fabric.tail] >= 0) & (place[fabric.head] >= 0))
    inside = np.array([fabric.kind[node] == "switch" for node in kept.tolist()])
    bare = Fabric(
        nodes=tuple(fabric.nodes[node] for node in kept.tolist()),
        npus=place[nodes],
        tail=place[fabric.tail[arc]],
        head=place[fabric.head[arc]],
        capacity=fabric.capacity[arc],
        latency=np.zeros(len(arc)),
        lanes=np.ones(len(arc)),
        link=np.zeros(len(arc), dtype=np.int64),
        links=(Link(),),
        forwards=passes[kept],
        kind=("switch",) * len(kept),
        labels=("",) * len(kept),
        node_latency=np.zeros(len(kept)),
        node_capacity=np.where(inside, fabric.node_capacity[kept], np.inf),
    )
    return Network(bare, kept, arc, relay, np.zeros(len(kept), dtype=np.int64))
