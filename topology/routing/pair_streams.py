"""Follow traffic that spreads over shortest paths from each sender to each receiver.

A demand's loads need only what all senders of a target send together; who shares which link needs
each alone. Senders and receivers that are alike are still one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from topology.errors import RoutingError
from topology.fabric import FloatArray, IntArray
from topology.routing.spreading import Block, Sources, Spread, worst_of
from topology.routing.streams import Resources, Streams, with_switches

_MOST_SHARES = 80_000_000  # links of all transfers together: some 2 GB


@dataclass(frozen=True, eq=False)
class _OneEach(Sources):
    """One sender for each target, instead of all of a row."""

    def into(self, ranks: IntArray, target: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """Return group, column and amount of each target's sender."""
        del target
        return self.group, np.arange(len(ranks)), self.amount


def pair_streams(
    spread: Spread, actor: IntArray, resources: Resources, latency: FloatArray, alike: IntArray
) -> Streams:
    """Return a spread demand as streams: one from each sort of sender to each of its targets.

    Parameters
    ----------
    spread
        The demand, and its targets.
    actor
        Which ranks are alike, shape (ranks,).
    resources
        Which links are.
    latency
        Seconds of each merged arc, shape (a,).
    alike
        Senders that differ only by what was set apart, as a number for each group, shape (g,).
    """
    q, npus = spread.q, spread.fabric.npus
    ranks = spread.target_rank
    group, column, amount = spread.sources.into(ranks, q.group[npus[ranks]])
    if len(set(amount.tolist())) == 1:  # merge a set-apart sender with its twins
        _, first, at = np.unique(
            column * len(q.size) + alike[group], return_index=True, return_inverse=True
        )
        members = np.bincount(at.reshape(-1), q.size[group]).astype(float)
        group, column, amount = group[first], column[first], amount[first]
    else:
        members = q.size[group].astype(float)
    single = replace(
        spread, table=lambda _: spread.distances, target_rank=ranks[column],
        weight=np.ones(len(column)), sources=_one_each(group),
    )  # fmt: skip
    node_rank = np.zeros(len(spread.fabric.nodes), dtype=np.int64)
    node_rank[npus] = np.arange(len(npus))
    kinds = np.arange(len(column))
    share, longest = _followed(single, group, resources, latency)
    return Streams(
        actor, members * spread.weight[column], amount, longest,
        np.stack([kinds, actor[node_rank[q.member[group]]]]),
        np.stack([kinds, actor[ranks[column]]]),
        with_switches(spread.fabric, resources, share), resources,
    )  # fmt: skip


def _one_each(group: IntArray) -> Sources:
    """Return one sender for each target, that sends it 1."""
    none = np.zeros(0, dtype=np.int64)
    return _OneEach(none, none, group, np.ones(len(group)))


def _followed(
    spread: Spread, group: IntArray, resources: Resources, latency: FloatArray
) -> tuple[sparse.csc_array, FloatArray]:
    """Return each transfer's share on each class of arcs, and its slowest path's latency.

    Parameters
    ----------
    spread
        One sender for each target.
    group
        The senders' groups, shape (k,).
    resources
        Whose first rows are the classes of arcs.
    latency
        Seconds of each merged arc, shape (a,).
    """
    q, links = spread.q, int(resources.at.max(initial=-1)) + 1
    row = resources.at[q.sample]
    still_arcs, still_nodes = np.zeros(len(q.tail)), np.zeros(len(q.size))
    arcs_of = np.bincount(resources.at, minlength=links)
    shares, longest = [sparse.csc_array((links, 0))], [np.zeros(0)]
    for lo, hi in spread.spans():
        part = replace(
            spread, target_rank=spread.target_rank[lo:hi], weight=spread.weight[lo:hi],
            sources=_one_each(group[lo:hi]),
        )  # fmt: skip
        for block in part:
            rows, columns, carried = _hops(block)
            value = carried * q.count[rows] / q.size[group[lo:hi]][columns]
            found = sparse.coo_array(
                (value / arcs_of[row[rows]], (row[rows], columns)), shape=(links, hi - lo)
            )  # fmt: skip
            shares.append(sparse.csc_array(found))
            shared = sum(one.nnz for one in shares) / hi * len(group)
            if shared > _MOST_SHARES:
                raise RoutingError(
                    f"ECMP: {len(group):,} transfers that are not alike use some {shared:,.0f} "
                    f"links, and {_MOST_SHARES:,} are followed at most; choose fewer ranks="
                )
            keys = np.argsort(group[lo:hi] * (hi - lo) + np.arange(hi - lo))
            slowest = np.empty(hi - lo)
            slowest[keys] = worst_of(q, block, latency, still_arcs, still_nodes)[0]
            longest.append(slowest)
    return sparse.csc_array(sparse.hstack(shares)), np.concatenate(longest)


def _hops(block: Block) -> tuple[IntArray, IntArray, FloatArray]:
    """Return merged arc, column and flow of each hop of a block."""
    levels = block.levels
    arcs = np.concatenate([level.arc for level in levels])
    columns = np.concatenate([level.key[level.which] % block.width for level in levels])
    return arcs, columns, np.concatenate([level.flow for level in levels])
