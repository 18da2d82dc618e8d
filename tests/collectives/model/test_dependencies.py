"""What a transfer waits for is what it sends, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from collectives import Team
from collectives.algorithms import algorithm_names, find_algorithm
from collectives.model.collective import places
from collectives.model.dependencies import dependencies
from collectives.model.schedule import ScheduleError
from tests.collectives.algorithms.teams import flat


@pytest.mark.parametrize("name", algorithm_names("all_reduce"))
@pytest.mark.parametrize("p", [1, 2, 6, 8])
def test_transfers_in_any_order_that_waits_give_the_sum(name: str, p: int) -> None:
    """Versions are worked out one by one as they get ready, in a random order."""
    try:
        schedule = find_algorithm("all_reduce", name)(flat(p))
    except ScheduleError:
        return
    found = dependencies(schedule)
    rng = np.random.default_rng(p)
    start = rng.integers(0, 1000, (p, schedule.chunks))
    makers: dict[int, list[int]] = {}
    for i, version in enumerate(found.makes.tolist()):
        makers.setdefault(version, []).append(i)
    value: dict[int, int] = {}
    waiting = list(makers)
    while waiting:
        rng.shuffle(waiting)
        ready = [
            v for v in waiting
            if all(found.sends[i] in value or found.sends[i] == -1 for i in makers[v])
            and (found.builds_on[v] < 0 or found.builds_on[v] in value)
        ]  # fmt: skip
        assert ready
        for v in ready[: 1 + len(ready) // 2]:
            one = makers[v][0]
            own = {-1: start[found.dst[one], found.chunk[one]], -2: 0}
            below = int(found.builds_on[v])
            total = own[below] if below < 0 else value[below]
            for i in makers[v]:
                sent = int(found.sends[i])
                total += start[found.src[i], found.chunk[i]] if sent < 0 else value[sent]
            value[v] = int(total)
            waiting.remove(v)
    last = {(int(found.dst[m[0]]), int(found.chunk[m[0]])): v for v, m in sorted(makers.items())}
    for rank, chunk in zip(*places("everyone", p, schedule.chunks), strict=True):
        got = value[last[rank, chunk]] if (rank, chunk) in last else start[rank, chunk]
        assert got == start[:, chunk].sum()


@pytest.mark.parametrize("p", [2, 5, 9])
def test_the_longest_wait_is_the_depth_of_the_algorithm(p: int) -> None:
    ring = dependencies(find_algorithm("all_reduce", "ring")(Team(p)))
    assert ring.depth().max() == 2 * (p - 1)
    chain = dependencies(find_algorithm("broadcast", "chain")(Team(p), segments=7))
    assert chain.depth().max() == p - 1  # a segment waits for no other segment
    assert len(chain) == 7 * (p - 1)


def test_segments_of_a_tree_do_not_wait_for_each_other() -> None:
    one, many = (find_algorithm("all_reduce", "tree")(Team(16), segments=m) for m in (1, 10))
    assert dependencies(one).depth().max() == dependencies(many).depth().max()
    assert many.step_count == one.step_count + 9
