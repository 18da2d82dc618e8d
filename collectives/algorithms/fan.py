"""Broadcast, reduce, gather and scatter in one step: the root and all others at once."""

from __future__ import annotations

import numpy as np

from collectives.algorithms.registry import algorithm
from collectives.algorithms.rooted import check_root
from collectives.model.collective import collective
from collectives.model.schedule import Schedule, Step, Team, Transfers, as_team, permutation


@algorithm("broadcast", "direct")
def direct_broadcast(team: Team | int, *, root: int = 0) -> Schedule:
    """Broadcast in one step: α + (p-1)·S/B."""
    return _star("broadcast", as_team(team).size, root, 1)


@algorithm("reduce", "direct")
def direct_reduce(team: Team | int, *, root: int = 0) -> Schedule:
    """Reduce in one step: α + (p-1)·S/B."""
    return _star("reduce", as_team(team).size, root, 1)


@algorithm("scatter", "direct")
def direct_scatter(team: Team | int, *, root: int = 0) -> Schedule:
    """Scatter in one step: α + (p-1)/p · S/B."""
    return _star("scatter", as_team(team).size, root, 0)


@algorithm("gather", "direct")
def direct_gather(team: Team | int, *, root: int = 0) -> Schedule:
    """Gather in one step: α + (p-1)/p · S/B."""
    return _star("gather", as_team(team).size, root, 0)


def _star(kind: str, p: int, root: int, whole: int) -> Schedule:
    """Return the root and all others exchanging at once, whole vectors or blocks."""
    hub = np.full(p - 1, check_root(root, p))
    others = np.delete(np.arange(p), root)
    outward = kind in ("broadcast", "scatter")
    src, dst = (hub, others) if outward else (others, hub)
    moved = Transfers(src, dst, np.zeros_like(others) if whole else others, kind == "reduce")
    traffic = permutation(src, dst, 1.0 if whole else 1 / p)
    steps = (Step(lambda _: moved, traffic, 1, kind),) if p > 1 else ()
    return Schedule("direct", collective(kind), p, 1 if whole else p, steps, root=root)
