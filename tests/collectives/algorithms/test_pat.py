"""Parallel aggregated trees: steps and bytes are the paper's, and messages stay within bounds."""

from __future__ import annotations

from math import ceil, log2

import networkx as nx
import numpy as np
import pytest

from collectives import ScheduleError, Team
from collectives.algorithms import find_algorithm
from collectives.model.checking import check_traffic
from tests.collectives.algorithms.teams import prove


@pytest.mark.parametrize("p", [1, 2, 5, 8, 13])
@pytest.mark.parametrize("aggregation", [None, 1, 3, 4])
@pytest.mark.parametrize("kind", ["all_gather", "reduce_scatter", "all_reduce"])
def test_right_for_any_number_of_blocks_in_a_message(
    kind: str, aggregation: int | None, p: int
) -> None:
    schedule = find_algorithm(kind, "pat")(Team(p), aggregation=aggregation)
    prove(schedule)
    check_traffic(schedule)
    for moved in schedule.transfers():
        most = np.bincount(moved.src).max()
        assert most == len(moved) / p  # all ranks send alike
        assert aggregation is None or most <= aggregation


@pytest.mark.parametrize("p", [2, 4, 16, 64, 6, 33])
def test_steps_and_bytes(p: int) -> None:
    """⌈log2 p⌉ steps of p - 1 blocks in all, most of them over the shortest distance."""
    height = ceil(log2(p))
    schedule = find_algorithm("all_gather", "pat")(Team(p))
    assert schedule.step_count == height
    every = list(schedule.transfers())
    blocks = [len(moved) // p for moved in every]
    assert sum(blocks) == p - 1
    distance = [int((moved.dst[0] - moved.src[0]) % p) for moved in every]
    assert distance == [1 << k for k in reversed(range(height))]
    assert blocks[-1] == p // 2
    for a in range(height + 1):  # on a power of two: a steps of doubling, then an edge at a time
        some = find_algorithm("all_gather", "pat")(Team(1 << height), aggregation=1 << a)
        assert some.step_count == a + 2 ** (height - a) - 1


@pytest.mark.parametrize("aggregation", [None, 2])
@pytest.mark.parametrize("p", [5, 8, 12])
def test_a_block_goes_down_a_tree(p: int, aggregation: int | None) -> None:
    schedule = find_algorithm("all_gather", "pat")(Team(p), aggregation=aggregation)
    for block in range(p):
        edges = [
            (u, v)
            for moved in schedule.transfers()
            for u, v, c in zip(moved.src, moved.dst, moved.chunk, strict=True)
            if c == block
        ]
        tree = nx.DiGraph(edges)
        assert nx.is_arborescence(tree)
        assert len(tree) == p == len(edges) + 1
        assert nx.dag_longest_path_length(tree) <= ceil(log2(p))


@pytest.mark.parametrize("aggregation", [0, -1, 1.5, True])
def test_what_is_no_number_of_blocks_is_refused(aggregation: object) -> None:
    with pytest.raises(ScheduleError, match="pat: aggregation"):
        find_algorithm("all_gather", "pat")(Team(8), aggregation=aggregation)
