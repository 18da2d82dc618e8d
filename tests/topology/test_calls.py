"""Public calls name the argument whose type cannot be right."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

import collectives
import topology
from topology import faults, formats, metrics, routing
from topology.calls import ArgumentError, _kinds
from topology.errors import SupernodeError

STAR = topology.star(3, link=1e9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: topology.girth("x"), "girth: supernode is 'x'; it must be of type Supernode"),
        (lambda: collectives.compare(5), "compare: supernodes is 5"),
        (lambda: collectives.compare([5]), "compare: supernodes is [5]"),
        (lambda: collectives.compare([STAR], progress=1), "compare: progress is 1"),
        (lambda: collectives.verify(None), "verify: schedule is None"),
        (lambda: topology.parse_spec(None), "parse_spec: text is None; it must be of type str"),
        (lambda: collectives.bound(STAR, "all_gather", relay="so"), "bound: relay is 'so'"),
        (lambda: faults.fail(STAR, "x"), "fail: units is 'x'"),
    ],
)
def test_the_argument_is_named(call: Callable[[], object], said: str) -> None:
    with pytest.raises(SupernodeError) as told:
        call()
    assert said in str(told.value)


def test_a_wrong_type_is_a_type_error_too() -> None:
    with pytest.raises(TypeError, match="girth: supernode is 5"):
        topology.girth(5)
    assert issubclass(ArgumentError, SupernodeError)


def test_words_for_truth_are_read() -> None:
    kept = collectives.bound(STAR, "all_gather", relay="no")
    assert kept.algbw == collectives.bound(STAR, "all_gather", relay=False).algbw


def test_every_public_function_is_looked_at_and_can_be_pickled() -> None:
    for room in (topology, metrics, routing, faults, formats, collectives):
        for function in vars(room).values():
            if hasattr(function, "__wrapped__"):
                _kinds(function.__wrapped__)  # annotations that cannot be read would raise
                assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301
