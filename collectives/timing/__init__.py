"""How long a schedule takes on a fabric: step by step, or as its chunks arrive."""

from collectives.timing.cost import Cost as Cost
from collectives.timing.cost import Latency as Latency
from collectives.timing.cost import StepCost as StepCost
from collectives.timing.cost import split_path as split_path
from collectives.timing.endpoint import RATES as RATES
from collectives.timing.endpoint import Endpoint as Endpoint
from collectives.timing.endpoint import arc_rates as arc_rates
from collectives.timing.endpoint import endpoint_of as endpoint_of
from collectives.timing.lower_bound import floor_time as floor_time
from collectives.timing.plan import Plan as Plan
from collectives.timing.plan import plan as plan
