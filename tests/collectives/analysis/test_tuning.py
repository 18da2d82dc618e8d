"""Crossovers where times are equal, and tables that choose the fastest."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives import Plan, ScheduleError, algorithm_names, analyze, make_schedule, plan
from collectives.analysis.crossovers import changes_of_fastest, crossovers, size_grid
from collectives.analysis.question import one_group
from collectives.analysis.selection import Candidate, candidates
from collectives.analysis.tuning import TunerTable, analyze_all, tune
from collectives.model.schedule import Schedule
from tests.strategies import stars, two_levels
from topology import Supernode
from topology.units import GB, GiB, MiB

STAR = topology.star(16, link=25 * GB)
RANKS = np.arange(16)
QUICK = ["direct", "bruck", "bruck4", "bruck8", "pairwise"]


def _plan(algorithm: str, kind: str = "all_to_all", **choices: float) -> Plan:
    return plan(STAR, make_schedule(STAR, kind, algorithm=algorithm), **choices)


def test_crossover_is_the_closed_form() -> None:
    """Bruck 4·(α+o) + 2·S/B; direct α + 15·o + 15/16·S/B: equal at one size."""
    alpha, message, rate = 1e-6, 1e-6, 25 * GB
    options = {"alpha": alpha, "message": message}
    found = crossovers(_plan("bruck", **options), _plan("direct", **options))
    extra = (alpha + 15 * message) - 4 * (alpha + message)
    assert len(found) == 1
    assert found[0].size == pytest.approx(extra * rate / (2 - 15 / 16), rel=1e-9)
    assert (found[0].below, found[0].above) == ("bruck", "direct")


@given(
    machine=st.one_of(stars(), two_levels(spine=True)), message=st.sampled_from([0.0, 1e-7, 3e-6])
)
@settings(max_examples=12)
def test_times_are_equal_at_a_crossover_to_a_millionth(machine: Supernode, message: float) -> None:
    question = one_group(machine, "all_to_all", MiB, alpha=1e-6, message=message)
    fitting = candidates(question, names=[*QUICK, "hierarchical"]).fitting
    for a, b in combinations(fitting, 2):
        for change in crossovers(a, b):
            one, other = a.plan(change.size), b.plan(change.size)
            first, second = one.cost(change.size).time, other.cost(change.size).time
            assert first == pytest.approx(second, rel=1e-6)
            assert change.time == pytest.approx(first, rel=1e-6)
            below, above = (one, other) if a.name == change.below else (other, one)
            for beyond in (1.01, 0.99):
                gap = below.cost(change.size * beyond).time - above.cost(change.size * beyond).time
                assert gap * (beyond - 1) >= -1e-9 * change.time


def _kinked(fixed: float, slope: float, name: str) -> Candidate:
    """Return a candidate that takes fixed + slope · size seconds, told by its endpoint α."""
    schedule = make_schedule(STAR, "all_to_all", algorithm="direct")
    made = Candidate(name, lambda _: (schedule, RANKS), lambda s, _: plan(STAR, s))
    return _Line(made.name, made.make, made.route, fixed=fixed, slope=slope)


class _Line(Candidate):
    """A time that is a straight line."""

    def __init__(self, name: str, make: object, route: object, *, fixed: float, slope: float):
        super().__init__(name, make, route)  # type: ignore[arg-type]
        object.__setattr__(self, "line", (fixed, slope))

    def time(self, size: float) -> float:
        fixed, slope = self.line  # type: ignore[attr-defined]
        return float(fixed + slope * size)

    least = time


@given(
    lines=st.lists(
        st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=6, unique=True
    )
)
def test_the_fastest_of_lines_is_their_lower_envelope(lines: list[tuple[int, int]]) -> None:
    """Changes found between few sizes are those of the exact envelope."""
    made = [_kinked(1e-6 * a, 1e-10 * b, f"line {i}") for i, (a, b) in enumerate(lines)]
    changes = list(changes_of_fastest(made, size_grid(1.0, 1e9, 0.1).tolist()))
    assert [c.size for c in changes] == sorted(c.size for c in changes)
    for probe in np.geomspace(1.01, 0.99e9, 301):
        passed = [c.above for c in changes if c.size <= probe]
        first = min(made, key=lambda one: (one.time(1.0), made.index(one))).name
        name = passed[-1] if passed else first
        chosen = next(one for one in made if one.name == name)
        assert chosen.time(probe) <= min(one.time(probe) for one in made) * (1 + 1e-8)


def test_algorithms_that_jump_past_each_other_have_no_crossover() -> None:
    slow = make_schedule(STAR, "all_to_all", algorithm="pairwise")
    quick = make_schedule(STAR, "all_to_all", algorithm="direct")

    def jumping(size: float) -> tuple[Schedule, np.ndarray]:
        return replace(slow if size < 1000 else quick, sized=True), RANKS

    def route(schedule: Schedule, ranks: np.ndarray) -> Plan:
        return plan(STAR, schedule, ranks=ranks, alpha=1e-6)

    steady = Candidate(
        "bruck", lambda _: (make_schedule(STAR, "all_to_all", algorithm="bruck"), RANKS), route
    )
    jumper = Candidate("jumper", jumping, route)
    assert jumper.placement(10)[0] is not jumper.placement(1e5)[0]
    assert crossovers(steady, jumper, low=10, high=1e5) == []


def test_a_table_chooses_the_fastest_at_every_size() -> None:
    table = tune(STAR, "all_to_all", low=16, high=GiB, algorithms=QUICK, alpha=1e-6, message=1e-6)
    assert len(table.crossovers) >= 1
    plans = {name: _plan(name, alpha=1e-6, message=1e-6) for name in QUICK}
    for size in size_grid(16, GiB, 3).tolist():
        times = {name: each.cost(size).time for name, each in plans.items()}
        assert times[table.choose(size)] <= min(times.values()) * (1 + 1e-6)
    ranges = list(table.ranges())
    assert ranges[0][0] == 16
    assert ranges[-1][1] == GiB
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in pairwise(ranges))
    assert table.choose(1.0) == ranges[0][2]
    assert table.choose(1e15) == ranges[-1][2]


def test_what_a_plot_draws_is_what_analyze_says() -> None:
    table = tune(STAR, "all_reduce", low="1 KiB", high=MiB, algorithms=["ring", "direct"])
    for name, (sizes, busbw) in table.series().items():
        found = analyze(STAR, "all_reduce", float(sizes[3]), algorithm=name)
        assert busbw[3] == pytest.approx(found.busbw)
    assert (np.diff(table.times, axis=1) >= 0).all()  # time grows with size


def test_ring_and_direct_meet_where_alphas_pay() -> None:
    """On a star with a dear message, direct's p-1 messages cost what ring's steps do."""
    found = tune(STAR, "all_reduce", algorithms=["ring", "direct"], alpha=1e-6, message=0.0)
    assert isinstance(found, TunerTable)
    assert [name for _, _, name in found.ranges()] == ["direct"]
    assert "direct" in str(found).splitlines()[0]


def test_all_lists_every_algorithm_with_its_own_bottleneck() -> None:
    machine = topology.dgx_h100(2)
    found = analyze_all(machine, "all_to_all", 64 * MiB)
    names = [one.algorithm for one in found.analyses]
    assert sorted([*names, *found.refused]) == sorted(algorithm_names("all_to_all"))
    assert "coord" in found.refused["dimension"]
    times = [one.time for one in found.analyses]
    assert times == sorted(times)
    for one in found.analyses:
        alone = analyze(machine, "all_to_all", 64 * MiB, algorithm=one.algorithm)
        assert one.time == pytest.approx(alone.time)
        assert one.bottleneck.name == alone.bottleneck.name
        assert one.bound.time == pytest.approx(alone.bound.time)
    text = str(found)
    assert all(name in text for name in names)
    assert f"{found.best.algorithm} is the fastest of {len(names)}" in text
    json.dumps(found.to_dict()["crossovers"])


def test_progress_is_told() -> None:
    said: list[tuple[str, float]] = []
    tune(STAR, "all_to_all", algorithms=["direct", "bruck"], progress=lambda *a: said.append(a))
    assert [what for what, _ in said if what in QUICK] == ["direct", "bruck"]
    assert all(0 <= done < 1 for _, done in said)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (2.0, 1.0), (1.0, np.inf), (-1.0, 5.0)])
def test_an_empty_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ScheduleError, match=r"above 0 and rising|zero or more"):
        size_grid(low, high)


def test_no_algorithm_that_fits_is_refused() -> None:
    with pytest.raises(ScheduleError, match="no algorithm for all-to-all fits"):
        tune(STAR, "all_to_all", algorithms=["dimension"])


def test_one_rank_takes_no_time() -> None:
    table = tune(topology.star(1, link=GB), "all_to_all", algorithms=["direct"])
    assert not table.times.any()
    assert "unlimited" in str(table)
