"""What is sent over a supernode, how long it takes, and what limits it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from collectives.algorithms import algorithm_names, register
from collectives.analysis import Analysis, analyze, analyze_sizes, make_schedule
from collectives.bottleneck import Bottleneck, LinkClass
from collectives.bounds import Bound, bound
from collectives.collective import Collective, collective, collective_names
from collectives.comparison import Comparison, compare
from collectives.cost import Cost, Latency, Plan, plan
from collectives.execution import execute, verify
from collectives.schedule import Schedule, ScheduleError, Step, Team, Transfers
from collectives.synthesis import Synthesis, find_forest, synthesize

if TYPE_CHECKING:
    from collectives.plots import plot_bandwidth, plot_fabric, plot_loads

__all__ = [
    "Analysis",
    "Bottleneck",
    "Bound",
    "Collective",
    "Comparison",
    "Cost",
    "Latency",
    "LinkClass",
    "Plan",
    "Schedule",
    "ScheduleError",
    "Step",
    "Synthesis",
    "Team",
    "Transfers",
    "algorithm_names",
    "analyze",
    "analyze_sizes",
    "bound",
    "collective",
    "collective_names",
    "compare",
    "execute",
    "find_forest",
    "make_schedule",
    "plan",
    "plot_bandwidth",
    "plot_fabric",
    "plot_loads",
    "register",
    "synthesize",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Bring in the plots, and matplotlib with them, only when they are asked for."""
    if name == "plots" or (name.startswith("plot_") and name in __all__):
        plots = import_module("collectives.plots")
        return plots if name == "plots" else getattr(plots, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
