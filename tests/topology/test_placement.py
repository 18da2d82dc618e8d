"""Placement: lengths follow from racks and slots, and media from lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology import Builder, LinkType, metrics
from topology.errors import GraphError
from topology.placement import Floor, Place, choose_link, placed_links

places = st.builds(Place, st.integers(0, 60), st.integers(0, 47))
copper = LinkType(capacity=1e9, name="short", reach=1, propagation=5e-9)
cable = LinkType(capacity=1e9, name="cable", reach=3, propagation=5e-9)
fibre = LinkType(capacity=1e9, name="fibre", medium="optical", reach=50, modules=2)


@given(places, places, places)
def test_lengths_are_a_metric_with_slack(a, b, c):
    floor = Floor()
    assert floor.length(a, b) == pytest.approx(floor.length(b, a))
    assert floor.length(a, a) == floor.slack
    assert floor.length(a, c) <= floor.length(a, b) + floor.length(b, c) + 1e-9


def test_lengths_by_hand():
    floor = Floor(racks_per_row=4, rack_pitch=1, row_pitch=3, slots=10, slot_pitch=0.1, tray=0.5)
    assert floor.length(Place(0, 2), Place(0, 9)) == pytest.approx(0.7 + 0.5)
    assert floor.length(Place(0, 0), Place(2, 0)) == pytest.approx(1.5 + 1.5 + 2 + 0.5)
    assert floor.length(Place(1, 5), Place(6, 5)) == pytest.approx(1 + 1 + 1 + 3 + 0.5)


@given(st.floats(0, 50), st.permutations([copper, cable, fibre]))
def test_the_medium_follows_from_the_length(length, candidates):
    best = "short" if length <= 1 else "cable" if length <= 3 else "fibre"
    chosen = choose_link(length, candidates)
    assert (chosen.name, chosen.length) == (best, length)
    assert chosen.link().length == length


def test_copper_goes_before_fibre_of_a_shorter_reach():
    near = LinkType(capacity=1e9, name="near", medium="optical", reach=2)
    assert choose_link(1.5, [near, cable]).name == "cable"
    assert choose_link(1.5, [near, fibre]).name == "near"


def test_beyond_every_reach_is_refused_with_the_reaches():
    with pytest.raises(GraphError, match="reaches 4 m; reaches: short 1 m, cable 3 m"):
        choose_link(4, [copper, cable])
    with pytest.raises(GraphError, match="a to b: no link type reaches"):
        placed_links([("a", "b")], {"a": Place(0), "b": Place(9)}, [copper])
    with pytest.raises(GraphError, match="a to b: b has no place"):
        placed_links([("a", "b")], {"a": Place(0)}, [copper])


def test_a_copper_link_longer_than_its_reach_cannot_be_built():
    builder = Builder()
    names = builder.add_nodes(["npu/0", "npu/1"], kind="npu", tier=0)
    with pytest.raises(GraphError, match="length of 2 m is beyond its reach of 1 m"):
        builder.connect([tuple(names)], copper.at(2))


def test_racks_of_a_row_get_copper_inside_and_fibre_between():
    builder = Builder()
    racks = [i // 4 for i in range(8)]
    names = builder.add_nodes([f"npu/{i}" for i in range(8)], kind="npu", tier=0, rack=racks)
    where = {
        name: Place(rack, i % 4) for i, (name, rack) in enumerate(zip(names, racks, strict=True))
    }
    ends = [(u, v) for u in names for v in names if u < v]
    for kind, pairs in placed_links(ends, where, [copper, fibre]).items():
        builder.connect(pairs, kind)
    machine = builder.build("two-racks", names)
    assert metrics.link_counts(machine) == (12, 16)
    assert metrics.optics(machine) == 32
    lengths = {data["link"].length for *_, data in machine.graph.edges(data=True)}
    assert len(lengths) > 4


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"slots": 0}, "slots is 0"), ({"tray": -1}, "tray is -1"), ({"slack": "x"}, "slack is 'x'")],
)
def test_a_bad_floor_is_refused(fields, said):
    with pytest.raises(GraphError, match=said):
        Floor(**fields)
    with pytest.raises(GraphError, match="no slot 48 in rack 0"):
        Floor().length(Place(0, 48), Place(1))
