"""Find the maximum concurrent flow of an all-to-all, and round it to whole pieces of every block.

The linear program sends one flow from each origin: a block to every other rank. Its flows are
then rounded to whole pieces, one origin after another, each as a small integer program that
keeps every link below what the program promised; on links alone these are network flows, whose
solutions are whole by themselves.

References
----------
Shahrokhi and Matula, J. ACM 37 (1990) 318-334 (maximum concurrent flow); Ford and Fulkerson,
Flows in Networks (1962), for whole flows between whole bounds and for taking flows apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from collectives.model.schedule import IntArray
from collectives.synthesis.overlay import OverlayLinks
from topology.fabric import BoolArray, FloatArray
from topology.solvers.linear import InfeasibleError, least_level, least_whole

_SHORTER = 1e-2
_SHORTEST = 1e-5
_WHOLE = 1e-6
_EQUAL = 1e-9
_ROUNDS = 3
_APART = 1
_NODES = 20
_GAP = 0.01


@dataclass(frozen=True, eq=False)
class ConcurrentFlow:
    """A flow from every origin at once, over overlay links.

    Attributes
    ----------
    overlay
        What it flows over.
    flow
        Blocks of each origin over each overlay link, shape (origins, e).
    """

    overlay: OverlayLinks
    flow: FloatArray

    @cached_property
    def level(self) -> float:
        """Return seconds per byte of a block that the busiest link is busy."""
        return float((self.overlay.busy @ self.flow.sum(axis=0)).max())

    def promises(self, most: int) -> list[int]:
        """Return the numbers of pieces that may come nearest to the level, the likeliest first.

        Links carry whole pieces, so a number of pieces loses what rounding up the load of the
        busiest links costs. Of equal ones, those that leave the flow whole as it is come first.

        Parameters
        ----------
        most
            The largest number to look at.
        """
        used = self.overlay.busy @ self.flow.sum(axis=0)
        tight = self.overlay.busy[used >= self.level * (1 - _EQUAL)]
        unit = np.where(tight > 0, tight, np.inf).min(axis=1)

        def loss(pieces: int) -> float:
            load = pieces * self.level / unit
            return round(float((np.ceil(load - _WHOLE) / load).max()), 9)

        losses = {pieces: loss(pieces) for pieces in range(1, most + 1)}
        least = min(losses.values())
        found = [pieces for pieces, lost in losses.items() if lost == least]
        return sorted(found, key=lambda pieces: (not _is_whole(pieces * self.flow), pieces))


def _is_whole(flow: FloatArray) -> bool:
    return bool(np.abs(flow - np.rint(flow)).max() < _WHOLE)


def max_concurrent_flow(overlay: OverlayLinks) -> ConcurrentFlow | None:
    """Return the flow whose busiest link is least busy, then the one with the fewest hops.

    Parameters
    ----------
    overlay
        What it may flow over.

    Returns
    -------
    ConcurrentFlow | None
        None if some rank cannot be reached.

    Raises
    ------
    SolverError
        If the linear program fails for another reason, which it says.
    """
    if not len(overlay.tail):
        return None
    row, link = np.nonzero(_allowed(overlay))
    balance, wanted = _balance(overlay, overlay.origins, row, link)
    use = sparse.csr_array(sparse.csc_array(overlay.busy / float(overlay.busy.max()))[:, link])
    hops = np.full(len(link), _SHORTER / len(link))
    try:
        found = least_level(use, np.ones(use.shape[0]), balance, wanted, cost=hops)
    except InfeasibleError:
        return None
    flow = np.zeros((len(overlay.origins), len(overlay.tail)))
    flow[row, link] = np.where(found.flow > _EQUAL, found.flow, 0.0)
    return ConcurrentFlow(overlay, flow)


def _allowed(overlay: OverlayLinks) -> BoolArray:
    """Return which overlay links each origin may use: none that leads back to it."""
    allowed: BoolArray = overlay.head[None, :] != overlay.origins[:, None]
    return allowed


def _balance(
    overlay: OverlayLinks, origins: IntArray, row: IntArray, link: IntArray
) -> tuple[sparse.csr_array, FloatArray]:
    """Return what stays at each rank of each origin's flow, and that it should be 1."""
    p, each = overlay.size, np.arange(len(link))
    place = np.arange(len(origins) * p).reshape(-1, p)
    arriving, leaving = place[row, overlay.head[link]], place[row, overlay.tail[link]]
    inner = overlay.tail[link] != origins[row]
    rows = np.concatenate([arriving, leaving[inner]])
    columns = np.concatenate([each, each[inner]])
    signs = np.concatenate([np.ones(len(each)), -np.ones(int(inner.sum()))])
    matrix = sparse.csr_array((signs, (rows, columns)), shape=(place.size, len(each)))
    others = np.ones(place.size, dtype=bool)
    others[place[np.arange(len(origins)), origins]] = False
    return matrix[np.flatnonzero(others)], np.ones(int(others.sum()))


