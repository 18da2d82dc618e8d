"""Hold a supernode: a name, a frozen graph, the order of its ranks, and where it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product, repeat
from math import prod
from types import MappingProxyType
from typing import Any

import networkx as nx

from topology import border
from topology.errors import GraphError
from topology.fabric import Fabric, compile_fabric
from topology.hardware.devices import device as find_device
from topology.hardware.media import LinkType, link_type
from topology.naming import natural_sort, node_id
from topology.text import Part, Printed, counted
from topology.validation import complete, lane_counts

Edge = tuple[Hashable, Hashable]
_TIMES = "times the capacity; without() removes a link"
_Row = tuple[str, str, dict[str, Any]]
_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Supernode(Printed):
    """A machine as a graph of NPUs, switches, CPUs and NICs, joined by links.

    Attributes
    ----------
    name
        What tables and titles call it.
    graph
        A frozen `networkx.DiGraph`; a full-duplex cable is two edges. Edges carry ``capacity``
        (bytes/s, one direction, all lanes), ``latency`` (s), ``lanes`` and ``link``.
    npus
        The ranks in order: rank r is ``npus[r]``.
    sources
        Where the wiring comes from.
    parameters
        What the builder was called with.
    history
        What has been done to it since: faults, degraded links.
    row
        The row of systems.csv that the machine is, or is a variant of; "" for none.
    copies
        How many of that row the machine is: a cluster of 4 nodes is 4. 0 for a variant, of which
        nobody has published figures: another size, or one that has been changed since.
    """

    name: str
    graph: nx.DiGraph
    npus: tuple[str, ...]
    sources: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    row: str = ""
    copies: int = 0

    def __post_init__(self) -> None:
        border.word(self.name, "a supernode's name")
        for name in ("npus", "sources", "history"):
            object.__setattr__(self, name, tuple(border.ordered(getattr(self, name), name)))
        for text in (*self.sources, *self.history):
            border.word(text, f"{self.name}: a line of sources or history")
        border.word(self.row, f"{self.name}: row")
        border.whole(self.copies, f"{self.name}: copies", least=0)
        if not isinstance(self.parameters, Mapping):
            border.refuse(self.parameters, f"{self.name}: parameters", "a mapping")
        complete(self.graph, self.npus, self.name)
        nx.freeze(self.graph)

    @cached_property
    def fabric(self) -> Fabric:
        """The graph compiled to arrays, once."""
        return compile_fabric(self.graph, self.npus)

    @property
    def title(self) -> str:
        """Return the name and what has been done to it since: "mi250 (without 1 node)"."""
        return f"{self.name} ({'; '.join(self.history)})" if self.history else self.name

    def __repr__(self) -> str:
        sizes = (len(self.npus), len(self.graph), self.graph.number_of_edges())
        said = map(counted, sizes, ("NPU", "node", "edge"))
        return f"<Supernode {self.title}: {', '.join(said)}>"

    def parts(self) -> list[Part]:
        """Return what a person reads: what there is of each kind, changes, links and sources."""
        counts = Counter(self.fabric.kind)
        words = {"npu": "NPU", "switch": "switch chip", "cpu": "CPU", "nic": "NIC"}
        said = (counted(counts[kind], word) for kind, word in words.items() if counts[kind])
        return [f"{self.title}: {', '.join(said)}", *self.fabric.parts()[1:], *self.sources]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "fabric"}

    def without(
        self,
        *,
        nodes: Iterable[Hashable] = (),
        links: Iterable[Edge] = (),
        both_directions: bool = True,
    ) -> Supernode:
        """Return this supernode without some nodes and links.

        Parameters
        ----------
        nodes
            Ids; an NPU among them is no longer a rank.
        links
            Pairs of ids. All lanes of the link go.
        both_directions
            A link is a full-duplex cable, so its other direction goes too; False removes just
            the direction named.

        Raises
        ------
        GraphError
            If a node or link is not there, or no NPU would be left.
        """
        gone_nodes = self._known_nodes(nodes)
        gone = self._known_links(links, both_directions=both_directions)
        graph = nx.DiGraph(self.graph)
        graph.remove_edges_from(gone)
        graph.remove_nodes_from(gone_nodes)
        npus = tuple(npu for npu in self.npus if npu not in gone_nodes)
        taken = ((len(gone_nodes), "node"), (len(gone), "directed link"))
        said = [counted(*one) for one in taken if one[0]]
        return self._changed(graph, npus, f"without {' and '.join(said)}") if said else self

    def degrade(
        self, *, links: Iterable[Edge], factor: float, both_directions: bool = True
    ) -> Supernode:
        """Return this supernode with some links at ``factor`` times their capacity.

        Parameters
        ----------
        links
            Pairs of ids; an empty selection changes nothing.
        factor
            Above 0; use `without` to remove a link.
        both_directions
            As in `without`.
        """
        factor = border.number(factor, "degrade: factor", above=0, unit=_TIMES)
        chosen = self._known_links(links, both_directions=both_directions)
        graph = nx.DiGraph(self.graph)
        for edge in chosen:
            graph.edges[edge]["capacity"] *= factor
        said = f"{counted(len(chosen), 'directed link')} at x{factor:g}"
        return self._changed(graph, self.npus, said) if chosen else self

    def _changed(self, graph: nx.DiGraph, npus: tuple[str, ...], said: str) -> Supernode:
        return replace(self, graph=graph, npus=npus, history=(*self.history, said), copies=0)

    def _known_nodes(self, nodes: Iterable[Hashable]) -> set[str]:
        nodes = [nodes] if isinstance(nodes, str) else nodes
        known = {node_id(node) for node in border.members(nodes, "nodes")}
        absent = natural_sort(node for node in known if node not in self.graph)
        if absent:
            raise GraphError(f"{self.name} has no node {', '.join(absent[:5])}")
        return known

    def _known_links(self, links: Iterable[Edge], *, both_directions: bool) -> set[tuple[str, str]]:
        known = set()
        both = border.flag(both_directions, "both_directions")
        for edge in map(_ends, border.members(links, "links")):
            if not self.graph.has_edge(*edge):
                raise GraphError(f"{self.name} has no link {edge[0]} -> {edge[1]}")
            known.add(edge)
            if both and self.graph.has_edge(*edge[::-1]):
                known.add(edge[::-1])
        return known


class Builder:
    """Collect the nodes and links of a supernode; the one writer of edges.

    Nodes and links are given in bulk: every attribute is one value for all, or a sequence
    with one for each.
    """

    def __init__(self) -> None:
        self._graph = nx.DiGraph()
        self._links = 0

    def add_nodes(
        self,
        ids: Iterable[str],
        *,
        kind: str,
        tier: int,
        device: str | None = None,
        forwards: bool | None = None,
        **attributes: object,
    ) -> list[str]:
        """Add nodes of one kind and return their ids.

        Parameters
        ----------
        ids
            Structured strings such as ``l1/12/3``.
        kind
            "npu", "cpu", "switch" or "nic".
        tier
            0 at the NPUs.
        device
            Name in devices.csv; a switch takes its latency and abilities from there.
        forwards
            Whether the node passes others' traffic on; by default only switches do.
        **attributes
            ``rack``, ``node``, ``plane``, ``slot`` and the like: one value, or a list with one
            for each id.
        """
        columns = {k: v for k, v in attributes.items() if isinstance(v, list | tuple | range)}
        names = border.take(ids, nodes=len(self._graph))
        common: dict[str, object] = {"kind": kind, "tier": tier}
        common["forwards"] = kind == "switch" if forwards is None else forwards
        if device is not None:
            common["device"] = device
            common |= _device_attributes(device)
        common |= {k: v for k, v in attributes.items() if k not in columns and v is not None}
        for attribute, column in columns.items():
            if len(column) != len(names):
                raise GraphError(
                    f"add_nodes: {attribute} has {len(column)} values for {len(names)} nodes; "
                    "give one value, or one for each"
                )
        rows = zip(*columns.values(), strict=True) if columns else repeat((), len(names))
        for name, row in zip(names, rows, strict=True):
            if name in self._graph:
                raise GraphError(f"node {name} is added twice; ids must differ")
            self._graph.add_node(name, **common, **dict(zip(columns, row, strict=True)))
        return names

    def add_grid(
        self,
        prefix: str,
        *counts: int,
        per: Mapping[str, int] = _NONE,
        among: Mapping[str, int] = _NONE,
        **attributes: Any,
    ) -> list[str]:
        """Add nodes that are numbered along the axes of a grid, and return their ids.

        Parameters
        ----------
        prefix
            With counts of 2 and 3, the ids are ``prefix/0/0`` to ``prefix/1/2``.
        *counts
            How many there are along each axis, the last one fastest.
        per
            {attribute: n}: n nodes have 0, the next n have 1, and so on.
        among
            {attribute: n}: the nodes have 0 to n - 1 over and over again.
        **attributes
            As in `add_nodes`.
        """
        total = prod(counts)
        columns: dict[str, Any] = {k: [i // n for i in range(total)] for k, n in per.items()}
        columns |= {k: [i % n for i in range(total)] for k, n in among.items()}
        ids = ("/".join((prefix, *map(str, at))) for at in product(*map(range, counts)))
        return self.add_nodes(ids, **columns, **attributes)

    def connect(
        self,
        ends: Iterable[tuple[str, str]],
        link: str | float | LinkType,
        *,
        lanes: int | Iterable[int] = 1,
        duplex: bool = True,
    ) -> None:
        """Link pairs of nodes, both ways unless ``duplex`` is False.

        Parameters
        ----------
        ends
            Pairs of node ids.
        link
            A link type: its name in media.csv, a rate per lane in bytes/s, or a `LinkType`.
        lanes
            Parallel equal links between the two: one number, or one for each pair.

        Raises
        ------
        GraphError
            If a link is there already (use ``lanes``), a node is not, or a node would be linked
            to itself.
        """
        kind = link_type(link)
        record = kind.link()
        latency = record.latency
        pairs = border.take(ends, links=self._links, each=1 + duplex)
        self._links += len(pairs) * (1 + duplex)
        counts = lane_counts(lanes, len(pairs))
        rates = {n: float(kind.capacity * n) for n in set(counts)}
        rows = (
            (u, v, {"capacity": rates[n], "latency": latency, "lanes": n, "link": record})
            for (u, v), n in zip(pairs, counts, strict=True)
        )
        self._graph.add_edges_from(self._checked(_both_ways(rows) if duplex else rows))

    def include(
        self,
        graph: nx.DiGraph,
        names: Mapping[str, str],
        attributes: Mapping[str, Mapping[str, object]],
    ) -> None:
        """Add a copy of a supernode's graph under new ids.

        Parameters
        ----------
        graph
            The graph to copy: nodes and links, as they are.
        names
            The new id of each node.
        attributes
            The attributes of each node, by its old id.

        Raises
        ------
        GraphError
            If a new id is there already, or two are equal.
        """
        fresh = set(names.values())
        if len(fresh) < len(names) or any(name in self._graph for name in fresh):
            twice = [name for name, n in Counter([*self._graph, *names.values()]).items() if n > 1]
            raise GraphError(f"node {twice[0]} is added twice; ids must differ")
        self._graph.add_nodes_from((names[node], attributes[node]) for node in graph)
        for u, row in graph.adjacency():
            tail = names[u]
            self._graph.add_edges_from((tail, names[v], data) for v, data in row.items())

    def _checked(self, rows: Iterable[_Row]) -> Iterator[_Row]:
        """Yield links one by one as they are written; raise `GraphError` at one that cannot be."""
        graph = self._graph
        has_edge = graph.has_edge
        for row in rows:
            u, v, _ = row
            if u == v or u not in graph or v not in graph or has_edge(u, v):
                raise GraphError(self._refusal(u, v))
            yield row

    def _refusal(self, u: str, v: str) -> str:
        if u == v:
            return f"edge {u} -> {v}: a node cannot be linked to itself"
        if self._graph.has_edge(u, v):
            return f"edge {u} -> {v} is there already; use lanes= for parallel links"
        absent = u if u not in self._graph else v
        return f"edge {u} -> {v}: {absent} is not a node; add it first"

    def build(
        self,
        name: str,
        npus: Sequence[str],
        *,
        sources: Iterable[str] = (),
        parameters: Mapping[str, Any] | None = None,
        row: str = "",
        copies: int = 1,
    ) -> Supernode:
        """Return the supernode; raise `GraphError` with every fault of the graph."""
        return Supernode(
            name, self._graph, tuple(npus), tuple(sources), dict(parameters or {}),
            row=row, copies=copies if row else 0,
        )  # fmt: skip


def _both_ways(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield each link and the same link in the other direction."""
    for row in rows:
        yield row
        u, v, data = row
        yield v, u, data


def _ends(link: Edge) -> tuple[str, str]:
    """Return the ids at the two ends of a link as the user gave it."""
    if not isinstance(link, tuple | list) or len(link) != 2:
        border.refuse(link, "a link", "a pair of node ids, such as ('npu/0', 'l1/0/0')")
    return node_id(link[0]), node_id(link[1])


def _device_attributes(name: str) -> dict[str, object]:
    entry = find_device(name)
    found: dict[str, object] = {}
    if entry.figure("latency") is not None:
        found["latency"] = entry.value("latency")
    for ability in ("reduces", "multicasts"):
        if entry.value(ability):
            found[ability] = True
    return found
