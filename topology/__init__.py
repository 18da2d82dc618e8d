"""What a supernode is made of, and which way traffic can go; knows nothing of collectives."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from topology import formats, metrics, routing, shapes, systems, units
from topology.border import budget
from topology.calls import check_calls
from topology.composition import compose
from topology.conversion import from_networkx
from topology.errors import SupernodeError
from topology.fabric import ArcClass, Fabric
from topology.faults import (
    FailureUnit,
    distinct_units,
    fail,
    failure_units,
    random_failures,
    unit_sorts,
)
from topology.formats import load, save
from topology.hardware.devices import device, device_catalogue
from topology.hardware.media import Link, LinkType, link_type
from topology.metrics import (
    bisection,
    diameter,
    girth,
    mean_distance,
    optics,
    oversubscription,
    path_diversity,
    per_npu_bandwidth,
    spectral_gap,
)
from topology.placement import Floor, Place, choose_link, placed_links
from topology.scale_out import ScaleOut
from topology.shapes import (
    bcube,
    circulant,
    clos,
    complete_bipartite,
    de_bruijn,
    dragonfly,
    dragonfly_plus,
    fat_tree,
    full_mesh,
    generalised_kautz,
    hamming_mesh,
    hypercube,
    hyperx,
    line,
    line_digraph,
    mesh,
    nd_full_mesh,
    petersen,
    rail_only,
    rail_optimised,
    random_regular,
    ring,
    slim_fly,
    star,
    torus,
    twisted_torus,
    xgft,
)
from topology.spec import SpecError, load_spec, parse_spec
from topology.supernode import Builder, Supernode
from topology.systems import (
    atlas_900_a2,
    atlas_950,
    atlas_960,
    cloudmatrix384,
    dgx_1v,
    dgx_a100,
    dgx_h100,
    frontier_group,
    frontier_node,
    gaudi3,
    gb200_nvl72,
    gb300_nvl72,
    hgx_b200,
    ironwood,
    mi250,
    mi300x,
    nvl72_superpod,
    system,
    system_names,
    tpu_v4,
    tpu_v5p,
    trainium2,
    trainium2_ultraserver,
    ub_mesh_pod,
    ub_mesh_rack,
    vera_rubin_nvl72,
)
from topology.validation import validate

if TYPE_CHECKING:
    from topology.drawing import draw

__all__ = [
    "ArcClass",
    "Builder",
    "Fabric",
    "FailureUnit",
    "Floor",
    "Link",
    "LinkType",
    "Place",
    "ScaleOut",
    "SpecError",
    "Supernode",
    "SupernodeError",
    "atlas_900_a2",
    "atlas_950",
    "atlas_960",
    "bcube",
    "bisection",
    "budget",
    "choose_link",
    "circulant",
    "clos",
    "cloudmatrix384",
    "complete_bipartite",
    "compose",
    "de_bruijn",
    "device",
    "device_catalogue",
    "dgx_1v",
    "dgx_a100",
    "dgx_h100",
    "diameter",
    "distinct_units",
    "dragonfly",
    "dragonfly_plus",
    "draw",
    "drawing",
    "fail",
    "failure_units",
    "fat_tree",
    "formats",
    "from_networkx",
    "frontier_group",
    "frontier_node",
    "full_mesh",
    "gaudi3",
    "gb200_nvl72",
    "gb300_nvl72",
    "generalised_kautz",
    "girth",
    "hamming_mesh",
    "hgx_b200",
    "hypercube",
    "hyperx",
    "ironwood",
    "line",
    "line_digraph",
    "link_type",
    "load",
    "load_spec",
    "mean_distance",
    "mesh",
    "metrics",
    "mi250",
    "mi300x",
    "nd_full_mesh",
    "nvl72_superpod",
    "optics",
    "oversubscription",
    "parse_spec",
    "path_diversity",
    "per_npu_bandwidth",
    "petersen",
    "placed_links",
    "rail_only",
    "rail_optimised",
    "random_failures",
    "random_regular",
    "ring",
    "routing",
    "save",
    "shapes",
    "slim_fly",
    "spectral_gap",
    "star",
    "system",
    "system_names",
    "systems",
    "torus",
    "tpu_v4",
    "tpu_v5p",
    "trainium2",
    "trainium2_ultraserver",
    "twisted_torus",
    "ub_mesh_pod",
    "ub_mesh_rack",
    "unit_sorts",
    "units",
    "validate",
    "vera_rubin_nvl72",
    "xgft",
]

check_calls(__name__)


def __getattr__(name: str) -> Any:
    """Bring in drawing, and matplotlib with it, only when it is asked for."""
    if name in ("draw", "drawing"):
        drawing = import_module("topology.drawing")
        return drawing if name == "drawing" else drawing.draw
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
