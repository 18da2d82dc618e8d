"""What a failure costs is what the machine without the part takes."""

from __future__ import annotations

import pytest

import collectives
import topology
from collectives.analysis.failures import loss
from topology.errors import UnreachableError
from topology.faults import FailureUnit, fail, failure_units
from topology.units import MiB


@pytest.mark.parametrize("kind", ["switch", "link", "npu"])
@pytest.mark.parametrize("name", ["all_to_all", "all_reduce"])
def test_each_class_stands_for_all_its_units(kind: str, name: str) -> None:
    """The slow way: every unit by itself, the machine damaged and the question asked again."""
    machine = topology.fat_tree(4, link="nvlink5")
    found = collectives.failures(machine, name, MiB, units=kind, algorithm="direct")
    assert sum(count for _, count, _ in found.rows) == len(failure_units(machine, kind))
    slow = []
    for unit in failure_units(machine, kind):
        if kind == "npu":
            slow.append(0.0)
            continue
        try:
            again = collectives.analyze(fail(machine, unit), name, MiB, algorithm="direct")
        except UnreachableError:
            slow.append(0.0)
        else:
            slow.append(found.before.time / again.time)
    quick = [one.left for _, count, one in found.rows for _ in range(count)]
    assert sorted(quick) == pytest.approx(sorted(slow), rel=1e-9)
    assert found.rows[0][2].left == pytest.approx(min(slow))
    assert found.approximations == ()


def test_every_option_of_the_question_is_kept() -> None:
    """A dear endpoint hides what a plane costs: 95 % are left, not a third."""
    machine = topology.cloudmatrix384(4)
    slow = collectives.analyze(machine, "all_to_all", MiB, algorithm="direct", alpha=1e-3)
    unit = failure_units(machine, "switch")[0]
    found = loss(slow, unit)
    again = collectives.analyze(
        fail(machine, unit), "all_to_all", MiB, algorithm="direct", alpha=1e-3
    )
    assert found.left == pytest.approx(slow.time / again.time)
    assert found.left > 0.95


def test_ranks_are_cut_off_only_where_there_is_no_path() -> None:
    torus = topology.torus((4, 4), link="nvlink5")
    best = collectives.synthesize(torus, "all_gather")
    found = collectives.analyze(torus, "all_gather", MiB, algorithm=best)
    one = loss(found, failure_units(torus, "link")[0])
    assert one.why == ""
    assert 0 < one.left < 1
    star = topology.star(4, link="nvlink5")
    alone = collectives.analyze(star, "all_gather", MiB)
    assert loss(alone, failure_units(star, "switch")[0]).why == "cuts ranks off"
    assert loss(alone, failure_units(star, "npu")[0]).why == "loses ranks"
    assert loss(alone, FailureUnit("nothing")).left == pytest.approx(1.0)


def test_a_schedule_by_rank_numbers_says_that_symmetry_is_a_guess() -> None:
    machine = topology.full_mesh(5, link="nvlink5")
    found = collectives.failures(machine, "all_reduce", MiB, units="link", algorithm="ring")
    assert found.approximations
    assert "approximate" in str(found)
    exact = collectives.failures(
        machine, "all_reduce", MiB, units="link", algorithm="ring", exact=True
    )
    assert exact.approximations == ()
    assert len(exact.rows) == len(failure_units(machine, "link"))


def test_a_dead_link_of_a_mesh_leaves_every_algorithm_that_goes_round_it() -> None:
    """NPUs that do not forward: direct has no path for one pair, others do without that pair."""
    machine = topology.mi300x()
    found = collectives.failures(machine, "all_gather", MiB, units="link")
    for unit, _, left in found.rows:
        again = collectives.analyze(fail(machine, unit), "all_gather", MiB)
        assert left.why == ""
        assert left.left == pytest.approx(found.before.time / again.time)


def test_groups_of_ranks_are_an_order_that_symmetry_does_not_keep() -> None:
    """Links with the same load may join ranks of one group or of two: they are not alike."""
    machine = topology.trainium2()
    whole = collectives.make_schedule(
        machine, "all_reduce", algorithm="hierarchical_direct", group_size=2
    )
    options = {"units": "link", "algorithm": whole}
    assert collectives.failures(machine, "all_reduce", MiB, **options).approximations
    exact = collectives.failures(machine, "all_reduce", MiB, **options, exact=True)
    before = exact.before.time
    for unit, count, left in exact.rows:
        damaged = fail(machine, unit)
        again = collectives.analyze(damaged, "all_reduce", MiB, algorithm=whole)
        assert (count, left.left) == (1, pytest.approx(before / again.time))
