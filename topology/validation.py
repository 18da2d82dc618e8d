"""Find every fault of a graph that is meant to be a supernode, and report them at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import networkx as nx

from topology import border
from topology.errors import GraphError, SupernodeError, shown
from topology.hardware.devices import KINDS
from topology.hardware.media import MEDIA, Link, LinkType
from topology.naming import node_id

_Reader = Callable[[Any, str], Any]

MOST_LANES = 10_000
"""Of a link."""
_SHOWN = 20
_INNER = ("switch", "nic")
_FAST, _QUICK = 1e18, 1e-18


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
    if not isinstance(lanes, Iterable) or isinstance(lanes, str):
        return [border.whole(lanes, "lanes", most=MOST_LANES)] * links
    counts: list[Any] = border.ordered(lanes, "lanes")
    if len(counts) != links:
        raise GraphError(
            f"lanes has {len(counts)} values for {links} links; give one, or one for each"
        )
    for n in set(counts) if all(type(n) is int for n in counts) else counts:
        border.whole(n, "lanes", most=MOST_LANES)
    return [int(n) for n in counts]


def _limit(value: object, what: str) -> float | None:
    """Return what a node forwards in all: a rate, or None or infinity for no limit."""
    if value is None or (border.is_number(value) and value == math.inf):
        return None
    return border.number(value, what, above=0, unit="bytes/s")


def _record(value: object, what: str) -> Link:
    return value if isinstance(value, Link) else border.refuse(value, what, "a topology.Link")


_NODE: Mapping[str, _Reader] = {
    "kind": lambda value, what: border.choice(value, what, KINDS),
    "device": border.word,
    "tier": partial(border.whole, least=0),
    "capacity": _limit,
    "latency": partial(border.number, unit="seconds"),
    "coord": border.coordinates,
    **dict.fromkeys(("forwards", "reduces", "multicasts"), border.flag),
    **dict.fromkeys(("rack", "node", "plane", "slot", "supernode"), border.label),
}
_EDGE: Mapping[str, _Reader] = {
    "capacity": partial(border.number, above=0, unit="bytes/s"),
    "latency": partial(border.number, unit="seconds"),
    "lanes": partial(border.whole, most=MOST_LANES),
    "medium": lambda value, what: border.choice(value, what, MEDIA),
    "link": _record,
}
"""How each attribute that the library uses is read; all others are the user's own."""
_PLAIN = {"rack": (int, str), "node": (int, str), "plane": (int, str), "slot": (int, str),
          "supernode": (int, str), "device": (str,), "forwards": (bool,), "reduces": (bool,),
          "multicasts": (bool,)}  # fmt: skip
"""What is right at first sight; millions of values pass here."""


def _read(
    data: Mapping[str, Any], readers: Mapping[str, _Reader], *ids: Hashable
) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes that are to have a plainer type, and what is wrong with others."""
    plain: dict[str, Any] = {}
    faults: list[str] = []
    for key, value in data.items():
        if key in readers and type(value) not in _PLAIN.get(key, ()):
            try:
                found = readers[key](value, key)
            except SupernodeError as error:
                faults.append(f"{_where(ids)}: {error}")
                continue
            if type(found) is not type(value):
                plain[key] = found
    return plain, faults


def _where(ids: Sequence[Hashable]) -> str:
    return ("edge " if len(ids) > 1 else "node ") + " -> ".join(map(node_id, ids))


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
        and 1.0 <= capacity <= _FAST
        and 0.0 <= latency < 1.0
        and (latency == 0.0 or latency > _QUICK)
        and 1 <= lanes <= MOST_LANES
        and type(data.get("link")) is Link
    )


def _edge(u: Hashable, v: Hashable, data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what is to be changed on an edge, what is missing with it, and what is wrong."""
    plain, faults = _read(data, _EDGE, u, v)
    if u == v:
        faults.append(f"{_where((u, v))}: a node is linked to itself; remove the edge")
    if "capacity" not in data:
        faults.append(
            f"{_where((u, v))}: capacity is missing; give bytes/s in one direction, such as 50 * GB"
        )
    if not faults:
        full = {"latency": 0.0, "lanes": 1, "medium": "copper", **data, **plain}
        own = _plain_record(full.pop("medium"), full["latency"])
        plain |= {key: value for key, value in ({"link": own} | full).items() if key not in data}
    return plain, faults


@lru_cache(maxsize=1024)
def _plain_record(medium: str, latency: float) -> Link:
    """Return the record of a link that says no more than this; equal links share it."""
    return LinkType(capacity=1.0, medium=medium, latency=latency).link()


def _rank_faults(graph: nx.Graph, npus: Sequence[Any]) -> Iterator[str]:
    """Yield what is wrong with the order of the ranks."""
    if not npus:
        yield "there is no NPU; give npus=[...] or nodes with kind='npu'"
    for node in npus:
        if not isinstance(node, Hashable):
            yield f"NPU {shown(node)} is not the id of a node"
            return
    for node, count in Counter(npus).items():
        if count > 1:
            yield f"NPU {node_id(node)} stands {count} times in npus; a rank is one NPU"
        if node not in graph:
            yield f"NPU {node_id(node)} is not a node of the graph"
        elif isinstance(kind := graph.nodes[node].get("kind"), str) and kind in _INNER:
            yield f"NPU {node_id(node)} has kind {shown(kind)}; a rank is an NPU or a CPU"


def _look(
    graph: nx.Graph, npus: Sequence[Any]
) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], list[str]]:
    """Return the attributes that are to be changed, each with the changes, and every fault."""
    changes, faults = [], []
    for node, data in graph.nodes(data=True):
        plain, wrong = _read(data, _NODE, node)
        faults += wrong
        if plain:
            changes.append((data, plain))
    for u, v, data in graph.edges(data=True):
        if u == v or not _plainly_right(data):
            plain, wrong = _edge(u, v, data)
            faults += wrong
            changes.append((data, plain))
    return changes, faults + list(_rank_faults(graph, npus))


def graph_faults(graph: nx.Graph, npus: Iterable[object]) -> list[str]:
    """Return every fault of a graph and its ranks.

    Parameters
    ----------
    graph
        Nodes and edges with the attributes of a supernode.
    npus
        The ranks, in order.
    """
    return _look(graph, list(npus))[1]


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
    raise_faults(list(_form_faults(graph)), name)
    raise_faults(graph_faults(graph, border.ordered(npus, "npus")), name)


def complete(graph: nx.DiGraph, npus: Sequence[str], name: str) -> None:
    """Validate a graph, then write its attributes in their plain types and fill in what is missing.

    An edge has ``latency`` 0, ``lanes`` 1 and a link record of its medium unless it says
    otherwise; a rank is an NPU, and any other node a switch.
    """
    raise_faults(list(_form_faults(graph)), name)
    changes, faults = _look(graph, npus)
    raise_faults(faults, name)
    for data, plain in changes:
        data.update(plain)
    members = set(npus)
    for node, data in graph.nodes(data=True):
        if "kind" not in data:
            data["kind"] = "npu" if node in members else "switch"


def _form_faults(graph: object) -> Iterator[str]:
    """Yield why a graph cannot be a supernode's as it is."""
    mended = "topology.from_networkx() makes a supernode of any graph"
    if not isinstance(graph, nx.DiGraph) or graph.is_multigraph():
        yield f"it must be a networkx.DiGraph, not {type(graph).__name__}; {mended}"
        return
    for node in graph:
        if not isinstance(node, str):
            yield f"node {shown(node)}: ids must be strings; {mended}"
            return
