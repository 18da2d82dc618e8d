"""Keep a supernode in a file: node-link JSON, which NetworkX and d3 read too.

The file is what ``networkx.node_link_data(graph, edges="edges")`` gives, with the name, the ranks
in order, sources, parameters, history and link records under ``"graph"``. An edge's ``link`` is
the index of its record. Nothing is rounded: `load` gives back an equal supernode.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from topology import border, files
from topology.conversion import from_networkx
from topology.errors import GraphError, SupernodeError, shown
from topology.formats.registry import format  # noqa: A004
from topology.formats.values import decode, encode, record
from topology.hardware.media import Link
from topology.supernode import Supernode
from topology.validation import raise_faults

FORMAT = "supernode"
VERSION = 1
_WORDS = ("name", "npus", "sources", "parameters", "history", "links")


def save(supernode: Supernode, path: str | Path) -> None:
    """Write a supernode to a file, one node or edge to a line.

    Parameters
    ----------
    supernode
        What to keep, damaged or not.
    path
        The file; by custom its name ends in ``.json``. It is replaced if it is there.

    Raises
    ------
    SupernodeError
        If the file cannot be written, or an attribute is something JSON cannot hold.
    """
    with files.nesting(supernode.name):
        text = "".join(_lines(to_node_link(supernode)))
    files.write_text(path, text)


def load(path: str | Path) -> Supernode:
    """Read a supernode from a file that `save` wrote, or from any node-link JSON of NetworkX.

    Parameters
    ----------
    path
        The file. Without ranks of its own, the nodes with ``kind="npu"`` are the ranks, and
        edges need ``capacity`` in bytes/s, as in `from_networkx`.

    Raises
    ------
    SupernodeError
        If the file cannot be read or is not such a file; the message names what is wrong.
    """
    return from_node_link(files.read_json(files.read_text(path), str(path)), where=str(path))


@format("node-link", ".json")
class NodeLink:
    """Node-link JSON, with everything a supernode is."""

    read = staticmethod(load)
    write = staticmethod(save)


def to_node_link(supernode: Supernode) -> dict[str, Any]:
    """Return a supernode as plain data, ready for JSON."""
    graph = supernode.graph
    links: dict[Link, int] = {}
    known: dict[int, int] = {}
    nodes = [{"id": node, **_encoded(d, f"node {node}")} for node, d in graph.nodes(data=True)]
    edges = []
    for u, v, data in graph.edges(data=True):
        edge = {"source": u, "target": v}
        link = data.get("link")
        if isinstance(link, Link):
            at = known.get(id(link))
            if at is None:
                at = known[id(link)] = links.setdefault(link, len(links))
            data = {**data, "link": at}  # noqa: PLW2901 - the file has the index
        edges.append(edge | _encoded(data, f"edge {u} -> {v}"))
    about = {
        "format": FORMAT,
        "version": VERSION,
        "name": supernode.name,
        "npus": list(supernode.npus),
        "sources": list(supernode.sources),
        "parameters": _encoded(supernode.parameters, "parameters"),
        "history": list(supernode.history),
        "row": supernode.row,
        "copies": supernode.copies,
        "links": [_encoded(record(link), "link") for link in links],
    }
    return {"directed": True, "multigraph": False, "graph": about, "nodes": nodes, "edges": edges}


def _encoded(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {key: encode(value, f"{where}: {key}") for key, value in data.items()}


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file: the head on a few lines, then each node and edge on its own."""
    write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    yield "{"
    yield f'"directed": {write(data["directed"])}, "multigraph": {write(data["multigraph"])},\n'
    yield '"graph": {\n'
    yield ",\n".join(f"  {write(key)}: {write(item)}" for key, item in data["graph"].items())
    yield "\n}"
    for part in ("nodes", "edges"):
        yield f',\n"{part}": [\n'
        yield ",\n".join(write(item) for item in data[part])
        yield "\n]"
    yield "}\n"


def from_node_link(data: object, *, where: str = "node-link data") -> Supernode:
    """Return the supernode of plain data as `to_node_link` or NetworkX gives it.

    Parameters
    ----------
    data
        A mapping with "nodes" and "edges".
    where
        What to call it in messages.
    """
    with files.nesting(where):
        return _read(data, where)


