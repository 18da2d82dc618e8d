"""Describe a machine in a few lines of TOML: nodes, links, planes and tiers, without Python."""

from topology.spec.fields import SpecError
from topology.spec.reading import load_spec, parse_spec

__all__ = ["SpecError", "load_spec", "parse_spec"]
