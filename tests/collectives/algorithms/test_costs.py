"""Steps and bytes are those of the formulas: on a star, where every port has the same rate B."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2

import pytest

from collectives import ScheduleError, Team, plan
from collectives.algorithms import find_algorithm
from collectives.algorithms.butterfly import is_power
from collectives.algorithms.trees import binary_tree, depths
from collectives.analysis.analyze import team_of
from tests.collectives.algorithms.teams import RATE, flat, helping_star, racks, star, torus

ALPHA = 1e-6
SIZE = 7e6
BETA = SIZE / RATE

Formula = Callable[[int], tuple[float, float]]
"""Ranks to (how many α, how many S/B)."""


def up(p: int) -> int:
    return ceil(log2(p))


def down(p: int) -> int:
    return p.bit_length() - 1


def rest(p: int) -> float:
    return (p - 1) / p


def folded_extra(p: int) -> int:
    return 0 if is_power(p) else 2


FORMULAS: dict[tuple[str, str], Formula] = {
    ("all_reduce", "ring"): lambda p: (2 * (p - 1), 2 * rest(p)),
    ("reduce_scatter", "ring"): lambda p: (p - 1, rest(p)),
    ("all_gather", "ring"): lambda p: (p - 1, rest(p)),
    ("all_reduce", "bidirectional_ring"): lambda p: (2 * (p - 1), 2 * rest(p)),
    ("all_reduce", "recursive_doubling"): lambda p: (
        down(p) + folded_extra(p), down(p) + folded_extra(p),
    ),
    ("all_gather", "recursive_doubling"): lambda p: (up(p), rest(p)),
    ("reduce_scatter", "recursive_halving"): lambda p: (up(p), rest(p)),
    ("all_reduce", "halving_doubling"): lambda p: (
        2 * down(p) + folded_extra(p), 2 * rest(1 << down(p)) + folded_extra(p),
    ),
    ("all_reduce", "bine"): lambda p: (2 * up(p), 2 * rest(p)),
    ("all_reduce", "swing"): lambda p: (2 * up(p), 2 * rest(p)),
    ("all_reduce", "swing_latency"): lambda p: (up(p), up(p)),
    ("all_reduce", "bruck"): lambda p: (2 * up(p), 2 * rest(p)),
    ("all_gather", "bruck"): lambda p: (up(p), rest(p)),
    ("reduce_scatter", "bruck"): lambda p: (up(p), rest(p)),
    ("all_reduce", "binomial_tree"): lambda p: (2 * up(p), 2 * up(p)),
    ("broadcast", "binomial_tree"): lambda p: (up(p), up(p)),
    ("reduce", "binomial_tree"): lambda p: (up(p), up(p)),
    ("all_reduce", "one_shot"): lambda p: (1, p - 1),
    ("all_reduce", "direct"): lambda p: (2, 2 * rest(p)),
    ("all_gather", "direct"): lambda p: (1, rest(p)),
    ("reduce_scatter", "direct"): lambda p: (1, rest(p)),
    ("broadcast", "direct"): lambda p: (1, p - 1),
    ("gather", "direct"): lambda p: (1, rest(p)),
    ("scatter", "direct"): lambda p: (1, rest(p)),
    ("barrier", "dissemination"): lambda p: (up(p), up(p)),
    ("all_reduce", "sharp"): lambda _: (1, 1),
    ("all_gather", "nvls"): lambda _: (1, 1),
    ("reduce_scatter", "nvls"): lambda _: (1, 1),
    ("broadcast", "multicast"): lambda _: (1, 1),
    ("reduce", "aggregated"): lambda _: (1, 1),
}  # fmt: skip


def time_on_star(team: Team, schedule) -> float:  # type: ignore[no-untyped-def]
    machine = helping_star(team.size)
    return plan(machine, schedule, alpha=ALPHA, message=0.0).cost(SIZE).time


@pytest.mark.parametrize(("kind", "name"), FORMULAS)
def test_flat_algorithms_take_what_their_formula_says(kind: str, name: str) -> None:
    for p in (2, 3, 4, 6, 7, 8, 13, 16, 33, 72):
        team = team_of(helping_star(p))
        try:
            schedule = find_algorithm(kind, name)(team)
        except ScheduleError:
            assert not is_power(p)
            continue
        steps, volume = FORMULAS[kind, name](p)
        assert schedule.step_count == steps, p
        expected = steps * ALPHA + volume * BETA
        assert time_on_star(team, schedule) == pytest.approx(expected, rel=1e-12), p


@pytest.mark.parametrize("p", [2, 4, 8, 64])
@pytest.mark.parametrize("kind", ["gather", "scatter"])
def test_binomial_gather_and_scatter(p: int, kind: str) -> None:
    schedule = find_algorithm(kind, "binomial_tree")(flat(p))
    assert time_on_star(flat(p), schedule) == pytest.approx(up(p) * ALPHA + rest(p) * BETA)


@pytest.mark.parametrize("p", [2, 4, 16, 64])
@pytest.mark.parametrize("kind", ["broadcast", "reduce"])
def test_scatter_and_gather_make_a_broadcast(p: int, kind: str) -> None:
    schedule = find_algorithm(kind, "scatter_gather")(flat(p))
    expected = (up(p) + p - 1) * ALPHA + 2 * rest(p) * BETA
    assert time_on_star(flat(p), schedule) == pytest.approx(expected)


@pytest.mark.parametrize("p", [2, 3, 8, 17])
@pytest.mark.parametrize("m", [1, 2, 9])
def test_pipelines(p: int, m: int) -> None:
    for kind in ("broadcast", "reduce"):
        made = find_algorithm(kind, "chain")(Team(p), segments=m)
        assert made.step_count == p - 2 + m
        assert time_on_star(flat(p), made) == pytest.approx((p - 2 + m) * (ALPHA + BETA / m))
    assert (
        find_algorithm("all_reduce", "chain")(Team(p), segments=m).step_count == 2 * (p - 1) + m - 1
    )
    height = int(depths(binary_tree(p)).max())
    assert height <= up(p)
    assert (
        find_algorithm("broadcast", "binary_tree")(Team(p), segments=m).step_count == height + m - 1
    )
    assert (
        find_algorithm("all_reduce", "binary_tree")(Team(p), segments=m).step_count
        == 2 * height + m - 1
    )
    assert (
        find_algorithm("all_reduce", "tree")(Team(p), segments=m).step_count == 2 * height + m - 1
    )


@pytest.mark.parametrize("p", [8, 9, 64])
def test_two_trees_use_the_full_bandwidth(p: int) -> None:
    """With many segments: 2 S/B, where one binary tree needs 3 S/B."""
    many = 4000
    double = find_algorithm("all_reduce", "tree")(Team(p), segments=many)
    single = find_algorithm("all_reduce", "binary_tree")(Team(p), segments=many)
    free = {"alpha": 0.0, "message": 0.0}
    assert plan(star(p), double, **free).cost(SIZE).time == pytest.approx(2 * BETA, rel=0.01)
    assert plan(star(p), single, **free).cost(SIZE).time == pytest.approx(3 * BETA, rel=0.01)


@pytest.mark.parametrize("p", [*range(2, 34), 72, 384])
def test_elimination_needs_no_more_than_three_vectors(p: int) -> None:
    free = {"alpha": 0.0, "message": 0.0}
    schedule = find_algorithm("all_reduce", "elimination")(Team(p))
    folded = find_algorithm("all_reduce", "halving_doubling")(Team(p))
    time, other = (plan(star(p), s, **free).cost(SIZE).time for s in (schedule, folded))
    assert time <= 3 * BETA * (1 + 1e-9)
    assert time <= other * (1 + 1e-9)
    if p in (6, 12, 24, 384):  # 3 · 2^n: one triple, at the end, on a small piece
        assert schedule.step_count == 2 * up(p)


@pytest.mark.parametrize(("m", "g"), [(2, 2), (4, 8), (3, 5), (9, 8)])
def test_two_levels(m: int, g: int) -> None:
    team = Team(m * g, flat(m * g).groups if g == m else None)
    team = team_of(racks(1, m, g))
    ring = find_algorithm("all_reduce", "hierarchical")(team)
    volume = 2 * rest(g) + 2 * rest(m) / g
    steps = 2 * (g - 1) + 2 * (m - 1)
    assert ring.step_count == steps
    assert time_on_star(team, ring) == pytest.approx(steps * ALPHA + volume * BETA)
    direct = find_algorithm("all_reduce", "hierarchical_direct")(team)
    assert time_on_star(team, direct) == pytest.approx(4 * ALPHA + volume * BETA)


@pytest.mark.parametrize(("n", "m", "g"), [(2, 2, 2), (2, 3, 4), (3, 16, 8)])
def test_three_levels(n: int, m: int, g: int) -> None:
    team = team_of(racks(n, m, g))
    schedule = find_algorithm("all_reduce", "three_level")(team)
    steps = 2 * (g - 1 + m - 1 + n - 1)
    volume = 2 * rest(g) + 2 * rest(m) / g + 2 * rest(n) / (g * m)
    assert schedule.step_count == steps
    assert time_on_star(team, schedule) == pytest.approx(steps * ALPHA + volume * BETA)
    assert [step.phase.split(" in ")[-1] for step in schedule.steps][:2] == ["the node", "the rack"]


@pytest.mark.parametrize("p", [2, 8, 72])
def test_nvls_tends_to_one_more_than_a_vector(p: int) -> None:
    """Each port carries S and S/p each way: busbw is 2(p-1)/(p+1) of the port's rate."""
    team = team_of(helping_star(p))
    schedule = find_algorithm("all_reduce", "nvls")(team, segments=1000)
    time = plan(helping_star(p), schedule, alpha=0.0, message=0.0).cost(SIZE).time
    assert time == pytest.approx((p + 1) / p * BETA, rel=2e-3)


