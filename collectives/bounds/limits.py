"""Bound any collective on any machine: what no algorithm can beat, and the proof."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from collectives.bounds.bound import Bound
from collectives.bounds.cuts import REVERSED, Cut, Nothing, PartsSum, must_cross
from collectives.bounds.describe import cut_words
from collectives.bounds.exchange import Amounts, best_prices, marked, proof
from collectives.bounds.frank_wolfe import Progress
from collectives.bounds.gather import (
    GatherOptimum,
    collect_optimum,
    gather_optimum,
    spread_optimum,
)
from collectives.bounds.latency import latency_bound
from collectives.bounds.network import Network, network
from collectives.bounds.partitions import best_parts_sum, natural_parts
from collectives.model.collective import Collective, collective
from collectives.model.schedule import IntArray
from collectives.timing import endpoint_of
from topology.errors import SupernodeError
from topology.naming import natural_sort
from topology.routing import Uniform, as_demand, check_ranks
from topology.routing.demand import DemandLike
from topology.supernode import Supernode

_PAIR = 2
_NOTHING_LEFT = 1e-12
_WHOLE = ("broadcast", "reduce", "all_reduce")
_COPIED = ("all_gather", "reduce_scatter")  # an all-to-all, if no one on the way helps
_WITHOUT_RELAY = "algorithms in which no NPU passes on what it received"


def bound(
    supernode: Supernode,
    kind: str | Collective,
    ranks: npt.ArrayLike | None = None,
    *,
    relay: bool = True,
    root: int = 0,
    demand: DemandLike = None,
    alpha: float | None = None,
    message: float | None = None,
    gap: float = 0.01,
    progress: Progress | None = None,
) -> Bound:
    """Return what no algorithm and no routing can beat, with a certificate.

    Parameters
    ----------
    supernode
        The machine.
    kind
        The collective.
    ranks
        Who takes part; by default all.
    relay
        Whether NPUs may pass on what they received, as rings and trees do; CPUs never do.
    root
        Where a broadcast or scatter starts, a reduce or gather ends: a position in ``ranks``.
    demand
        For an all-to-all: bytes from each rank to each, in any form that
        `topology.routing.as_demand` takes. S is then the most that one rank sends, and the
        bound comes at that size.
    alpha, message
        Endpoint seconds per step and per message, instead of the devices' rows.
    gap
        Where the exact all-to-all is too large a program: how near the bound must come to what
        can be reached, as a fraction. `Bound.gap` says how near it came.
    progress
        Called now and then during a long search with what is being done and the fraction done.

    Returns
    -------
    Bound
        For all-gather, reduce-scatter and the rooted collectives the exact optimum of
        bandwidth; for all-to-all the maximum concurrent flow. For all-reduce a bound that any
        algorithm keeps; `Bound.composed` has the best reduce-scatter followed by the best
        all-gather.

    Raises
    ------
    SupernodeError
        If the ranks do not fit, or cannot reach one another.
    """
    wanted = collective(kind)
    chosen, amounts, size = _asked(supernode, wanted, ranks, demand)
    if not 0 <= root < max(1, len(chosen)):
        raise SupernodeError(f"root is {root}; it is a position in ranks, 0 to {len(chosen) - 1}")
    if len(chosen) < _PAIR:
        return Bound(wanted, 1, 0.0, Nothing(), size=size)
    passed = relay or wanted.name == "all_reduce"  # its ranks add up and pass on by nature
    net = network(supernode.fabric, chosen, relay=passed)
    task = _Task(supernode, wanted, net, root, _Effort(amounts, gap, progress))
    endpoint = endpoint_of(supernode, chosen, alpha, message)
    pairs = None if amounts.matrix is None else amounts.matrix > 0
    latency = latency_bound(supernode.fabric, net, wanted, endpoint, root, pairs)
    found = replace(task.bound(), latency=latency, size=size)
    return found if passed else replace(found, holds_for=_WITHOUT_RELAY)


def _asked(
    supernode: Supernode, kind: Collective, ranks: npt.ArrayLike | None, demand: DemandLike
) -> tuple[IntArray, Amounts, float | None]:
    """Return who takes part, what they exchange per byte of S, and S if the demand says it."""
    count = len(supernode.npus)
    if demand is None:
        return check_ranks(np.arange(count) if ranks is None else ranks, count), Amounts(), None
    if kind.name != "all_to_all" or ranks is not None:
        raise SupernodeError("a demand is an all-to-all's, and says itself which ranks take part")
    wanted = as_demand(supernode.fabric, demand)
    if isinstance(wanted, Uniform):
        share = wanted.ranks if wanted.amount else wanted.ranks[:1]
        return share, Amounts(), wanted.amount * len(wanted.ranks)
    wanted = wanted.pairs()
    chosen, flat = np.unique(np.stack([wanted.src, wanted.dst]), return_inverse=True)
    src, dst = flat.reshape(2, -1)
    matrix = np.zeros((len(chosen), len(chosen)))
    np.add.at(matrix, (src, dst), wanted.amount)
    size = float(matrix.sum(axis=1).max(initial=0.0))
    return chosen, Amounts(matrix / size if size else matrix), size


def gather_bound(
    supernode: Supernode, ranks: npt.ArrayLike | None = None, *, relay: bool = True
) -> GatherOptimum:
    """Return the exact optimum of all-gather: x*, k and U, for schedules that reach it.

    Parameters
    ----------
    supernode
        The machine.
    ranks
        Who takes part, two or more; by default all.
    relay
        Whether NPUs may pass data on.
    """
    count = len(supernode.npus)
    chosen = check_ranks(np.arange(count) if ranks is None else ranks, count)
    if len(chosen) == 1:
        raise SupernodeError("one rank alone has nothing to gather; give two ranks or more")
    return gather_optimum(network(supernode.fabric, chosen, relay=relay))


def _links_of(part: frozenset[str], inside: bool) -> str:  # noqa: FBT001
    word = "out of" if inside else "into"
    names = natural_sort(part)
    return f"the links {word} {names[0]}" + (f" to {names[-1]}" if len(names) > 1 else "")


def copies(supernode: Supernode) -> bool:
    """Tell whether some switch copies or adds data up."""
    graph = supernode.graph
    return any(d.get("multicasts") or d.get("reduces") for _, d in graph.nodes(data=True))


@dataclass(frozen=True, eq=False)
class _Effort:
    """An all-to-all's demand, and how near its optimum to come."""

    amounts: Amounts
    gap: float
    progress: Progress | None


