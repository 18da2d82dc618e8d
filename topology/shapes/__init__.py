"""Generic families of topologies, one file each."""

from topology.shapes.bcube import bcube
from topology.shapes.bipartite import complete_bipartite, petersen
from topology.shapes.circulant import circulant
from topology.shapes.clos import clos, fat_tree, xgft
from topology.shapes.dragonfly import dragonfly, dragonfly_plus
from topology.shapes.full_mesh import full_mesh, hyperx, nd_full_mesh
from topology.shapes.hamming_mesh import hamming_mesh
from topology.shapes.kautz import de_bruijn, generalised_kautz, line_digraph
from topology.shapes.lattice import hypercube, line, mesh, ring, torus, twisted_torus
from topology.shapes.rail import rail_only, rail_optimised
from topology.shapes.random_regular import random_regular
from topology.shapes.slim_fly import slim_fly
from topology.shapes.star import star

__all__ = [
    "bcube",
    "circulant",
    "clos",
    "complete_bipartite",
    "de_bruijn",
    "dragonfly",
    "dragonfly_plus",
    "fat_tree",
    "full_mesh",
    "generalised_kautz",
    "hamming_mesh",
    "hypercube",
    "hyperx",
    "line",
    "line_digraph",
    "mesh",
    "nd_full_mesh",
    "petersen",
    "rail_only",
    "rail_optimised",
    "random_regular",
    "ring",
    "slim_fly",
    "star",
    "torus",
    "twisted_torus",
    "xgft",
]
