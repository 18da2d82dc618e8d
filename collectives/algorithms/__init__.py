"""Collective algorithms, one file to a family; each is a function that returns a `Schedule`."""

from collectives.algorithms.registry import (
    algorithm,
    algorithm_names,
    candidate_names,
    find_algorithm,
    register,
)
from topology.registry import import_all

import_all(__name__, __path__)

__all__ = ["algorithm", "algorithm_names", "candidate_names", "find_algorithm", "register"]
