"""Bound anything asked of a machine: what no algorithm can beat, and the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from collectives.bounds.bandwidth import Bandwidth, Effort
from collectives.bounds.bound import RELAYING, WITHOUT_RELAY, Bound
from collectives.bounds.certificates import CollectiveNeed, Need, Nothing, PairsNeed
from collectives.bounds.gather import GatherOptimum, gather_optimum
from collectives.bounds.latency import latency_bound
from collectives.bounds.likeness import unlike
from collectives.bounds.network import Network, network
from collectives.bounds.partitions import best_cut, best_sum
from collectives.model.collective import Collective, collective
from collectives.model.schedule import IntArray, Progress
from collectives.timing import Endpoint, endpoint_of
from topology import border
from topology.approximation import Approximation, require_exact
from topology.errors import SupernodeError
from topology.routing import Uniform, as_demand, chosen_ranks
from topology.routing.demand import DemandLike
from topology.supernode import Supernode

_PAIR = 2
_CLEARLY = 1 + 1e-9


def bound(
    supernode: Supernode,
    kind: str | Collective,
    ranks: npt.ArrayLike | None = None,
    *,
    relay: bool = True,
    root: int = 0,
    demand: DemandLike = None,
    alpha: float | str | None = None,
    message: float | str | None = None,
    gap: float | None = 0.01,
    exact: bool = False,
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
        Endpoint seconds per step and per message, or texts such as "2us", instead of the
        devices' rows.
    gap, exact, progress
        As in `bound_needs`.

    Returns
    -------
    Bound
        For all-gather, reduce-scatter and the rooted collectives the tightest cut, which is the
        optimum of bandwidth where `Bound.exact` says so; for all-to-all the maximum concurrent
        flow. For all-reduce a bound that any algorithm keeps; `Bound.composed` has the best
        reduce-scatter followed by the best all-gather.

    Raises
    ------
    SupernodeError
        If the ranks do not fit, or cannot reach one another.
    """
    wanted = collective(kind)
    chosen, size, table = _asked(supernode, wanted, ranks, demand)
    most = max(1, len(chosen)) - 1
    at = border.whole(root, "bound: root, a position in ranks,", least=0, most=most,
                      error=SupernodeError)  # fmt: skip
    need: Need = CollectiveNeed.of(supernode, wanted, chosen, root=at)
    if table is not None:
        need = PairsNeed.of(supernode, table, chosen)
    return bound_needs(
        supernode, [need], kind=wanted, size=size, relay=relay, gap=gap, exact=exact,
        endpoint=endpoint_of(supernode, chosen, alpha, message), progress=progress,
    )  # fmt: skip


def bound_needs(
    supernode: Supernode,
    needs: Sequence[Need],
    *,
    kind: str | Collective | None = None,
    size: float | None = None,
    ranks: int | None = None,
    endpoint: Endpoint | None = None,
    relay: bool = True,
    gap: float | None = 0.01,
    exact: bool = False,
    progress: Progress | None = None,
) -> Bound:
    """Return what no algorithm can beat that meets all needs at the same time.

    Parameters
    ----------
    supernode
        The machine.
    needs
        What must reach whom, per byte of S; one or more. One is bounded as `bound` does. Of
        several the bound is the tightest of each one's own and of the cuts between the
        machine's parts, over which all of them have to go.
    kind
        What the whole is called, and whose bandwidth factor holds; by default as the first.
    size
        S in bytes; without it the bound is for each byte.
    ranks
        How many ranks the factor is for; by default as many as the largest need has.
    endpoint
        Software overheads; by default from the devices' rows.
    relay
        Whether NPUs may pass on what they received.
    gap
        Where the exact all-to-all is too large a program: how near the bound must come to what
        can be reached, as a fraction. None takes the best cut instead of a long search.
    exact
        Refuse, instead of approximating.
    progress
        Called now and then during a long search with what is being done and the fraction done.

    Raises
    ------
    NotExactError
        If ``exact`` is asked for and the tightest bound cannot be found.
    SupernodeError
        If ranks cannot reach one another.
    """
    if gap is not None:
        border.number(gap, "bound: gap", above=0.0, most=1.0, error=SupernodeError)
    if not needs:
        raise SupernodeError("bound_needs: give one need or more")
    first = needs[0]
    named = first.collective if isinstance(first, CollectiveNeed) else "all_to_all"
    wanted = collective(named if kind is None else kind)
    if endpoint is None:
        place = supernode.fabric.index
        of = {int(node): rank for rank, node in enumerate(supernode.fabric.npus)}
        members = {of[place[rank]] for need in needs for rank in need.ranks}
        endpoint = endpoint_of(supernode, np.array(sorted(members)), None, None)
    question = _Question(supernode, wanted, endpoint, relay, Effort(gap, progress))
    found = question.one(first) if len(needs) == 1 else question.several(tuple(needs))
    count = max(len(need.ranks) for need in needs) if ranks is None else ranks
    found = replace(found, collective=wanted, ranks=count)
    if exact:
        require_exact(found.approximations)
    return found if size is None else found.at(size)


