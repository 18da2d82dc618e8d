"""Groups that differ: in size, or in which members have a NIC that is alive."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

import collectives
import topology
from collectives import DoesNotFitError
from collectives.algorithms import find_algorithm
from collectives.algorithms.columns import Tier, column_steps, columns_of
from collectives.algorithms.levels import Levels, levels_steps
from collectives.algorithms.networks import networks_of
from collectives.algorithms.rails import domains
from collectives.algorithms.team import team_of
from collectives.model.checking import check_traffic
from collectives.model.execution import verify
from tests.collectives.algorithms.teams import RATE, prove, rails
from topology import Supernode
from topology.units import GB

HALVES = ["all_reduce", "reduce_scatter", "all_gather"]
ROOTED = ["broadcast", "reduce", "scatter", "gather"]
UNEQUAL = [(2, 3), (1, 1, 5), (3, 2, 4), (4, 4, 2)]
DEAD = [((2, 3), (0,)), ((3, 3), (1, 4)), ((4, 4, 2), (0, 1)), ((2, 2, 2), (3,))]


def _lame(sizes: tuple[int, ...], dead: tuple[int, ...]) -> Supernode:
    """Return nodes of which some NPUs have lost their NIC."""
    return rails(*sizes).without(nodes=[f"nic/{i}" for i in dead])


def _alive(sizes: tuple[int, ...], dead: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return how many members of each node have a NIC."""
    home = np.repeat(np.arange(len(sizes)), sizes)
    return np.array(sizes) - np.bincount(home[list(dead)], minlength=len(sizes))


def _nics(machine: Supernode) -> list[int]:
    """Return the arcs from NICs to the network."""
    return [i for i, (u, v) in enumerate(machine.fabric.arcs) if u[:3] == "nic" and v[:4] == "rail"]


@pytest.mark.parametrize("kind", HALVES)
@pytest.mark.parametrize("sizes", UNEQUAL)
def test_any_algorithm_inside_and_between_on_unequal_groups(
    kind: str, sizes: tuple[int, ...]
) -> None:
    team = team_of(rails(*sizes))
    outer = "tree" if kind == "all_reduce" else "bruck"
    for names in (("ring", "ring"), ("direct", "direct"), ("bruck", outer)):
        schedule = find_algorithm(kind, "hierarchical")(
            team, inner=names[0], outer=names[1], segments=2
        )
        prove(schedule)
        check_traffic(schedule)


@pytest.mark.parametrize("sizes", UNEQUAL)
def test_switches_help_on_unequal_groups(sizes: tuple[int, ...]) -> None:
    for name, helps in (
        ("nvls_tree", "inner"),
        ("collnet_direct", "rail"),
        ("collnet_chain", "rail"),
    ):
        schedule = find_algorithm("all_reduce", name)(team_of(rails(*sizes, helps=helps)))
        prove(schedule)
        check_traffic(schedule)
        assert schedule.helped


@pytest.mark.parametrize(("sizes", "dead"), DEAD)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((kind, name) for kind in HALVES for name in ("hierarchical_direct", "hierarchical")),
        *((kind, "hierarchical") for kind in ROOTED),
        ("broadcast", "hierarchical_direct"),
        ("all_reduce", "ring"), ("all_reduce", "tree"), ("all_gather", "bidirectional_ring"),
        ("broadcast", "chain"), ("all_to_all", "pxn"),
    ],
)  # fmt: skip
def test_who_has_no_nic_goes_by_a_neighbour(
    kind: str, name: str, sizes: tuple[int, ...], dead: tuple[int, ...]
) -> None:
    """The plan fails if anything between nodes begins or ends at an NPU whose NIC is dead."""
    machine = _lame(sizes, dead)
    for root in (0, dead[0], sum(sizes) - 1) if kind in ROOTED else (None,):
        options = {} if root is None else {"root": root}
        if "ring" in name and any(_alive(sizes, dead) == 1):
            with pytest.raises(DoesNotFitError, match="a ring enters a group by one member"):
                find_algorithm(kind, name)(team_of(machine))
            continue
        schedule = find_algorithm(kind, name)(team_of(machine), **options)
        if kind == "all_to_all":
            verify(schedule)
        else:
            prove(schedule)
        check_traffic(schedule)
        assert collectives.plan(machine, schedule).time(GB) > 0


@pytest.mark.parametrize("kind", [*HALVES, *ROOTED, "all_to_all"])
def test_auto_answers_where_a_nic_is_dead(kind: str) -> None:
    found = collectives.analyze(_lame((4, 4), (1,)), kind, "64 MiB")
    assert found.time >= found.bound.time * (1 - 1e-9)


