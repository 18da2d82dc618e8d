"""The tiered drawing: every device in one glyph, every link in one bundle, every text legible."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import topology
from tests.pictures import check_texts, words
from tests.topology.systems.machines import small
from topology import Supernode, SupernodeError
from topology.drawing import (
    MOST_GLYPHS,
    STYLES,
    Picture,
    describe,
    draw,
    draw_style,
    gather,
    save,
)
from topology.drawing.bundles import owners
from topology.drawing.grouping import DRAWN_WHOLE
from topology.drawing.layout import HEIGHT, WIDTH
from topology.units import GB

CM = topology.cloudmatrix384()
MACHINES = {
    "cloudmatrix384": CM,
    "dies and scale-out": topology.cloudmatrix384(ranks="die", scale_out=True),
    "damaged": CM.without(nodes=[f"l2/0/{j}" for j in range(8)] + ["l1/5/3"]),
    "nvl72": topology.gb200_nvl72(),
    "dgx, one node": topology.dgx_h100(nodes=1),
    "dgx, 16 nodes": topology.dgx_h100(nodes=16),
    "dgx, 100 nodes": topology.dgx_h100(nodes=100),
    "star": topology.star(100, link=50 * GB),
}


@pytest.fixture(params=list(MACHINES), scope="module")
def machine(request: pytest.FixtureRequest) -> Supernode:
    return MACHINES[request.param]


def _lines(figure: Figure) -> dict[str, LineCollection]:
    return {
        str(item.get_gid()): item
        for ax in figure.axes
        for item in ax.collections
        if isinstance(item, LineCollection)
    }


class TestGather:
    def test_every_device_is_in_one_glyph(self, machine: Supernode) -> None:
        members = np.concatenate([glyph.members for glyph in gather(machine)])
        assert sorted(members.tolist()) == list(range(len(machine.graph)))

    def test_there_are_at_most_sixty(self, machine: Supernode) -> None:
        assert len(gather(machine)) <= MOST_GLYPHS

    def test_more_room_never_means_fewer_glyphs(self, machine: Supernode) -> None:
        room = [8, 16, 40, 60, 120, 2000]
        glyphs = [len(gather(machine, most)) for most in room]
        assert glyphs == sorted(glyphs)
        for most, count in zip(room, glyphs, strict=True):
            assert count <= most or len(machine.graph) <= DRAWN_WHOLE

    def test_up_to_32_devices_are_drawn_one_by_one(self) -> None:
        small = topology.dgx_h100(nodes=1)
        assert all(len(glyph.members) == 1 for glyph in gather(small, 4))

    def test_cloudmatrix384_is_racks_under_planes(self) -> None:
        said = {(g.word, g.by, len(g.members)) for g in gather(CM)}
        assert said == {
            ("NPU", "rack", 32),
            ("CPU", "rack", 16),
            ("L1", "rack", 28),
            ("L2", "plane", 16),
        }

    def test_a_glyph_holds_devices_of_one_place(self) -> None:
        for glyph in gather(CM):
            data = [CM.graph.nodes[CM.fabric.nodes[i]] for i in glyph.members.tolist()]
            assert len({row[glyph.by] for row in data}) == 1
            assert glyph.label == f"{glyph.by} {data[0][glyph.by]}"

    def test_a_graph_without_attributes_is_gathered_too(self) -> None:
        graph = nx.random_regular_graph(3, 500, seed=1)
        nx.set_edge_attributes(graph, 1.0, "capacity")
        bare = topology.from_networkx(graph, npus=list(range(0, 500, 2)))
        assert len(gather(bare)) <= MOST_GLYPHS


class TestBundles:
    def test_capacity_and_counts_add_up_to_the_graph(self, machine: Supernode) -> None:
        fabric = machine.fabric
        picture = describe(machine)
        owner = owners(fabric, picture.glyphs)
        expected: dict[tuple[int, int, str], list[float]] = {}
        for arc in range(len(fabric.tail)):
            ends = sorted((int(owner[fabric.tail[arc]]), int(owner[fabric.head[arc]])))
            medium = fabric.links[fabric.link[arc]].medium
            expected.setdefault((*ends, medium), []).append(float(fabric.capacity[arc]))
        assert len(picture.bundles) == len(expected)
        for item in picture.bundles:
            each = expected[item.low, item.high, item.medium]
            assert item.links * 2 == len(each)
            assert item.capacity == pytest.approx(sum(each) / 2)
            assert item.each == (min(each), max(each))
        assert 2 * sum(item.links for item in picture.bundles) == len(fabric.tail)
        assert sum(cls.links for cls in picture.classes) * 2 == len(fabric.tail)

    def test_one_way_links_count_once(self) -> None:
        graph = nx.DiGraph()
        for u, v in [("a", "s"), ("s", "b"), ("b", "s"), ("s", "a")]:
            graph.add_edge(u, v, capacity=1.0)
        whole = topology.from_networkx(graph, npus=["a", "b"])
        half = whole.without(links=[("s", "b")], both_directions=False)
        assert [item.links for item in describe(half).bundles] == [1, 1]

    def test_the_busiest_link_is_kept(self) -> None:
        used = np.linspace(0, 0.9, len(CM.fabric.tail))
        used[CM.fabric.arc("l1/7/2", "l2/2/9")] = 1.0
        (worst,) = describe(CM, utilisation=used).worst
        assert CM.fabric.arcs[worst.worst] == ("l1/7/2", "l2/2/9")
        assert worst.utilisation == 1.0

    @pytest.mark.parametrize(
        ("bad", "said"),
        [
            (np.zeros(3), "one number for each"),
            (np.full(len(CM.fabric.tail), np.nan), "finite"),
            (np.full(len(CM.fabric.tail), -1.0), "zero or more"),
        ],
    )
    def test_a_utilisation_that_does_not_fit_is_refused(self, bad: object, said: str) -> None:
        with pytest.raises(SupernodeError, match=said):
            draw(CM, utilisation=bad)


class TestLayout:
    def test_boxes_are_on_the_page_and_apart(self, machine: Supernode) -> None:
        boxes = describe(machine).boxes
        for box in boxes:
            assert np.isfinite([box.x, box.y, box.width, box.height]).all()
            assert box.width > 0
            assert 0 < box.left < box.left + box.width < WIDTH
            assert 0 < box.bottom < box.top < HEIGHT
        for a, b in combinations(boxes, 2):
            across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
            down = min(a.top, b.top) - max(a.bottom, b.bottom)
            assert across <= 1e-9 or down <= 1e-9

    def test_higher_tiers_stand_higher(self) -> None:
        picture = describe(CM)
        height = {g.word: b.y for g, b in zip(picture.glyphs, picture.boxes, strict=True)}
        assert height["NPU"] == height["CPU"] < height["L1"] < height["L2"]

    def test_what_is_in_one_rack_stands_in_one_column(self) -> None:
        picture = describe(CM)
        place = {(g.word, g.label): b for g, b in zip(picture.glyphs, picture.boxes, strict=True)}
        for rack in range(12):
            upper, lower = place["L1", f"rack {rack}"], place["NPU", f"rack {rack}"]
            assert upper.left <= lower.x <= upper.left + upper.width

    def test_it_is_the_same_every_time(self, machine: Supernode) -> None:
        assert describe(machine).boxes == describe(machine).boxes


class TestDraw:
    def test_texts_are_inside_and_apart(self, machine: Supernode) -> None:
        figure, _ = draw(machine, utilisation=np.linspace(0, 1, len(machine.fabric.tail)))
        check_texts(figure)

    @pytest.mark.parametrize("style", list(STYLES))
    def test_every_style_draws(self, style: str) -> None:
        figure, _ = draw(CM, style=style)
        check_texts(figure)
        assert figure.get_facecolor() == pytest.approx(
            (*(int(draw_style(style).paper[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0)
        )

    def test_a_line_for_every_bundle(self, machine: Supernode) -> None:
        figure, _ = draw(machine)
        check_texts(figure)
        drawn = sum(len(item.get_segments()) for item in _lines(figure).values())
        assert drawn == sum(item.low != item.high for item in describe(machine).bundles)

    def test_media_differ_by_line_style_too(self) -> None:
        lines = _lines(draw(CM)[0])
        patterns = {name: item.get_linestyles()[0][1] for name, item in lines.items()}
        assert patterns["bundles-copper"] is None or not patterns["bundles-copper"]
        assert patterns["bundles-optical"]

    def test_wider_bundles_are_thicker(self) -> None:
        picture, lines = describe(CM), _lines(draw(CM)[0])["bundles-copper"]
        copper = [b.capacity for b in picture.bundles if b.medium == "copper"]
        widths = lines.get_linewidths()
        assert (
            np.argsort(copper, kind="stable").tolist() == np.argsort(widths, kind="stable").tolist()
        )
        assert max(widths) > 1.5 * min(widths)

    def test_the_worst_bundle_is_darkest_and_named(self) -> None:
        used = np.full(len(CM.fabric.tail), 0.4)
        used[CM.fabric.arc("l2/2/9", "l1/7/2")] = 0.97
        figure, _ = draw(CM, utilisation=used)
        assert "l2/2/9 → l1/7/2: 97 %" in words(figure)
        colours = _lines(figure)["bundles-optical"].get_colors()
        darkest = min(colours, key=lambda c: float(c[:3].sum()))
        assert tuple(darkest) == pytest.approx(draw_style("light").shade(0.97))

    def test_where_all_links_are_equal_the_class_is_named(self) -> None:
        used = np.zeros(len(CM.fabric.tail))
        (up,) = [c for c in CM.fabric.classes if c.name == "NPU→L1"]
        used[up.arcs] = 1.0
        said = words(draw(CM, utilisation=used)[0])
        assert "NPU–L1: 100 %" in said
        assert said.count("this limits") == 1

    def test_title_and_counts_are_written(self) -> None:
        said = words(draw(CM)[0])
        assert "384 NPUs joined by 4,032 copper and 5,376 optical links" in said
        for part in ("NPU–L1: 2,688 links", "L1–L2: 5,376 links", "56 GB/s", "28 GB/s"):
            assert part in said

    def test_given_axes_are_used(self) -> None:
        figure = Figure(figsize=(6, 4))
        mine = figure.add_subplot()
        same, ax = draw(CM, mine)
        assert same is figure
        assert ax is mine
        check_texts(figure)

    def test_the_ramp_reads_in_grey(self) -> None:
        for style in STYLES.values():
            shades = np.array([style.shade(x)[:3] for x in np.linspace(0, 1, 50)])
            light = np.diff(shades @ [0.2126, 0.7152, 0.0722])
            assert (light < 0).all() or (light > 0).all()


class TestSave:
    def test_the_same_picture_is_the_same_file(self, tmp_path: object) -> None:
        files = []
        for name in ("one.svg", "two.svg"):
            path = tmp_path / name  # type: ignore[operator]
            files.append(save(draw(topology.gb200_nvl72())[0], path).read_bytes())
        assert files[0] == files[1]
        assert b"<dc:date>" not in files[0]

    @pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
    def test_every_format_is_written(self, tmp_path: object, kind: str) -> None:
        path = save(draw(topology.dgx_h100(nodes=1))[0], tmp_path / f"a.{kind}")  # type: ignore[operator]
        starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
        assert path.read_bytes().startswith(starts[kind])

    @pytest.mark.parametrize("name", ["a.jpg", "a", "nowhere/a.png"])
    def test_what_cannot_be_written_is_said(self, tmp_path: object, name: str) -> None:
        with pytest.raises(SupernodeError, match=r"written as one of|cannot be written"):
            save(Figure(), tmp_path / name)  # type: ignore[operator]


def test_unknown_style_lists_the_known() -> None:
    with pytest.raises(SupernodeError, match=r"did you mean light"):
        draw_style("lihgt")


def test_a_picture_knows_its_peak() -> None:
    picture = describe(CM)
    assert isinstance(picture, Picture)
    assert picture.peak == 0.0
    assert picture.worst == ()


@pytest.mark.parametrize("name", topology.system_names())
def test_every_catalogue_machine_is_legible(name: str) -> None:
    machine = small(name)
    figure, _ = draw(machine)
    check_texts(figure)
    boxes = describe(machine).boxes
    for a, b in combinations(boxes, 2):
        across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
        down = min(a.top, b.top) - max(a.bottom, b.bottom)
        assert across <= 1e-9 or down <= 1e-9


def test_a_class_whose_links_differ_prints_a_range() -> None:
    said = words(draw(topology.dgx_h100(nodes=2))[0])
    assert "100 GB/s to 125 GB/s each" in said
