"""Collective algorithms, one file to a family; each is a function that returns a `Schedule`."""

from functools import partial

from collectives.algorithms.alltoall import (
    bruck_all_to_all,
    dimension_all_to_all,
    pairwise_all_to_all,
    rotated_all_to_all,
)
from collectives.algorithms.direct import (
    direct_all_gather,
    direct_all_reduce,
    direct_all_to_all,
    direct_reduce_scatter,
)
from collectives.algorithms.hierarchical import (
    hierarchical_all_reduce,
    hierarchical_all_to_all,
    hierarchical_direct_all_reduce,
)
from collectives.algorithms.registry import (
    Algorithm,
    algorithm_names,
    candidate_names,
    find_algorithm,
    register,
)
from collectives.algorithms.ring import ring_all_gather, ring_all_reduce, ring_reduce_scatter

_ALGORITHMS: dict[str, dict[str, Algorithm]] = {
    "all_reduce": {
        "ring": ring_all_reduce,
        "direct": direct_all_reduce,
        "hierarchical": hierarchical_all_reduce,
        "hierarchical_direct": hierarchical_direct_all_reduce,
    },
    "reduce_scatter": {"ring": ring_reduce_scatter, "direct": direct_reduce_scatter},
    "all_gather": {"ring": ring_all_gather, "direct": direct_all_gather},
    "all_to_all": {
        "direct": direct_all_to_all,
        "hierarchical": hierarchical_all_to_all,
        "bruck": bruck_all_to_all,
        "bruck4": partial(bruck_all_to_all, radix=4),
        "bruck8": partial(bruck_all_to_all, radix=8),
        "dimension": dimension_all_to_all,
        "rotated": rotated_all_to_all,
    },
}
for _name, _algorithms in _ALGORITHMS.items():
    for _key, _algorithm in _algorithms.items():
        register(_name, _key, _algorithm)

# Direct sends the same messages over the same paths, all at once, so pairwise never beats it.
register("all_to_all", "pairwise", pairwise_all_to_all, candidate=False)

__all__ = ["algorithm_names", "candidate_names", "find_algorithm", "register"]
