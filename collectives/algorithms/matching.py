"""An all-gather matched greedily in time: every link that is free takes a chunk its end lacks.

Of the chunks that a link's near end has and its far end lacks, it takes one that the fewest ranks
have; chance decides among equals, and the best of several draws counts. It needs no symmetry, and
is no optimum.

References
----------
Won, Elavazhagan, Srinivasan, Gupta and Krishna, TACOS: topology-aware collective algorithm
synthesizer for distributed machine learning, MICRO 2024, arXiv:2304.05301.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from collectives.algorithms.compose import Steps, reverse
from collectives.algorithms.halves import Half, Part, halves
from collectives.algorithms.neighbours import Links, direct_links
from collectives.model.schedule import (
    DoesNotFitError,
    IntArray,
    ScheduleError,
    Step,
    Team,
    Transfers,
)
from topology import border
from topology.fabric import BoolArray
from topology.routing import Pairs

_MOST_TRANSFERS = 40_000  # some tenths of a second
_DRAWS = 4
_PIECES = (1, 2, 4, 8)
_MOST_SLOTS = 64  # that a slow link may take as long as the fastest takes one


@halves("matching")
def matching(team: Team, *, pieces: int | None = None) -> Half:
    """Match chunks with free links in time: near (p-1)/p · S over the links into a rank.

    The reduce-scatter is the all-gather on the reversed links, backwards; the all-reduce is both.

    Parameters
    ----------
    team
        Who takes part, on direct links.
    pieces
        Into how many chunks each shard is cut; by default the number that is quickest for the
        team's size.

    Raises
    ------
    DoesNotFitError
        If the ranks are not joined by direct links, or there are too many transfers.
    """
    links, p = direct_links(team, "matching"), team.size
    counts = [n for n in _PIECES if n * p * (p - 1) <= _MOST_TRANSFERS]
    counts = counts if pieces is None else [border.whole(pieces, "pieces", error=ScheduleError)]
    if not counts or counts[0] * p * (p - 1) > 8 * _MOST_TRANSFERS:
        raise DoesNotFitError(
            f"matching: {p} ranks make too many transfers to match them one by one; up to "
            f"{int(_MOST_TRANSFERS**0.5)} ranks are, use 'bfb'"
        )

    if p == 1:
        return lambda reduce: Part((), 1)  # noqa: ARG005 - nothing either way
    tried = [_best(links, p, count) for count in counts]
    there = min(tried, key=lambda one: one.seconds(links, p, team.volume or 0.0))

    @cache
    def back() -> _Matched:
        return there if links.mirrored else _best(links.turned(), p, there.pieces)

    sized = team.volume is not None and len(counts) > 1

    def half(*, reduce: bool) -> Part:
        found = back() if reduce else there
        steps = found.steps(p)
        note = f"{found.slots} slots, {found.least} at least"
        return Part(
            reverse(steps) if reduce else steps,
            p * found.pieces,
            (note,),
            overlaps=True,
            sized=sized,
        )

    return half


@dataclass(frozen=True, eq=False)
class _Matched:
    """Which link takes which chunk when.

    Attributes
    ----------
    pieces
        Chunks in a shard.
    slot, src, dst, chunk
        Of each transfer, in order of time, shape (k,).
    slots
        How many there are, each as long as the fastest link takes for a chunk.
    least
        How many any schedule of such chunks takes.
    """

    pieces: int
    slot: IntArray
    src: IntArray
    dst: IntArray
    chunk: IntArray
    slots: int
    least: int

    def seconds(self, links: Links, p: int, size: float) -> float:
        """Return about how long it takes at a size in bytes."""
        each = float(links.latency.max()) + size / (p * self.pieces) / float(links.rate.max())
        return self.slots * each

    def steps(self, p: int) -> Steps:
        """Return the transfers that start together as a step each."""
        ends = np.flatnonzero(np.diff(self.slot, append=-1)) + 1
        return tuple(
            self._step(slice(lo, hi), p)
            for lo, hi in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)
        )

    def _step(self, at: slice, p: int) -> Step:
        src, dst = self.src[at], self.dst[at]
        traffic = Pairs(src, dst, np.full(len(src), 1 / (p * self.pieces)))
        return Step(lambda _: Transfers(src, dst, self.chunk[at]), traffic, 1, "all-gather")


def _best(links: Links, p: int, pieces: int) -> _Matched:
    """Return the shortest of some draws."""
    lasts = np.minimum(np.rint(links.rate.max() / links.rate), _MOST_SLOTS).astype(np.int64)
    into = np.bincount(links.dst, 1 / lasts, minlength=p)
    if (into == 0).any():
        raise DoesNotFitError(f"matching: no link goes to position {int(np.argmin(into))}")
    least = int(np.ceil((p - 1) * pieces / into.min() * (1 - 1e-12)))
    found: _Matched | None = None
    for seed in range(_DRAWS):
        made = _draw(links, lasts, p, pieces, least, np.random.default_rng(seed))
        found = made if found is None or made.slots < found.slots else found
        if found.slots <= least:
            break
    assert found is not None  # noqa: S101 - there is a draw
    return found


def _draw(
    links: Links, lasts: IntArray, p: int, pieces: int, least: int, rng: np.random.Generator
) -> _Matched:
    chunks = p * pieces
    has = np.repeat(np.eye(p, dtype=bool), pieces, axis=1)
    coming = has.copy()  # held, or on its way
    free, arrives = np.zeros(len(links.src), dtype=np.int64), np.full((p, chunks), -1)
    rows: list[tuple[IntArray, IntArray, IntArray, IntArray]] = []
    now, last = 0, 0
    while not coming.all():
        landed = arrives == now
        has |= landed
        sent = _round(links, free <= now, has, coming, rng)
        if sent is None and not (arrives > now).any():
            raise DoesNotFitError("matching: some ranks cannot reach others over direct links")
        if sent is not None:
            link, chunk = sent
            end = now + lasts[link]
            free[link] = end
            arrives[links.dst[link], chunk] = end
            last = max(last, int(end.max()))
            rows.append((np.full(len(link), now), links.src[link], links.dst[link], chunk))
        now += 1
    slot, src, dst, chunk = (np.concatenate([row[i] for row in rows]) for i in range(4))
    return _Matched(pieces, slot, src, dst, chunk, last, least)


def _round(
    links: Links, idle: BoolArray, has: BoolArray, coming: BoolArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray] | None:
    """Match the idle links, one into each rank after the other; None if none can send."""
    taken: list[tuple[IntArray, IntArray]] = []
    waiting = rng.permutation(np.flatnonzero(idle))
    held = coming.sum(axis=0)
    while len(waiting):
        _, first = np.unique(links.dst[waiting], return_index=True)
        now, waiting = waiting[first], np.delete(waiting, first)
        open_ = has[links.src[now]] & ~coming[links.dst[now]]
        rank = np.where(open_, held + rng.random(open_.shape), np.inf)
        chunk = np.argmin(rank, axis=1)
        sends = open_[np.arange(len(now)), chunk]
        now, chunk = now[sends], chunk[sends]
        coming[links.dst[now], chunk] = True
        taken.append((now, chunk))
    link, chunk = (np.concatenate([row[i] for row in taken] or [np.zeros(0, int)]) for i in (0, 1))
    return (link, chunk) if len(link) else None