def whole_flow(found: ConcurrentFlow, pieces: int) -> IntArray:
    """Return a flow in whole pieces of a block, as near the level as was found.

    Parameters
    ----------
    found
        The flow to round.
    pieces
        Equal pieces that every block is cut in.

    Returns
    -------
    IntArray
        Pieces of each origin over each overlay link, shape (origins, e).
    """
    wanted = found.flow * pieces
    if _is_whole(wanted):
        return np.rint(wanted).astype(np.int64)
    return _Rounding(found, pieces).run()


class _Rounding:
    """Rounding in progress: flows that are whole already, and some that are not yet."""

    def __init__(self, found: ConcurrentFlow, pieces: int) -> None:
        self.overlay = found.overlay
        self.pieces = pieces
        self.ideal = found.flow * pieces
        self.flow = self.ideal.copy()
        scale = float(found.overlay.busy.max())
        busy = found.overlay.busy / scale
        self.busy = sparse.csr_array(busy)
        self.unit = np.where(busy > 0, busy, np.inf).min(axis=1)
        self.target = np.full(len(busy), found.level * pieces / scale)
        if found.overlay.neighbours and found.overlay.grid is None:  # a link carries whole pieces
            self.target = np.ceil(self.target / self.unit - _WHOLE) * self.unit
        self.random = np.random.default_rng(pieces)

    def run(self) -> IntArray:
        """Round every origin's flow, then take each up again while that helps."""
        for origin in range(len(self.flow)):
            self._round(origin, apart=0)
        best, kept = self._over(), self.flow.copy()
        for _ in range(_ROUNDS):
            if best <= _EQUAL:
                break
            for origin in self.random.permutation(len(self.flow)).tolist():
                self._round(origin, apart=_APART)
            if self._over() < best:
                best, kept = self._over(), self.flow.copy()
        return np.rint(kept).astype(np.int64)

    def _over(self) -> float:
        """Return how far the busiest link is above its target, as a fraction."""
        return float((self.busy @ self.flow.sum(axis=0) / self.target).max()) - 1

    def _round(self, origin: int, *, apart: int) -> None:
        """Replace one origin's flow by the whole one that overloads links least.

        What a link is over its target by up to a piece costs 1 each, and more costs 3.
        """
        now = self.flow[origin]
        used = np.flatnonzero(self.overlay.head != origin)
        rows = len(self.unit)
        hop = _SHORTEST * (1 + self.random.random(len(used)))
        low = np.maximum(0.0, np.floor(self.ideal[origin, used] + _WHOLE) - apart)
        high = np.ceil(self.ideal[origin, used] - _WHOLE) + apart
        found = least_whole(
            np.concatenate([hop, 1 / self.unit, 3 / self.unit]),
            self._rules(origin, used, self.busy @ (self.flow.sum(axis=0) - now)),
            np.repeat([1.0, 0.0], [len(used), 2 * rows]),
            (
                np.append(low, np.zeros(2 * rows)),
                np.concatenate([high, self.unit, np.full(rows, np.inf)]),
            ),
            node_limit=_NODES,
            mip_rel_gap=_GAP,
        )
        if found is not None:
            self.flow[origin] = 0.0
            self.flow[origin, used] = np.rint(found[: len(used)])

    def _rules(
        self, origin: int, used: IntArray, others: FloatArray
    ) -> list[tuple[sparse.csr_array, FloatArray, FloatArray]]:
        """Return what a flow must keep: pieces for all, and links at their targets.

        The columns are the flow, and what links are over their targets by, in two parts.
        """
        balance, each = _balance(self.overlay, np.array([origin]), np.zeros_like(used), used)
        over = -sparse.eye_array(len(self.unit))
        none = sparse.csr_array((len(each), 2 * len(self.unit)))
        load = sparse.hstack([self.busy[:, used], over, over])
        enough = each * self.pieces
        still = sparse.hstack([balance, none])
        return [
            (still, enough, enough),
            (load, np.full(load.shape[0], -np.inf), self.target - others),
        ]


def decompose(
    overlay: OverlayLinks, flow: IntArray, pieces: int, origin: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield the path of every piece of an origin: its receiver, and the overlay links it takes.

    Parameters
    ----------
    overlay
        What paths are made of.
    flow
        Pieces of the origin over each overlay link, shape (e,).
    pieces
        Pieces to each rank.
    origin
        Where they start.
    """
    left = flow.copy()
    into: list[list[int]] = [[] for _ in range(overlay.size)]
    for link in np.flatnonzero(flow).tolist():
        into[int(overlay.head[link])].append(link)
    for target in range(overlay.size):
        for _ in range(pieces if target != origin else 0):
            yield target, _trace(overlay, left, into, origin, target)


def _trace(
    overlay: OverlayLinks, left: IntArray, into: list[list[int]], origin: int, target: int
) -> list[int]:
    """Take one piece's path off a flow, from its end to its start; circles are dropped."""
    path: list[int] = []
    seen = {target: 0}
    at = target
    while at != origin:
        link = max(into[at], key=lambda link: (left[link], -link))
        left[link] -= 1
        at = int(overlay.tail[link])
        if at in seen:
            for dropped in path[seen[at] :]:
                seen.pop(int(overlay.tail[dropped]), None)
            del path[seen[at] :]
            continue
        path.append(link)
        seen[at] = len(path)
    return path[::-1]
