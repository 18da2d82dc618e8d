"""Route as networks do that see where it is crowded: over shortest paths, or over any.

In the fluid limit an ideal adaptive routing splits every flow so that the worst link is the least
loaded. Among shortest paths that is what minimal adaptive routing can reach at best; among all
paths through forwarding nodes it is the maximum concurrent flow, which no routing beats.

References
----------
Dally and Towles, Principles and Practices of Interconnection Networks, 2004, chapters 9 and 10;
Shahrokhi and Matula, J. ACM 37 (1990) 318-334.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from topology.approximation import Approximation
from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.balanced import Rooms, Search
from topology.routing.blended import blended
from topology.routing.demand import Pairs, Uniform
from topology.routing.flow import Router
from topology.routing.hops import Hops, laid
from topology.routing.paths import listed
from topology.routing.policies import routing
from topology.routing.split import SplitFlow, Spray, Targets
from topology.routing.turns import Turns
from topology.solvers.linear import UnfinishedError

_MOST_VARIABLES = 20_000
_MOST_EXACT = 400_000
_NEAR = 1e-7
_TIE = 1e-9


class Adaptive(Router):
    """A policy that keeps the worst link as low as its paths allow; a new one says which paths.

    Attributes
    ----------
    fabric
        What it routes on.
    exact
        Whether the linear program is solved however long it takes.
    """

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        self.fabric = fabric
        self.exact = exact

    @abstractmethod
    def allowed(self, targets: Targets, shortest: Hops) -> tuple[IntArray, IntArray, IntArray]:
        """Return the hops that traffic may take: arcs, and the states at their ends."""

    @abstractmethod
    def cheapest(self, targets: Targets, shortest: Hops, price: FloatArray) -> FloatArray:
        """Return the least each pair can pay by the price of each arc, shape (pairs,)."""

    def searched(self, search: Search, targets: Targets, shortest: Hops) -> Spray:
        """Return a good split where the best is too much to solve for."""
        del targets
        return search.sprayed(shortest)

    def spread(self, demand: Uniform | Pairs) -> SplitFlow:
        """Return a demand among ranks, split so that the worst link is the least loaded."""
        pairs = listed(demand, self.title)
        targets = Targets.of(self.fabric, pairs)
        hops = targets.shortest(self.fabric)
        search = search_of(self, pairs, targets, hops)
        spray = search.sprayed(hops, rounds=0)
        if search.gap > _NEAR:
            allowed = self.allowed(targets, hops)
            few = len(allowed[0]) <= (_MOST_EXACT if self.exact else _MOST_VARIABLES)
            try:
                spray = search.solved(*allowed, targets.goals(self.fabric)) if few else spray
            except UnfinishedError:
                few = False
            spray = spray if few else self.searched(search, targets, hops)
        why = "the best split is searched for, not solved for"
        note = Approximation(f"worst link by {self.title}", why, search.gap)
        notes = (note,) if search.gap > _NEAR else ()
        return SplitFlow(
            self.fabric, spray.loads(search.entering), pairs, targets, spray, notes, self
        )


def search_of(policy: Adaptive, pairs: Pairs, targets: Targets, hops: Hops) -> Search:
    """Return the search for how low a policy's worst link can be.

    Parameters
    ----------
    policy
        Which paths pairs may take.
    pairs, targets
        What is sent, and where it enters.
    hops
        Those on its shortest paths.
    """
    entering = np.bincount(targets.state, pairs.amount, hops.states).astype(float)

    def least(price: FloatArray) -> float:
        return float(pairs.amount @ policy.cheapest(targets, hops, price))

    return Search(Rooms.of(policy.fabric), entering, least)


@routing("minimal_adaptive")
class MinimalAdaptive(Adaptive):
    """Any split over shortest paths."""

    title = "minimal adaptive"
    words = (
        "adaptive over shortest paths (of the fewest groups, if there are any), split so that the "
        "worst link is the least loaded"
    )

    def turns(self, pairs: Pairs) -> Turns:
        """Return which hop may follow which: on any of the shortest paths, crowded or not."""
        return Targets.of(self.fabric, pairs).shortest(self.fabric).turns()

    def allowed(self, targets: Targets, shortest: Hops) -> tuple[IntArray, IntArray, IntArray]:
        """Return the hops on shortest paths."""
        del targets
        return shortest.arc, shortest.tail, shortest.head

    def cheapest(self, targets: Targets, shortest: Hops, price: FloatArray) -> FloatArray:
        """Return the price of the cheapest of the shortest paths."""
        ahead = shortest.ahead(price[shortest.arc], np.add, np.minimum)
        found: FloatArray = ahead[targets.state]
        return found


@routing("optimal")
class Optimal(Adaptive):
    """Any split over any paths through forwarding nodes: the maximum concurrent flow."""

    title = "optimal"
    words = "the maximum concurrent flow, over any paths through forwarding nodes"
    _asked: tuple[bytes, bytes] = (b"", b"")
    _answer: FloatArray

    def allowed(self, targets: Targets, shortest: Hops) -> tuple[IntArray, IntArray, IntArray]:
        """Return every hop that may lie on a path."""
        del shortest
        fabric, width = self.fabric, len(targets.ranks)
        goal = targets.goal(fabric)
        begins = np.repeat(fabric.forwards[:, None], width, axis=1)
        begins.reshape(-1)[targets.state] = True
        ends = fabric.forwards[:, None] | goal
        arc, column = np.nonzero((begins & ~goal)[fabric.tail] & ends[fabric.head])
        tail, head = (end[arc] * width + column for end in (fabric.tail, fabric.head))
        return arc, tail, head

    def cheapest(self, targets: Targets, shortest: Hops, price: FloatArray) -> FloatArray:
        """Return the price of the cheapest path; a node that passes nothing on is left or met."""
        del shortest
        node, column = np.divmod(targets.state, len(targets.ranks))
        found: FloatArray = self._far(targets, price)[column, node]
        return found

    def _far(self, targets: Targets, price: FloatArray) -> FloatArray:
        """Return the price of the cheapest path to each target from each node, (targets, nodes)."""
        asked = targets.ranks.tobytes(), price.tobytes()
        if self._asked == asked:
            return self._answer
        fabric, nodes = self.fabric, len(self.fabric.nodes)
        met = np.where(fabric.forwards, np.arange(nodes), nodes + np.arange(nodes))
        turned = sparse.csr_array(
            (price, (met[fabric.head], fabric.tail)), shape=(2 * nodes, 2 * nodes)
        )
        far: FloatArray = dijkstra(turned, indices=met[fabric.npus[targets.ranks]])
        self._asked, self._answer = asked, far[:, :nodes]
        return self._answer

    def searched(self, search: Search, targets: Targets, shortest: Hops) -> Spray:
        """Return a blend of flows over the cheapest paths."""
        fabric, width = self.fabric, len(targets.ranks)
        arc, tail, head = self.allowed(targets, shortest)
        goals = targets.goals(fabric)

        def cheapest(price: FloatArray) -> Hops:
            far = self._far(targets, price).T.flatten()
            far[goals] = 0.0
            on = price[arc] + far[head] <= far[tail] * (1 + _TIE)
            on &= far[head] < far[tail]
            found = laid(fabric, width, arc[on], tail[on], head[on])
            return found.chosen(found.reached(targets.state))

        first = search.sprayed(shortest, rounds=0)
        return blended(search, first, cheapest, goals, len(arc))
