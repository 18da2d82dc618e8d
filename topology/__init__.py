"""What a supernode is made of, and which way traffic can go; knows nothing of collectives."""

from __future__ import annotations

from topology import routing, shapes, systems, units
from topology.devices import device, device_catalogue
from topology.errors import SupernodeError
from topology.fabric import ArcClass, Fabric
from topology.media import Link, LinkType, link_type
from topology.shapes import (
    full_mesh,
    hypercube,
    hyperx,
    line,
    mesh,
    nd_full_mesh,
    ring,
    star,
    torus,
    twisted_torus,
)
from topology.supernode import Builder, Supernode, from_networkx
from topology.systems import cloudmatrix384, dgx_h100, gb200_nvl72, system, system_names
from topology.validation import validate

__all__ = [
    "ArcClass",
    "Builder",
    "Fabric",
    "Link",
    "LinkType",
    "Supernode",
    "SupernodeError",
    "cloudmatrix384",
    "device",
    "device_catalogue",
    "dgx_h100",
    "from_networkx",
    "full_mesh",
    "gb200_nvl72",
    "hypercube",
    "hyperx",
    "line",
    "link_type",
    "mesh",
    "nd_full_mesh",
    "ring",
    "routing",
    "shapes",
    "star",
    "system",
    "system_names",
    "systems",
    "torus",
    "twisted_torus",
    "units",
    "validate",
]
