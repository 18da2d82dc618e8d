"""Say who sends how much to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from topology.errors import RoutingError
from topology.fabric import Fabric, FloatArray, IntArray
from topology.naming import natural_sort, node_id
from topology.validation import is_number


@dataclass(frozen=True, eq=False)
class Uniform:
    """The same amount from every rank to every other rank of a set.

    Attributes
    ----------
    ranks
        The ranks, shape (p,), all different.
    amount
        What each ordered pair of them exchanges.
    """

    ranks: IntArray
    amount: float = 1.0


@dataclass(frozen=True, eq=False)
class Pairs:
    """An amount for each of some ordered pairs of ranks.

    Attributes
    ----------
    src, dst
        Ranks, shape (k,). A pair of a rank with itself crosses no link.
    amount
        What each pair sends, shape (k,).
    """

    src: IntArray
    dst: IntArray
    amount: FloatArray


Demand: TypeAlias = Uniform | Pairs
DemandLike: TypeAlias = (
    Demand
    | npt.ArrayLike
    | sparse.sparray
    | sparse.spmatrix
    | Mapping[tuple[object, object], float]
    | None
)


def as_demand(fabric: Fabric, demand: DemandLike = None) -> Demand:
    """Return a demand from any of the forms a user may give.

    Parameters
    ----------
    fabric
        Whose ranks are meant.
    demand
        None for one unit per ordered pair of ranks; a `Uniform` or `Pairs`; a dense or sparse
        matrix of shape (ranks, ranks), row = sender; or a mapping from (sender, receiver), as
        ids or ranks, to an amount.

    Raises
    ------
    RoutingError
        If the shape is wrong, a rank is not there, or an amount is negative or not finite.
    """
    count = len(fabric.npus)
    if demand is None:
        return Uniform(np.arange(count))
    if isinstance(demand, Uniform):
        return _checked_uniform(demand, count)
    if isinstance(demand, Mapping):
        demand = _from_mapping(fabric, demand)
    elif not isinstance(demand, Pairs):
        demand = _from_matrix(demand, count)
    return _checked_pairs(demand, count)


def _from_mapping(fabric: Fabric, demand: Mapping[tuple[object, object], float]) -> Pairs:
    rank = {fabric.nodes[node]: r for r, node in enumerate(fabric.npus.tolist())}

    def find(who: object) -> int:
        if isinstance(who, int | np.integer) and str(who) not in rank:
            return int(who)
        name = node_id(who)
        if name not in rank:
            near = ", ".join(natural_sort(rank)[:3])
            raise RoutingError(f"demand: {name} is not an NPU of the fabric; NPUs are {near}, ...")
        return rank[name]

    for pair, amount in demand.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise RoutingError(f"demand: {pair!r} is not a pair (sender, receiver)")
        if not is_number(amount):
            raise RoutingError(f"demand: {pair[0]} to {pair[1]} is {amount!r}; it must be a number")
    ends = [(find(u), find(v)) for u, v in demand]
    src, dst = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    return Pairs(src, dst, np.array(list(demand.values()), dtype=float))


def _from_matrix(demand: object, count: int) -> Pairs:
    matrix = sparse.coo_array(demand) if sparse.issparse(demand) else None
    if matrix is None:
        try:
            dense = np.asarray(demand, dtype=float)
        except (TypeError, ValueError):
            raise RoutingError(
                f"demand: {type(demand).__name__} is not a matrix of numbers, a mapping from "
                "(sender, receiver) to an amount, Uniform or Pairs"
            ) from None
        if dense.ndim != 2:
            raise RoutingError(f"demand: a matrix has 2 dimensions, this has {dense.ndim}")
        if np.isnan(dense).any():
            raise RoutingError("demand: the matrix holds NaN; amounts are zero or more")
        matrix = sparse.coo_array(dense)
    if matrix.shape != (count, count):
        raise RoutingError(
            f"demand: the matrix has shape {matrix.shape}; {count} ranks need ({count}, {count})"
        )
    src, dst = matrix.coords
    return Pairs(src.astype(np.int64), dst.astype(np.int64), matrix.data.astype(float))


def _checked_uniform(demand: Uniform, count: int) -> Uniform:
    ranks = check_ranks(demand.ranks, count)
    if not np.isfinite(demand.amount) or demand.amount < 0:
        raise RoutingError(f"demand: amount is {demand.amount!r}; it must be zero or more")
    return Uniform(ranks, float(demand.amount))


def _checked_pairs(demand: Pairs, count: int) -> Pairs:
    if not len(demand.src) == len(demand.dst) == len(demand.amount):
        raise RoutingError("demand: src, dst and amount must have the same length")
    bad = ~(np.isfinite(demand.amount) & (demand.amount >= 0))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise RoutingError(
            f"demand: rank {demand.src[at]} to rank {demand.dst[at]} is {demand.amount[at]}; "
            "amounts are finite, zero or more"
        )
    for ends in (demand.src, demand.dst):
        if len(ends) and not (ends.min() >= 0 and ends.max() < count):
            worst = ends.min() if ends.min() < 0 else ends.max()
            raise RoutingError(f"demand: there is no rank {worst}; ranks are 0 to {count - 1}")
    keep = (demand.src != demand.dst) & (demand.amount > 0)
    return Pairs(demand.src[keep], demand.dst[keep], demand.amount[keep])


def check_ranks(ranks: npt.ArrayLike, count: int) -> IntArray:
    """Return ranks as an array; raise `RoutingError` on repeats and on ranks that are not there.

    Parameters
    ----------
    ranks
        Rank numbers, any order.
    count
        How many ranks there are.
    """
    try:
        raw = np.asarray(ranks)
    except ValueError:
        raw = np.empty(0)
    if raw.ndim != 1 or not raw.size:
        raise RoutingError("ranks: give one rank or more, as a flat list such as [0, 1, 2]")
    if raw.dtype.kind not in "iu":
        raise RoutingError(f"ranks: {raw[0]!r} is not a whole number; ranks are 0 to {count - 1}")
    chosen = raw.astype(np.int64)
    if chosen.min() < 0 or chosen.max() >= count:
        worst = chosen.min() if chosen.min() < 0 else chosen.max()
        raise RoutingError(f"ranks: there is no rank {worst}; ranks are 0 to {count - 1}")
    values, counts = np.unique(chosen, return_counts=True)
    if counts.max() > 1:
        again = values[counts > 1][0]
        raise RoutingError(f"ranks: {again} stands {counts.max()} times; each rank goes once")
    return chosen
