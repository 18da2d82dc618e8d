"""Measure a supernode: bisection, distances, cables, transceivers, watts, cost."""

from topology.calls import check_calls
from topology.metrics.bisection import BisectionCut as BisectionCut
from topology.metrics.bisection import bisection as bisection
from topology.metrics.bisection import bisection_cut as bisection_cut
from topology.metrics.bisection import natural_splits as natural_splits
from topology.metrics.carrying import carriers as carriers
from topology.metrics.carrying import live_arcs as live_arcs
from topology.metrics.distance import PathDiversity as PathDiversity
from topology.metrics.distance import diameter as diameter
from topology.metrics.distance import girth as girth
from topology.metrics.distance import mean_distance as mean_distance
from topology.metrics.distance import path_diversity as path_diversity
from topology.metrics.distance import spectral_gap as spectral_gap
from topology.metrics.flow import MaxFlow as MaxFlow
from topology.metrics.flow import max_flow as max_flow
from topology.metrics.physical import Cables as Cables
from topology.metrics.physical import NetworkCost as NetworkCost
from topology.metrics.physical import NetworkPower as NetworkPower
from topology.metrics.physical import Reliability as Reliability
from topology.metrics.physical import cable_count as cable_count
from topology.metrics.physical import cable_length as cable_length
from topology.metrics.physical import cables as cables
from topology.metrics.physical import copper_wires as copper_wires
from topology.metrics.physical import link_counts as link_counts
from topology.metrics.physical import network_cost as network_cost
from topology.metrics.physical import network_power as network_power
from topology.metrics.physical import optics as optics
from topology.metrics.physical import reliability as reliability
from topology.metrics.tiers import LINKS as LINKS
from topology.metrics.tiers import npu_bandwidths as npu_bandwidths
from topology.metrics.tiers import oversubscription as oversubscription
from topology.metrics.tiers import per_npu_bandwidth as per_npu_bandwidth

check_calls(__name__)