class _Task:
    """One question: which collective, on what, from which root."""

    def __init__(
        self, supernode: Supernode, kind: Collective, net: Network, root: int, effort: _Effort
    ) -> None:
        self.supernode = supernode
        self.kind = kind
        self.net = net
        self.effort = effort
        self.members = tuple(net.fabric.nodes[node] for node in net.fabric.npus.tolist())
        self.root = self.members[root]

    def bound(self) -> Bound:
        """Return the bound on bandwidth."""
        kind = self.kind.name
        if kind == "barrier":
            return Bound(self.kind, self.net.ranks, 0.0, Nothing())
        if kind == "all_reduce":
            return self.all_reduce()
        if kind == "all_to_all":
            return self.by_lengths()
        found = self.by_cut()
        if not self.net.relay and kind in _COPIED and not copies(self.supernode):
            found = max(found, self.by_lengths(), key=lambda other: other.seconds_per_byte)
        return found

    def by_cut(self) -> Bound:
        """Return the bound of a collective whose tightest cut is its optimum."""
        against = self.kind.name in REVERSED
        net = self.net.reversed() if against else self.net
        root = net.fabric.index[self.root]
        if self.kind.name in _WHOLE:
            found = spread_optimum(net, root)
        else:
            found = collect_optimum(net, root) if self.kind.rooted else gather_optimum(net)
        cut = self.cut(found, against=against)
        exact = found.rate if self.kind.name in _WHOLE else found.algbw
        sure = self.net.relay and found.proven
        known = {"exact": exact, "reached": float(exact)} if sure else {}
        return Bound(self.kind, net.ranks, cut.claim, cut, **known)  # type: ignore[arg-type]

    def by_lengths(self) -> Bound:
        """Return the bound of a demand: its maximum concurrent flow."""
        effort = self.effort
        net = marked(self.net, effort.amounts)
        prices = best_prices(net, effort.amounts, effort.gap, effort.progress)
        if prices is None:
            return self.by_parts()
        lengths = proof(self.supernode, net, prices, effort.amounts)
        return Bound(self.kind, net.ranks, lengths.claim, lengths, reached=prices.rate)

    def by_parts(self) -> Bound:
        """Return the tightest of a few cuts: each rank's own links, nodes, racks and halves."""
        if self.effort.amounts.matrix is not None:
            raise SupernodeError(
                f"the demand on {self.supernode.name} is too large and uneven to bound; "
                "give fewer ranks"
            )
        parts = [parts for word, parts in natural_parts(self.supernode, self.members)
                 if word != "NPU"]  # fmt: skip
        every = [frozenset((npu,)) for npu in self._narrowest_ports()]
        every += [part for some in parts for part in some]
        best: Cut | None = None
        for part in every:
            for inside in (True, False):
                cut = Cut("all_to_all", part, inside, self.members, 0.0, _links_of(part, inside))
                cut = replace(cut, relay=self.net.relay)
                cut = replace(cut, claim=cut.seconds_per_byte(self.supernode))
                best = cut if best is None or cut.claim > best.claim else best
        sure = best or Nothing()
        return Bound(self.kind, self.net.ranks, sure.claim, sure)

    def _narrowest_ports(self) -> list[str]:
        bare = self.net.fabric
        found = []
        for ends in (bare.tail, bare.head):
            width = np.bincount(ends, bare.capacity, len(bare.nodes))[bare.npus]
            found.append(bare.nodes[int(bare.npus[int(np.argmin(width))])])
        return found

    def cut(self, found: GatherOptimum, *, against: bool) -> Cut:
        """Return an optimum's cut as a certificate."""
        names = self.net.fabric.nodes
        sends = ~(found.side | found.halved) if against else found.side
        small = sends if 2 * int(sends.sum()) <= len(names) else ~sends
        part = frozenset(names[node] for node in np.flatnonzero(small).tolist())
        halved = frozenset(names[node] for node in np.flatnonzero(found.halved).tolist())
        inside = int(sends[self.net.fabric.npus].sum())
        need = Fraction(must_cross(self.kind, inside, self.net.ranks - inside)).limit_denominator(
            self.net.ranks**2
        )
        relay = self.net.relay
        return Cut(
            collective=self.kind.name,
            part=part,
            inside=small is sends,
            ranks=self.members,
            claim=float(need / found.leaving),
            where=cut_words(self.supernode.fabric, self.net, sends, halved),
            halved=halved,
            relay=relay,
            target=None if relay else names[found.target],
            root=self.root if self.kind.rooted else None,
        )

    def all_reduce(self) -> Bound:
        """Return the tighter of the narrowest cut and the sum over parts.

        Reduce-scatter and all-gather are an all-reduce, so no bound is above theirs; if the sum
        over parts comes to it there is nothing left to look for.
        """
        back = self.net.reversed()
        gathered = gather_optimum(self.net)
        one_way = gathered.algbw
        # Where capacities balance, a cut is as wide one way as the other.
        other_way = one_way if self.net.balanced else gather_optimum(back).algbw
        composed = float(1 / one_way + 1 / other_way)
        best: Cut | PartsSum | None = best_parts_sum(self.supernode, self.members)
        if best is None or best.claim < composed * (1 - _NOTHING_LEFT):
            start = self.net.fabric.index[self.root]
            found = [self.cut(spread_optimum(self.net, start), against=False)]
            if not self.net.balanced:
                found.append(self.cut(spread_optimum(back, start), against=True))
            for cut in found:
                best = cut if best is None or cut.claim > best.claim else best
        sure = best or Nothing()
        reached = 1 / composed if gathered.proven else None
        return Bound(
            self.kind, self.net.ranks, sure.claim, sure, reached=reached, composed=composed
        )
