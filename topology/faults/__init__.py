"""What fails together, which of it is alike, and failing it, chosen or at random."""

from topology.calls import check_calls
from topology.faults.failing import fail, random_failures
from topology.faults.registry import FailureUnit, failure_unit, failure_units, unit_kinds
from topology.faults.sorting import distinct_units, unit_sorts
from topology.registry import import_all

import_all(__name__, __path__)

__all__ = [
    "FailureUnit",
    "distinct_units",
    "fail",
    "failure_unit",
    "failure_units",
    "random_failures",
    "unit_kinds",
    "unit_sorts",
]

check_calls(__name__)
