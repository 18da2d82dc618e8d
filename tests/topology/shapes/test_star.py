"""A single switch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import LINK, carries_everywhere, degrees, diameter, valid
from topology import SupernodeError


@given(n=st.integers(1, 40), lanes=st.integers(1, 4))
def test_star(n: int, lanes: int) -> None:
    shape = topology.star(n, link="nvlink5", lanes=lanes)
    valid(shape)
    assert degrees(shape, "switch") == {n: 1}
    assert degrees(shape) == {1: n}
    assert diameter(shape) == (2 if n > 1 else 0)
    assert {d["capacity"] for _, _, d in shape.graph.edges(data=True)} == {lanes * 50e9}
    assert not any(shape.graph.nodes[npu]["forwards"] for npu in shape.npus)

    def turn(node: str) -> str:
        kind, at = node.split("/")
        return f"npu/{(int(at) + 1) % n}" if kind == "npu" else node

    assert carries_everywhere(shape, [turn])


@pytest.mark.parametrize("npus", [0, -1, 2.0, True, "8", None])
def test_bad_size(npus: object) -> None:
    with pytest.raises(SupernodeError, match="star: npus is"):
        topology.star(npus, link=LINK)


def test_bad_lanes() -> None:
    with pytest.raises(SupernodeError, match="star: lanes is 0"):
        topology.star(4, link=LINK, lanes=0)
