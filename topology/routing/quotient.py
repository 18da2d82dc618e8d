"""Merge nodes that no one can tell apart, so that routing them once is enough.

Two nodes are *twins* when they have the same neighbours over equal links. Swapping twins is an
automorphism of the graph, whatever the rest of it looks like, so merging them is exact: also on
damaged fabrics, where the twins of a damaged node simply stay apart from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.symmetry import Coloured, HashArray, codes, scramble


@dataclass(frozen=True, eq=False)
class Quotient:
    """A graph of groups of twins.

    Attributes
    ----------
    group
        Group of each node of the fabric, shape (n,).
    size
        Members of each group, shape (g,).
    member
        One member of each group, shape (g,).
    tail, head
        Groups at the ends of each merged arc, shape (a,), sorted by tail, then head.
    capacity, latency
        Of one arc of the fabric, shape (a,).
    fan_out, fan_in
        Arcs of the fabric at one tail member and at one head member, shape (a,).
    count
        Arcs of the fabric merged into each arc, shape (a,).
    arc
        Merged arc of each arc of the fabric, shape (m,).
    sample
        One arc of the fabric for each merged arc, shape (a,).
    forwards
        Which groups pass traffic on, shape (g,).
    node_latency
        Seconds from port to port, shape (g,).
    cost
        Hops each arc counts for, shape (a,): 1, or more than any path for an arc into a NIC.
    """

    group: IntArray
    size: IntArray
    member: IntArray
    tail: IntArray
    head: IntArray
    capacity: FloatArray
    latency: FloatArray
    fan_out: FloatArray
    fan_in: FloatArray
    count: IntArray
    arc: IntArray
    sample: IntArray
    forwards: BoolArray
    node_latency: FloatArray
    cost: IntArray

    @cached_property
    def _ends(self) -> IntArray:
        """Tail and head of each arc in one sorted number, shape (a,)."""
        return self.tail * len(self.size) + self.head

    @cached_property
    def onward(self) -> tuple[IntArray, IntArray]:
        """Arcs into groups that pass traffic on: where each tail's begin, and which they are."""
        arcs = np.flatnonzero(self.forwards[self.head])
        return _starts(self.tail[arcs], len(self.size)), arcs

    def arcs_between(self, tails: IntArray, heads: IntArray) -> IntArray:
        """Return the arcs from groups to groups, elementwise; all must be there."""
        return np.searchsorted(self._ends, tails * len(self.size) + heads)


def twin_groups(fabric: Fabric, colour: IntArray | None = None) -> IntArray:
    """Return the group of twins each node belongs to, shape (n,).

    Parameters
    ----------
    fabric
        The fabric.
    colour
        Nodes of different colours are never twins, shape (n,).
    """
    nodes = len(fabric.nodes)
    arc_colour = _arc_colours(fabric)
    token = scramble(np.arange(nodes, dtype=np.uint64))
    to_head = scramble(token[fabric.head] + arc_colour)
    to_tail = scramble(token[fabric.tail] + arc_colour)
    out_hash, in_hash = np.zeros(nodes, np.uint64), np.zeros(nodes, np.uint64)
    np.add.at(out_hash, fabric.tail, to_head)
    np.add.at(in_hash, fabric.head, to_tail)
    base = node_colours(fabric, colour)
    apart = np.unique(
        np.stack([base.astype(np.uint64), out_hash, in_hash]), axis=1, return_inverse=True
    )[1].reshape(-1)
    groups = _merge_adjacent_twins(fabric, apart, base, arc_colour, token, out_hash, in_hash)
    return groups if _all_twins(fabric, groups, arc_colour) else np.arange(nodes)


def _merge_adjacent_twins(
    fabric: Fabric,
    apart: IntArray,
    base: IntArray,
    arc_colour: HashArray,
    token: HashArray,
    out_hash: HashArray,
    in_hash: HashArray,
) -> IntArray:
    """Join nodes that are linked to each other and equal but for that link."""
    u, v = fabric.tail, fabric.head
    seen_from_u = scramble(token[v] + arc_colour)
    seen_from_v = scramble(token[u] + arc_colour)
    same = (
        (base[u] == base[v])
        & (out_hash[u] - seen_from_u == out_hash[v] - seen_from_v)
        & (in_hash[u] - seen_from_u == in_hash[v] - seen_from_v)
    )
    if not same.any():
        return apart
    nodes = len(fabric.nodes)
    first = np.zeros(int(apart.max()) + 1, dtype=np.int64)
    first[apart] = np.arange(nodes)
    rows = np.concatenate([u[same], np.arange(nodes)])
    columns = np.concatenate([v[same], first[apart]])
    ones = np.ones(len(rows), dtype=np.int8)
    joined = sparse.coo_array((ones, (rows, columns)), shape=(nodes, nodes))
    labels: IntArray = connected_components(joined, directed=False)[1].astype(np.int64)
    return labels


