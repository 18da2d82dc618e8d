"""Find all-to-alls that reach the bandwidth bound.

Where the direct exchange reaches it, that is the answer. Elsewhere ranks relay: a linear program
finds the maximum concurrent flow over an overlay (see `overlay` and `concurrent_flow`), which is
taken apart into the paths of a few equal pieces of every block (see `paths`), and their hops are
laid out in steps (see `layout`). Where shifts of a grid of ranks are symmetries, one rank's paths
and their shifts do; elsewhere the program has a flow for every rank, and is solved up to a size.

References
----------
Basu, Zhao, Fantl, Pal, Krishnamurthy and Khoury, Efficient all-to-all collective communication
schedules for direct-connect topologies, HPDC 2024, arXiv:2309.13541 (maximum concurrent flow,
taken apart into paths).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy.typing as npt

from collectives.algorithms.compose import Steps
from collectives.algorithms.direct import direct_all_to_all
from collectives.bounds import bound
from collectives.model.collective import collective
from collectives.model.schedule import IntArray, Schedule, ScheduleError
from collectives.synthesis.concurrent_flow import ConcurrentFlow, max_concurrent_flow, whole_flow
from collectives.synthesis.layout import quickest
from collectives.synthesis.overlay import (
    OverlayLinks,
    every_overlay_link,
    is_direct,
    regular_overlays,
)
from collectives.synthesis.paths import Paths, paths_of
from collectives.synthesis.steady import EQUAL, SteadyState, busy_of
from topology import border
from topology.errors import RoutingError
from topology.routing import Ecmp, Uniform, chosen_ranks, ecmp
from topology.supernode import Supernode
from topology.text import Part, counted
from topology.units import MiB

_MOST_PIECES, _MOST_GIVEN = 16, 1024
_FAR = 1.02
_MOST_VARIABLES = {False: 270_000, True: 80_000}  # over switches, over links
_TRIES = 4
_MOST_WORK = 30_000
_MOST_PATHS = 500_000


@dataclass(frozen=True, eq=False, repr=False)
class Exchange(SteadyState):
    """Paths for the pieces of an all-to-all, and how near their steady state is to the bound.

    Attributes
    ----------
    ranks
        Rank at each position, shape (p,).
    paths
        The pieces' hops; None where every block goes directly.
    seconds_per_byte
        Busy time of the most loaded link or switch per byte of S, over the whole exchange.
    bound
        The least that any algorithm takes.
    neighbours
        Whether every hop is a link.
    searched
        Whether relaying was looked at; False where that is too large a program.
    """

    ranks: IntArray
    paths: Paths | None
    seconds_per_byte: float
    bound: float
    neighbours: bool = False
    searched: bool = True

    @property
    def pieces(self) -> int:
        """Return the equal pieces that every block is cut in."""
        return 1 if self.paths is None else self.paths.pieces

    def parts(self) -> list[Part]:
        """Return who exchanges, how, and how near the bound."""
        return [f"all-to-all of {counted(len(self.ranks), 'rank')}: {'; '.join(self.notes)}"]

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how the blocks go, and how near the bound that is."""
        if self.paths is not None:
            pieces = f"{self.pieces} pieces" if self.pieces > 1 else "one piece"
            return (f"blocks in {pieces}, relayed by ranks; {self.near}",)
        if self.searched:
            return (self.near,)
        many = f"{len(self.ranks)} ranks without a symmetry found"
        return (f"{self.near}; relaying was not looked at, too large a program for {many}",)


def find_exchange(
    supernode: Supernode, ranks: npt.ArrayLike | None = None, *, pieces: int | None = None
) -> Exchange:
    """Return the best way found for an all-to-all.

    Parameters
    ----------
    supernode
        The machine.
    ranks
        Who takes part; by default all.
    pieces
        Equal pieces to cut every block in where it is relayed; by default as many as it takes,
        16 at most.

    Raises
    ------
    ScheduleError
        If ``pieces`` is not a whole number of 1 or more, or no exchange was found.
    """
    if pieces is not None:
        border.whole(pieces, "pieces", most=_MOST_GIVEN, error=ScheduleError)
    chosen = chosen_ranks(ranks, len(supernode.npus))
    if len(chosen) == 1:
        return Exchange(chosen, None, 0.0, 0.0)
    task = _Task(supernode, chosen, pieces)
    best = task.direct()
    if best is None or not best.optimal:
        best = task.relayed(best)
    if best is None:
        raise ScheduleError(f"no all-to-all was found on {supernode.name}: {task.obstacle}")
    return best


