"""Say whether a routing can deadlock, and how many virtual channels make it free of that.

A packet holds one link while it waits for the next. Draw an arrow from each link to those that
follow it on some path: without a circle there is no deadlock, and where a pair has one path a
circle is one (Dally and Seitz). Adaptive routing with a circle may still be free of it, if every
packet has another way out (Duato); that is not looked for here.

Virtual channels break the circles. In each strongly connected part of the drawing the links are
put in an order, and a packet goes to the next channel whenever it steps back in it; in another
part it starts at the first again. That is the dateline of a torus. Several orders are tried, so the
number found is enough, and where it is 2 it is also needed.

References
----------
Dally and Seitz, IEEE Trans. Computers C-36(5), 1987; Duato, IEEE Trans. Parallel Distrib. Syst.
4(12), 1993; Domke, Hoefler and Nagel, Deadlock-free oblivious routing for arbitrary topologies,
IPDPS 2011 (cycle breaking).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from topology.fabric import Fabric, IntArray
from topology.routing.demand import Uniform, chosen_ranks
from topology.routing.flow import Router
from topology.routing.policies import RoutingLike, router
from topology.routing.turns import Turns
from topology.supernode import Supernode
from topology.text import Part, Printed, counted

_SHOWN = 6


@dataclass(frozen=True, eq=False, repr=False)
class Deadlock(Printed):
    """Whether packets of a routing can wait for one another in a circle.

    Attributes
    ----------
    router
        The routing.
    first, second
        Arcs of which the second follows the first on some path, each pair once, shape (turns,).
    cycle
        Links that wait for one another in a circle, each for the next; none if there is none.
    least, most
        How many virtual channels are needed at least, and how many are enough.
    part, order
        Which arcs wait for one another in circles, and their order there, shapes (arcs,).
    """

    router: Router
    first: IntArray = field(repr=False)
    second: IntArray = field(repr=False)
    cycle: tuple[tuple[str, str], ...]
    least: int
    most: int
    part: IntArray = field(repr=False)
    order: IntArray = field(repr=False)

    @property
    def free(self) -> bool:
        """Tell whether one channel to a link is enough."""
        return not self.cycle

    @property
    def graph(self) -> nx.DiGraph:
        """Return the channel dependency graph: links as nodes, and which waits for which."""
        arcs, graph = self.router.fabric.arcs, nx.DiGraph()
        ends = zip(self.first.tolist(), self.second.tolist(), strict=True)
        graph.add_edges_from((arcs[a], arcs[b]) for a, b in ends)
        return graph

    def channels_of(self, path: Sequence[int]) -> list[int]:
        """Return the virtual channel that each arc of a path is taken on, so that none waits."""
        found = [0] * len(path[:1])
        for a, b in pairwise(path):
            same = self.part[a] == self.part[b]
            found.append((found[-1] + int(self.order[a] >= self.order[b])) if same else 0)
        return found

    @property
    def channels(self) -> str:
        """Return how many virtual channels it needs, in words: "2", "2 to 3"."""
        return str(self.most) if self.least == self.most else f"{self.least} to {self.most}"

    def parts(self) -> list[Part]:
        """Return what people read: the verdict, a circle if there is one, and the channels."""
        turns = f"{counted(len(self.first), 'turn')} from link to link"
        if self.free:
            return [f"{self.router.title} is free of deadlock: {turns}, and no circle among them"]
        links = [f"{u} → {v}" for u, v in self.cycle[:_SHOWN]]
        more = len(self.cycle) - len(links)
        rest = f" and {more:,} more" if more else ""
        return [
            f"{self.router.title} can deadlock on one channel: {counted(len(self.cycle), 'link')} "
            f"wait for one another in a circle, among {turns}",
            f"the circle: {', '.join(links)}{rest}",
            f"virtual channels that make it free: {self.channels}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain data."""
        return {
            "routing": self.router.words, "free": self.free, "turns": len(self.first),
            "cycle": self.cycle, "channels_least": self.least, "channels_enough": self.most,
        }  # fmt: skip


