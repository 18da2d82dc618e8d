"""Plot what an analysis found: each picture with a pure function for its data beside it."""

from collectives.plots.bandwidth import (
    Crossover,
    Curve,
    bandwidth_conclusion,
    bandwidth_curves,
    crossovers,
    plot_bandwidth,
)
from collectives.plots.distribution import Distribution, load_distribution, plot_distribution
from collectives.plots.fabric import plot_fabric
from collectives.plots.failures import Failures, failure_curves, plot_failures
from collectives.plots.latency import Wait, critical_waits, plot_latency
from collectives.plots.loads import LoadPanel, load_panels, plot_loads
from collectives.plots.machines import Measure, machine_measures, plot_machines
from collectives.plots.steps import Bar, plot_steps, step_bars
from collectives.plots.traffic import Traffic, plot_traffic, traffic_matrix
from topology.calls import check_calls

__all__ = [
    "Bar",
    "Crossover",
    "Curve",
    "Distribution",
    "Failures",
    "LoadPanel",
    "Measure",
    "Traffic",
    "Wait",
    "bandwidth_conclusion",
    "bandwidth_curves",
    "critical_waits",
    "crossovers",
    "failure_curves",
    "load_distribution",
    "load_panels",
    "machine_measures",
    "plot_bandwidth",
    "plot_distribution",
    "plot_fabric",
    "plot_failures",
    "plot_latency",
    "plot_loads",
    "plot_machines",
    "plot_steps",
    "plot_traffic",
    "step_bars",
    "traffic_matrix",
]

check_calls(__name__)
