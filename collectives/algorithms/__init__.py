"""Collective algorithms, one file to a family; each is a function that returns a `Schedule`."""

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
from collectives.algorithms.registry import algorithm_names, find_algorithm, register
from collectives.algorithms.ring import ring_all_gather, ring_all_reduce, ring_reduce_scatter

for _name, _algorithms in {
    "all_reduce": {
        "ring": ring_all_reduce,
        "direct": direct_all_reduce,
        "hierarchical": hierarchical_all_reduce,
        "hierarchical_direct": hierarchical_direct_all_reduce,
    },
    "reduce_scatter": {"ring": ring_reduce_scatter, "direct": direct_reduce_scatter},
    "all_gather": {"ring": ring_all_gather, "direct": direct_all_gather},
    "all_to_all": {"direct": direct_all_to_all, "hierarchical": hierarchical_all_to_all},
}.items():
    for _key, _algorithm in _algorithms.items():
        register(_name, _key, _algorithm)

__all__ = ["algorithm_names", "find_algorithm", "register"]
