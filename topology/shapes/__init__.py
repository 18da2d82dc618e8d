"""Generic families of topologies, a file for each family."""

from topology.registry import import_all
from topology.shapes.bcube import bcube as bcube
from topology.shapes.bipartite import complete_bipartite as complete_bipartite
from topology.shapes.bipartite import petersen as petersen
from topology.shapes.circulant import circulant as circulant
from topology.shapes.clos import clos as clos
from topology.shapes.clos import fat_tree as fat_tree
from topology.shapes.clos import xgft as xgft
from topology.shapes.dragonfly import dragonfly as dragonfly
from topology.shapes.dragonfly import dragonfly_plus as dragonfly_plus
from topology.shapes.full_mesh import full_mesh as full_mesh
from topology.shapes.full_mesh import hyperx as hyperx
from topology.shapes.full_mesh import nd_full_mesh as nd_full_mesh
from topology.shapes.hamming_mesh import hamming_mesh as hamming_mesh
from topology.shapes.kautz import de_bruijn as de_bruijn
from topology.shapes.kautz import generalised_kautz as generalised_kautz
from topology.shapes.kautz import line_digraph as line_digraph
from topology.shapes.lattice import hypercube as hypercube
from topology.shapes.lattice import line as line
from topology.shapes.lattice import mesh as mesh
from topology.shapes.lattice import ring as ring
from topology.shapes.lattice import torus as torus
from topology.shapes.lattice import twisted_torus as twisted_torus
from topology.shapes.rail import rail_only as rail_only
from topology.shapes.rail import rail_optimised as rail_optimised
from topology.shapes.random_regular import random_regular as random_regular
from topology.shapes.registry import find_shape as find_shape
from topology.shapes.registry import shape as shape
from topology.shapes.registry import shape_names as shape_names
from topology.shapes.slim_fly import slim_fly as slim_fly
from topology.shapes.star import star as star

import_all(__name__, __path__)