def _read(data: object, where: str) -> Supernode:
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list):
        raise SupernodeError(f'{where} is not node-link data: it has no list of "nodes"')
    edges = data.get("edges", data.get("links"))
    if not isinstance(edges, list):
        raise SupernodeError(f'{where} is not node-link data: it has no list of "edges"')
    about = data.get("graph")
    about = about if isinstance(about, dict) else {}
    if about.get("format") != FORMAT:
        return _foreign(data, edges, where)
    _check_head(about, where)
    links = [_link(item, f"{where}: links[{i}]") for i, item in enumerate(about["links"])]
    graph = nx.DiGraph()
    faults = list(_add_nodes(graph, data["nodes"], where))
    faults += _add_edges(graph, edges, links, where)
    raise_faults(faults, where)
    return Supernode(
        name=about["name"],
        graph=graph,
        npus=about["npus"],
        sources=about["sources"],
        parameters=decode(about["parameters"], f"{where}: parameters"),
        history=about["history"],
        row=about.get("row", ""),
        copies=about.get("copies", 0),
    )


def _check_head(about: Mapping[str, Any], where: str) -> None:
    if about.get("version") != VERSION:
        raise SupernodeError(
            f"{where} has version {shown(about.get('version'))}; only {VERSION} is read"
        )
    missing = [word for word in _WORDS if word not in about]
    if missing:
        raise SupernodeError(f'{where}: "graph" has no {", ".join(missing)}')
    border.ordered(about["links"], f"{where}: links")  # the supernode checks the others


def _link(item: object, where: str) -> Link:
    if not isinstance(item, dict):
        border.refuse(item, where, "a mapping", SupernodeError)
    try:
        return Link(**decode(item, where))
    except TypeError as error:
        raise SupernodeError(f"{where} is not a link record: {error}") from error


def _add_nodes(graph: nx.DiGraph, rows: list[Any], where: str) -> Iterator[str]:
    for i, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            yield f"nodes[{i}] is {shown(row)}; it must be a mapping with an id such as 'npu/0'"
        elif row["id"] in graph:
            yield f"nodes[{i}]: {row['id']} is there already; ids must differ"
        else:
            attributes = {k: _plain(v, where) for k, v in row.items() if k != "id"}
            graph.add_nodes_from([(row["id"], attributes)])


def _add_edges(graph: nx.DiGraph, rows: list[Any], links: list[Link], where: str) -> Iterator[str]:
    for i, row in enumerate(rows):
        fault = _edge_fault(graph, row, len(links))
        if fault:
            yield f"edges[{i}]{fault}"
            continue
        rest = {k: _plain(v, where) for k, v in row.items() if k not in ("source", "target")}
        if "link" in rest:
            rest["link"] = links[rest["link"]]
        graph.add_edges_from([(row["source"], row["target"], rest)])


def _edge_fault(graph: nx.DiGraph, row: object, links: int) -> str | None:
    """Say what keeps a row from being an edge; the attributes are checked with the graph."""
    if not isinstance(row, dict) or not {"source", "target"} <= row.keys():
        return f" is {shown(row)}; it must be a mapping with source and target"
    u, v, at = row["source"], row["target"], row.get("link", 0)
    for end in (u, v):
        if not isinstance(end, str) or end not in graph:
            return f": {shown(end)} is not the id of a node"
    if graph.has_edge(u, v):
        return f": {u} -> {v} is there already; use lanes for parallel links"
    wrong = border.faults_of(border.whole, at, ": link", least=0, most=links - 1)
    return wrong[0] if "link" in row and wrong else None


def _plain(value: object, where: str) -> Any:
    """Decode a value, without the call for the plain ones."""
    return decode(value, where) if isinstance(value, dict | list) else value


def _foreign(data: dict[str, Any], edges: list[Any], where: str) -> Supernode:
    """Read node-link data that NetworkX wrote from a graph of the user's own."""
    for row in (*data["nodes"], *edges):
        if not isinstance(row, dict):
            raise SupernodeError(f"{where} is not node-link data: {shown(row)} is not a mapping")
    try:
        graph = nx.node_link_graph({**data, "edges": edges}, multigraph=False, edges="edges")
    except (KeyError, TypeError, ValueError, AttributeError, nx.NetworkXException) as error:
        raise SupernodeError(f"{where} is not node-link data: {shown(error)}") from error
    name = data.get("graph", {}).get("name") if isinstance(data.get("graph"), dict) else None
    try:
        return from_networkx(graph, name=str(name or Path(where).stem))
    except GraphError as error:
        raise GraphError(f"{where}: {error}") from error
