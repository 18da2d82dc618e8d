"""Which way traffic goes: a demand in, link loads and paths out."""

from topology.calls import check_calls
from topology.routing.demand import (
    Demand,
    DemandLike,
    Pairs,
    Uniform,
    as_demand,
    check_ranks,
    join_pairs,
)
from topology.routing.ecmp import Ecmp, EcmpFlow, ecmp
from topology.routing.flow import RoutedFlow, Router, Slowest, Sum, SumFlow, add_demands
from topology.routing.in_network import InNetwork, InNetworkFlow, in_network_trees
from topology.routing.one_path import OnePath, PathFlow
from topology.routing.policies import router, routing, routing_names

__all__ = [
    "Demand",
    "DemandLike",
    "Ecmp",
    "EcmpFlow",
    "InNetwork",
    "InNetworkFlow",
    "OnePath",
    "Pairs",
    "PathFlow",
    "RoutedFlow",
    "Router",
    "Slowest",
    "Sum",
    "SumFlow",
    "Uniform",
    "add_demands",
    "as_demand",
    "check_ranks",
    "ecmp",
    "in_network_trees",
    "join_pairs",
    "router",
    "routing",
    "routing_names",
]

check_calls(__name__)
