"""Collective algorithms, one file to a family; each is a function that returns a `Schedule`."""

from functools import partial

from collectives.algorithms.alltoall import (
    bruck_all_to_all,
    dimension_all_to_all,
    pairwise_all_to_all,
    rotated_all_to_all,
)
from collectives.algorithms.bfb import bfb_all_gather, bfb_all_reduce, bfb_reduce_scatter
from collectives.algorithms.butterfly import (
    bruck_all_gather,
    bruck_all_reduce,
    bruck_reduce_scatter,
    elimination_all_reduce,
    halving_doubling_all_reduce,
    recursive_doubling_all_gather,
    recursive_doubling_all_reduce,
    recursive_halving_reduce_scatter,
)
from collectives.algorithms.direct import (
    direct_all_gather,
    direct_all_reduce,
    direct_all_to_all,
    direct_reduce_scatter,
    one_shot_all_reduce,
)
from collectives.algorithms.hierarchical import (
    hierarchical_all_gather,
    hierarchical_all_reduce,
    hierarchical_all_to_all,
    hierarchical_direct_all_gather,
    hierarchical_direct_all_reduce,
    hierarchical_direct_reduce_scatter,
    hierarchical_reduce_scatter,
    three_level_all_gather,
    three_level_all_reduce,
    three_level_direct_all_reduce,
    three_level_reduce_scatter,
)
from collectives.algorithms.innetwork import (
    aggregated_reduce,
    multicast_broadcast,
    nvls_all_gather,
    nvls_all_reduce,
    nvls_reduce_scatter,
    sharp_all_reduce,
)
from collectives.algorithms.multi_ring import (
    multi_ring_all_gather,
    multi_ring_all_reduce,
    multi_ring_reduce_scatter,
)
from collectives.algorithms.pipeline import (
    binary_tree_all_reduce,
    binary_tree_broadcast,
    binary_tree_reduce,
    chain_all_reduce,
    chain_broadcast,
    chain_reduce,
    double_binary_tree_all_reduce,
)
from collectives.algorithms.registry import (
    Algorithm,
    algorithm_names,
    candidate_names,
    find_algorithm,
    register,
)
from collectives.algorithms.ring import (
    bidirectional_all_gather,
    bidirectional_all_reduce,
    bidirectional_reduce_scatter,
    ring_all_gather,
    ring_all_reduce,
    ring_reduce_scatter,
)
from collectives.algorithms.rooted import (
    binomial_all_reduce,
    binomial_barrier,
    binomial_broadcast,
    binomial_gather,
    binomial_reduce,
    binomial_scatter,
    direct_broadcast,
    direct_gather,
    direct_reduce,
    direct_scatter,
    dissemination_barrier,
    scatter_gather_broadcast,
    scatter_gather_reduce,
)
from collectives.algorithms.swing import (
    bine_all_gather,
    bine_all_reduce,
    bine_broadcast,
    bine_reduce,
    bine_reduce_scatter,
    swing_all_gather,
    swing_all_reduce,
    swing_latency_all_reduce,
    swing_reduce_scatter,
    torus_doubling_all_reduce,
)
from collectives.algorithms.torus import (
    bucket_all_gather,
    bucket_all_reduce,
    bucket_reduce_scatter,
)

_ALGORITHMS: dict[str, dict[str, Algorithm]] = {
    "all_reduce": {
        "ring": ring_all_reduce,
        "bidirectional_ring": bidirectional_all_reduce,
        "multi_ring": multi_ring_all_reduce,
        "direct": direct_all_reduce,
        "one_shot": one_shot_all_reduce,
        "hierarchical": hierarchical_all_reduce,
        "hierarchical_direct": hierarchical_direct_all_reduce,
        "three_level": three_level_all_reduce,
        "three_level_direct": three_level_direct_all_reduce,
        "recursive_doubling": recursive_doubling_all_reduce,
        "halving_doubling": halving_doubling_all_reduce,
        "elimination": elimination_all_reduce,
        "bruck": bruck_all_reduce,
        "binomial_tree": binomial_all_reduce,
        "double_binary_tree": double_binary_tree_all_reduce,
        "binary_tree": binary_tree_all_reduce,
        "bucket": bucket_all_reduce,
        "swing": swing_all_reduce,
        "swing_latency": swing_latency_all_reduce,
        "torus_doubling": torus_doubling_all_reduce,
        "bine": bine_all_reduce,
        "bfb": bfb_all_reduce,
        "nvls": nvls_all_reduce,
    },
    "reduce_scatter": {
        "ring": ring_reduce_scatter,
        "bidirectional_ring": bidirectional_reduce_scatter,
        "multi_ring": multi_ring_reduce_scatter,
        "direct": direct_reduce_scatter,
        "hierarchical": hierarchical_reduce_scatter,
        "hierarchical_direct": hierarchical_direct_reduce_scatter,
        "three_level": three_level_reduce_scatter,
        "recursive_halving": recursive_halving_reduce_scatter,
        "bruck": bruck_reduce_scatter,
        "bucket": bucket_reduce_scatter,
        "swing": swing_reduce_scatter,
        "bine": bine_reduce_scatter,
        "bfb": bfb_reduce_scatter,
        "nvls": nvls_reduce_scatter,
    },
    "all_gather": {
        "ring": ring_all_gather,
        "bidirectional_ring": bidirectional_all_gather,
        "multi_ring": multi_ring_all_gather,
        "direct": direct_all_gather,
        "hierarchical": hierarchical_all_gather,
        "hierarchical_direct": hierarchical_direct_all_gather,
        "three_level": three_level_all_gather,
        "recursive_doubling": recursive_doubling_all_gather,
        "bruck": bruck_all_gather,
        "bucket": bucket_all_gather,
        "swing": swing_all_gather,
        "bine": bine_all_gather,
        "bfb": bfb_all_gather,
        "nvls": nvls_all_gather,
    },
    "broadcast": {
        "binomial_tree": binomial_broadcast,
        "scatter_gather": scatter_gather_broadcast,
        "binary_tree": binary_tree_broadcast,
        "chain": chain_broadcast,
        "bine": bine_broadcast,
        "direct": direct_broadcast,
        "multicast": multicast_broadcast,
    },
    "reduce": {
        "binomial_tree": binomial_reduce,
        "scatter_gather": scatter_gather_reduce,
        "binary_tree": binary_tree_reduce,
        "chain": chain_reduce,
        "bine": bine_reduce,
        "direct": direct_reduce,
        "aggregated": aggregated_reduce,
    },
    "gather": {"binomial_tree": binomial_gather, "direct": direct_gather},
    "scatter": {"binomial_tree": binomial_scatter, "direct": direct_scatter},
    "barrier": {"dissemination": dissemination_barrier, "binomial_tree": binomial_barrier},
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

# Switches that reduce what is pushed to them are a choice of machine: see its docstring.
register("all_reduce", "sharp", sharp_all_reduce, candidate=False)

# Twice as many different steps as ranks: slow to try, and a tree pipelines as well in fewer.
register("all_reduce", "chain", chain_all_reduce, candidate=False)

__all__ = ["algorithm_names", "candidate_names", "find_algorithm", "register"]