def _asked(
    supernode: Supernode, kind: Collective, ranks: npt.ArrayLike | None, demand: DemandLike
) -> tuple[IntArray, float | None, npt.NDArray[np.float64] | None]:
    """Return who takes part, S if the demand says it, and what they exchange per byte of S."""
    if demand is None:
        return chosen_ranks(ranks, len(supernode.npus)), None, None
    if kind.name != "all_to_all" or ranks is not None:
        raise SupernodeError("a demand is an all-to-all's, and says itself which ranks take part")
    wanted = as_demand(supernode.fabric, demand)
    if isinstance(wanted, Uniform):
        share = wanted.ranks if wanted.amount else wanted.ranks[:1]
        return share, wanted.amount * len(wanted.ranks), None
    wanted = wanted.pairs()
    chosen, flat = np.unique(np.stack([wanted.src, wanted.dst]), return_inverse=True)
    src, dst = flat.reshape(2, -1)
    matrix = np.zeros((len(chosen), len(chosen)))
    np.add.at(matrix, (src, dst), wanted.amount)
    size = float(matrix.sum(axis=1).max(initial=0.0))
    return chosen, size, matrix / size if size else matrix


def gather_bound(
    supernode: Supernode, ranks: npt.ArrayLike | None = None, *, relay: bool = True
) -> GatherOptimum:
    """Return the tightest bound of all-gather: x*, k and U, for schedules that reach it.

    Parameters
    ----------
    supernode
        The machine.
    ranks
        Who takes part, two or more; by default all.
    relay
        Whether NPUs may pass data on.
    """
    chosen = chosen_ranks(ranks, len(supernode.npus))
    if len(chosen) == 1:
        raise SupernodeError("one rank alone has nothing to gather; give two ranks or more")
    return gather_optimum(network(supernode.fabric, chosen, relay=relay))


@dataclass(frozen=True, eq=False)
class _Question:
    """What is asked of every need."""

    supernode: Supernode
    kind: Collective
    endpoint: Endpoint
    relay: bool
    effort: Effort

    @cached_property
    def positions(self) -> dict[str, int]:
        """Return the rank of each NPU by its id."""
        return {npu: rank for rank, npu in enumerate(self.supernode.npus)}

    def net(self, ranks: Sequence[str], *, relay: bool) -> Network:
        """Return the part of the fabric that carries the data of some ranks."""
        place = np.array([self.positions[rank] for rank in ranks])
        return network(self.supernode.fabric, place, relay=relay)

    def one(self, need: Need) -> Bound:
        """Return the bound of one need."""
        need, weight = _simplest(need)
        idle = isinstance(need, PairsNeed) and not any(need.amount)
        if idle or len(need.ranks) < _PAIR:
            return Bound(self.kind, len(need.ranks), 0.0, Nothing((need,))).scaled(weight)
        reduced = isinstance(need, CollectiveNeed) and need.collective == "all_reduce"
        passed = self.relay or reduced  # its ranks add up and pass on by nature
        net = self.net(need.ranks, relay=passed)
        task = Bandwidth(self.supernode, need, net, self.effort)
        latency, short = latency_bound(
            self.supernode.fabric, net, need, self.endpoint, helped=task.helped
        )
        found = task.bound()
        return replace(
            found.scaled(weight), latency=latency,
            holds_for=RELAYING if passed else WITHOUT_RELAY,
            approximations=(*found.approximations, *short),
        )  # fmt: skip

    def several(self, needs: tuple[Need, ...]) -> Bound:
        """Return the tightest of each need's own bound and of the joint cuts."""
        members = list(dict.fromkeys(rank for need in needs for rank in need.ranks))
        reduced = any(isinstance(n, CollectiveNeed) and n.collective == "all_reduce" for n in needs)
        net = self.net(members, relay=self.relay or reduced)
        chosen, left_out = unlike(self.supernode.fabric, net, needs)
        alone = [self.one(need) for need in chosen]
        best = max(alone, key=lambda found: found.seconds_per_byte)
        for joint in (best_cut(self.supernode, net, needs), best_sum(self.supernode, net, needs)):
            if joint.claim > best.seconds_per_byte * _CLEARLY:
                best = replace(best, seconds_per_byte=joint.claim, certificate=joint)
        short = dict.fromkeys(one for found in alone for one in found.approximations)
        if left_out:
            why = f"{left_out:,} of {len(needs):,} groups have a joint bound only"
            short[Approximation("bound", why)] = None
        return replace(
            best, exact=None, reached=None, composed=None, approximations=tuple(short),
            latency=max(found.latency for found in alone),
        )  # fmt: skip


def _simplest(need: Need) -> tuple[Need, float]:
    """Return a need as one of weight 1, and its weight; an even table is an all-to-all."""
    if isinstance(need, CollectiveNeed):
        return replace(need, weight=1.0), need.weight
    p = len(need.ranks)
    if isinstance(need, PairsNeed) and len(need.amount) == p * (p - 1) > 0:
        table = need.table.toarray()[~np.eye(p, dtype=bool)]
        if (table == table[0]).all():
            return CollectiveNeed("all_to_all", need.ranks), float(table[0]) * p
    return need, 1.0
