"""Collective algorithms, one file to a family; each is a function that returns a `Schedule`."""

from collectives.algorithms.compose import segmented as segmented
from collectives.algorithms.registry import algorithm as algorithm
from collectives.algorithms.registry import algorithm_names as algorithm_names
from collectives.algorithms.registry import candidate_names as candidate_names
from collectives.algorithms.registry import find_algorithm as find_algorithm
from collectives.algorithms.registry import register as register
from topology.registry import import_all

import_all(__name__, __path__)
