"""Measure a supernode: bisection, distances, cables, transceivers, watts, cost."""

from topology.calls import check_calls
from topology.metrics.bisection import BisectionCut, bisection, bisection_cut, natural_splits
from topology.metrics.carrying import carriers, live_arcs
from topology.metrics.distance import (
    PathDiversity,
    diameter,
    girth,
    mean_distance,
    path_diversity,
    spectral_gap,
)
from topology.metrics.flow import MaxFlow, max_flow
from topology.metrics.physical import (
    Cables,
    NetworkCost,
    NetworkPower,
    Reliability,
    cable_count,
    cable_length,
    cables,
    copper_wires,
    link_counts,
    network_cost,
    network_power,
    optics,
    reliability,
)
from topology.metrics.tiers import LINKS, npu_bandwidths, oversubscription, per_npu_bandwidth

__all__ = [
    "LINKS",
    "BisectionCut",
    "Cables",
    "MaxFlow",
    "NetworkCost",
    "NetworkPower",
    "PathDiversity",
    "Reliability",
    "bisection",
    "bisection_cut",
    "cable_count",
    "cable_length",
    "cables",
    "carriers",
    "copper_wires",
    "diameter",
    "girth",
    "link_counts",
    "live_arcs",
    "max_flow",
    "mean_distance",
    "natural_splits",
    "network_cost",
    "network_power",
    "npu_bandwidths",
    "optics",
    "oversubscription",
    "path_diversity",
    "per_npu_bandwidth",
    "reliability",
    "spectral_gap",
]

check_calls(__name__)
