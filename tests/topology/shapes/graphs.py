"""Look at a shape as a plain graph: degrees, distances, symmetries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import networkx as nx
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

import topology
from topology import Supernode

LINK = 50e9


def degrees(shape: Supernode, prefix: str = "npu") -> Counter[int]:
    """Count the cables at every node of a kind (by the prefix of its id); links are duplex."""
    graph = shape.graph
    for u, v in graph.edges:
        assert graph.has_edge(v, u), f"{u} -> {v} has no way back"
    return Counter(graph.out_degree(n) for n in graph if n.startswith(f"{prefix}/"))


def cables(shape: Supernode) -> int:
    """Count the full-duplex links, lanes counted once."""
    return shape.graph.number_of_edges() // 2


def hops(shape: Supernode) -> np.ndarray:
    """Return the distance in hops between every two nodes, in the fabric's order."""
    fabric = shape.fabric
    n = len(fabric.nodes)
    ones = np.ones(len(fabric.tail))
    return shortest_path(
        csr_array((ones, (fabric.tail, fabric.head)), shape=(n, n)), unweighted=True
    )


def npu_hops(shape: Supernode) -> np.ndarray:
    """Return the distance in hops between every two ranks."""
    at = shape.fabric.npus
    return hops(shape)[np.ix_(at, at)]


def diameter(shape: Supernode) -> int:
    """Return the largest distance between ranks; infinity fails the int()."""
    return int(npu_hops(shape).max())


def valid(shape: Supernode) -> None:
    """Check the graph once more, that it is strongly connected, and that ranks are NPUs."""
    topology.validate(shape.graph, shape.npus)
    assert nx.is_strongly_connected(shape.graph)
    npus = [n for n, data in shape.graph.nodes(data=True) if data["kind"] == "npu"]
    assert sorted(npus) == sorted(shape.npus)


def adjacency(shape: Supernode) -> dict[tuple[str, str], tuple[float, int]]:
    """Return every arc with its capacity and lanes."""
    return {(u, v): (d["capacity"], d["lanes"]) for u, v, d in shape.graph.edges(data=True)}


def plain(shape: Supernode) -> nx.Graph:
    """Return the undirected graph without attributes but the kind of a node."""
    graph = nx.Graph(shape.graph.edges)
    for node, data in shape.graph.nodes(data=True):
        graph.add_node(node, kind=data["kind"])
    return graph


def isomorphic(one: Supernode, other: Supernode) -> bool:
    """Tell whether two shapes are one graph under other names, kinds of nodes included."""
    return nx.is_isomorphic(
        plain(one), plain(other), node_match=lambda a, b: a["kind"] == b["kind"]
    )


def is_automorphism(shape: Supernode, image: Callable[[str], str]) -> bool:
    """Tell whether a map of the nodes is one to one and keeps every arc and its capacity."""
    arcs = adjacency(shape)
    moved = {(image(u), image(v)): data for (u, v), data in arcs.items()}
    return len({image(n) for n in shape.graph}) == len(shape.graph) and moved == arcs


def carries_everywhere(shape: Supernode, maps: Iterable[Callable[[str], str]]) -> bool:
    """Tell whether some automorphisms together take the first rank to every rank."""
    maps = list(maps)
    assert all(is_automorphism(shape, image) for image in maps)
    seen, waiting = {shape.npus[0]}, [shape.npus[0]]
    while waiting:
        node = waiting.pop()
        fresh = {image(node) for image in maps} - seen
        seen |= fresh
        waiting += fresh
    return seen == set(shape.npus)


def by_coord(
    shape: Supernode, move: Callable[[tuple[int, ...]], tuple[int, ...]]
) -> Callable[[str], str]:
    """Return a map of the nodes from a map of their coordinates, kinds kept apart."""
    data = shape.graph.nodes
    at = {(d["kind"], d["coord"]): n for n, d in data(data=True)}
    return lambda node: at[data[node]["kind"], move(data[node]["coord"])]


def translations(shape: Supernode, dims: Iterable[int]) -> list[Callable[[str], str]]:
    """Return the shift by one along each dimension."""
    dims = tuple(dims)

    def shift(axis: int) -> Callable[[str], str]:
        return by_coord(
            shape,
            lambda c: tuple((x + 1) % dims[i] if i == axis else x for i, x in enumerate(c)),
        )

    return [shift(axis) for axis in range(len(dims))]
