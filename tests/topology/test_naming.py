"""Ids sort as people count, and give tables their words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.naming import label, natural_key, natural_sort, node_id


def test_two_comes_before_ten() -> None:
    ids = ["npu/10", "npu/2", "l1/2/10", "l1/10/2", "l1/2/9", "npu/0"]
    assert natural_sort(ids) == ["l1/2/9", "l1/2/10", "l1/10/2", "npu/0", "npu/2", "npu/10"]


@given(st.lists(st.text("ab/0129", max_size=6)))
def test_any_ids_can_be_ordered_and_none_is_lost(ids: list[str]) -> None:
    found = natural_sort(ids)
    assert sorted(found) == sorted(ids)
    assert natural_sort(reversed(ids)) == found, "whatever order they come in"
    assert [natural_key(name) for name in found] == sorted(map(natural_key, ids))


@pytest.mark.parametrize(("node", "name"), [("a/1", "a/1"), (3, "3"), ((0, 1), "(0, 1)")])
def test_any_id_becomes_a_string(node: object, name: str) -> None:
    assert node_id(node) == name


@pytest.mark.parametrize(
    ("node", "kind", "word"),
    [
        ("npu/3", "npu", "NPU"),
        ("l1/0/6", "switch", "L1"),
        ("nvswitch/2", "switch", "NVSwitch"),
        ("leaf/0/1", "switch", "leaf"),
        ("17", "switch", "switch"),
        ("(0, 1)", "npu", "NPU"),
    ],
)
def test_a_node_is_called_by_its_prefix_or_kind(node: str, kind: str, word: str) -> None:
    assert label(node, kind) == word
