"""Which way traffic goes: a demand in, link loads and paths out."""

from topology.calls import check_calls
from topology.routing.adaptive import MinimalAdaptive as MinimalAdaptive
from topology.routing.adaptive import Optimal as Optimal
from topology.routing.deadlock import Deadlock as Deadlock
from topology.routing.deadlock import deadlock as deadlock
from topology.routing.demand import Demand as Demand
from topology.routing.demand import DemandLike as DemandLike
from topology.routing.demand import Pairs as Pairs
from topology.routing.demand import Uniform as Uniform
from topology.routing.demand import check_ranks as check_ranks
from topology.routing.demand import chosen_ranks as chosen_ranks
from topology.routing.demand import join_pairs as join_pairs
from topology.routing.dimension_order import DimensionOrder as DimensionOrder
from topology.routing.ecmp import Ecmp as Ecmp
from topology.routing.ecmp import EcmpFlow as EcmpFlow
from topology.routing.ecmp import ecmp as ecmp
from topology.routing.flow import RoutedFlow as RoutedFlow
from topology.routing.flow import Router as Router
from topology.routing.flow import Slowest as Slowest
from topology.routing.flow import Sum as Sum
from topology.routing.flow import SumFlow as SumFlow
from topology.routing.flow import add_demands as add_demands
from topology.routing.given import as_demand as as_demand
from topology.routing.hashed import WorstLink as WorstLink
from topology.routing.hashed import worst_link as worst_link
from topology.routing.in_network import InNetwork as InNetwork
from topology.routing.in_network import InNetworkFlow as InNetworkFlow
from topology.routing.in_network_trees import in_network_trees as in_network_trees
from topology.routing.one_path import OnePath as OnePath
from topology.routing.one_path import OwnRouting as OwnRouting
from topology.routing.overview import RoutingComparison as RoutingComparison
from topology.routing.overview import RoutingFigures as RoutingFigures
from topology.routing.overview import compare_routings as compare_routings
from topology.routing.pair_flow import PairFlow as PairFlow
from topology.routing.paths import PathFlow as PathFlow
from topology.routing.paths import PathRouter as PathRouter
from topology.routing.paths import Ways as Ways
from topology.routing.policies import RoutingLike as RoutingLike
from topology.routing.policies import router as router
from topology.routing.policies import routing as routing
from topology.routing.policies import routing_names as routing_names
from topology.routing.static import DModK as DModK
from topology.routing.static import SModK as SModK
from topology.routing.ugal import Ugal as Ugal
from topology.routing.valiant import Valiant as Valiant

check_calls(__name__)
