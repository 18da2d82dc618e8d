"""Generic families of topologies, one file each."""

from topology.shapes.star import star

__all__ = ["star"]