def _all_twins(fabric: Fabric, groups: IntArray, arc_colour: HashArray) -> bool:
    """Check that between any two groups there are all links or none, and all are equal."""
    size = np.bincount(groups)
    tail, head = groups[fabric.tail], groups[fabric.head]
    key = tail * len(size) + head
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    if not len(starts):
        return True
    counts = np.diff(np.append(starts, len(order)))
    a, b = tail[order][starts], head[order][starts]
    full = np.where(a == b, size[a] * (size[a] - 1), size[a] * size[b])
    colours = arc_colour[order]
    even = np.minimum.reduceat(colours, starts) == np.maximum.reduceat(colours, starts)
    return bool((counts == full).all() and even.all())


def _arc_colours(fabric: Fabric) -> HashArray:
    columns = [fabric.capacity, fabric.latency, fabric.lanes, fabric.link.astype(float)]
    return codes(columns).astype(np.uint64)


def node_colours(fabric: Fabric, colour: IntArray | None) -> IntArray:
    """Return a number for each sort of node: nodes that differ in it are never twins."""
    kinds = {kind: i for i, kind in enumerate(dict.fromkeys(fabric.kind))}
    words = {word: i for i, word in enumerate(dict.fromkeys(fabric.labels))}
    rank = np.zeros(len(fabric.nodes))
    rank[fabric.npus] = 1
    columns = [
        np.array([kinds[kind] for kind in fabric.kind], dtype=float),
        np.array([words[word] for word in fabric.labels], dtype=float),
        fabric.forwards.astype(float),
        fabric.node_latency,
        fabric.node_capacity,
        rank,
    ]
    if colour is not None:
        columns.append(colour.astype(float))
    return codes(columns)


def quotient(fabric: Fabric, groups: IntArray) -> Quotient:
    """Return the graph of groups; ``groups`` must be twins, or finer than twins."""
    group = np.unique(groups, return_inverse=True)[1].reshape(-1)
    size = np.bincount(group)
    count_groups = len(size)
    member = np.zeros(count_groups, dtype=np.int64)
    member[group[::-1]] = np.arange(len(group))[::-1]
    key = group[fabric.tail] * count_groups + group[fabric.head]
    keys, sample, arc, count = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    tail, head = np.divmod(keys, count_groups)
    toll = np.where(fabric.is_nic[member[head]], len(fabric.nodes) + 1, 1)
    return Quotient(
        group=group,
        size=size,
        member=member,
        tail=tail,
        head=head,
        capacity=fabric.capacity[sample],
        latency=fabric.latency[sample],
        fan_out=count / size[tail],
        fan_in=count / size[head],
        count=count,
        arc=arc.reshape(-1),
        sample=sample,
        forwards=fabric.forwards[member],
        node_latency=fabric.node_latency[member],
        cost=toll,
    )


def _starts(ends: IntArray, count: int) -> IntArray:
    return np.concatenate(([0], np.cumsum(np.bincount(ends, minlength=count))))


def expand(starts: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return, for each row of a CSR structure, its entries: (which row, which entry).

    Parameters
    ----------
    starts
        Where each row begins, shape (n + 1,).
    rows
        The rows wanted, shape (k,).
    """
    first = starts[rows]
    lengths = starts[rows + 1] - first
    which = np.repeat(np.arange(len(rows)), lengths)
    entry = np.arange(len(which)) + np.repeat(first - np.cumsum(lengths) + lengths, lengths)
    return which, entry


def coloured_quotient(q: Quotient, node_colour: IntArray, arc_colour: IntArray) -> Coloured:
    """Return a graph of groups as a coloured graph.

    Parameters
    ----------
    q
        Groups of twins; their symmetries are symmetries of the fabric.
    node_colour, arc_colour
        Colours of the groups and of the merged arcs, besides the groups' sizes and the arcs'
        capacities.
    """
    return Coloured(
        q.tail,
        q.head,
        codes([q.size, q.forwards, node_colour]),
        codes([q.capacity, q.count, arc_colour]),
        q.member,
    )
