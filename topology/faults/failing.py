"""Take failure units out of a machine: chosen ones, or some drawn at random."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import networkx as nx
import numpy as np

from topology import border
from topology.errors import GraphError
from topology.faults.registry import FailureUnit, failure_units
from topology.supernode import Supernode


def fail(supernode: Supernode, units: FailureUnit | Iterable[FailureUnit]) -> Supernode:
    """Return the supernode without some units.

    Raises
    ------
    GraphError
        If a node or link of a unit is not there, or no NPU would be left.
    """
    chosen = [units] if isinstance(units, FailureUnit) else list(units)
    gone = {node for unit in chosen for node in unit.nodes}
    lost: Counter[tuple[str, str]] = Counter()
    for unit in chosen:
        for u, v, lanes in unit.lanes:
            lost[u, v] += lanes
    worn: dict[float, list[tuple[str, str]]] = defaultdict(list)
    for edge, lanes in sorted(lost.items()):
        has = _lanes(supernode.graph, edge)
        if not gone.intersection(edge):
            worn[max(0.0, (has - lanes) / has)].append(edge)
    dead = worn.pop(0.0, [])
    for factor, links in sorted(worn.items()):
        supernode = supernode.degrade(links=links, factor=factor, both_directions=False)
    if gone or dead:
        supernode = supernode.without(nodes=gone, links=dead, both_directions=False)
    return supernode


def random_failures(
    supernode: Supernode,
    kind: str,
    *,
    count: int | None = None,
    fraction: float | None = None,
    seed: int = 0,
) -> Supernode:
    """Return the supernode with some units of a kind failed at random.

    Parameters
    ----------
    supernode
        The machine.
    kind
        One of `unit_kinds`.
    count, fraction
        How many units, or which share of them (rounded to the nearest whole); give one.
    seed
        The same seed fails the same units.

    Raises
    ------
    GraphError
        If not exactly one of count and fraction is given, or it is more than there is.
    """
    units = failure_units(supernode, kind)
    if (count is None) == (fraction is None):
        raise GraphError("random_failures: give one of count and fraction")
    if fraction is not None:
        count = round(border.probability(fraction, "random_failures: fraction") * len(units))
    count = border.whole(count, f"random_failures: count of {kind}", least=0, most=len(units))
    generator = np.random.default_rng(border.seed(seed, "random_failures: seed"))
    chosen = generator.choice(len(units), size=count, replace=False)
    return fail(supernode, [units[i] for i in sorted(chosen.tolist())])


def _lanes(graph: nx.DiGraph, edge: tuple[str, str]) -> int:
    if not graph.has_edge(*edge):
        raise GraphError(f"there is no link {edge[0]} -> {edge[1]} that could fail")
    return int(graph.edges[edge].get("lanes", 1))
