"""What fails together, which of it is alike, and failing it, chosen or at random."""

from topology.calls import check_calls
from topology.faults.failing import fail as fail
from topology.faults.failing import random_failures as random_failures
from topology.faults.registry import FailureUnit as FailureUnit
from topology.faults.registry import failure_unit as failure_unit
from topology.faults.registry import failure_units as failure_units
from topology.faults.registry import unit_kinds as unit_kinds
from topology.faults.sorting import distinct_units as distinct_units
from topology.faults.sorting import unit_sorts as unit_sorts
from topology.registry import import_all

import_all(__name__, __path__)


check_calls(__name__)
