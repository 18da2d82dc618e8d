"""A schedule is right if real data and the sets of contributions both say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import collectives
from collectives import Schedule, ScheduleError, Step, Team, Transfers, execute, verify
from collectives.algorithms import algorithm_names, find_algorithm
from collectives.model.collective import collective, collective_names
from collectives.model.schedule import consecutive_groups


def made(kind: str, name: str, p: int, group: int = 1) -> Schedule:
    return find_algorithm(kind, name)(Team(p, consecutive_groups(p, group)))


def schedule(kind: str, p: int, chunks: int, *steps: Transfers, root: int = 0) -> Schedule:
    made = tuple(Step(lambda _, moved=moved: moved) for moved in steps)
    return Schedule("mine", collective(kind), p, chunks, made, root=root)


def by_definition(kind: str, rows: np.ndarray, rank: int, root: int) -> np.ndarray:
    """Return what one rank must end with, from the words of the definition."""
    share = rows.shape[1] // len(rows)
    mine = slice(rank * share, (rank + 1) * share)
    here = int(rank == root)
    return {
        "all_reduce": lambda: sum(rows),
        "reduce": lambda: sum(rows) * here,
        "broadcast": lambda: rows[root],
        "reduce_scatter": lambda: sum(rows)[mine],
        "scatter": lambda: rows[root][mine],
        "all_gather": lambda: np.concatenate(list(rows)),
        "gather": lambda: np.concatenate(list(rows)) * here,
        "all_to_all": lambda: np.concatenate([row[mine] for row in rows]),
        "barrier": lambda: rows.max(axis=0),
    }[kind]()


def naive(kind: str, p: int, pieces: int, root: int) -> Schedule:
    """Return the one-step schedule in which all that must move moves straight there."""
    unit = {"all_to_all": p * p}.get(kind, p)
    chunks = unit * pieces
    what = collective(kind)
    moves = []
    for chunk in range(chunks):
        start = {"owner": chunk // pieces, "root": root, "origin": chunk // (p * pieces)}
        end = {"owner": chunk // pieces, "root": root, "destination": chunk // pieces % p}
        sources = range(p) if what.before == "everyone" else [start[what.before]]
        targets = range(p) if what.after == "everyone" else [end[what.after]]
        moves += [(s, t, chunk) for s in sources for t in targets if s != t]
    columns = np.array(moves, dtype=np.int64).reshape(-1, 3).T
    return schedule(kind, p, chunks, Transfers(*columns, reduce=what.adds), root=root)


@pytest.mark.parametrize("kind", collective_names())
@pytest.mark.parametrize(("p", "pieces", "root"), [(1, 1, 0), (2, 1, 1), (3, 2, 1), (5, 3, 4)])
@pytest.mark.parametrize("width", [1, 4, 7])
def test_every_collective_does_what_its_definition_says(kind, p, pieces, root, width):
    made = naive(kind, p, pieces, root)
    verify(made)
    rng = np.random.default_rng(p)
    rows = rng.integers(-(2**40), 2**40, (p, width * p))
    out = execute(made, rows)
    assert out.dtype == rows.dtype
    for rank in range(p):
        np.testing.assert_array_equal(out[rank], by_definition(kind, rows, rank, root))


def test_floats_are_summed_and_their_type_kept():
    rows = np.random.default_rng(1).normal(size=(6, 10)).astype(np.float32)
    out = execute(made("all_reduce", "ring", 6), rows)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.broadcast_to(rows.sum(axis=0), (6, 10)), rtol=1e-5)


def test_a_large_schedule_is_followed_in_blocks(monkeypatch):
    s = made("all_reduce", "ring", 9)
    monkeypatch.setattr("collectives.model.execution._WORDS_AT_ONCE", 9 * 2)
    verify(s)
    broken = replace(s, steps=s.steps[:1])
    with pytest.raises(ScheduleError, match="lacks"):
        verify(broken)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([([0], [1], [0], True)], "step 0|after all 1 steps.*chunk 0 at rank 0.*lacks.*rank 1"),
        ([([0, 1], [1, 0], [0, 0], True)] * 2, "step 1: chunk 0 at rank 0 counts .*0, 1 twice"),
        ([([0, 0], [1, 1], [0, 0], True)], "step 0: chunk 0 at rank 1 counts that of rank 0 twice"),
        ([([0, 0], [1, 1], [0, 0], False)], "step 0: chunk 0 is written more than once at rank 1"),
        ([([0], [2], [0], True)], "step 0: there is no rank 2; ranks are 0 to 1"),
        ([([0], [1], [1], True)], "step 0: there is no chunk 1"),
        ([([0], [-1], [0], True)], "there is no rank -1"),
        ([([0], [0], [0], True)], "rank 0 sends chunk 0 to itself"),
        ([([0], [1, 0], [0], True)], r"lengths \[1, 2, 1\]"),
        ([([0.5], [1], [0], True)], "whole numbers"),
    ],
)
def test_what_is_wrong_is_named(steps, said):
    broken = schedule("all_reduce", 2, 1)
    traffic = made("all_reduce", "ring", 2).steps[0].traffic
    given = tuple(Step(lambda _, one=one: Transfers(*one), traffic) for one in steps)
    with pytest.raises(ScheduleError, match=said):
        verify(replace(broken, steps=given))


def test_a_rank_cannot_send_what_it_does_not_hold():
    with pytest.raises(ScheduleError, match="step 0: rank 1 sends chunk 0 to rank 2 but does not"):
        verify(schedule("broadcast", 3, 1, Transfers([0, 1], [1, 2], [0, 0])))


def test_transfers_of_a_step_read_what_was_there_before_it():
    swap = Transfers([0, 1], [1, 0], [0, 0], reduce=True)
    s = schedule("all_reduce", 2, 1, swap)
    verify(s)
    np.testing.assert_array_equal(execute(s, [[1], [10]]), [[11], [11]])


def test_execution_sees_a_wrong_result_too():
    with pytest.raises(ScheduleError, match=r"chunk 0 at rank 0 .* lacks that of rank 1"):
        execute(schedule("all_reduce", 2, 1, Transfers([0], [1], [0], reduce=True)), [[1], [10]])


@pytest.mark.parametrize(
    ("kind", "inputs", "said"),
    [
        ("all_reduce", np.zeros((3, 4)), r"shape \(3, 4\).*2 ranks need"),
        ("all_reduce", [["a"], ["b"]], "numbers"),
        ("all_reduce", [[1, 2], [1]], "same length|shape"),
        ("reduce_scatter", np.zeros((2, 3)), "multiple of 2"),
        ("all_to_all", np.zeros((2, 3)), "multiple of 2"),
        ("all_gather", np.zeros((2, 0)), "0 elements"),
    ],
)
def test_buffers_that_do_not_fit_are_refused(kind, inputs, said):
    with pytest.raises(ScheduleError, match=said):
        execute(made(kind, "direct", 2), inputs)


@pytest.mark.parametrize(
    ("kind", "chunks", "root", "said"),
    [
        ("all_gather", 5, 0, "5 chunks for 4 ranks; all-gather needs a multiple of 4"),
        ("all_to_all", 8, 0, "multiple of 16"),
        ("broadcast", 0, 0, "chunks is 0; it must be a whole number, 1"),
        ("broadcast", 1, 4, "root is 4; it must be a whole number, 0 to 3"),
    ],
)
def test_shapes_that_mean_nothing_are_refused(kind, chunks, root, said):
    with pytest.raises(ScheduleError, match=said):
        verify(Schedule("mine", collective(kind), 4, chunks, (), root=root))


def test_unstated_traffic_is_worked_out_from_the_transfers():
    p = 6
    src = np.arange(p)
    ring = Step(lambda t: Transfers(src, (src + 1) % p, (src - t - 1) % p, reduce=True), repeat=5)
    s = Schedule("mine", collective("reduce_scatter"), p, p, (ring,))
    verify(s)
    (step,) = s.steps
    assert step.repeat == p - 1
    np.testing.assert_array_equal(step.traffic.dst, (step.traffic.src + 1) % p)
    np.testing.assert_allclose(step.traffic.amount, 1 / p)


@pytest.mark.parametrize("ends", [([0], [3]), ([-1], [0]), ([7], [1])])
def test_unstated_traffic_of_ranks_that_are_not_there_is_refused(ends):
    with pytest.raises(ScheduleError, match=r"there is no rank (3|-1|7)"):
        schedule("broadcast", 3, 1, Transfers(*ends, [0]))


def test_unstated_traffic_that_changes_becomes_separate_steps():
    p = 5

    def transfers(t: int) -> Transfers:
        src = np.arange(p)
        offset = 1 if t < 2 else t
        return Transfers(src, (src + offset) % p, src)

    s = Schedule("mine", collective("all_gather"), p, p, (Step(transfers, repeat=5),))
    assert [step.repeat for step in s.steps] == [2, 1, 1, 1]
    again = [moved.dst.tolist() for moved in s.transfers()]
    assert again == [transfers(t).dst.tolist() for t in range(5)]


@pytest.mark.parametrize("kind", ["all_reduce", "reduce_scatter", "all_gather", "all_to_all"])
def test_public_names_work_on_a_machine(kind):
    import topology

    machine = topology.dgx_h100() if hasattr(topology, "dgx_h100") else topology.star(8, link=1e9)
    for name in algorithm_names(kind)[:2]:
        try:
            s = collectives.make_schedule(machine, kind, algorithm=name)
        except ScheduleError:
            continue
        collectives.verify(s)