# Tori: links of rate RATE each way, 2D ports at a rank. Times in units of the best, S/D per port.


def deficiency(name: str, *dims: int) -> float:
    """Return the time without α over S/(D·b): Ψ·Ξ of Swing's cost model."""
    machine = torus(*dims)
    schedule = find_algorithm("all_reduce", name)(team_of(machine))
    time = plan(machine, schedule, alpha=0.0, message=0.0).cost(SIZE).time
    return time / (BETA / len(dims))


@pytest.mark.parametrize(
    ("dims", "xi"),
    [
        ((4, 4), 0.9375), ((8, 8), 1.0781), ((16, 16), 1.1367),
        ((4, 4, 4), None), ((8, 8, 8), 1.0254), ((4, 4, 4, 4), None),
    ],
)  # fmt: skip
def test_swing_congestion_on_real_tori(dims: tuple[int, ...], xi: float | None) -> None:
    """Ξ = Σ_s δ(σ(s)) / 2^(s+1), as routing finds it (Swing, Table 2)."""
    depth = len(dims)
    steps = int(sum(log2(n) for n in dims))
    closed = sum(
        (2 ** (s // depth + 1) + (-1) ** (s // depth)) / 3 / 2 ** (s + 1) for s in range(steps)
    )
    assert deficiency("swing", *dims) == pytest.approx(closed, rel=1e-9)
    if xi is not None:
        assert closed == pytest.approx(xi, abs=5e-5)
    schedule = find_algorithm("all_reduce", "swing")(team_of(torus(*dims)))
    assert schedule.step_count == 2 * steps  # Λ = 2


@pytest.mark.parametrize("dims", [(4, 4), (3, 5), (8, 8), (4, 4, 4), (3, 4, 5)])
def test_rings_and_buckets_use_every_link(dims: tuple[int, ...]) -> None:
    """Ψ = Ξ = 1, but for the (p - 1)/p of the rank's own part; Λ is in the steps."""
    p = 1
    for n in dims:
        p *= n
    assert deficiency("multi_ring", *dims) == pytest.approx(rest(p), rel=1e-9)
    rings = find_algorithm("all_reduce", "multi_ring")(team_of(torus(*dims)))
    assert rings.step_count == 2 * (p - 1)
    if len(set(dims)) == 1:
        assert deficiency("bucket", *dims) == pytest.approx(rest(p), rel=1e-9)
        bucket = find_algorithm("all_reduce", "bucket")(team_of(torus(*dims)))
        assert bucket.step_count == 2 * sum(n - 1 for n in dims)


@pytest.mark.parametrize(("dims", "ratio"), [((16, 16), 1.5), ((8, 8, 8), 7 / 6)])
def test_recursive_doubling_on_tori(dims: tuple[int, ...], ratio: float) -> None:
    """Ψ = 2D on one port at a time, Ξ = (2^D - 1)/(2^D - 2) for many ranks.

    A partner half way round a ring is as near on either side, and ECMP uses both, so that the
    last exchange of a dimension costs half of what one-way routing makes it.
    """
    depth = len(dims)
    found = deficiency("torus_doubling", *dims) / (2 * depth)
    assert found == pytest.approx(ratio, rel=0.13)
    assert found <= ratio


def test_bidirectional_ring_on_a_ring() -> None:
    """Both directions of every link carry half: (p-1)/p · S/b."""
    machine = torus(9)
    schedule = find_algorithm("all_reduce", "bidirectional_ring")(team_of(machine))
    time = plan(machine, schedule, alpha=ALPHA, message=0.0).cost(SIZE).time
    assert time == pytest.approx(16 * ALPHA + 8 / 9 * BETA)
