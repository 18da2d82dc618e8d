"""What is sent over a supernode, how long it takes, and what limits it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from collectives.algorithms import algorithm as algorithm
from collectives.algorithms import algorithm_names as algorithm_names
from collectives.algorithms import register as register
from collectives.algorithms.alltoall import all_to_all_v as all_to_all_v
from collectives.analysis.analyze import analyze as analyze
from collectives.analysis.analyze import analyze_sizes as analyze_sizes
from collectives.analysis.analyze import make_schedule as make_schedule
from collectives.analysis.answer import Analysis as Analysis
from collectives.analysis.bottleneck import Bottleneck as Bottleneck
from collectives.analysis.bottleneck import LinkClass as LinkClass
from collectives.analysis.comparison import Comparison as Comparison
from collectives.analysis.comparison import compare as compare
from collectives.analysis.crossovers import Crossover as Crossover
from collectives.analysis.crossovers import crossovers as crossovers
from collectives.analysis.failures import FailureTable as FailureTable
from collectives.analysis.failures import failures as failures
from collectives.analysis.question import Job as Job
from collectives.analysis.simulate import simulate as simulate
from collectives.analysis.simulation import JobRun as JobRun
from collectives.analysis.simulation import Simulation as Simulation
from collectives.analysis.sweeps import SweepRecord as SweepRecord
from collectives.analysis.sweeps import size_range as size_range
from collectives.analysis.sweeps import sweep as sweep
from collectives.analysis.tuning import AlgorithmTable as AlgorithmTable
from collectives.analysis.tuning import TunerTable as TunerTable
from collectives.analysis.tuning import analyze_all as analyze_all
from collectives.analysis.tuning import tune as tune
from collectives.bounds import Bound as Bound
from collectives.bounds import bound as bound
from collectives.model.collective import Collective as Collective
from collectives.model.collective import collective as collective
from collectives.model.collective import collective_names as collective_names
from collectives.model.dependencies import Dependencies as Dependencies
from collectives.model.dependencies import dependencies as dependencies
from collectives.model.execution import execute as execute
from collectives.model.execution import verify as verify
from collectives.model.schedule import DoesNotFitError as DoesNotFitError
from collectives.model.schedule import Schedule as Schedule
from collectives.model.schedule import ScheduleError as ScheduleError
from collectives.model.schedule import Step as Step
from collectives.model.schedule import Team as Team
from collectives.model.schedule import Transfers as Transfers
from collectives.stacks import Stack as Stack
from collectives.stacks import stack_names as stack_names
from collectives.synthesis import Exchange as Exchange
from collectives.synthesis import Synthesis as Synthesis
from collectives.synthesis import find_exchange as find_exchange
from collectives.synthesis import find_forest as find_forest
from collectives.synthesis import synthesize as synthesize
from collectives.timing import Cost as Cost
from collectives.timing import Latency as Latency
from collectives.timing import Plan as Plan
from collectives.timing import plan as plan
from collectives.validation import Calibration as Calibration
from collectives.validation import Curve as Curve
from collectives.validation import Measurement as Measurement
from collectives.validation import Validation as Validation
from collectives.validation import calibrate as calibrate
from collectives.validation import measurements as measurements
from collectives.validation import read_curve as read_curve
from collectives.validation import validate as validate
from collectives.workloads.all_to_all_v import analyze_all_to_all_v as analyze_all_to_all_v
from collectives.workloads.groups import Groups as Groups
from collectives.workloads.groups import analyze_groups as analyze_groups
from collectives.workloads.groups import analyze_jobs as analyze_jobs
from collectives.workloads.groups import groups as groups
from collectives.workloads.moe import MoEAnalysis as MoEAnalysis
from collectives.workloads.moe import analyze_moe as analyze_moe
from collectives.workloads.moe import scale_experts as scale_experts
from collectives.workloads.moe_traffic import MoELayer as MoELayer
from collectives.workloads.moe_traffic import deepseek_v3 as deepseek_v3
from topology.calls import check_calls, public_names

if TYPE_CHECKING:
    from collectives.plots import plot_bandwidth as plot_bandwidth
    from collectives.plots import plot_distribution as plot_distribution
    from collectives.plots import plot_fabric as plot_fabric
    from collectives.plots import plot_failures as plot_failures
    from collectives.plots import plot_gantt as plot_gantt
    from collectives.plots import plot_latency as plot_latency
    from collectives.plots import plot_loads as plot_loads
    from collectives.plots import plot_machines as plot_machines
    from collectives.plots import plot_steps as plot_steps
    from collectives.plots import plot_traffic as plot_traffic


check_calls(__name__)


def __getattr__(name: str) -> Any:
    """Bring in the plots, and matplotlib with them, only when they are asked for."""
    if name == "plots" or name.startswith("plot_"):
        plots = import_module("collectives.plots")
        if name == "plots" or hasattr(plots, name):
            return plots if name == "plots" else getattr(plots, name)
    if name == "__all__":
        drawn = vars(import_module("collectives.plots"))
        return public_names(__name__, *(plot for plot in drawn if plot.startswith("plot_")))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
