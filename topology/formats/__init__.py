"""Keep and exchange supernodes as files, a module for each format."""

from topology.calls import check_calls
from topology.formats.node_link import from_node_link as from_node_link
from topology.formats.node_link import load as load
from topology.formats.node_link import save as save
from topology.formats.node_link import to_node_link as to_node_link
from topology.formats.registry import format as format  # noqa: A004
from topology.formats.registry import format_names as format_names
from topology.formats.registry import read as read
from topology.formats.registry import suffixes as suffixes
from topology.formats.registry import write as write
from topology.registry import import_all

import_all(__name__, __path__)


check_calls(__name__)
