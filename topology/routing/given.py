"""Read demands in any of the forms that callers give."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from topology import border
from topology.errors import RoutingError, shown
from topology.fabric import Fabric
from topology.naming import natural_sort, node_id
from topology.routing.demand import Demand, DemandLike, Pairs, Uniform


def as_demand(fabric: Fabric, demand: DemandLike = None) -> Demand:
    """Return a demand from any of the forms a user may give.

    Parameters
    ----------
    fabric
        Whose ranks are meant.
    demand
        None for one unit per ordered pair of ranks; a `Demand`; a dense or sparse
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
    if isinstance(demand, Mapping):
        demand = _from_mapping(fabric, demand)
    elif not isinstance(demand, Demand):
        demand = _from_matrix(demand, count)
    return demand.checked(count)


def _from_mapping(fabric: Fabric, demand: Mapping[tuple[object, object], float]) -> Pairs:
    rank = {fabric.nodes[node]: r for r, node in enumerate(fabric.npus.tolist())}

    def find(who: object) -> int:
        if border.is_whole(who) and node_id(who) not in rank:
            return int(who)
        name = node_id(who)
        if name not in rank:
            near = ", ".join(natural_sort(rank)[:3])
            raise RoutingError(f"demand: {name} is not an NPU of the fabric; NPUs are {near}, ...")
        return rank[name]

    for pair, amount in demand.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise RoutingError(f"demand: {shown(pair)} is not a pair (sender, receiver)")
        border.number(amount, f"demand: {pair[0]} to {pair[1]}", error=RoutingError)
    ends = [(find(u), find(v)) for u, v in demand]
    src, dst = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    return Pairs(src, dst, np.array(list(demand.values()), dtype=float))


def _from_matrix(demand: object, count: int) -> Pairs:
    matrix = sparse.coo_array(demand) if sparse.issparse(demand) else None
    if matrix is None:
        what = "demand (a matrix, a mapping from (sender, receiver), Uniform or Pairs)"
        dense = border.floats(demand, what, RoutingError)
        if dense.ndim != 2:
            raise RoutingError(f"demand: a matrix has 2 dimensions, this has {dense.ndim}")
        matrix = sparse.coo_array(dense)
    if matrix.shape != (count, count):
        raise RoutingError(
            f"demand: the matrix has shape {matrix.shape}; {count} ranks need ({count}, {count})"
        )
    src, dst = matrix.coords
    return Pairs(src.astype(np.int64), dst.astype(np.int64), matrix.data.astype(float))
