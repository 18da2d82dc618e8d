"""Plot what an analysis found: each picture with a pure function for its data beside it."""

from collectives.plots.bandwidth import (
    Curve,
    bandwidth_conclusion,
    bandwidth_curves,
    plot_bandwidth,
)
from collectives.plots.fabric import plot_fabric
from collectives.plots.loads import LoadPanel, load_panels, plot_loads

__all__ = [
    "Curve",
    "LoadPanel",
    "bandwidth_conclusion",
    "bandwidth_curves",
    "load_panels",
    "plot_bandwidth",
    "plot_fabric",
    "plot_loads",
]