def test_rails_that_are_apart_are_left_where_one_is_dead() -> None:
    """No spine: a column whose rail one node has lost goes by the other rails of all."""
    machine = rails(4, 4, 4).without(nodes=["spine", "nic/5"])
    networks = networks_of(team_of(machine), domains(team_of(machine)))
    assert [len(set(networks[place::4]) - {-1}) for place in range(4)] == [1, 1, 1, 1]
    assert len(set(networks) - {-1}) == 4
    for kind, name in (("all_reduce", "hierarchical_direct"), ("all_to_all", "pxn"),
                       ("all_reduce", "ring"), ("all_gather", "hierarchical")):  # fmt: skip
        schedule = find_algorithm(kind, name)(team_of(machine))
        (verify if kind == "all_to_all" else prove)(schedule)
        assert collectives.plan(machine, schedule).time(GB) > 0


@pytest.mark.parametrize(
    "sizes", [(4, 4, 2), (2, 3), (4, 4, 3), (4, 4, 4, 1), (6, 5, 4), (5, 5, 1, 1)]
)
def test_the_busiest_nic_is_as_good_as_any_choice_of_leaves(sizes: tuple[int, ...]) -> None:
    """Over all sets of leaves: 1/g at a leaf, (2(o-1)/o + leaves/o)/g at one of o at the core."""
    machine, m = rails(*sizes), len(sizes)
    schedule = find_algorithm("all_reduce", "hierarchical_direct")(team_of(machine), segments=1)
    busy = collectives.plan(machine, schedule).cost(GB).busy[_nics(machine)].max()
    every = []
    for o in range(1, m + 1):
        for core in combinations(range(m), o):
            load = (2 * (o - 1) + m - o) / o
            each = [load / g if i in core else 1 / g for i, g in enumerate(sizes)]
            every.append(max(each) * GB / RATE)
    assert busy == pytest.approx(min(every), rel=1e-9)


@pytest.mark.parametrize("dead", [(0,), (0, 1), (0, 5)])
def test_the_nics_that_are_alive_share_what_the_dead_one_carried(dead: tuple[int, ...]) -> None:
    machine = _lame((4, 4), dead)
    alive = 4 - max(np.bincount([i // 4 for i in dead]))
    for kind, name, most in (
        ("all_reduce", "hierarchical_direct", 1), ("all_reduce", "ring", 2 * 7 / 8),
        ("all_to_all", "pxn", 4 * 4 / 8), ("broadcast", "hierarchical_direct", 1),
        ("scatter", "hierarchical", 1 / 2), ("reduce_scatter", "hierarchical", 1 / 2),
    ):  # fmt: skip
        schedule = find_algorithm(kind, name)(team_of(machine))
        busy = collectives.plan(machine, schedule).cost(GB).busy[_nics(machine)].max()
        assert busy == pytest.approx(most / alive * GB / RATE, rel=1e-9), (kind, name)


@pytest.mark.parametrize("kind", HALVES)
def test_equal_groups_send_the_same_by_columns_as_by_a_grid(kind: str) -> None:
    team = team_of(rails(3, 3))
    columns = columns_of(team, "test")
    assert columns.regular
    whole = np.zeros(6, dtype=np.int64)
    steps, _ = column_steps(
        kind, "test", team, [Tier(whole, "direct", ""), Tier(whole, "ring", "")], columns
    )
    plain, _ = levels_steps(kind, team, [Levels(columns.gates.T, ["", ""], ["direct", "ring"])])
    assert [s.repeat for s in steps] == [s.repeat for s in plain]
    for mine, other in zip(steps, plain, strict=True):
        for a, b in zip(mine.traffic.ports(6), other.traffic.ports(6), strict=True):
            assert a == pytest.approx(b)


@pytest.mark.parametrize(
    ("nodes", "gone"), [(2, (15,)), (2, (13, 14, 15)), (3, (20, 21, 22, 23)), (4, (7, 15))]
)
def test_clusters_of_unequal_nodes_use_their_nics(nodes: int, gone: tuple[int, ...]) -> None:
    """At least 95 % of the bound, or of what rings on the rails of the smallest node would do."""
    lost = [name for i in gone for name in (f"npu/{i}", f"nic/{i}")]
    machine = topology.dgx_h100(nodes).without(nodes=lost)
    fewest = 8 - max(np.bincount([i // 8 for i in gone]))
    found = collectives.analyze(machine, "all_reduce", 2**30, algorithm="hierarchical_direct")
    assert found.busbw >= 0.95 * min(found.bound.at(2**30).busbw, fewest * 50 * GB)


def test_a_machine_without_a_network_for_all_is_told() -> None:
    machine = rails(2, 2, 2).without(nodes=["spine", "nic/0", "nic/3"])
    with pytest.raises(DoesNotFitError, match="needs a network that reaches all 3 groups"):
        find_algorithm("all_reduce", "hierarchical")(team_of(machine))
