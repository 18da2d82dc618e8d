"""Build the machines of the catalogue once for all tests: whole, and small."""

from __future__ import annotations

from functools import cache
from typing import Any

from topology import Supernode
from topology.systems import system

ONE: dict[str, dict[str, Any]] = {"dgx-h100": {"nodes": 1}}
"""Machines whose published figures are for another size than the default."""

SMALL: dict[str, dict[str, Any]] = {
    "tpu-v4": {"shape": "4x4x8"},
    "tpu-v5p": {"shape": "4x4x8"},
    "ironwood": {"shape": "4x4x8"},
    "atlas-950": {"racks": 2},
    "atlas-960": {"racks": 2},
    "ub-mesh-pod": {"racks": (2, 2)},
    "frontier-group": {"chassis": 2},
    "cloudmatrix384": {"nodes": 6},
    "nvl72-superpod": {"racks": 2},
}
"""Smaller ones of the same kind, for what takes long on the whole machine."""


@cache
def whole(name: str) -> Supernode:
    """Return a machine at the size its catalogue row is about."""
    return system(name, **ONE.get(name, {}))


@cache
def small(name: str) -> Supernode:
    """Return a machine at a size at which everything can be computed."""
    return system(name, **SMALL.get(name, {}))
