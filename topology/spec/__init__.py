"""Describe a machine in a few lines of TOML: nodes, links, planes and tiers, without Python."""

from topology.spec.fields import SpecError as SpecError
from topology.spec.reading import load_spec as load_spec
from topology.spec.reading import parse_spec as parse_spec
