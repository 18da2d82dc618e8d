"""Turn any NetworkX graph whose edges have a capacity into a supernode."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import networkx as nx

from topology import border
from topology.errors import GraphError, shown
from topology.naming import natural_sort, node_id
from topology.supernode import Supernode
from topology.validation import graph_faults, raise_faults


def from_networkx(
    graph: nx.Graph,
    npus: Iterable[Hashable] | None = None,
    *,
    name: str = "custom",
    sources: Iterable[str] = (),
) -> Supernode:
    """Return a supernode from any NetworkX graph whose edges have ``capacity``.

    Parameters
    ----------
    graph
        A `DiGraph`, or a `Graph` whose edges are full-duplex links. Edges need ``capacity``
        (bytes/s in one direction); ``latency`` (s), ``lanes``, ``medium`` and ``link`` are
        optional. Nodes may carry the attributes of a supernode. The graph is copied.
    npus
        The ranks in order; by default the nodes with ``kind="npu"``, in natural order.
    name
        What tables call it.
    sources
        Where the wiring comes from.

    Notes
    -----
    Ids that are not strings become strings. Nodes without ``kind`` are NPUs if they are ranks
    and switches if not. Without a ``forwards`` attribute switches pass traffic on, and NPUs do
    only where the graph has no switch (a torus, a ring).

    Raises
    ------
    GraphError
        Listing every fault: missing, zero, negative or NaN capacities, unknown ranks, ids that
        become equal as strings, parallel edges.
    """
    if graph.is_multigraph():
        raise GraphError(
            "from_networkx: a multigraph has parallel edges; merge them into one edge with "
            "lanes= and the capacity of all lanes together"
        )
    ranks = _ranks(graph, npus)
    faults = _import_faults(graph, ranks)
    raise_faults(faults, name)
    built = nx.DiGraph()
    members = set(ranks)
    direct = not any(_kind(n, d, members) == "switch" for n, d in graph.nodes(data=True))
    for node, data in graph.nodes(data=True):
        kind = _kind(node, data, members)
        default = kind == "switch" or (kind == "npu" and direct)
        attributes = {"kind": kind, "tier": 0 if kind == "npu" else 1, "forwards": default}
        built.add_nodes_from([(node_id(node), {**attributes, **data})])
    for u, v, data in graph.edges(data=True):
        ends = node_id(u), node_id(v)
        built.add_edges_from([(*ends, data)])
        if not graph.is_directed():
            built.add_edges_from([(*ends[::-1], data)])
    return Supernode(name, built, tuple(node_id(rank) for rank in ranks), tuple(sources))


def _ranks(graph: nx.Graph, npus: Iterable[Hashable] | None) -> list[Hashable]:
    if npus is not None:
        return border.ordered(npus, "npus")
    chosen = [node for node, data in graph.nodes(data=True) if _says_npu(data)]
    by_id = {node_id(node): node for node in chosen}
    return [by_id[name] for name in natural_sort(by_id)]


def _says_npu(data: Mapping[str, Any]) -> bool:
    kind = data.get("kind")
    return isinstance(kind, str) and kind == "npu"


def _kind(node: Hashable, data: Mapping[str, Any], members: set[Hashable]) -> str:
    return str(data.get("kind", "npu" if node in members else "switch"))


def _import_faults(graph: nx.Graph, ranks: Sequence[Hashable]) -> list[str]:
    faults = graph_faults(graph, ranks)
    names: dict[str, Hashable] = {}
    for node in graph:
        other = names.setdefault(node_id(node), node)
        if other != node:
            both = f"{shown(other)} and {shown(node)}"
            faults.append(f"nodes {both} have the same id {shown(node_id(node))}")
    return faults
