"""Broadcast, reduce, gather and scatter in one step: the root and all others at once."""

from __future__ import annotations

from functools import partial

import numpy as np

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
