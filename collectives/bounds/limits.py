"""Bound any collective on any machine: what no algorithm can beat, and the proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.bounds.bound import Bound
from collectives.bounds.cuts import REVERSED, Cut, Nothing, must_cross
from collectives.bounds.gather import (
    GatherOptimum,
    collect_optimum,
    gather_optimum,
    spread_optimum,
)
from collectives.bounds.network import Network, network
from collectives.bounds.parts import best_parts_sum, natural_parts
from collectives.bounds.words import cut_words
from collectives.collective import Collective, collective
from topology.errors import SupernodeError
from topology.routing import check_ranks
from topology.supernode import Supernode

_WHOLE = ("broadcast", "reduce", "all_reduce")
_WITHOUT_RELAY = "algorithms in which no NPU passes on what it received"


def bound(
    supernode: Supernode,
    kind: str | Collective,
    ranks: npt.ArrayLike | None = None,
    *,
    relay: bool = True,
    root: int = 0,
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

    Returns
    -------
    Bound
        For all-gather, reduce-scatter and the rooted collectives the exact optimum of
        bandwidth. For all-reduce a bound that any algorithm keeps; `Bound.composed` has the
        best reduce-scatter followed by the best all-gather.

    Raises
    ------
    SupernodeError
        If the ranks do not fit, or cannot reach one another.
    """
    wanted = collective(kind)
    count = len(supernode.npus)
    chosen = check_ranks(np.arange(count) if ranks is None else ranks, count)
    if not 0 <= root < len(chosen):
        raise SupernodeError(f"root is {root}; it is a position in ranks, 0 to {len(chosen) - 1}")
    if len(chosen) == 1 or wanted.name == "barrier":
        return Bound(wanted, len(chosen), 0.0, Nothing())
    net = network(supernode.fabric, chosen, relay=relay)
    task = _Task(supernode, wanted, net, int(chosen[root]))
    if wanted.name == "all_reduce":
        found = task.all_reduce()
    elif wanted.name == "all_to_all":
        found = task.by_parts()
    else:
        found = task.by_cut()
    return found if relay else replace(found, holds_for=_WITHOUT_RELAY)


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


class _Task:
    """One question: which collective, on what, from which root."""

    def __init__(self, supernode: Supernode, kind: Collective, net: Network, root: int) -> None:
        self.supernode = supernode
        self.kind = kind
        self.net = net
        self.root = supernode.npus[root]
        self.members = tuple(net.fabric.nodes[node] for node in net.fabric.npus.tolist())

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
        return Bound(self.kind, net.ranks, cut.claim, cut, exact=exact, reached=float(exact))

    def by_parts(self) -> Bound:
        """Return the tightest of the natural cuts."""
        best = Cut(self.kind.name, frozenset(), True, self.members, 0.0, "nothing")  # noqa: FBT003
        for word, parts in natural_parts(self.supernode, self.members):
            for part in parts:
                for inside in (True, False):
                    cut = Cut(self.kind.name, part, inside, self.members, 0.0, f"a {word}")
                    claim = cut.seconds_per_byte(self.supernode)
                    best = replace(cut, claim=claim) if claim > best.claim else best
        return Bound(self.kind, self.net.ranks, best.claim, best)

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
        """Return the tighter of the narrowest cut and the sum over parts."""
        start = self.net.fabric.index[self.root]
        cuts = []
        for against in (False, True):
            net = self.net.reversed() if against else self.net
            cuts.append(self.cut(spread_optimum(net, start), against=against))
        found: list[Any] = [*cuts, best_parts_sum(self.supernode, self.members)]
        best = max(_present(found), key=lambda proof: round(proof.claim, 30))
        one_way = gather_optimum(self.net).algbw
        back = gather_optimum(self.net.reversed()).algbw
        composed = float(1 / one_way + 1 / back)
        return Bound(
            self.kind, self.net.ranks, best.claim, best, reached=1 / composed, composed=composed
        )


def _present(found: Iterable[Any]) -> list[Any]:
    return [item for item in found if item is not None]
