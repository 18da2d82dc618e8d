"""Put routings of a machine side by side: what all ranks can send at once, and deadlock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topology import border, units
from topology.approximation import Approximation
from topology.errors import RoutingError
from topology.routing.deadlock import Deadlock, deadlock
from topology.routing.demand import Uniform, chosen_ranks
from topology.routing.flow import RoutedFlow, Router
from topology.routing.policies import RoutingLike, router, routing_names
from topology.routing.split import SplitFlow
from topology.routing.ugal import MixedFlow
from topology.supernode import Supernode
from topology.text import Part, Printed, Table, counted

_MOST_WORK = 10_000_000


@dataclass(frozen=True, eq=False, repr=False)
class RoutingFigures(Printed):
    """What a routing makes of uniform traffic on a machine.

    Attributes
    ----------
    router
        The routing.
    rate
        Bytes/s that each rank sends when all send the same to all others and the worst link is
        busy all the time.
    worst
        Which links or switches that is: "L1→L2".
    approximations
        In which ways the rate is not exact.
    deadlock
        Whether it can deadlock; None where that is too much to look at.
    unseen
        Why it is None.
    """

    router: Router
    rate: float
    worst: str
    approximations: tuple[Approximation, ...]
    deadlock: Deadlock | None
    unseen: str = ""

    def row(self) -> tuple[str, ...]:
        """Return it as a row of a table."""
        verdict, channels = "not looked at", ""
        if self.deadlock is not None:
            verdict = "free" if self.deadlock.free else "can deadlock"
            channels = self.deadlock.channels
        return self.router.title, units.format_rate(self.rate), self.worst, verdict, channels

    def parts(self) -> list[Part]:
        """Return what people read: the rate, the way, and deadlock."""
        said = f"{self.router.title}: each rank sends {units.format_rate(self.rate)} to all others"
        more = [f"deadlock: {self.unseen}"] if self.deadlock is None else self.deadlock.parts()
        notes = [f"not exact: {note}" for note in self.approximations]
        return [f"{said} together, limited by {self.worst}", self.router.words, *notes, *more]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain data in SI units."""
        return {
            "title": self.router.title, "routing": self.router.words, "rate_Bps": self.rate,
            "limited_by": self.worst, "approximations": self.approximations,
            "deadlock": None if self.deadlock is None else self.deadlock.to_dict(),
        }  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class RoutingComparison(Printed):
    """Routings of one machine under uniform traffic.

    Attributes
    ----------
    supernode
        The machine.
    ranks
        How many ranks take part.
    found
        Those that suit it, the highest rate first.
    refused
        Why the others do not, by name.
    """

    supernode: Supernode
    ranks: int
    found: tuple[RoutingFigures, ...]
    refused: dict[str, str]

    def parts(self) -> list[Part]:
        """Return what people read: the best, a table, and what does not suit."""
        if len(self.found) == 1 and not self.refused:
            return self.found[0].parts()
        first = "no routing suits it"
        if self.found:
            best = self.found[0]
            first = f"{best.router.title} lets each of {counted(self.ranks, 'rank')} send the most"
            first += f" to all others, {units.format_rate(best.rate)}"
        headers = ("routing", "each rank sends", "limited by", "deadlock", "virtual channels")
        rows = [one.row() for one in self.found]
        notes = [
            f"not exact: {one.router.title}: {note}"
            for one in self.found for note in one.approximations
        ]  # fmt: skip
        unseen = [f"{one.router.title}: {one.unseen}" for one in self.found if one.unseen]
        table = Table("all to all, all at once", headers, rows)
        refused = [(name, why) for name, why in self.refused.items()]
        tables = [Table("left out", ("routing", "why"), refused)] if refused else []
        return [f"{self.supernode.title}: {first}", table, *notes, *unseen, *tables]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain data in SI units."""
        return {
            "system": self.supernode.name, "history": self.supernode.history, "ranks": self.ranks,
            "routings": [one.to_dict() for one in self.found], "refused": self.refused,
        }  # fmt: skip


def compare_routings(
    supernode: Supernode,
    routings: Sequence[RoutingLike] = (),
    *,
    ranks: npt.ArrayLike | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> RoutingComparison:
    """Return what routings make of uniform traffic, and whether they can deadlock.

    Parameters
    ----------
    supernode
        The machine.
    routings
        See `router`; by default all that are known, those that do not suit the machine told so.
    ranks
        Who sends to whom; by default all.
    progress
        Called with what is being looked at and the fraction done.

    Without names, what takes more than some seconds is left out, and said to be: where links times
    ranks, twice that for deadlock of what routes pair by pair, are more than ten million.

    Raises
    ------
    RoutingError
        If one that is named does not suit the machine.
    """
    chosen = chosen_ranks(ranks, len(supernode.npus))
    named = border.ordered(routings, "routings", RoutingError)
    found, refused = [], {}
    wanted = named or routing_names()
    for at, routing in enumerate(wanted):
        if progress is not None:
            progress(f"routing {routing}", at / len(wanted))
        try:
            policy = router(supernode, routing)
            found.append(_figures(policy, chosen, np.inf if named else _MOST_WORK))
        except RoutingError as error:
            if named:
                raise
            refused[str(routing)] = str(error)
    found.sort(key=lambda one: (-float(f"{one.rate:.9g}"), one.router.by_pair))
    return RoutingComparison(supernode, len(chosen), tuple(found), refused)


def _figures(policy: Router, ranks: npt.NDArray[np.int64], most: float) -> RoutingFigures:
    work = len(policy.fabric.tail) * len(ranks)
    if policy.by_pair:
        _afford(work, most)
    flow = policy.route(Uniform(ranks))
    worst = flow.worst()
    rate = (len(ranks) - 1) / worst if worst else 0.0
    # What is approximate elsewhere is a latency, which is not shown.
    notes = flow.notes if isinstance(flow, SplitFlow | MixedFlow) else ()
    try:
        _afford(work * (2 if policy.by_pair else 1), most)
        verdict, unseen = deadlock(policy.fabric, policy, ranks=ranks), ""
    except RoutingError as error:
        verdict, unseen = None, str(error)
    return RoutingFigures(policy, rate, _worst_of(flow, worst), notes, verdict, unseen)


def _afford(work: float, most: float) -> None:
    """Raise `RoutingError` if something takes more work, in links times ranks, than it may."""
    if work > most:
        raise RoutingError(
            f"takes long (links × ranks are {work:,.0f}; {most:,.0f} take seconds): ask "
            "for it by name"
        )


def _worst_of(flow: RoutedFlow, worst: float) -> str:
    """Return the class of the most loaded link, or of the switch that is more so."""
    fabric, busy = flow.fabric, flow.busy()
    if not worst:
        return "nothing"
    if float(busy.max()) < worst:
        return f"what {fabric.labels[int(np.argmax(flow.node_busy()))]} forwards"
    arc = int(np.argmax(busy))
    return next(one.name for one in fabric.classes if arc in one.arcs)
