"""Which way traffic goes: a demand in, link loads and paths out."""

from topology.routing.demand import Demand, Pairs, Uniform, as_demand, check_ranks
from topology.routing.ecmp import Ecmp, ecmp
from topology.routing.flow import Flow, Slowest
from topology.routing.in_network import Combined, CombinedFlow, combining_trees, route_combined

__all__ = [
    "Combined", "CombinedFlow", "Demand", "Ecmp", "Flow", "Pairs", "Slowest", "Uniform",
    "as_demand", "check_ranks", "combining_trees", "ecmp", "route_combined",
]  # fmt: skip
