"""Sizes and factors are those of nccl-tests."""

from __future__ import annotations

import pytest

import collectives
from topology.errors import UnknownNameError


@pytest.mark.parametrize("n", [1, 2, 3, 8, 384])
def test_factors_are_those_of_nccl_tests(n: int) -> None:
    """NVIDIA nccl-tests, doc/PERFORMANCE.md."""
    factors = {
        "all_reduce": 2 * (n - 1) / n,
        "reduce_scatter": (n - 1) / n,
        "all_gather": (n - 1) / n,
        "all_to_all": (n - 1) / n,
        "broadcast": 1.0,
        "reduce": 1.0,
    }
    assert set(factors) <= set(collectives.collective_names())
    for name, factor in factors.items():
        assert collectives.collective(name).factor(n) == factor


def test_either_spelling_is_the_same() -> None:
    for name in ("all_to_all", "all-to-all", " All-To-All "):
        assert collectives.collective(name).name == "all_to_all"
    kind = collectives.collective("all_reduce")
    assert collectives.collective(kind) is kind
    assert kind.title == "all-reduce"


@pytest.mark.parametrize(
    ("name", "near"), [("all_to_al", "all_to_all"), ("allreduce", "all_reduce")]
)
def test_an_unknown_name_lists_the_near_ones(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean .*{near}"):
        collectives.collective(name)
