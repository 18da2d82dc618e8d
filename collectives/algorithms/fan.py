"""Broadcast, reduce, gather and scatter in one step or two: the root and all others at once."""

from __future__ import annotations

from functools import partial

import numpy as np

from collectives.algorithms.compose import mapped, reverse
from collectives.algorithms.direct import direct_steps
from collectives.algorithms.registry import algorithm
from collectives.algorithms.rooted import check_root
from collectives.model.collective import collective
from collectives.model.schedule import Schedule, Step, Team, Transfers, as_team, permutation


def direct_fan(kind: str, team: Team | int, *, root: int = 0) -> Schedule:
    """Return the root and all others exchanging at once.

    α + (p-1)·S/B for whole vectors (broadcast and reduce), α + (p-1)/p · S/B for blocks (scatter
    and gather).
    """
    p = as_team(team).size
    hub = np.full(p - 1, check_root(root, p))
    others = np.delete(np.arange(p), root)
    src, dst = (hub, others) if kind in ("broadcast", "scatter") else (others, hub)
    whole = kind in ("broadcast", "reduce")
    moved = Transfers(src, dst, np.zeros_like(others) if whole else others, kind == "reduce")
    traffic = permutation(src, dst, 1.0 if whole else 1 / p)
    steps = (Step(lambda _: moved, traffic, 1, kind),) if p > 1 else ()
    return Schedule("direct", collective(kind), p, 1 if whole else p, steps, root=root)


for _kind in ("broadcast", "reduce", "scatter", "gather"):
    algorithm(_kind, "direct")(partial(direct_fan, _kind))


def two_shot(kind: str, team: Team | int, *, root: int = 0) -> Schedule:
    """Return a broadcast in two steps: a part to each of the others, who exchange them all.

    2α + S/B: the root sends S once, and each of the others (p-2)/(p-1) of it. A reduce is
    the same backwards.
    """
    p = as_team(team).size
    check_root(root, p)
    if p == 1:
        return Schedule("two_shot", collective(kind), 1, 1, (), root=root)
    others, parts = np.delete(np.arange(p), root), np.arange(p - 1)
    given = Transfers(np.full(p - 1, root), others, parts)
    first = Step(lambda _: given, permutation(given.src, others, 1 / (p - 1)), 1, "scatter")
    steps = (first, *mapped(direct_steps(p - 1, reduce=False), others, parts[:, None], p - 1))
    if kind == "reduce":
        steps = reverse(steps)
    return Schedule("two_shot", collective(kind), p, p - 1, steps, root=root)


for _kind in ("broadcast", "reduce"):
    algorithm(_kind, "two_shot")(partial(two_shot, _kind))
