"""Teams that algorithms can be tried on: flat ones, tori, meshes, racks, switches that reduce."""

from __future__ import annotations

from functools import cache
from math import isqrt

import networkx as nx
import numpy as np

import topology
from collectives import Schedule, Team
from collectives.analysis.analyze import team_of
from collectives.model.execution import execute, verify
from collectives.model.schedule import consecutive_groups
from topology import Supernode
from topology.units import GB

KINDS = [
    "all_reduce", "reduce_scatter", "all_gather", "broadcast", "reduce", "gather", "scatter",
    "barrier",
]  # fmt: skip
RATE = 50 * GB


def factors(p: int) -> tuple[int, int]:
    """Return two factors of p, as near to each other as can be, the smaller first."""
    a = max(n for n in range(1, isqrt(p) + 1) if p % n == 0)
    return a, p // a


@cache
def helping_star(p: int) -> Supernode:
    """Return a star whose switch adds and copies."""
    graph = nx.Graph()
    graph.add_node("s", kind="switch", reduces=True, multicasts=True)
    for i in range(p):
        graph.add_node(f"npu/{i}", kind="npu")
        graph.add_edge("s", f"npu/{i}", capacity=RATE)
    return topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(p)])


@cache
def racks(racks: int, nodes: int, each: int) -> Supernode:
    """Return a star of NPUs that know their node and rack."""
    graph = nx.Graph()
    count = racks * nodes * each
    for i in range(count):
        graph.add_node(f"npu/{i}", kind="npu", node=i // each, rack=i // (each * nodes))
        graph.add_edge("s", f"npu/{i}", capacity=RATE)
    return topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(count)])


@cache
def meshes(nodes: int, each: int) -> Supernode:
    """Return nodes that are full meshes, and so are the NPUs at each place of all nodes."""
    grid = nx.cartesian_product(nx.complete_graph(nodes), nx.complete_graph(each))
    nx.set_edge_attributes(grid, RATE, "capacity")
    for (node, _), npu in grid.nodes(data=True):
        npu["node"] = node
    graph = nx.relabel_nodes(grid, {(i, j): f"npu/{i * each + j}" for i, j in grid})
    return topology.from_networkx(graph, npus=[f"npu/{i}" for i in range(nodes * each)])


@cache
def torus(*dims: int) -> Supernode:
    return topology.shapes.torus(dims, link=RATE)


@cache
def star(p: int) -> Supernode:
    return topology.star(p, link=RATE)


@cache
def rails(*sizes: int, outer: float = RATE, helps: str = "") -> Supernode:
    """Return nodes of several sizes, a switch in each, whose NPU j is on switch j of the rails.

    ``helps`` says which switches add and copy: those called "inner" or "rail".
    """
    graph = nx.Graph()
    npus = []
    for node, size in enumerate(sizes):
        for j in range(size):
            npus.append(f"npu/{len(npus)}")
            graph.add_node(npus[-1], kind="npu", node=node, slot=j)
            graph.add_node(f"nic/{len(npus) - 1}", kind="nic", forwards=True)
            graph.add_edge(npus[-1], f"inner/{node}", capacity=10 * RATE)
            graph.add_edge(npus[-1], f"nic/{len(npus) - 1}", capacity=10 * RATE)
            graph.add_edge(f"nic/{len(npus) - 1}", f"rail/{j}", capacity=outer)
            graph.add_edge(f"rail/{j}", "spine", capacity=100 * RATE)
    for name, data in graph.nodes(data=True):
        if helps and name.startswith(helps):
            data.update(kind="switch", reduces=True, multicasts=True)
    return topology.from_networkx(graph, npus=npus, name="rails")


def flat(p: int) -> Team:
    """Return p ranks without a machine, in groups of a size that divides p."""
    return Team(p, consecutive_groups(p, factors(p)[1]))


def machines(p: int) -> list[Team]:
    """Return p ranks on machines of many shapes."""
    made = [helping_star(p), torus(p), torus(*factors(p))]
    if p <= 16:
        made.append(topology.shapes.full_mesh(p, link=RATE))
    if p % 8 == 0:
        made += [racks(2, 2, p // 4), torus(2, 2, p // 4), meshes(*factors(p))]
    return [team_of(machine) for machine in made]


def prove(schedule: Schedule, seed: int = 0) -> None:
    """Verify a schedule, and run it on random whole numbers."""
    verify(schedule)
    p = schedule.ranks
    shared = schedule.collective.before != "owner" and {"owner", "origin"} & {
        schedule.collective.before, schedule.collective.after,
    }  # fmt: skip
    width = p * 2 if shared else 3
    rng = np.random.default_rng(seed)
    execute(schedule, rng.integers(-(2**50), 2**50, (p, width)))
