"""What fails together, and drawing failures at random."""

from topology.faults.units import UNITS, FailureUnit, fail, failure_units, random_failures

__all__ = ["UNITS", "FailureUnit", "fail", "failure_units", "random_failures"]
