"""What every schedule must hold, whatever its algorithm."""

from __future__ import annotations

import numpy as np
import pytest

from collectives import Schedule
from tests import reference


def assert_traffic_is_declared(schedule: Schedule) -> None:
    """Every repetition of every step moves what the step says it moves."""
    for step in schedule.steps:
        declared: dict[tuple[int, int], float] = {}
        for u, v, amount in reference.as_triples(schedule.ranks, step.traffic):
            declared[u, v] = declared.get((u, v), 0.0) + amount
        for t in range(step.repeat):
            assert reference.traffic_of(schedule, step, t) == pytest.approx(declared, rel=1e-12)


def assert_right_data(schedule: Schedule) -> None:
    """Every position ends with what the collective promises, each term of a sum once."""
    held = reference.run(schedule)
    p, chunks = schedule.ranks, schedule.chunks
    name = schedule.collective.name
    owner = np.arange(chunks) * p // chunks
    once = (owner[:, None] == np.arange(p)[None, :]).astype(int)
    for r in range(p):
        if name == "all_reduce":
            assert (held[r] == 1).all()
        elif name == "all_gather":
            assert (held[r] == once).all()
        elif name == "reduce_scatter":
            assert (held[r][owner == r] == 1).all()
        else:
            mine = np.arange(p) * p + r
            assert (held[r][mine] == once[mine]).all()
