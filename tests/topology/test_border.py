"""Whatever comes in is returned in its plain type or refused by a message that names it."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from topology import border, files
from topology.errors import GraphError, SupernodeError, shown, unknown_name
from topology.units import parse_size

HUGE = 10**5000
ODD: list[Any] = [
    None, "", "x", "²", "\0", b"1", [], {}, {1}, object(), range(3), math.nan, math.inf,
    -math.inf, HUGE, -HUGE, 10**400, 1.5, -1, True, np.bool_(1), 1j, Fraction(10**400),
]  # fmt: skip
CHECKS: list[Callable[[Any, str], object]] = [
    border.number, border.whole, border.flag, border.word, border.size, border.probability,
    border.seed, border.ordered, files.path,
    lambda value, what: border.choice(value, what, ("a", "b")),
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_a_check_returns_a_value_or_names_what_is_wrong(
    check: Callable[[Any, str], object], value: object
) -> None:
    for fault in border.faults_of(check, value, "the thing"):
        assert "the thing" in fault or "size" in fault
        assert len(fault) < 200


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_only_finite_numbers_are_numbers(value: object) -> None:
    if value in (1.5, -1) and not isinstance(value, bool):
        assert border.number(value, "it", least=-2) == value
    else:
        with pytest.raises(GraphError, match=r"it is .*; it must be a finite number"):
            border.number(value, "it", least=-2)


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3)])
def test_whole_numbers_of_numpy_become_plain(value: object) -> None:
    assert type(border.whole(value, "n")) is int
    assert type(border.number(value, "n")) is float


@pytest.mark.parametrize(("limits", "good", "bad"), [
    ({"least": 1}, [1, 2.5], [0.999]),
    ({"above": 0.0}, [1e-30], [0, -1, 5e-324]),
    ({"above": 0.0, "most": 1.0}, [1], [0, 1.001]),
    ({"most": 1.0}, [0, 1], [-0.1, 2]),
])  # fmt: skip
def test_limits(limits: dict[str, float], good: list[float], bad: list[float]) -> None:
    assert [border.number(value, "x", **limits) for value in good] == good
    for value in bad:
        with pytest.raises(GraphError, match="x is"):
            border.number(value, "x", **limits)


def test_yes_no_true_and_false_are_read_and_nothing_else() -> None:
    assert [border.flag(text, "f") for text in ("yes", "No", "true", "FALSE")] == [1, 0, 1, 0]
    for other in ("1", "on", 1, 0, None, []):
        with pytest.raises(GraphError, match=r"f is .*; it must be true or false"):
            border.flag(other, "f")


def test_ranks_are_read_in_order_and_never_by_the_million() -> None:
    assert border.rank_numbers("8,0-3") == [8, 0, 1, 2, 3]
    for text in ("0-99999999999", "²", "3-1", "-1", "", "0-" + "9" * 5000, "1.5", "0x1"):
        with pytest.raises(SupernodeError, match="ranks"):
            border.rank_numbers(text)
    with pytest.raises(SupernodeError, match="beyond rank 7"):
        border.rank_numbers("8", 8)


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    for read in (border.rank_numbers, parse_size, lambda t: border.counts(t, "n"),
                 lambda t: files.read_json(t, "it"), files.read_text):  # fmt: skip
        try:
            read(text)
        except SupernodeError:
            continue
    assert not isinstance(border.plain_value(text), list)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for file in (tmp_path, tmp_path / "absent", tmp_path / "bytes", "a\0b", "", None, "x" * 5000):
        with pytest.raises(SupernodeError):
            files.read_text(file)
    with pytest.raises(SupernodeError, match="cannot be written"):
        files.write_text(tmp_path, "text")


def test_deep_and_long_json_is_refused() -> None:
    for text in ("[" * 100_000, "9" * 5000, '{"a":' * 50_000):
        with pytest.raises(SupernodeError, match="it"):
            files.read_json(text, "it")


def test_the_budget_is_kept_and_lifted() -> None:
    border.afford("it", border.MOST_NODES, border.MOST_LINKS)
    for most in ((border.MOST_NODES + 1, 0), (1, border.MOST_LINKS + 1), (HUGE, HUGE)):
        with pytest.raises(GraphError, match=r"it has .*--large"):
            border.afford("it", *most)
    with border.budget():
        border.afford("it", HUGE, HUGE)
        with border.budget(nodes=10), pytest.raises(GraphError, match="up to 10"):
            border.afford("it", 11)
        border.afford("it", HUGE)


def test_what_cannot_be_printed_is_still_shown() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert all(len(shown(value)) <= 60 for value in (HUGE, loop, "x" * 10**6, [HUGE]))
    assert "did you mean star" in str(unknown_name("shape", "sta", ["star", "ring"]))


HUGE_MACHINES: list[Callable[[], object]] = [
    lambda: topology.dgx_h100(10**6), lambda: topology.bcube(10**5, link=1e9),
    lambda: topology.bcube(2, 10**8, link=1e9), lambda: topology.torus((1000,) * 3, link=1e9),
    lambda: topology.full_mesh(10**6, link=1e9), lambda: topology.line(10**9, link=1e9),
    lambda: topology.hyperx((3, 3), npus_per_switch=10**8, link=1e9),
    lambda: topology.fat_tree(10**8, link=1e9), lambda: topology.dragonfly(1000, link=1e9),
    lambda: topology.xgft((10, 10), (10**6, 10**6), link=1e9),
    lambda: topology.dragonfly_plus(1000, link=1e9), lambda: topology.slim_fly(9973, link=1e9),
    lambda: topology.de_bruijn(10, 10**8, link=1e9), lambda: topology.hypercube(24, link=1e9),
    lambda: topology.generalised_kautz(10**5, 10**6, link=1e9),
    lambda: topology.random_regular(10**6, 1000, link=1e9),
    lambda: topology.rail_only(10**6, link=1e9, rail_link=1e9),
    lambda: topology.rail_optimised(10, 10**6, link=1e9, rail_link=1e9, inside="mesh"),
    lambda: topology.hamming_mesh((1000, 1000), (1000, 1000), link=1e9),
    lambda: topology.complete_bipartite(10**6, link=1e9), lambda: topology.star(10**9, link=1e9),
    lambda: topology.circulant(10**9, [1], link=1e9),
    lambda: topology.compose(topology.star(1000, link=1e9), 10**5, scale_out=1e9),
    lambda: topology.parse_spec("[nodes.npu]\ncount = 1000000000"),
    lambda: topology.parse_spec("[nodes.npu]\nshape = { x = 100000, y = 100000 }"),
]  # fmt: skip


@pytest.mark.parametrize("build", HUGE_MACHINES, ids=range(len(HUGE_MACHINES)))
def test_what_is_too_large_is_refused_before_it_is_built(build: Callable[[], object]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SupernodeError, match=r"up to [18],000,000 are built, and --large"):
        build()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_what_grows_beyond_the_budget_while_it_is_built_is_refused() -> None:
    every = "[nodes.npu]\ncount = 100\n[[connect]]\nfrom = 'npu'\nlink = '50 GB/s'"
    with topology.budget(links=5000), pytest.raises(SupernodeError, match="up to 5,000"):
        topology.parse_spec(every)
    with topology.budget(links=10_000):
        assert topology.parse_spec(every).graph.number_of_edges() == 9900
    builder = topology.Builder()
    with topology.budget(nodes=3), pytest.raises(GraphError, match="4 nodes; up to 3"):
        builder.add_nodes((f"npu/{i}" for i in count()), kind="npu", tier=0)
