"""What is sent over a supernode, how long it takes, and what limits it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from collectives.algorithms import algorithm, algorithm_names, register
from collectives.algorithms.alltoall import all_to_all_v
from collectives.analysis.analyze import analyze, analyze_sizes, make_schedule
from collectives.analysis.answer import Analysis
from collectives.analysis.bottleneck import Bottleneck, LinkClass
from collectives.analysis.comparison import Comparison, compare
from collectives.analysis.crossovers import Crossover, crossovers
from collectives.analysis.failures import FailureTable, failures
from collectives.analysis.question import Job
from collectives.analysis.sweeps import SweepRecord, size_range, sweep
from collectives.analysis.tuning import AlgorithmTable, TunerTable, analyze_all, tune
from collectives.bounds import Bound, bound
from collectives.model.collective import Collective, collective, collective_names
from collectives.model.dependencies import Dependencies, dependencies
from collectives.model.execution import execute, verify
from collectives.model.schedule import (
    DoesNotFitError,
    Schedule,
    ScheduleError,
    Step,
    Team,
    Transfers,
)
from collectives.synthesis import Exchange, Synthesis, find_exchange, find_forest, synthesize
from collectives.timing import Cost, Latency, Plan, plan
from collectives.workloads.all_to_all_v import analyze_all_to_all_v
from collectives.workloads.groups import (
    Groups,
    analyze_groups,
    analyze_jobs,
    groups,
)
from collectives.workloads.moe import MoEAnalysis, analyze_moe, scale_experts
from collectives.workloads.moe_traffic import MoELayer, deepseek_v3
from topology.calls import check_calls

if TYPE_CHECKING:
    from collectives.plots import (
        plot_bandwidth,
        plot_distribution,
        plot_fabric,
        plot_failures,
        plot_latency,
        plot_loads,
        plot_machines,
        plot_steps,
        plot_traffic,
    )

__all__ = [
    "AlgorithmTable",
    "Analysis",
    "Bottleneck",
    "Bound",
    "Collective",
    "Comparison",
    "Cost",
    "Crossover",
    "Dependencies",
    "DoesNotFitError",
    "Exchange",
    "FailureTable",
    "Groups",
    "Job",
    "Latency",
    "LinkClass",
    "MoEAnalysis",
    "MoELayer",
    "Plan",
    "Schedule",
    "ScheduleError",
    "Step",
    "SweepRecord",
    "Synthesis",
    "Team",
    "Transfers",
    "TunerTable",
    "algorithm",
    "algorithm_names",
    "all_to_all_v",
    "analyze",
    "analyze_all",
    "analyze_all_to_all_v",
    "analyze_groups",
    "analyze_jobs",
    "analyze_moe",
    "analyze_sizes",
    "bound",
    "collective",
    "collective_names",
    "compare",
    "crossovers",
    "deepseek_v3",
    "dependencies",
    "execute",
    "failures",
    "find_exchange",
    "find_forest",
    "groups",
    "make_schedule",
    "plan",
    "plot_bandwidth",
    "plot_distribution",
    "plot_fabric",
    "plot_failures",
    "plot_latency",
    "plot_loads",
    "plot_machines",
    "plot_steps",
    "plot_traffic",
    "register",
    "scale_experts",
    "size_range",
    "sweep",
    "synthesize",
    "tune",
    "verify",
]

check_calls(__name__)


def __getattr__(name: str) -> Any:
    """Bring in the plots, and matplotlib with them, only when they are asked for."""
    if name == "plots" or (name.startswith("plot_") and name in __all__):
        plots = import_module("collectives.plots")
        return plots if name == "plots" else getattr(plots, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
