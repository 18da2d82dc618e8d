"""Blend flows over the cheapest paths, ever again at the prices of what is crowded.

Column generation: a small program chooses how much of each flow so far is taken; the prices of its
links say which paths are the cheapest, and those become the next flow, even over ties. What they
cost is a bound, so the gap is proved, however early it stops.

References
----------
Dantzig and Wolfe, Operations Research 8 (1960) 101-111; Plotkin, Shmoys and Tardos, Math. Oper.
Res. 20 (1995) 257-301 (prices that grow exponentially with what is crowded).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from topology.fabric import FloatArray, IntArray
from topology.routing.balanced import Search
from topology.routing.hops import Hops
from topology.routing.split import Spray
from topology.solvers.linear import least_level

_ROUNDS = 40
_WORK = 100_000_000
_FEWEST = 6
_STEEP = (12.0, 4.0, 8.0, 20.0, 50.0)
_FLOOR = 1e-6
_NEAR = 1e-3


def blended(
    search: Search, first: Spray, cheapest: Callable[[FloatArray], Hops], goal: IntArray, size: int
) -> Spray:
    """Return the best blend of a split with flows over the cheapest paths.

    Parameters
    ----------
    search
        Takes note of what is reached, and of what prices prove.
    first
        The split to begin with.
    cheapest
        Returns the hops on the cheapest paths by the price of each arc.
    goal
        The states where traffic ends, one for each target, shape (targets,).
    size
        How many hops there are at all: large cases get fewer rounds.
    """
    rooms, ways = search.rooms, [first]
    busy = [rooms.busy(first.loads(search.entering))]
    part, now, dual = np.ones(1), busy[0], np.zeros(len(rooms.room))
    for turn in range(max(_FEWEST, min(_ROUNDS, _WORK // max(1, size)))):
        top = float(now.max())
        steep = np.exp(_STEEP[turn // 2 % len(_STEEP)] * (now / top - 1)) / rooms.room
        price = dual if turn % 2 else steep
        floored = price + _FLOOR * (price @ rooms.room) / rooms.room.sum()
        search.prove(floored)
        if top <= search.bound * (1 + _NEAR):
            search.prove(price)  # the floor, which makes the cheapest paths short, costs a trace
            break
        hops = cheapest(rooms.on_arcs(floored))
        ways.append(Spray(hops, hops.shares(rooms.fabric.capacity[hops.arc])))
        busy.append(rooms.busy(ways[-1].loads(search.entering)))
        part, dual = _parts(np.array(busy), top)
        now = part @ np.array(busy)
        dual = dual / rooms.room / max(float(dual.sum()), _FLOOR)
        search.reached = min(search.reached, float(now.max()))
    return search.joined([(w, p) for w, p in zip(ways, part.tolist(), strict=True) if p > 0], goal)


def _parts(busy: FloatArray, top: float) -> tuple[FloatArray, FloatArray]:
    """Return how much of each flow to take, and the price of each room's time."""
    rows, which = np.unique(np.round(busy.T / top, 9), axis=0, return_inverse=True)
    count = len(busy)
    found = least_level(
        sparse.csr_array(rows), np.ones(len(rows)), sparse.csr_array(np.ones((1, count))),
        np.ones(1), vertex=True,
    )  # fmt: skip
    part = found.flow / found.flow.sum()
    alike = np.bincount(which.reshape(-1), minlength=len(rows))
    return part, (found.price / alike)[which.reshape(-1)]
