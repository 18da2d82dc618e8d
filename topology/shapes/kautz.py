"""Directed graphs of small diameter: generalised Kautz, de Bruijn, and line digraphs.

Every link is one direction only: a node sends to its successors and receives from others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from topology import border
from topology.errors import GraphError
from topology.fabric import IntArray, distinct
from topology.shapes.parts import LinkLike, graph_of
from topology.shapes.registry import shape
from topology.supernode import Supernode


@shape
def generalised_kautz(degree: int, npus: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    """Return the generalised Kautz graph of Imase and Itoh, directed.

    ::

        i  -->  (-d i - 1) mod N, (-d i - 2) mod N, ..., (-d i - d) mod N

    N vertices, at most d N arcs (arcs to itself and parallel arcs are dropped), diameter at
    most ceil(log_d N). With N = d**k + d**(k-1) it is the Kautz graph K(d, k), of diameter k,
    without anything dropped.

    Imase and Itoh, A Design for Directed Graphs with Minimum Diameter, IEEE Trans. Computers
    C-32(8), 1983; for collectives: Zhao et al., Efficient Direct-Connect Topologies for
    Collective Communications, NSDI 2025.

    Parameters
    ----------
    degree
        d, 2 or more: how many NPUs each sends to.
    npus
        N, above d.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links along each arc.
    """
    d = border.whole(degree, "generalised_kautz: degree", least=2)
    n = border.whole(npus, "generalised_kautz: npus", least=d + 1)
    border.afford("generalised_kautz", n, n * d)
    i = np.repeat(np.arange(n), d)
    heads = (-d * i - np.tile(np.arange(1, d + 1), n)) % n
    called = {"degree": d, "npus": n}
    return _directed("generalised_kautz", f"{d}-{n}", n, i, heads, link, lanes, called)


@shape
def de_bruijn(degree: int, length: int, *, link: LinkLike, lanes: int = 1) -> Supernode:
    """Return the de Bruijn graph, directed: shift a word left, append any digit.

    ::

        w_1 w_2 ... w_k  -->  w_2 ... w_k a      for each of the d digits a

    d**k vertices, d**(k+1) - d arcs (the arcs of the d constant words to themselves are
    dropped), diameter k. de Bruijn, A combinatorial problem, Proc. KNAW 49, 1946.

    Parameters
    ----------
    degree
        d, 2 or more: how many digits there are.
    length
        k, 1 or more: digits of a word.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links along each arc.
    """
    d = border.whole(degree, "de_bruijn: degree", least=2)
    k = border.whole(length, "de_bruijn: length")
    n = d ** min(k, 64)
    border.afford("de_bruijn", n, n * d)
    i = np.repeat(np.arange(n), d)
    heads = (d * i + np.tile(np.arange(d), n)) % n
    called = {"degree": d, "length": k}
    return _directed("de_bruijn", f"{d}-{k}", n, i, heads, link, lanes, called)


@shape
def line_digraph(base: Supernode, *, link: LinkLike, lanes: int = 1) -> Supernode:
    """Return the line digraph: an NPU for every arc of another graph.

    ::

        (u, v)  -->  (v, w)      where u -> v and v -> w are arcs; w may be u

    As many vertices as ``base`` has arcs; a regular graph keeps its degree, and its diameter
    grows by one. L(L(K4,4)) has 128 NPUs of degree 4 and diameter 4: Zhao et al., Efficient
    Direct-Connect Topologies for Collective Communications, NSDI 2025. Harary and Norman, Some
    properties of line digraphs, Rend. Circ. Mat. Palermo 9, 1960.

    Parameters
    ----------
    base
        A supernode all of whose nodes are NPUs.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links along each arc.

    Raises
    ------
    GraphError
        If ``base`` has nodes that are not NPUs, or no arcs.
    """
    if not isinstance(base, Supernode):
        raise GraphError(f"line_digraph: base is a {type(base).__name__}; give a Supernode")
    fabric = base.fabric
    others = [node for node, kind in zip(fabric.nodes, fabric.kind, strict=True) if kind != "npu"]
    if others or not len(fabric.tail):
        fault = f"has the {base.graph.nodes[others[0]]['kind']} {others[0]}" if others else "no arc"
        raise GraphError(f"line_digraph: {base.name} {fault}; give NPUs with links between them")
    start = fabric.out_start[fabric.head]
    counts = fabric.out_start[fabric.head + 1] - start
    tails = np.repeat(np.arange(len(fabric.tail)), counts)
    turn = np.arange(len(tails)) - np.repeat(np.cumsum(counts) - counts, counts)
    heads = np.repeat(start, counts) + turn
    called = {"base": base.name}
    total = len(fabric.tail)
    return _directed("line_digraph", base.name, total, tails, heads, link, lanes, called)


def _directed(
    shape: str,
    size: str,
    count: int,
    tails: IntArray,
    heads: IntArray,
    link: LinkLike,
    lanes: int,
    called: Mapping[str, object],
) -> Supernode:
    keys = distinct((tails * count + heads)[tails != heads])
    steps = [(keys // count, keys % count)]
    return graph_of(shape, count, steps, link, lanes, called, size=size, duplex=False)
