"""Which way traffic goes: a demand in, link loads and paths out."""

from topology.routing.demand import Demand, Pairs, Uniform, as_demand, check_ranks
from topology.routing.ecmp import Ecmp, Flow, Slowest, ecmp

__all__ = [
    "Demand", "Ecmp", "Flow", "Pairs", "Slowest", "Uniform", "as_demand", "check_ranks", "ecmp",
]  # fmt: skip
