"""What a schedule takes at least, before it is routed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import collectives
import topology
from collectives import DoesNotFitError, Plan, plan
from collectives.algorithms import algorithm_names
from collectives.timing import arc_rates, floor_time
from collectives.timing.lower_bound import step_floors
from collectives.timing.stepwise import Race, TooSlowError
from tests.strategies import rank_choices, sizes, supernodes
from topology import Supernode
from topology.units import MiB, ns, us

KINDS = ["all_reduce", "reduce_scatter", "all_gather", "all_to_all", "broadcast", "barrier"]


def _floor(made: Plan, size: float) -> float:
    rates = arc_rates(made.fabric, made.rate)
    return floor_time(made.schedule, made.router, made.ranks, made.endpoint, rates, size)


@given(
    supernodes(), sizes, st.sampled_from(KINDS), st.sampled_from(["line", "effective"]), st.data()
)
def test_no_algorithm_takes_less_than_its_floor(
    machine: Supernode, size: float, kind: str, rate: str, data: st.DataObject
) -> None:
    ranks = data.draw(rank_choices(len(machine.npus)))
    name = data.draw(st.sampled_from(algorithm_names(kind)))
    try:
        schedule = collectives.make_schedule(machine, kind, algorithm=name, ranks=ranks, size=size)
    except DoesNotFitError:
        return
    made = plan(machine, schedule, ranks=ranks, rate=rate, alpha=3 * us, message=5 * ns)
    time = made.cost(size).time
    assert _floor(made, size) <= time
    if not schedule.overlaps:
        on = made.router, made.ranks, made.endpoint, arc_rates(made.fabric, rate), size
        assert sum(step_floors(schedule.steps, *on, tried=3)) <= time
    race = {"rate": rate, "alpha": 3 * us, "message": 5 * ns, "ranks": ranks}
    plan(machine, schedule, race=Race(size, time), **race)
    if not schedule.overlaps and time:
        with pytest.raises(TooSlowError):
            plan(machine, schedule, race=Race(size, 0.99 * time), **race)


@pytest.mark.parametrize("kind", KINDS[:4])
def test_the_floor_is_the_time_where_ports_are_all_there_is(kind: str) -> None:
    machine = topology.star(5, link="nvlink5")
    schedule = collectives.make_schedule(machine, kind, algorithm="direct")
    made = plan(machine, schedule)
    cost = made.cost(64 * MiB)
    beyond = cost.latency.switches + cost.latency.propagation + cost.latency.transceivers
    assert _floor(made, 64 * MiB) == pytest.approx(cost.time - beyond - cost.latency.fec, rel=0.01)
