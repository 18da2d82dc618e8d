"""Find every fault of a graph that is meant to be a supernode, and report them at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import networkx as nx

from topology.errors import GraphError
from topology.hardware.devices import KINDS

_SHOWN = 20


def is_number(value: object) -> bool:
    """Tell whether a value is a real number other than NaN."""
    if isinstance(value, bool | str) or value is None:
        return False
    try:
        return not math.isnan(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def raise_faults(faults: Sequence[str], what: str) -> None:
    """Raise one `GraphError` that lists the faults, if there are any."""
    if not faults:
        return
    shown = [f"  - {fault}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        shown.append(f"  - and {len(faults) - _SHOWN} more")
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise GraphError("\n".join([f"{what} has {count}:", *shown]))


def lane_counts(lanes: object, links: int) -> list[int]:
    """Return the lanes of each link; raise `GraphError` unless all are whole, 1 or more.

    Parameters
    ----------
    lanes
        One number for all, or one for each.
    links
        How many links there are.
    """
    counts: list[Any] = list(lanes) if isinstance(lanes, Iterable) else [lanes] * links
    if len(counts) != links:
        raise GraphError(
            f"lanes has {len(counts)} values for {links} links; give one, or one for each"
        )
    for n in counts:
        if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
            raise GraphError(f"lanes is {n!r}; it must be a whole number, 1 or more")
    return [int(n) for n in counts]


def _plainly_right(data: Mapping[str, Any]) -> bool:
    """Tell quickly that an edge's attributes are the usual ones; False leaves it to a closer look.

    Millions of edges pass here, and almost all of them in the first place.
    """
    capacity, latency = data.get("capacity"), data.get("latency")
    lanes = data.get("lanes")
    return (
        type(capacity) is float
        and type(latency) is float
        and type(lanes) is int
        and 0.0 < capacity < math.inf
        and 0.0 <= latency < math.inf
        and lanes >= 1
    )


def edge_faults(u: object, v: object, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with one edge's attributes."""
    where = f"edge {u} -> {v}"
    if u == v:
        yield f"{where}: a node is linked to itself; remove the edge"
    if "capacity" not in data:
        yield f"{where}: capacity is missing; give bytes/s in one direction, such as 50 * GB"
    elif not is_number(data["capacity"]) or not 0 < float(data["capacity"]) < math.inf:
        yield (
            f"{where}: capacity is {data['capacity']!r}; "
            "it must be a positive, finite number of bytes/s"
        )
    latency = data.get("latency", 0.0)
    if not is_number(latency) or not 0 <= float(latency) < math.inf:
        yield f"{where}: latency is {latency!r}; it must be zero or more seconds, and finite"
    lanes = data.get("lanes", 1)
    if not is_number(lanes) or not 1 <= float(lanes) < math.inf:
        yield f"{where}: lanes is {lanes!r}; it must be 1 or more"


def node_faults(node: object, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with one node's attributes."""
    where = f"node {node}"
    kind = data.get("kind", "switch")
    if kind not in KINDS:
        yield f"{where}: kind is {kind!r}; it must be one of {', '.join(KINDS)}"
    capacity = data.get("capacity")
    if capacity is not None and (not is_number(capacity) or not float(capacity) > 0):
        yield f"{where}: capacity is {capacity!r}; it must be a positive number of bytes/s"
    latency = data.get("latency", 0.0)
    if not is_number(latency) or not 0 <= float(latency) < math.inf:
        yield f"{where}: latency is {latency!r}; it must be zero or more seconds, and finite"


def rank_faults(graph: nx.DiGraph, npus: Sequence[Any]) -> Iterator[str]:
    """Yield what is wrong with the order of the ranks."""
    if not npus:
        yield "there is no NPU; give npus=[...] or nodes with kind='npu'"
    for node in npus:
        if not isinstance(node, Hashable):
            yield f"NPU {node!r} is not the id of a node"
            return
    for node, count in Counter(npus).items():
        if count > 1:
            yield f"NPU {node} stands {count} times in npus; a rank is one NPU"
        if node not in graph:
            yield f"NPU {node} is not a node of the graph"


def graph_faults(graph: nx.DiGraph, npus: Iterable[object]) -> list[str]:
    """Return every fault of a graph and its ranks.

    Parameters
    ----------
    graph
        Nodes and edges with the attributes of a supernode.
    npus
        The ranks, in order.
    """
    faults = [fault for node, data in graph.nodes(data=True) for fault in node_faults(node, data)]
    for u, v, data in graph.edges(data=True):
        if u == v or not _plainly_right(data):
            faults += edge_faults(u, v, data)
    return faults + list(rank_faults(graph, list(npus)))


def validate(graph: nx.DiGraph, npus: Iterable[object], name: str = "the graph") -> None:
    """Raise one `GraphError` that lists every fault, or return None.

    Parameters
    ----------
    graph
        A directed graph; see the schema in the README.
    npus
        The ranks, in order.
    name
        How to call the graph in the message.
    """
    raise_faults(list(_form_faults(graph)) or graph_faults(graph, npus), name)


def _form_faults(graph: object) -> Iterator[str]:
    """Yield why a graph cannot be a supernode's as it is."""
    mended = "topology.from_networkx() makes a supernode of any graph"
    if not isinstance(graph, nx.DiGraph) or graph.is_multigraph():
        yield f"it must be a networkx.DiGraph, not {type(graph).__name__}; {mended}"
        return
    for node in graph:
        if not isinstance(node, str):
            yield f"node {node!r}: ids must be strings; {mended}"
            return
