"""Generic families of topologies, one file each."""

from topology.shapes.full_mesh import full_mesh, hyperx, nd_full_mesh
from topology.shapes.lattice import hypercube, line, mesh, ring, torus, twisted_torus
from topology.shapes.star import star

__all__ = [
    "full_mesh", "hypercube", "hyperx", "line", "mesh", "nd_full_mesh", "ring", "star", "torus",
    "twisted_torus",
]  # fmt: skip
