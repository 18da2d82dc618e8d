"""Steps with an order of their own: what is proved of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import collectives
from collectives import Schedule, ScheduleError, Step, Transfers
from collectives.algorithms import find_algorithm
from collectives.algorithms.compose import segmented
from collectives.analysis.analyze import team_of
from collectives.model.collective import collective
from collectives.model.lockstep import Placed, at_once
from collectives.model.ordering import ancestors
from tests.collectives.algorithms.teams import prove, racks

HALVES = ("all_reduce", "reduce_scatter", "all_gather", "all_to_all", "broadcast")


@given(st.sampled_from(HALVES), st.integers(1, 5), st.data())
def test_any_schedule_can_go_in_segments(kind: str, segments: int, data: st.DataObject) -> None:
    names = [name for name in ("ring", "direct", "hierarchical", "bruck", "binary_tree")
             if name in collectives.algorithm_names(kind)]  # fmt: skip
    made = find_algorithm(kind, data.draw(st.sampled_from(names)))(team_of(racks(1, 2, 4)))
    cut = segmented(made, segments)
    prove(cut)
    assert len(cut.steps) == segments * len(made.steps)
    sent = [sum(s.repeat * s.traffic.ports(8)[0] for s in one.steps) for one in (made, cut)]
    assert sent[0] == pytest.approx(sent[1])
    for number, before in enumerate(ancestors(cut)):  # no segment waits for another's data
        mine = number // len(made.steps)
        assert all(i // len(made.steps) == mine for i in range(number) if before >> i & 1)


def _relay(after: tuple[int, ...] | None, chunk: int = 0) -> Schedule:
    """Return a broadcast to two ranks, the second of which gets it from the first."""
    steps = (
        Step(lambda _: Transfers([0], [1], [0])),
        Step(lambda _: Transfers([1 if chunk == 0 else 0], [2], [0]), after=after),
    )
    return Schedule("relay", collective("broadcast"), 3, 1, steps)


def test_steps_that_meet_must_be_in_order() -> None:
    collectives.verify(_relay(None))
    collectives.verify(_relay((0,)))
    collectives.verify(_relay((), chunk=1))  # both read what was there at the start
    with pytest.raises(ScheduleError, match="steps 0 and 1 use the same chunk at the same rank"):
        collectives.verify(_relay(()))


def test_a_later_write_waits_for_who_reads_before() -> None:
    """Rank 1 passes on what it had before it is overwritten, or after: that must be told."""
    steps = (
        Step(lambda _: Transfers([0], [2], [0], reduce=True)),
        Step(lambda _: Transfers([1], [0], [0], reduce=True), after=()),
    )
    made = Schedule("late", collective("all_reduce"), 3, 1, steps)
    with pytest.raises(ScheduleError, match="neither waits for the other"):
        collectives.verify(made)


@pytest.mark.parametrize("after", [(1,), (2,), (-1,), (0.5,)])
def test_a_step_comes_after_earlier_ones_only(after: tuple[int, ...]) -> None:
    with pytest.raises(ScheduleError, match="after"):
        _relay(after)


def test_steps_that_fall_apart_keep_their_order() -> None:
    """A step whose repetitions differ in traffic becomes several; others still wait for its end."""
    grows = Step(lambda t: Transfers([0] * (t + 1), [1] * (t + 1), list(range(t + 1))), repeat=2)
    last = Step(lambda _: Transfers([1, 1], [2, 2], [0, 1]), after=(0,))
    made = Schedule("grows", collective("broadcast"), 3, 2, (grows, last))
    assert [step.after for step in made.steps] == [None, None, (1,)]
    collectives.verify(made)


def test_schedules_with_an_order_of_their_own_run_at_once() -> None:
    cut = segmented(find_algorithm("all_reduce", "hierarchical")(team_of(racks(1, 2, 4))), 3)
    ring = find_algorithm("all_reduce", "ring")(4)
    twice, ranks = at_once([Placed(cut, range(8), 0.5), Placed(cut, range(8), 0.5)])
    assert len(twice.steps) == len(cut.steps)
    assert [step.after for step in twice.steps] == [step.after for step in cut.steps]
    both, ranks = at_once([Placed(cut, range(8), 0.5), Placed(ring, range(8, 12), 0.5)])
    assert len(both.steps) == len(cut.steps) + len(ring.steps)
    assert list(ranks) == list(range(12))
    assert both.steps[len(cut.steps)].after == ()
    sent = sum(step.repeat * step.traffic.ports(12)[0] for step in both.steps)
    assert sent[8:] == pytest.approx(np.full(4, 0.5 * 2 * 3 / 4))
    assert replace(both, notes=()).order == "needed"