class _Task:
    """One question: how some ranks of a machine best exchange blocks."""

    def __init__(self, supernode: Supernode, ranks: IntArray, pieces: int | None) -> None:
        self.supernode = supernode
        self.ranks = ranks
        self.pieces = pieces
        self.routing: Ecmp = ecmp(supernode)
        self.limit = bound(supernode, "all_to_all", ranks).seconds_per_byte

    def direct(self) -> Exchange | None:
        """Return the direct exchange; None if two ranks have no path of their own."""
        try:
            busy = float(busy_of(self.routing, Uniform(self.ranks, 1 / len(self.ranks))).max())
        except RoutingError:
            return None
        return Exchange(self.ranks, None, busy, self.limit)

    @property
    def fits(self) -> bool:
        """Return whether the program with a flow for every rank is small enough to solve."""
        p, direct = len(self.ranks), is_direct(self.routing, self.ranks)
        links = len(self.routing.fabric.tail) if direct else p * (p - 1)
        return p * links <= _MOST_VARIABLES[direct]

    @property
    def obstacle(self) -> str:
        """Say why there is no exchange."""
        some = f"of its {len(self.ranks)} ranks, some have no path to each other but through"
        if self.fits:
            return f"{some} NPUs that do not take part; choose ranks= that include them"
        return (
            f"{some} NPUs that do not forward, and relaying is too large a program without a "
            "symmetry; choose fewer ranks="
        )

    def relayed(self, best: Exchange | None) -> Exchange | None:
        """Return the best of the direct exchange, if there is one, and what relaying gives."""
        for flow in self.flows():
            reach = flow.level / flow.overlay.size
            if best is not None and reach >= best.seconds_per_byte * (1 - EQUAL):
                continue
            for found in self.rounded(flow):
                best = found if found.better_than(best) else best
            if best is not None and best.optimal:
                return best
        return best if best is None or self.fits else replace(best, searched=False)

    def flows(self) -> Iterator[ConcurrentFlow]:
        """Yield flows over regular overlays, then over all; at the end those far from the bound."""
        far = []
        for overlay in self.overlays():
            flow = max_concurrent_flow(overlay)
            if flow is None:
                continue
            if overlay.grid is None or flow.level / overlay.size <= self.limit * _FAR:
                yield flow
            else:  # the grid is no symmetry of the machine
                far.append(flow)
        yield from sorted(far, key=lambda flow: flow.level)[:1]

    def overlays(self) -> Iterator[OverlayLinks]:
        """Yield what paths may be made of: regular overlays first, then every overlay link."""
        for overlay in regular_overlays(self.supernode, self.routing, self.ranks):
            if len(overlay.tail) <= _MOST_VARIABLES[overlay.neighbours]:
                yield overlay
        if self.fits:
            yield every_overlay_link(self.routing, self.ranks)

    def rounded(self, flow: ConcurrentFlow) -> Iterator[Exchange]:
        """Yield a flow in whole pieces, for some numbers of them."""
        overlay, p = flow.overlay, flow.overlay.size
        per_piece = p * float(flow.flow.sum()) / len(overlay.origins)
        most = int(max(1, min(_MOST_PIECES, _MOST_PATHS // max(1.0, per_piece))))
        tries = 1 if flow.flow.size > _MOST_WORK else _TRIES
        for pieces in [self.pieces] if self.pieces else flow.promises(most)[:tries]:
            paths = paths_of(overlay, whole_flow(flow, pieces), pieces)
            busy = float(busy_of(self.routing, paths.traffic().placed(self.ranks)).max())
            found = Exchange(self.ranks, paths, busy, self.limit, overlay.neighbours)
            yield found
            if found.optimal:
                return


def exchange_schedule(supernode: Supernode, found: Exchange, size: float = 256 * MiB) -> Schedule:
    """Return the schedule of an exchange, quick at a size.

    Parameters
    ----------
    supernode
        The machine.
    found
        How the blocks go.
    size
        S in bytes that segments and timetables are chosen for.
    """
    if found.paths is None:
        direct = direct_all_to_all(len(found.ranks))
        return replace(direct, notes=found.notes if len(found.ranks) > 1 else ())

    def make(paths: Paths, steps: Steps, segments: int) -> Schedule:
        chunks = paths.size**2 * paths.pieces * segments
        return Schedule("relayed", collective("all_to_all"), paths.size, chunks, steps, found.notes)

    hops, ranks = found.paths, found.ranks
    return quickest(supernode, ranks, hops, make, size, neighbours=found.neighbours)