def deadlock(
    supernode: Supernode | Fabric,
    routing: RoutingLike = "ecmp",
    *,
    ranks: npt.ArrayLike | None = None,
) -> Deadlock:
    """Return whether a routing can deadlock when every rank sends to every other.

    Parameters
    ----------
    supernode
        The machine.
    routing
        See `router`.
    ranks
        Who sends; by default all.

    Raises
    ------
    RoutingError
        If the routing does not suit the machine, or there are too many turns to look at.
    """
    policy = router(supernode, routing)
    fabric = policy.fabric
    chosen = chosen_ranks(ranks, len(fabric.npus))
    turns = policy.turns(Uniform(chosen).pairs())
    arcs = len(fabric.tail)
    first, second = turns.of_arcs(arcs)
    joined = sparse.csr_array((np.ones(len(first)), (first, second)), shape=(arcs, arcs))
    part = connected_components(joined, connection="strong")[1]
    inside = part[first] == part[second]
    if not inside.any():
        return Deadlock(policy, first, second, (), 1, 1, part, np.arange(arcs))
    circle = tuple(fabric.arcs[arc] for arc in _circle(first[inside], second[inside], part))
    return Deadlock(policy, first, second, circle, 2, *_enough(turns, part))


def _circle(first: IntArray, second: IntArray, part: IntArray) -> list[int]:
    """Return a short circle of arcs, through the first arc of the smallest part that has one."""
    parts, sizes = np.unique(part[first], return_counts=True)
    here = part[first] == parts[np.argmin(sizes)]
    graph = nx.DiGraph(zip(first[here].tolist(), second[here].tolist(), strict=True))
    start = min(graph)
    ways = (nx.shortest_path(graph, after, start) for after in sorted(graph[start]))
    circle: list[int] = min(ways, key=len)
    return circle


def _enough(turns: Turns, part: IntArray) -> tuple[int, IntArray, IntArray]:
    """Return how many virtual channels are enough, the parts, and the best order tried in each."""
    best, kept = np.full(len(part), len(turns.arc)), np.arange(len(part))
    within = part[turns.arc[turns.before]] == part[turns.arc[turns.after]]
    before, after = turns.before[within], turns.after[within]
    for order in _orders(turns, before, after, len(part)):
        back = order[turns.arc[before]] >= order[turns.arc[after]]
        channel = _added_up(before, after, back.astype(np.int64), len(turns.arc))
        most = np.zeros(len(part), dtype=np.int64)
        np.maximum.at(most, part[turns.arc], channel)
        better = most < best
        best = np.where(better, most, best)
        kept = np.where(better[part], order, kept)
    return 1 + int(best.max()), part, kept


def _added_up(before: IntArray, after: IntArray, value: IntArray, hops: int) -> IntArray:
    """Return the most that values of turns add up to as far as each hop, shape (hops,)."""
    total = np.zeros(hops, dtype=np.int64)
    late = np.arange(len(before))
    while len(late):
        reached = total[before[late]] + value[late]
        more = reached > total[after[late]]
        np.maximum.at(total, after[late[more]], reached[more])
        grown = np.zeros(hops, dtype=bool)
        grown[after[late[more]]] = True
        late = np.flatnonzero(grown[before])
    return total


def _orders(turns: Turns, before: IntArray, after: IntArray, arcs: int) -> Iterator[IntArray]:
    """Yield orders of the arcs: by their ends, either way, by how far along paths, depth first."""
    yield np.arange(arcs)
    yield -np.arange(arcs)
    depth = _added_up(before, after, np.ones(len(before), dtype=np.int64), len(turns.arc))
    mean = np.bincount(turns.arc, depth, arcs) / np.maximum(
        1, np.bincount(turns.arc, minlength=arcs)
    )
    yield np.argsort(np.argsort(mean, kind="stable"))
    ends = np.divmod(np.unique(turns.arc[before] * arcs + turns.arc[after]), arcs)
    graph = nx.DiGraph(zip(*(end.tolist() for end in ends), strict=True))
    finished = list(nx.dfs_postorder_nodes(graph))
    order = np.zeros(arcs, dtype=np.int64)
    order[finished] = np.arange(len(finished), 0, -1)
    yield order
