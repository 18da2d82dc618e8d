"""What is sent over a supernode, how long it takes, and what limits it."""

from collectives.algorithms import algorithm_names, register
from collectives.analysis import Analysis, analyze, analyze_sizes, make_schedule
from collectives.bottleneck import Bottleneck, LinkClass
from collectives.bounds import Bound, bound
from collectives.collective import Collective, collective, collective_names
from collectives.comparison import Comparison, compare
from collectives.cost import Cost, Latency, Plan, plan
from collectives.execution import execute, verify
from collectives.schedule import Schedule, ScheduleError, Step, Team, Transfers

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
    "make_schedule",
    "plan",
    "register",
    "verify",
]
