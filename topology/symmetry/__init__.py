"""Which nodes, links and traffics of a machine are interchangeable."""

from topology.symmetry.colouring import (
    Coloured,
    HashArray,
    codes,
    coloured,
    equitable_partition,
    is_equitable,
    numbered,
    scramble,
    spread,
)
from topology.symmetry.search import Orbits, automorphism, joined, orbits

__all__ = [
    "Coloured",
    "HashArray",
    "Orbits",
    "automorphism",
    "codes",
    "coloured",
    "equitable_partition",
    "is_equitable",
    "joined",
    "numbered",
    "orbits",
    "scramble",
    "spread",
]
