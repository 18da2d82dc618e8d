"""Real machines, a file for each family, and the catalogue that finds them by name."""

from topology.registry import import_all
from topology.systems.atlas_900_a2 import atlas_900_a2 as atlas_900_a2
from topology.systems.atlas_950 import atlas_950 as atlas_950
from topology.systems.atlas_960 import atlas_960 as atlas_960
from topology.systems.catalogue import system as system
from topology.systems.catalogue import system_builder as system_builder
from topology.systems.catalogue import system_catalogue as system_catalogue
from topology.systems.catalogue import system_entry as system_entry
from topology.systems.catalogue import system_names as system_names
from topology.systems.cloudmatrix384 import cloudmatrix384 as cloudmatrix384
from topology.systems.dgx_1v import dgx_1v as dgx_1v
from topology.systems.dgx_a100 import dgx_a100 as dgx_a100
from topology.systems.dgx_h100 import dgx_h100 as dgx_h100
from topology.systems.frontier import frontier_group as frontier_group
from topology.systems.frontier import frontier_node as frontier_node
from topology.systems.gaudi3 import gaudi3 as gaudi3
from topology.systems.hgx_b200 import hgx_b200 as hgx_b200
from topology.systems.mi250 import mi250 as mi250
from topology.systems.mi300x import mi300x as mi300x
from topology.systems.nvl72 import gb200_nvl72 as gb200_nvl72
from topology.systems.nvl72 import gb300_nvl72 as gb300_nvl72
from topology.systems.nvl72 import vera_rubin_nvl72 as vera_rubin_nvl72
from topology.systems.nvl72_superpod import nvl72_superpod as nvl72_superpod
from topology.systems.tpu import ironwood as ironwood
from topology.systems.tpu import tpu_v4 as tpu_v4
from topology.systems.tpu import tpu_v5p as tpu_v5p
from topology.systems.trainium2 import trainium2 as trainium2
from topology.systems.trainium2 import trainium2_ultraserver as trainium2_ultraserver
from topology.systems.ub_mesh import ub_mesh_pod as ub_mesh_pod
from topology.systems.ub_mesh import ub_mesh_rack as ub_mesh_rack

import_all(__name__, __path__)
