"""Real machines, one file each, and the catalogue that finds them by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from topology.errors import GraphError, unknown_name
from topology.hardware.catalogue import Entry, load_catalogue
from topology.supernode import Supernode
from topology.systems.atlas_900_a2 import atlas_900_a2
from topology.systems.atlas_950 import atlas_950
from topology.systems.atlas_960 import atlas_960
from topology.systems.cloudmatrix384 import cloudmatrix384
from topology.systems.dgx_1v import dgx_1v
from topology.systems.dgx_a100 import dgx_a100
from topology.systems.dgx_h100 import dgx_h100
from topology.systems.frontier import frontier_group, frontier_node
from topology.systems.gaudi3 import gaudi3
from topology.systems.gb200_nvl72 import gb200_nvl72
from topology.systems.gb300_nvl72 import gb300_nvl72
from topology.systems.hgx_b200 import hgx_b200
from topology.systems.ironwood import ironwood
from topology.systems.mi250 import mi250
from topology.systems.mi300x import mi300x
from topology.systems.nvl72_superpod import nvl72_superpod
from topology.systems.tpu_v4 import tpu_v4
from topology.systems.tpu_v5p import tpu_v5p
from topology.systems.trainium2 import trainium2, trainium2_ultraserver
from topology.systems.ub_mesh import ub_mesh_pod, ub_mesh_rack
from topology.systems.vera_rubin_nvl72 import vera_rubin_nvl72

_SYSTEMS: Mapping[str, Callable[..., Supernode]] = MappingProxyType(
    {
        "cloudmatrix384": cloudmatrix384,
        "gb200-nvl72": gb200_nvl72,
        "dgx-h100": dgx_h100,
        "atlas-900-a2": atlas_900_a2,
        "dgx-1v": dgx_1v,
        "dgx-a100": dgx_a100,
        "gaudi3": gaudi3,
        "hgx-b200": hgx_b200,
        "mi250": mi250,
        "mi300x": mi300x,
        "gb300-nvl72": gb300_nvl72,
        "vera-rubin-nvl72": vera_rubin_nvl72,
        "nvl72-superpod": nvl72_superpod,
        "tpu-v4": tpu_v4,
        "tpu-v5p": tpu_v5p,
        "ironwood": ironwood,
        "ub-mesh-rack": ub_mesh_rack,
        "ub-mesh-pod": ub_mesh_pod,
        "atlas-950": atlas_950,
        "atlas-960": atlas_960,
        "trainium2": trainium2,
        "trainium2-ultraserver": trainium2_ultraserver,
        "frontier-node": frontier_node,
        "frontier-group": frontier_group,
    }
)


def system_names() -> list[str]:
    """Return the names `system` knows."""
    return sorted(_SYSTEMS)


def system(name: str, **parameters: Any) -> Supernode:
    """Return a machine of the catalogue by name; ``-`` and ``_`` are the same.

    Parameters
    ----------
    name
        One of `system_names`.
    **parameters
        Passed to the machine's own builder.

    Raises
    ------
    UnknownNameError
        If the name is not known; the near ones are listed.
    GraphError
        If a parameter is not one the machine takes, or has a value it refuses.
    """
    builder = _SYSTEMS.get(canonical_name(name))
    if builder is None:
        raise unknown_name("system", name, _SYSTEMS)
    try:
        return builder(**parameters)
    except TypeError as error:
        raise GraphError(f"system {name!r}: {error}") from error


def canonical_name(name: str) -> str:
    """Return a system's name with dashes, in lower case."""
    return str(name).strip().lower().replace("_", "-")


def system_catalogue() -> Mapping[str, Entry]:
    """Return every row of systems.csv: what is published about whole machines, by name."""
    return load_catalogue("systems.csv", ("system", "title", "vendor"))


def system_entry(name: str) -> Entry | None:
    """Return what is published about the machine a supernode is, or is a variant of.

    Parameters
    ----------
    name
        A `Supernode.name`: "cloudmatrix384-24-nodes" is a variant of "cloudmatrix384".
    """
    known = system_catalogue()
    own = canonical_name(name)
    candidates = [key for key in known if own == key or own.startswith(key + "-")]
    return known[max(candidates, key=len)] if candidates else None


__all__ = [
    "atlas_900_a2",
    "atlas_950",
    "atlas_960",
    "cloudmatrix384",
    "dgx_1v",
    "dgx_a100",
    "dgx_h100",
    "frontier_group",
    "frontier_node",
    "gaudi3",
    "gb200_nvl72",
    "gb300_nvl72",
    "hgx_b200",
    "ironwood",
    "mi250",
    "mi300x",
    "nvl72_superpod",
    "system",
    "system_catalogue",
    "system_entry",
    "system_names",
    "tpu_v4",
    "tpu_v5p",
    "trainium2",
    "trainium2_ultraserver",
    "ub_mesh_pod",
    "ub_mesh_rack",
    "vera_rubin_nvl72",
]
