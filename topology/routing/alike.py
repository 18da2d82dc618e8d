"""Find targets that a symmetry of machine and traffic carries to each other: one is then enough.

A symmetry must keep the traffic as well as the machine, so the traffic is drawn into the graph
before symmetries are looked for: pairs as coloured arcs, sets that exchange as hubs with an arc to
and from each member. Every symmetry used is checked arc by arc on that graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from topology.fabric import Fabric, FloatArray, IntArray, distinct
from topology.routing.demand import Pairs, Uniform
from topology.routing.quotient import Quotient, coloured_quotient, node_colours
from topology.symmetry import Coloured, codes, equitable_partition, orbits


@dataclass(frozen=True, eq=False)
class Alike:
    """Groups of twins, and which groups and which merged arcs symmetry carries to each other.

    Attributes
    ----------
    whole
        The twins.
    node, arc
        Orbit of each group and of each merged arc: under automorphisms, checked one by one.
    placeless
        Whether links of an orbit may differ in length and record.
    """

    whole: Quotient
    node: IntArray
    arc: IntArray
    placeless: bool = False

    @property
    def twins(self) -> bool:
        """Whether nothing but twins is alike."""
        return len(distinct(self.node)) == len(self.node) and self._apart

    @cached_property
    def _apart(self) -> bool:
        """Whether no two arcs are alike."""
        return int(self.arc.max(initial=-1)) + 1 == len(self.arc)

    def lift(self, q: Quotient, merged: FloatArray) -> FloatArray:
        """Return the fabric's loads from those of one target of each orbit.

        The loads of all targets together are the same on all arcs of an orbit, and their sum
        over the orbit is that of the one target, times the targets it stands for.
        """
        if self._apart and q is self.whole:
            return merged[q.arc]
        orbit = self.arc[self.whole.arc[q.sample]]
        count = int(self.arc.max(initial=-1)) + 1
        total = np.bincount(orbit, merged * q.count, minlength=count)
        arcs = np.bincount(self.arc, self.whole.count, minlength=count)
        share = np.divide(total, arcs, out=np.zeros(count), where=arcs > 0)
        return share[self.arc][self.whole.arc]

    def most(self, q: Quotient, value: FloatArray, sign: float = 1.0) -> FloatArray:
        """Return the most of a value of each arc over those it stands for, shape (a,).

        Parameters
        ----------
        q
            The twins, or finer.
        value
            Of each arc of the fabric, shape (arcs,).
        sign
            -1 for the least instead.
        """
        if not self.placeless:
            return value[q.sample]
        found = np.full(int(self.arc.max(initial=-1)) + 1, -np.inf)
        np.maximum.at(found, self.arc[self.whole.arc], sign * value)
        return sign * found[self.arc[self.whole.arc[q.sample]]]


def twins_alone(whole: Quotient) -> Alike:
    """Return the twins without any further symmetry."""
    return Alike(whole, np.arange(len(whole.size)), np.arange(len(whole.tail)))


def carried(
    fabric: Fabric, whole: Quotient, demand: Uniform | Pairs, *, most: float = np.inf
) -> Alike | None:
    """Return which targets of a demand are alike under the symmetries that keep it.

    None if it is clear before the search that there must be more than ``most`` sorts of them.

    Parameters
    ----------
    fabric
        The fabric; without its lengths, if they do not count.
    whole
        Groups of its twins; all members of a group send and receive alike.
    demand
        What is sent.
    most
        How many sorts of targets are worth the search.
    """
    member = np.zeros(len(fabric.nodes), dtype=np.int64)
    member[fabric.npus[demand.ends]] = 1
    colour = node_colours(fabric, member)[whole.member]
    graph = coloured_quotient(whole, colour, codes([whole.latency]))
    drawn, arcs = _drawn(graph, *_arcs_of(demand, whole.group[fabric.npus], graph.size))
    targets = distinct(whole.group[fabric.npus[demand.ends]])
    if most < len(targets) and len(np.unique(equitable_partition(drawn)[targets])) > most:
        return None  # orbits are never coarser than the equitable partition
    seen = orbits(drawn, targets)
    return Alike(whole, seen.node[: graph.size], seen.arc[arcs])


def _arcs_of(
    demand: Uniform | Pairs, group: IntArray, groups: int
) -> tuple[int, IntArray, IntArray, IntArray]:
    """Return a demand as hubs and arcs: hubs, tails, heads and colours; all different.

    Parameters
    ----------
    demand
        What is sent.
    group
        Group of each rank, shape (ranks,).
    groups
        How many groups there are; hubs are numbered from there on.
    """
    if isinstance(demand, Pairs):
        keys, at = np.unique(group[demand.src] * groups + group[demand.dst], return_inverse=True)
        total = np.bincount(at.reshape(-1), demand.amount, minlength=len(keys))
        return 0, keys // groups, keys % groups, codes([total])
    rows = demand.rows
    if len(rows) == 1:  # the members' colour says it all
        none = np.zeros(0, dtype=np.int64)
        return 0, none, none, none
    hub = groups + np.repeat(np.arange(len(rows)), rows.shape[1])
    ends = np.unique(np.stack([group[rows.reshape(-1)], hub]), axis=1)
    tail, head = np.concatenate([ends, ends[::-1]], axis=1)
    return len(rows), tail, head, np.zeros(len(tail), dtype=np.int64)


def _drawn(
    graph: Coloured, hubs: int, tail: IntArray, head: IntArray, colour: IntArray
) -> tuple[Coloured, IntArray]:
    """Return a graph with hubs and arcs drawn in, and where its own arcs are now."""
    size = graph.size + hubs
    ends = np.concatenate([graph.tail * size + graph.head, tail * size + head])
    keys, at = np.unique(ends, return_inverse=True)
    at = at.reshape(-1)
    links, sent = np.zeros((2, len(keys)), dtype=np.int64)
    links[at[: len(graph.tail)]] = graph.arc_colour + 1
    sent[at[len(graph.tail) :]] = colour + 1
    last = int(graph.place.max(initial=0)) + 1
    drawn = Coloured(
        keys // size,
        keys % size,
        np.concatenate([graph.node_colour, np.full(hubs, graph.node_colour.max(initial=0) + 1)]),
        codes([links, sent]),
        np.concatenate([graph.place, last + np.arange(hubs)]),
    )
    return drawn, at[: len(graph.tail)]
