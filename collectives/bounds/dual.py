"""Work out what lengths prove, fast: by symmetry, for the finders of bounds.

`collectives.bounds.certificates` says what lengths are, and checks them without any of this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collectives.bounds.network import Network
from collectives.bounds.split_nodes import Halves, halves
from collectives.model.schedule import IntArray
from topology.fabric import FloatArray

_PLAIN = 30_000_000
_CELLS = 40_000_000


@dataclass(frozen=True, eq=False)
class Amounts:
    """How much each rank of a network sends to each, at rate 1.

    Attributes
    ----------
    matrix
        Shape (ranks, ranks), row = sender; None for 1/p between any two of p ranks.
    """

    matrix: FloatArray | None = None

    def row(self, sender: int, ranks: int) -> FloatArray:
        """Return what one rank sends to each, shape (ranks,)."""
        found = np.full(ranks, 1 / ranks) if self.matrix is None else self.matrix[sender].copy()
        found[sender] = 0.0
        return found


def needed(net: Network, link: FloatArray, node: FloatArray, amounts: Amounts) -> float:
    """Return Σ demand · distance, per byte of S.

    Parameters
    ----------
    net
        The part of a fabric that carries the demand.
    link, node
        Lengths of its links and of its limited switches, shapes (m,) and (n,).
    amounts
        The demand.
    """
    mark = np.unique(node, return_inverse=True)[1].reshape(-1)
    timed = replace(net, fabric=replace(net.fabric, latency=link), mark=mark)
    plain = amounts.matrix is not None or net.ranks * (len(net.arc) + 1) <= _PLAIN
    laid = halves(timed, np.arange(len(net.fabric.nodes)) if plain else None)
    joined = len(laid.tail) - laid.links - len(laid.limited)
    gates = node[laid.q.member[laid.limited]]
    length = np.concatenate([laid.q.latency, gates, np.zeros(joined)])
    rows, weight = np.arange(len(laid.senders)), np.ones(len(laid.senders))
    if not plain:  # one rank speaks for all to which a checked symmetry carries it
        rows, weight = representatives(laid)
    place = np.searchsorted(laid.senders, laid.q.group[net.fabric.npus])
    total = []
    for part in np.array_split(np.arange(len(rows)), 1 + len(rows) * laid.nodes // _CELLS):
        reach = laid.distances(length, rows[part])[:, laid.receivers]
        if amounts.matrix is not None:
            wanted = np.zeros((len(part), len(laid.senders)))
            wanted[:, place] = amounts.matrix[np.argsort(place)[rows[part]]]
            wanted[np.arange(len(part)), rows[part]] = 0.0
        else:
            wanted = np.outer(laid.size[rows[part]], laid.size).astype(float)
            wanted[np.arange(len(part)), rows[part]] -= laid.size[rows[part]]
            wanted *= weight[part, None] / net.ranks
        total.append(float(np.multiply(wanted, reach, where=wanted > 0, out=wanted).sum()))
    return math.fsum(total)


def representatives(laid: Halves) -> tuple[IntArray, FloatArray]:
    """Return a group of ranks for each orbit, sorted, and how many groups each stands for."""
    orbit = laid.net.orbits.node[laid.senders]
    _, first, count = np.unique(orbit, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], count[order].astype(float)


def by_length(names: list[str] | list[tuple[str, str]], length: FloatArray) -> tuple[Any, ...]:
    """Return links or switches sorted by length, without those that have none.

    Parameters
    ----------
    names
        Of each.
    length
        Of each, shape (k,).
    """
    values, which = np.unique(length, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(which.reshape(-1), minlength=len(values)))
    bounds = zip(values.tolist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True)
    return tuple(
        (value, tuple(names[i] for i in order[lo:hi].tolist())) for value, lo, hi in bounds if value
    )
