"""A schedule that someone gives is checked, not believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collectives import Schedule, ScheduleError, Step, Team, Transfers, analyze
from collectives.algorithms import find_algorithm
from collectives.algorithms.alltoall import uneven
from collectives.algorithms.direct import direct_all_to_all
from collectives.algorithms.innetwork import nvls_all_reduce
from collectives.analysis.analyze import team_of
from collectives.model.checking import check_schedule, check_traffic
from collectives.model.collective import collective
from collectives.model.schedule import traffic_of
from tests.collectives.algorithms.teams import helping_star, star
from tests.collectives.algorithms.test_properties import EVERY, any_schedule
from topology.approximation import NotExactError
from topology.routing import Demand, InNetwork, Pairs

NOTHING = Pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
FORGERIES: dict[str, Callable[[Demand], Demand]] = {
    "a millionth": lambda traffic: traffic.scaled(1e-6),
    "nothing": lambda _: NOTHING,
    "a little more": lambda traffic: traffic.scaled(1 + 1e-6),
}


def forged(schedule: Schedule, number: int, change: Callable[[Demand], Demand]) -> Schedule:
    """Return a schedule that states another traffic for one step."""
    steps = list(schedule.steps)
    steps[number] = replace(steps[number], traffic=change(steps[number].traffic))
    return replace(schedule, steps=tuple(steps))


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_forged_statement_is_refused(kind: str, name: str) -> None:
    schedule = any_schedule(kind, name, 8)
    if schedule is None:
        pytest.skip("no machine here that it fits")
    assert check_schedule(schedule) == ()
    for at, change in enumerate(FORGERIES.values()):
        wrong = forged(schedule, at % len(schedule.steps), change)
        with pytest.raises(ScheduleError, match="traffic stated for steps"):
            check_schedule(wrong)


@pytest.mark.parametrize("middle", [1, 2, 5])
def test_every_repetition_is_looked_at(middle: int) -> None:
    """A ring that sends on to the rank after the next for one repetition, and says nothing."""
    honest = find_algorithm("all_reduce", "ring")(Team(8))
    first = honest.steps[0]

    def transfers(t: int) -> Transfers:
        moved = first.transfers(t)
        turned = (moved.src - 1) % 8 if t == middle else moved.dst
        return Transfers(moved.src, turned, moved.chunk, moved.reduce)

    wrong = replace(honest, steps=(replace(first, transfers=transfers), *honest.steps[1:]))
    with pytest.raises(ScheduleError, match=rf"steps\[0\].*transfers\({middle}\)"):
        check_traffic(wrong)


def test_an_all_to_all_v_has_the_sizes_of_its_matrix() -> None:
    matrix = np.random.default_rng(0).integers(0, 9, (6, 6)) * 1e5
    schedule = uneven(direct_all_to_all(6), matrix)
    assert check_schedule(schedule) == ()
    stated = schedule.steps[0].traffic.pairs()
    apart = ~np.eye(6, dtype=bool)
    sent = np.zeros((6, 6))
    sent[stated.src, stated.dst] = stated.amount * matrix.sum() / 6
    np.testing.assert_allclose(sent, matrix * apart)
    with pytest.raises(ScheduleError, match="traffic stated"):
        check_schedule(forged(schedule, 0, lambda traffic: traffic.scaled(0.5)))


def test_switches_cannot_add_what_is_not_a_sum() -> None:
    """An all-to-all is no sum, though every pair sends as much as in one."""
    machine = helping_star(4)
    for added, copied in ((0.25, 0.0), (0.0, 0.25)):
        stated = InNetwork(np.arange(4), np.full(4, added), np.full(4, copied))
        schedule = forged(direct_all_to_all(4), 0, lambda _, stated=stated: stated)
        with pytest.raises(ScheduleError, match="traffic stated"):
            analyze(machine, "all_to_all", "1 MiB", algorithm=schedule)


def test_what_is_added_once_and_copied_to_all_must_be_wanted_by_all() -> None:
    """Sums of a shard for each member cannot be had as one sum for all."""
    honest = nvls_all_reduce(team_of(helping_star(4)))
    share = honest.steps[0].traffic
    assert isinstance(share, InNetwork)
    none = np.zeros(4)
    cheaper = InNetwork(share.members, none, none, through=float(share.added[0]))
    with pytest.raises(ScheduleError, match="traffic stated"):
        check_traffic(forged(honest, 0, lambda _: cheaper))


def test_what_is_too_much_to_check_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = find_algorithm("all_reduce", "ring")(Team(6))
    assert check_traffic(schedule, np.inf) == ()
    assert check_traffic(schedule, 0) == ("stated traffic not checked in 10 of 10 steps",)
    monkeypatch.setattr("collectives.model.checking._MOST_TRANSFERS", 0)
    monkeypatch.setattr("collectives.model.checking._MOST_SECONDS", 0)
    said = [str(note) for note in check_schedule(schedule)]
    assert said[0].startswith("schedule: as given, too large to verify")
    found = analyze(star(6), "all_reduce", "1 MiB", algorithm=schedule)
    assert [str(note) for note in found.approximations] == said
    with pytest.raises(NotExactError, match="stated traffic not checked"):
        analyze(star(6), "all_reduce", "1 MiB", algorithm=schedule, exact=True)


MOVED = Transfers([0, 1], [1, 0], [0, 0], reduce=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chunks": 0}, "chunks is 0; it must be a whole number"),
        ({"chunks": 1.5}, "chunks is 1.5"),
        ({"ranks": 0}, "ranks is 0"),
        ({"ranks": True}, "ranks is True"),
        ({"root": 2}, "root is 2; it must be a whole number, 0 to 1"),
        ({"repeat": 0}, "repeat is 0"),
        ({"repeat": 10**5000}, "repeat"),
        ({"transfers": MOVED}, "transfers must be a function"),
        ({"traffic": {(0, 1): 1.0}}, "traffic a demand such as Pairs, not function and dict"),
        ({"traffic": Pairs(np.array([0]), np.array([1]), np.array([np.nan]))}, "nan"),
        ({"traffic": Pairs(np.array([0]), np.array([1]), np.array([-1.0]))}, "zero or more"),
        ({"traffic": Pairs(np.array([0]), np.array([1]), np.array([1e308]))}, "1e.?30"),
        ({"traffic": Pairs(np.array([0, 0]), np.array([1, 1]), np.full(2, 1e308))}, "1e.?30"),
        ({"traffic": Pairs(np.array([0]), np.array([2]), np.array([1.0]))}, "no rank 2"),
        ({"traffic": InNetwork(np.arange(2), np.full(2, 1e308), np.zeros(2))}, "1e.?30"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_schedule_is_refused_when_it_is_made(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScheduleError, match=said):
        made_with(**change)


def made_with(
    *, repeat: int = 1, transfers: object = lambda _: MOVED, traffic: object = NOTHING, **rest: int
) -> Schedule:
    """Return an all-reduce of two ranks, but for what is given."""
    step = Step(transfers, traffic, repeat)  # type: ignore[arg-type]
    options = {"ranks": 2, "chunks": 1, "steps": (step,), **rest}
    return Schedule("mine", collective("all_reduce"), **options)  # type: ignore[arg-type]


def test_traffic_that_is_not_stated_is_worked_out() -> None:
    step = Step(lambda _: MOVED)
    made = Schedule("mine", collective("all_reduce"), 2, 1, (step,))
    found, wanted = made.steps[0].traffic.pairs(), traffic_of(MOVED, 1.0)
    assert found.amount.tolist() == wanted.amount.tolist() == [1.0, 1.0]
