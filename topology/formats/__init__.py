"""Keep and exchange supernodes as files, a module for each format."""

from topology.calls import check_calls
from topology.formats.node_link import from_node_link, load, save, to_node_link
from topology.formats.registry import format, format_names, read, suffixes, write  # noqa: A004
from topology.registry import import_all

import_all(__name__, __path__)

__all__ = [
    "format",
    "format_names",
    "from_node_link",
    "load",
    "read",
    "save",
    "suffixes",
    "to_node_link",
    "write",
]

check_calls(__name__)
