"""One target of each sort, by any symmetry, carries what all of them do: against the plain way."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import topology
from tests import reference
from tests.strategies import demands, rank_choices, supernodes
from topology import Supernode
from topology.fabric import IntArray
from topology.routing import Ecmp, EcmpFlow, Pairs, Uniform
from topology.routing.alike import carried, twins_alone
from topology.routing.quotient import quotient
from topology.units import GB, ns

ECMP = import_module("topology.routing.ecmp")
NEVER, ALWAYS = 10**15, -1

MACHINES = {
    "torus": lambda: topology.torus((4, 4, 3), link=GB),
    "long torus": lambda: _uneven(topology.torus((6, 4), link=GB)),
    "mesh": lambda: topology.mesh((4, 3), link=GB),
    "dies": lambda: topology.cloudmatrix384(4, ranks="die"),
    "nodes": lambda: topology.dgx_h100(3),
    "rack": topology.ub_mesh_rack,
    "no symmetry": lambda: topology.random_regular(20, 4, link=GB, seed=3),
}


def _uneven(machine: Supernode) -> Supernode:
    """Make every second link of a machine longer."""
    graph = nx.DiGraph(machine.graph)
    for i, (u, v) in enumerate(sorted(graph.edges)):
        graph.edges[u, v]["latency"] = (100 + 50 * (i % 2)) * ns
    return topology.from_networkx(graph, npus=machine.npus)


def _demands(count: int) -> Iterator[Uniform | Pairs]:
    """Yield what real steps send: everyone, rows, rails, shifts, butterflies, a ring's step."""
    ranks, one = np.arange(count), np.ones(count)
    yield Uniform(ranks)
    yield Uniform(ranks[: count - 1], 2.5)
    if count % 4 == 0:
        rows = ranks.reshape(-1, 4)
        yield Uniform(rows, 0.25)
        yield Uniform(rows.T, 3.0)
        yield Pairs(ranks, rows[:, ::-1].reshape(-1), one)
        yield Pairs(ranks, np.roll(rows, 1, axis=1).reshape(-1), one)
    for shift in (1, count // 2, 3):
        yield Pairs(ranks, (ranks + shift) % count, 2 * one)
    yield Pairs(ranks[:-1], ranks[1:], one[1:] + ranks[1:])


def _force(patch: pytest.MonkeyPatch, many: float, sorts: float) -> None:
    patch.setattr(ECMP, "_MANY", many)
    patch.setattr(ECMP, "_SORTS", sorts)
    patch.setattr(ECMP, "_PAYS", 2.0)


def _kinds(flow: EcmpFlow) -> set[tuple[float, float]]:
    found = flow.slowest()
    rounded = zip(found.latency.tolist(), found.transfer.tolist(), strict=True)
    return {(float(f"{a:.9g}"), float(f"{b:.9g}")) for a, b in rounded}


@pytest.mark.parametrize("name", MACHINES)
def test_orbits_change_no_load_and_no_transfer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = MACHINES[name]()
    for demand in _demands(len(machine.npus)):
        _force(monkeypatch, NEVER, NEVER)
        plain = Ecmp(machine.fabric).route(demand)
        _force(monkeypatch, ALWAYS, NEVER)
        found = Ecmp(machine.fabric, exact=True).route(demand)
        assert found.loads == pytest.approx(plain.loads, rel=1e-12, abs=1e-12)
        assert found.approximations() == ()
        assert _kinds(found) == _kinds(plain)


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_forgotten_is_said_and_within_its_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = MACHINES[name]()
    for demand in _demands(len(machine.npus)):
        _force(monkeypatch, NEVER, NEVER)
        plain = Ecmp(machine.fabric).route(demand)
        _force(monkeypatch, ALWAYS, ALWAYS)
        found = Ecmp(machine.fabric).route(demand)
        assert found.loads == pytest.approx(plain.loads, rel=1e-12, abs=1e-12)
        errors = {note.what: note.error for note in found.approximations()}
        for what, column in (("path latency", "latency"), ("busiest link of a path", "transfer")):
            was = getattr(plain.slowest(), column).max()
            now = getattr(found.slowest(), column).max()
            assert was * (1 - 1e-9) <= now
            if what not in errors:
                assert now == pytest.approx(was, rel=1e-9)
            elif errors[what] is not None:
                assert now <= was * (1 + errors[what]) * (1 + 1e-9)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(supernodes(), st.data())
def test_any_demand_is_routed_as_by_the_plain_router(
    monkeypatch: pytest.MonkeyPatch, machine: Supernode, data: st.DataObject
) -> None:
    count = len(machine.npus)
    ranks = np.array(data.draw(rank_choices(count, least=2)))
    rows = ranks[: len(ranks) // 2 * 2].reshape(2, -1)
    demand = data.draw(st.sampled_from([Uniform(ranks, 2.5), Uniform(rows), Uniform(rows.T)])
                       | demands(count))  # fmt: skip
    _force(monkeypatch, ALWAYS, data.draw(st.sampled_from([ALWAYS, NEVER])))
    found = Ecmp(machine.fabric).loads(demand)
    assert found == pytest.approx(reference.loads(machine, demand), rel=1e-9, abs=1e-12)


def _torus_orbits(demand: Pairs | Uniform) -> int:
    fabric = topology.torus((4, 4, 4), link=GB).fabric
    whole = twins_alone(quotient(fabric, np.arange(len(fabric.nodes)))).whole
    found = carried(fabric, whole, demand)
    assert found is not None
    return len(np.unique(found.node))


def _shift(grid: IntArray, axis: int, by: int) -> Pairs:
    ends = grid.reshape(-1), np.roll(grid, by, axis=axis).reshape(-1)
    return Pairs(*ends, np.ones(grid.size))


def test_a_torus_has_one_sort_of_target_for_every_step_of_its_rings() -> None:
    grid = np.arange(64).reshape(4, 4, 4)
    assert _torus_orbits(_shift(grid, 0, 1)) == 1
    assert _torus_orbits(_shift(grid, 2, 2)) == 1
    assert _torus_orbits(Uniform(grid.reshape(-1, 4))) == 1
    assert _torus_orbits(Uniform(grid.reshape(4, -1).T)) == 1
    butterfly = Pairs(np.arange(64), np.arange(64) ^ 16, np.ones(64))
    assert _torus_orbits(butterfly) == 1


def test_symmetries_of_the_machine_that_the_demand_breaks_are_not_used() -> None:
    sent = _shift(np.arange(64).reshape(4, 4, 4), 0, 1)
    sent.amount[5] = 2.0
    assert _torus_orbits(sent) > 1
