"""Choose between a shortest path and Valiant's detour, as UGAL does by the lengths of queues.

In the fluid limit every sender sends some share of its traffic over shortest paths and the rest by
way of random intermediates, and the shares are those that leave the worst link the least loaded:
what queues that are seen everywhere and at once (UGAL-G) settle on at best.

References
----------
Singh, Load-Balanced Routing in Interconnection Networks, PhD thesis, Stanford 2005 (UGAL); Kim,
Dally, Scott and Abts, ISCA 2008 (UGAL-L and UGAL-G on a Dragonfly).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from topology.approximation import Approximation
from topology.fabric import Fabric, FloatArray, IntArray
from topology.routing.adaptive import Optimal, search_of
from topology.routing.balanced import Rooms, Search
from topology.routing.demand import Pairs, Uniform
from topology.routing.flow import Router, Slowest
from topology.routing.pair_flow import PairFlow
from topology.routing.paths import listed
from topology.routing.policies import routing
from topology.routing.split import SplitFlow, Spray, Targets
from topology.routing.turns import Turns, join_turns
from topology.routing.valiant import Detour, DetourFlow, Valiant, matrix
from topology.solvers.linear import least_level

_MOST_WORK = 100_000_000
_TIE = 1e-7  # what a detour costs beside the worst link: among equals the shortest paths
_NOTHING = 1e-9
_NEAR = 1e-7


@dataclass(frozen=True, eq=False, repr=False)
class MixedFlow(PairFlow):
    """A demand in two parts, each with its own paths.

    Attributes
    ----------
    fabric, loads, pairs
        As in `PairFlow`.
    flows
        Flows of the same pairs.
    share
        What part of each pair's traffic takes each, shape (parts, pairs).
    notes
        In which ways the shares are not the best.
    """

    fabric: Fabric
    loads: FloatArray
    pairs: Pairs
    flows: tuple[PairFlow, ...]
    share: FloatArray
    notes: tuple[Approximation, ...]
    _router: Router

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what each pair meets on the paths it uses."""
        found = [part.meets(busy, node_busy) for part in self.flows]
        latency = np.where(self.share > 0, [one.latency for one in found], 0.0).max(axis=0)
        transfer = np.where(self.share > 0, [one.transfer for one in found], 0.0).max(axis=0)
        return self.slowest_of(latency, transfer)

    def path(self, at: int) -> list[int]:
        """Return the arcs of the path of a pair with the highest latency."""
        idle, still = np.zeros(len(self.loads)), np.zeros(len(self.fabric.nodes))
        found = [part.meets(idle, still).latency[at] for part in self.flows]
        return self.flows[int(np.argmax(np.where(self.share[:, at] > 0, found, -1.0)))].path(at)

    def ways_of(self, at: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths of a pair, each with its share."""
        for part, share in zip(self.flows, self.share[:, at].tolist(), strict=True):
            if share > 0:
                yield from ((share * one, arcs) for one, arcs in part.ways_of(at))

    def shares(self) -> sparse.csc_array:
        """Return the part of each pair's traffic on each arc."""
        every = [
            part.shares() @ sparse.diags_array(share)
            for part, share in zip(self.flows, self.share, strict=True)
        ]
        return sparse.csc_array(sum(every[1:], start=every[0]))

    def approximations(self, capacity: FloatArray | None = None) -> tuple[Approximation, ...]:
        """Return in which ways the shares are not the best."""
        del capacity
        return self.notes


@routing("ugal")
class Ugal(Router):
    """Shortest paths or Valiant's detour, in shares by sender that spare the worst link.

    Attributes
    ----------
    fabric
        What it routes on.
    exact
        Whether every sender has a share of its own, however long it takes.
    """

    title = "UGAL"
    words = (
        "UGAL: each sender's traffic over shortest paths or by a random intermediate, in the share "
        "that leaves the worst link the least loaded"
    )

    def __init__(self, fabric: Fabric, *, exact: bool = False) -> None:
        self.fabric = fabric
        self.exact = exact

    def spread(self, demand: Uniform | Pairs) -> MixedFlow:
        """Return a demand among ranks on shortest paths and detours."""
        pairs = listed(demand, self.title)
        valiant = Valiant(self.fabric)
        detour = Detour.of(self.fabric, pairs, self.title)
        hops = detour.targets.shortest(self.fabric)
        near = Spray(hops, hops.shares(self.fabric.capacity[hops.arc]))
        best = Optimal(self.fabric)
        search = search_of(best, pairs, detour.targets, hops)
        search.sprayed(hops, rounds=0)
        work = len(hops.arc) + len(detour.out.hops.arc) + len(detour.back.hops.arc)
        senders = max(1, len(detour.senders))
        most = senders if self.exact else min(senders, max(1, _MOST_WORK // max(1, work)))
        if most < senders and search.gap > _NEAR:
            best.searched(search, detour.targets, hops)  # for what it proves
        for runs in [most] if most == senders and search.gap > _NEAR else sorted({1, most}):
            run = np.searchsorted(detour.senders, pairs.src) * runs // senders
            loads = _loads(near, detour, pairs, run, runs)
            direct = self._best(loads, search) if search.gap > _NEAR else np.ones(runs)
            total = np.einsum("r,ra->a", direct, loads[0])
            total += np.einsum("r,ra->a", 1 - direct, loads[1])
            search.reached = float(search.rooms.busy(total).max(initial=0.0))
            if search.gap <= _NEAR:
                break
        share = np.stack([direct[run], 1 - direct[run]])
        why = f"the {senders:,} senders choose in {runs:,} runs of ranks, each run alike"
        note = Approximation("worst link by UGAL", why, search.gap)
        notes = (note,) if runs < senders and search.gap > _NEAR else ()
        parts = (
            SplitFlow(self.fabric, loads[0].sum(axis=0), pairs, detour.targets, near, (), self),
            DetourFlow(self.fabric, loads[1].sum(axis=0), pairs, detour, valiant),
        )
        return MixedFlow(self.fabric, total, pairs, parts, share, notes, self)

    def turns(self, pairs: Pairs) -> Turns:
        """Return which hop may follow which, on shortest paths and on detours."""
        shortest = Targets.of(self.fabric, pairs).shortest(self.fabric).turns()
        return join_turns(shortest, Valiant(self.fabric).turns(pairs))

    def _best(self, loads: FloatArray, search: Search) -> FloatArray:
        """Return the share of each run that takes shortest paths, shape (runs,).

        Parameters
        ----------
        loads
            Of each run over shortest paths and over detours, shape (2, runs, arcs).
        search
            Takes note of what the prices of the links prove.
        """
        rooms, runs = Rooms.of(self.fabric), loads.shape[1]
        busy = np.array([rooms.busy(one) for way in loads for one in way]).reshape(2 * runs, -1)
        ends = busy.reshape(2, runs, -1).sum(axis=1).max(axis=1, initial=0.0)
        if not ends.min() or not runs:
            return np.ones(runs)
        each = np.tile(np.arange(runs), 2)
        balance = sparse.csr_array((np.ones(2 * runs), (each, np.arange(2 * runs))))
        found = least_level(
            sparse.csr_array(busy.T / ends.min()), np.ones(busy.shape[1]), balance, np.ones(runs),
            cost=np.repeat([0.0, _TIE / runs], runs),
        )  # fmt: skip
        search.prove(found.price / rooms.room)
        direct = np.clip(found.flow[:runs], 0.0, 1.0)
        direct = np.where(direct > 1 - _NOTHING, 1.0, np.where(direct < _NOTHING, 0.0, direct))
        mixed = direct @ busy[:runs] + (1 - direct) @ busy[runs:]
        return direct if mixed.max() <= ends.min() else np.full(runs, float(ends[0] <= ends[1]))


def _loads(near: Spray, detour: Detour, pairs: Pairs, run: IntArray, runs: int) -> FloatArray:
    """Return loads of each run over shortest paths and over detours, shape (2, runs, arcs)."""
    arcs = len(near.hops.fabric.tail)
    found = np.zeros((2, runs, arcs))
    for at in range(runs):
        amount = np.where(run == at, pairs.amount, 0.0)
        entering = np.bincount(detour.targets.state, amount, near.hops.states)
        found[0, at] = near.loads(entering.astype(float))
        found[1, at] = detour.loads(matrix(detour, Pairs(pairs.src, pairs.dst, amount)))
    return found
