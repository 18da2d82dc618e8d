"""What a supernode is made of, and which way traffic can go; knows nothing of collectives."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from topology import formats as formats
from topology import metrics as metrics
from topology import routing as routing
from topology import shapes as shapes
from topology import systems as systems
from topology import units as units
from topology.border import budget as budget
from topology.calls import check_calls, public_names
from topology.composition import compose as compose
from topology.conversion import from_networkx as from_networkx
from topology.errors import SupernodeError as SupernodeError
from topology.fabric import ArcClass as ArcClass
from topology.fabric import Fabric as Fabric
from topology.faults import FailureUnit as FailureUnit
from topology.faults import distinct_units as distinct_units
from topology.faults import fail as fail
from topology.faults import failure_units as failure_units
from topology.faults import random_failures as random_failures
from topology.faults import unit_sorts as unit_sorts
from topology.formats import load as load
from topology.formats import save as save
from topology.hardware.devices import device as device
from topology.hardware.devices import device_catalogue as device_catalogue
from topology.hardware.media import Link as Link
from topology.hardware.media import LinkType as LinkType
from topology.hardware.media import link_type as link_type
from topology.metrics import bisection as bisection
from topology.metrics import diameter as diameter
from topology.metrics import girth as girth
from topology.metrics import mean_distance as mean_distance
from topology.metrics import optics as optics
from topology.metrics import oversubscription as oversubscription
from topology.metrics import path_diversity as path_diversity
from topology.metrics import per_npu_bandwidth as per_npu_bandwidth
from topology.metrics import spectral_gap as spectral_gap
from topology.placement import Floor as Floor
from topology.placement import Place as Place
from topology.placement import choose_link as choose_link
from topology.placement import placed_links as placed_links
from topology.scale_out import ScaleOut as ScaleOut
from topology.shapes import bcube as bcube
from topology.shapes import circulant as circulant
from topology.shapes import clos as clos
from topology.shapes import complete_bipartite as complete_bipartite
from topology.shapes import de_bruijn as de_bruijn
from topology.shapes import dragonfly as dragonfly
from topology.shapes import dragonfly_plus as dragonfly_plus
from topology.shapes import fat_tree as fat_tree
from topology.shapes import full_mesh as full_mesh
from topology.shapes import generalised_kautz as generalised_kautz
from topology.shapes import hamming_mesh as hamming_mesh
from topology.shapes import hypercube as hypercube
from topology.shapes import hyperx as hyperx
from topology.shapes import line as line
from topology.shapes import line_digraph as line_digraph
from topology.shapes import mesh as mesh
from topology.shapes import nd_full_mesh as nd_full_mesh
from topology.shapes import petersen as petersen
from topology.shapes import rail_only as rail_only
from topology.shapes import rail_optimised as rail_optimised
from topology.shapes import random_regular as random_regular
from topology.shapes import ring as ring
from topology.shapes import slim_fly as slim_fly
from topology.shapes import star as star
from topology.shapes import torus as torus
from topology.shapes import twisted_torus as twisted_torus
from topology.shapes import xgft as xgft
from topology.spec import SpecError as SpecError
from topology.spec import load_spec as load_spec
from topology.spec import parse_spec as parse_spec
from topology.supernode import Builder as Builder
from topology.supernode import Supernode as Supernode
from topology.systems import atlas_900_a2 as atlas_900_a2
from topology.systems import atlas_950 as atlas_950
from topology.systems import atlas_960 as atlas_960
from topology.systems import cloudmatrix384 as cloudmatrix384
from topology.systems import dgx_1v as dgx_1v
from topology.systems import dgx_a100 as dgx_a100
from topology.systems import dgx_h100 as dgx_h100
from topology.systems import frontier_group as frontier_group
from topology.systems import frontier_node as frontier_node
from topology.systems import gaudi3 as gaudi3
from topology.systems import gb200_nvl72 as gb200_nvl72
from topology.systems import gb300_nvl72 as gb300_nvl72
from topology.systems import hgx_b200 as hgx_b200
from topology.systems import ironwood as ironwood
from topology.systems import mi250 as mi250
from topology.systems import mi300x as mi300x
from topology.systems import nvl72_superpod as nvl72_superpod
from topology.systems import system as system
from topology.systems import system_names as system_names
from topology.systems import tpu_v4 as tpu_v4
from topology.systems import tpu_v5p as tpu_v5p
from topology.systems import trainium2 as trainium2
from topology.systems import trainium2_ultraserver as trainium2_ultraserver
from topology.systems import ub_mesh_pod as ub_mesh_pod
from topology.systems import ub_mesh_rack as ub_mesh_rack
from topology.systems import vera_rubin_nvl72 as vera_rubin_nvl72
from topology.validation import validate as validate

if TYPE_CHECKING:
    from topology.drawing import draw as draw


check_calls(__name__)


def __getattr__(name: str) -> Any:
    """Bring in drawing, and matplotlib with it, only when it is asked for."""
    if name in ("draw", "drawing"):
        drawing = import_module("topology.drawing")
        return drawing if name == "drawing" else drawing.draw
    if name == "__all__":
        return public_names(__name__, "draw", "drawing")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
