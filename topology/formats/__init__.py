"""Keep and exchange supernodes as files."""

from topology.formats.node_link import from_node_link, load, save, to_node_link

__all__ = ["from_node_link", "load", "save", "to_node_link"]
