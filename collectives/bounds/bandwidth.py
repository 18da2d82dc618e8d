"""Find what limits the bandwidth of one need: by its tightest cut, lengths, or parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from collectives.bounds.bound import Bound
from collectives.bounds.certificates import (
    Certificate,
    CollectiveNeed,
    Cut,
    Need,
    Nothing,
    TokenNeed,
)
from collectives.bounds.describe import cut_words
from collectives.bounds.exchange import Prices, amounts_of, best_prices, marked, proof_of, searched
from collectives.bounds.gather import (
    GatherOptimum,
    collect_optimum,
    gather_optimum,
    spread_optimum,
)
from collectives.bounds.network import Network
from collectives.bounds.partitions import best_cut, best_sum
from collectives.model.collective import collective
from collectives.model.schedule import Progress
from topology.approximation import Approximation
from topology.naming import natural_sort
from topology.supernode import Supernode

_NOTHING_LEFT = 1e-12
_SOLVED = 1e-6
_REVERSED = ("reduce_scatter", "reduce", "scatter")
_WHOLE = ("broadcast", "reduce", "all_reduce")
_COPIED = ("all_gather", "reduce_scatter", "broadcast", "reduce")  # for one each, if no one helps


@dataclass(frozen=True)
class Effort:
    """How near the best all-to-all to come (see `bound_needs`), and who is told."""

    gap: float | None
    progress: Progress | None


class Bandwidth:
    """What limits the bandwidth of one need on the part of a fabric that carries it."""

    def __init__(self, supernode: Supernode, need: Need, net: Network, effort: Effort) -> None:
        self.supernode = supernode
        self.effort = effort
        self.need = need
        self.net = net
        self.kind = need.kind if isinstance(need, CollectiveNeed) else collective("all_to_all")
        root = getattr(need, "root", None) or need.ranks[0]
        self.root = net.fabric.index[root]

    @cached_property
    def helped(self) -> bool:
        """Tell whether some switch on the way copies or adds data up."""
        nodes = self.supernode.graph.nodes
        data = (nodes[name] for name in self.net.fabric.nodes)
        return any(d.get("multicasts") or d.get("reduces") for d in data)

    def bound(self) -> Bound:
        """Return the bound on bandwidth."""
        if isinstance(self.need, TokenNeed):
            return self.made(best_cut(self.supernode, self.net, (self.need,)))
        kind = self.need.collective if isinstance(self.need, CollectiveNeed) else "all_to_all"
        if not collective(kind).moves:
            return self.made(Nothing((self.need,)))
        if kind == "all_reduce":
            return self.all_reduce()
        if kind == "all_to_all":
            return self.by_lengths()
        found = self.by_cut()
        if not self.net.relay and kind in _COPIED and not self.helped:
            found = max(found, self.by_lengths(), key=lambda other: other.seconds_per_byte)
        return found

    def made(self, proof: Certificate, *short: Approximation) -> Bound:
        """Return a bound from its proof."""
        return Bound(self.kind, self.net.ranks, proof.claim, proof, approximations=short)

    def by_cut(self) -> Bound:
        """Return the bound of a collective by its tightest cut."""
        against = self.kind.name in _REVERSED
        net = self.net.reversed() if against else self.net
        if self.kind.name in _WHOLE:
            found = spread_optimum(net, self.root)
        else:
            found = collect_optimum(net, self.root) if self.kind.rooted else gather_optimum(net)
        made = self.made(self.cut(found, against=against), *found.approximations)
        # A gather is a flow, whose narrowest cut is reached; trees need switches in balance.
        plain = self.kind.name in ("gather", "scatter")
        if not found.proven or not (plain or (self.net.relay and self.net.even)):
            return made
        exact = found.rate if self.kind.name in _WHOLE else found.algbw
        return replace(made, exact=exact, reached=float(exact))

    def by_lengths(self) -> Bound:
        """Return the bound of a demand: its maximum concurrent flow."""
        amounts, gap = amounts_of(self.need), self.effort.gap
        net = marked(self.net, amounts)
        prices = best_prices(net, amounts, gap, self.effort.progress)
        if prices is None:
            proof = best_cut(self.supernode, self.net, (self.need,))
            why = f"the best all-to-all of {self.net.ranks:,} ranks was too much to look for"
            return self.made(proof, Approximation("bound", f"{why}; the tightest natural cut"))
        made = self.priced(net, prices)
        if gap is not None and (made.gap or 0.0) > gap and not prices.searched:
            # Capacities too far apart for the digits of the program.
            other = searched(net, amounts, gap, self.effort.progress)
            made = min(made, self.priced(net, other or prices), key=lambda b: b.gap or 0.0)
        return made

    def priced(self, net: Network, prices: Prices) -> Bound:
        """Return the bound by link lengths, and how far it may be from the optimum."""
        lengths = proof_of(self.supernode, net, prices, self.need)
        made = replace(self.made(lengths), reached=prices.rate)
        if (made.gap or 0.0) <= _SOLVED:
            return made
        how = "was searched for, until near enough" if prices.searched else "has few digits"
        short = Approximation("bound", f"the best all-to-all {how}", made.gap)
        return replace(made, approximations=(short,))

    def cut(self, found: GatherOptimum, *, against: bool) -> Cut:
        """Return an optimum's cut as a certificate."""
        names, need, relay = self.net.fabric.nodes, self.need, self.net.relay
        sends = ~(found.side | found.halved) if against else found.side
        small = sends if 2 * int(sends.sum()) <= len(names) else ~sends
        crossing = need.crossing(sends[self.net.fabric.npus])
        exactly = Fraction(crossing).limit_denominator(self.net.ranks**2)
        halved = _names(names, found.halved)
        target = None if relay else names[found.target]
        return Cut(
            (need,),
            float(exactly / found.leaving),
            cut_words(self.supernode.fabric, self.net, sends, frozenset(halved)),
            relay,
            part=_names(names, small),
            inside=small is sends,
            halved=halved,
            sender=target if against else None,
            receiver=None if against else target,
        )

    def all_reduce(self) -> Bound:
        """Return the tighter of the narrowest cut and the sum over parts.

        Reduce-scatter and all-gather are an all-reduce, so where switches do not add up no bound
        is above theirs; if the sum over parts comes to it there is nothing left to look for.
        """
        back = self.net.reversed()
        gathered = gather_optimum(self.net)
        # Where capacities balance, a cut is as wide one way as the other.
        scattered = gathered if self.net.balanced else gather_optimum(back)
        composed = float(1 / gathered.algbw + 1 / scattered.algbw)
        best = best_sum(self.supernode, self.net, (self.need,))
        short: tuple[Approximation, ...] = ()
        if best.claim < composed * (1 - _NOTHING_LEFT):
            ways = [(self.net, False)] if self.net.balanced else [(self.net, False), (back, True)]
            for net, against in ways:
                found = spread_optimum(net, self.root)
                cut = self.cut(found, against=against)
                best = cut if cut.claim > best.claim else best
                short = (*short, *found.approximations)
        sure = gathered.proven and scattered.proven and self.net.even
        reached = 1 / composed if sure else None
        return replace(self.made(best, *short), reached=reached, composed=composed)


def _names(nodes: tuple[str, ...], chosen: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(natural_sort(nodes[node] for node in np.flatnonzero(chosen).tolist()))
