"""Machines without tiers stand in their own coordinates, with every link to be seen."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

import topology
from tests.pictures import check_texts, words
from topology import Supernode
from topology.drawing import MOST_GLYPHS, arrange, describe, draw
from topology.drawing.layout import HEIGHT, LEFT, RIGHT
from topology.drawing.paths import bow, ring_axes
from topology.units import GB

LINK = 50 * GB


def dragonfly(groups: int, routers: int, npus: int) -> Supernode:
    """Return groups of fully linked routers, a global link between any two groups."""
    graph = nx.Graph()
    for g in range(groups):
        for r in range(routers):
            graph.add_node(f"router/{g}/{r}", kind="switch", group=g, tier=1)
            for k in range(npus):
                graph.add_node(f"npu/{g}/{r}/{k}", kind="npu", tier=0)
                graph.add_edge(f"npu/{g}/{r}/{k}", f"router/{g}/{r}", capacity=LINK)
            for q in range(r):
                graph.add_edge(f"router/{g}/{r}", f"router/{g}/{q}", capacity=LINK)
        for other in range(g):
            ends = (f"router/{g}/{other % routers}", f"router/{other}/{(g - 1) % routers}")
            graph.add_edge(*ends, capacity=LINK, medium="optical")
    return topology.from_networkx(graph, name="dragonfly")


def bare_grid(rows: int, columns: int) -> Supernode:
    graph = nx.grid_2d_graph(rows, columns)
    nx.set_edge_attributes(graph, LINK, "capacity")
    return topology.from_networkx(graph, npus=list(graph))


MACHINES = {
    "ring": topology.ring(8, link=LINK),
    "line": topology.line(6, link=LINK),
    "full mesh": topology.full_mesh(8, link=LINK),
    "torus 4x4": topology.torus((4, 4), link=LINK),
    "torus 8x8": topology.torus((8, 8), link=LINK),
    "torus 4x4x4": topology.torus((4, 4, 4), link=LINK),
    "torus 16x16": topology.torus((16, 16), link=LINK),
    "torus 8x16x16": topology.torus((8, 16, 16), link=LINK),
    "twisted": topology.twisted_torus((4, 8), twists={(0, 1): 2}, link=LINK),
    "cube": topology.hypercube(3, link=LINK),
    "hypercube": topology.hypercube(5, link=LINK),
    "hyperx": topology.hyperx((4, 4), link=LINK),
    "petersen": topology.petersen(link=LINK),
    "bare grid": bare_grid(5, 6),
    "dragonfly": dragonfly(9, 4, 2),
    "small dragonfly": dragonfly(4, 3, 1),
    "large dragonfly": dragonfly(33, 8, 4),
}
SMALL = [name for name, machine in MACHINES.items() if len(machine.graph) <= 32]


@pytest.fixture(params=list(MACHINES), scope="module")
def machine(request: pytest.FixtureRequest) -> Supernode:
    return MACHINES[request.param]


def test_every_device_is_in_one_glyph_and_glyphs_are_few(machine: Supernode) -> None:
    glyphs = arrange(machine).glyphs
    members = np.concatenate([glyph.members for glyph in glyphs])
    assert sorted(members.tolist()) == list(range(len(machine.graph)))
    assert len(glyphs) <= 1.2 * MOST_GLYPHS


def test_boxes_are_on_the_page_and_apart(machine: Supernode) -> None:
    boxes = arrange(machine).boxes
    for box in boxes:
        assert np.isfinite([box.x, box.y]).all()
        assert LEFT - 0.3 < box.left < box.left + box.width < RIGHT + 0.3
        assert 0.3 < box.bottom < box.top < HEIGHT - 0.6
    for a, b in combinations(boxes, 2):
        across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
        down = min(a.top, b.top) - max(a.bottom, b.bottom)
        assert across <= 1e-9 or down <= 1e-9


@pytest.mark.parametrize("name", SMALL)
def test_up_to_32_devices_every_device_and_link_is_drawn(name: str) -> None:
    machine = MACHINES[name]
    picture = describe(machine)
    assert all(len(glyph.members) == 1 for glyph in picture.glyphs)
    assert len(picture.bundles) == machine.graph.number_of_edges() // 2
    assert all(lines for lines in picture.lines)


def test_texts_are_inside_and_apart(machine: Supernode) -> None:
    check_texts(draw(machine, utilisation=np.linspace(0, 1, len(machine.fabric.tail)))[0])


def test_all_lines_are_on_the_page(machine: Supernode) -> None:
    for lines in describe(machine).lines:
        for line in lines:
            points = np.array(line)
            assert np.isfinite(points).all()
            assert (points[:, 0] > 0).all()
            assert (points[:, 0] < RIGHT + 0.5).all()
            assert (points[:, 1] > 0.3).all()
            assert (points[:, 1] < HEIGHT - 0.55).all()


def test_a_torus_stands_on_its_grid() -> None:
    picture = describe(MACHINES["torus 8x8"])
    spot = {g.label: b for g, b in zip(picture.glyphs, picture.boxes, strict=True)}
    for rank in range(64):
        row, column = divmod(rank, 8)
        assert spot[f"npu/{rank}"].x == pytest.approx(spot[f"npu/{column}"].x)
        assert spot[f"npu/{rank}"].y == pytest.approx(spot[f"npu/{8 * row}"].y)


def test_links_that_go_round_are_two_stubs_and_others_one_line() -> None:
    picture = describe(MACHINES["torus 8x8"])
    counts = [len(lines) for lines in picture.lines]
    assert counts.count(2) == 16
    assert counts.count(1) == 112
    assert "stubs at the edge" in words(draw(MACHINES["torus 8x8"])[0])


def test_a_mesh_has_no_stubs_and_a_hyperx_curves() -> None:
    mesh = describe(topology.mesh((4, 5), link=LINK))
    assert {len(lines) for lines in mesh.lines} == {1}
    assert ring_axes(MACHINES_ARRANGED["hyperx"], describe(MACHINES["hyperx"]).bundles) == ()
    curved = [line for lines in describe(MACHINES["hyperx"]).lines for line in lines]
    assert sum(len(line) > 2 for line in curved) == 24


MACHINES_ARRANGED = {name: arrange(machine) for name, machine in MACHINES.items()}


def test_twisted_links_say_where_they_come_out() -> None:
    said = words(draw(MACHINES["twisted"])[0]).splitlines()
    assert said.count("30") == 2  # the vertex itself, and the stub of vertex 0


def test_a_grid_is_known_by_its_ids_alone() -> None:
    arrangement = MACHINES_ARRANGED["bare grid"]
    assert arrangement.shape == "grid"
    assert arrangement.sizes == (5, 6)


def test_a_large_torus_is_a_small_torus_of_blocks() -> None:
    arrangement = MACHINES_ARRANGED["torus 16x16"]
    assert arrangement.sizes == (8, 8)
    assert {len(glyph.members) for glyph in arrangement.glyphs} == {4}


def test_a_dragonfly_is_a_circle_of_named_groups() -> None:
    arrangement = MACHINES_ARRANGED["dragonfly"]
    assert arrangement.shape == "circle"
    assert [name for _, _, name in arrangement.notes] == [f"group {k}" for k in range(9)]


@pytest.mark.parametrize(("first", "second"), [("ring", "ring"), ("torus 8x8", "torus 8x8")])
def test_it_is_the_same_every_time(first: str, second: str) -> None:
    assert describe(MACHINES[first]).lines == describe(MACHINES[second]).lines


def test_a_tiered_machine_stays_tiered() -> None:
    assert arrange(topology.cloudmatrix384()).shape == "tiers"
    assert arrange(topology.dgx_h100(nodes=4)).shape == "tiers"


def test_a_bow_keeps_its_ends_and_its_rise() -> None:
    line = np.array(bow((0.0, 0.0), (2.0, 0.0), 0.5))
    assert line[0] == pytest.approx([0, 0])
    assert line[-1] == pytest.approx([2, 0])
    assert line[:, 1].max() == pytest.approx(0.5)
