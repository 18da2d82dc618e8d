"""How long a schedule takes on a fabric: step by step, or as its chunks arrive."""

from collectives.timing.cost import Cost, Latency, StepCost, split_path
from collectives.timing.endpoint import RATES, Endpoint, arc_rates, endpoint_of
from collectives.timing.lower_bound import floor_time
from collectives.timing.plan import Plan, plan

__all__ = [
    "RATES",
    "Cost",
    "Endpoint",
    "Latency",
    "Plan",
    "StepCost",
    "arc_rates",
    "endpoint_of",
    "floor_time",
    "plan",
    "split_path",
]
