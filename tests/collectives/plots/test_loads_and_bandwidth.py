"""Plots of an analysis: the data behind them, the artists, and the words on them."""

from __future__ import annotations

from functools import cache

import networkx as nx
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

import collectives
import topology
from collectives import Analysis
from collectives.plots import bandwidth_curves, load_panels, plot_bandwidth, plot_loads
from collectives.plots.bandwidth import crossovers
from tests.pictures import check_texts, words
from topology import Supernode, SupernodeError
from topology.drawing import STYLES
from topology.units import GB, KiB, MiB

CM = topology.cloudmatrix384()
HURT = CM.without(nodes=[f"l2/0/{j}" for j in range(8)] + ["l1/5/3"])
MACHINES = {
    "cloudmatrix384": CM,
    "damaged": HURT,
    "nvl72": topology.gb200_nvl72(),
    "dgx": topology.dgx_h100(nodes=4),
    "star": topology.star(12, link=50 * GB),
    "torus": topology.torus((8, 8), link=50 * GB),
}


@cache
def analysed(name: str, kind: str = "all_to_all", algorithm: str = "direct") -> Analysis:
    return collectives.analyze(MACHINES[name], kind, 64 * MiB, algorithm=algorithm)


class TestLoadPanels:
    def test_cloudmatrix384_is_nodes_by_planes(self) -> None:
        panels = load_panels(analysed("cloudmatrix384"))
        assert [(p.name, p.medium, p.rows, p.columns) for p in panels] == [
            ("NPU–L1", "copper", "node", "plane"),
            ("CPU–L1", "copper", "node", "plane"),
            ("L1–L2", "optical", "node", "plane"),
        ]
        for panel in panels:
            assert panel.values.shape == (48, 7)
            assert panel.row_labels == tuple(map(str, range(48)))

    @pytest.mark.parametrize("name", list(MACHINES))
    def test_each_cell_is_its_busiest_link(self, name: str) -> None:
        analysis = analysed(name)
        for panel in load_panels(analysis):
            assert np.nanmax(panel.values) <= 1 + 1e-9
        peaks = {panel.name: panel.peak for panel in load_panels(analysis)}
        for row in analysis.links:
            one, two = row.name.split("→")
            ours = [v for k, v in peaks.items() if k.startswith((f"{one}–{two}", f"{two}–{one}"))]
            assert max(ours) >= row.utilisation - 1e-12
        assert max(peaks.values()) == pytest.approx(analysis.utilisation.max())

    def test_a_cell_by_hand(self) -> None:
        analysis = analysed("damaged")
        fabric, graph = HURT.fabric, HURT.graph
        (optics,) = [p for p in load_panels(analysis) if p.name == "L1–L2"]
        for node, plane in [(0, 0), (5, 0), (5, 1), (47, 6)]:
            chip = f"l1/{node}/{plane}"
            ends = [n for n in graph.successors(chip) if n.startswith("l2/")]
            arcs = [fabric.arc(chip, n) for n in ends] + [fabric.arc(n, chip) for n in ends]
            expected = analysis.utilisation[arcs].max()
            assert optics.values[node, plane] == pytest.approx(expected)

    def test_a_dead_switch_is_a_hole_and_a_bad_plane_a_stripe(self) -> None:
        panels = {p.name: p for p in load_panels(analysed("damaged"))}
        assert np.isnan(panels["NPU–L1"].values[5, 3])
        assert np.isnan(panels["L1–L2"].values[5, 3])
        values = np.delete(panels["L1–L2"].values, 5, axis=0)
        assert values[:, 0].min() > 1.5 * values[:, 1:].max()

    def test_a_torus_has_a_panel_for_each_dimension(self) -> None:
        hurt = MACHINES["torus"].degrade(links=[("npu/9", "npu/10")], factor=0.5)
        found = collectives.analyze(hurt, "all_to_all", MiB, algorithm="direct")
        down, across = load_panels(found)
        assert (down.name, across.name) == ("NPU–NPU, dimension 0", "NPU–NPU, dimension 1")
        assert down.values.shape == across.values.shape == (8, 8)
        assert np.argwhere(across.values == across.peak).tolist() == [[1, 1], [1, 2]]
        assert across.peak > down.peak

    def test_a_machine_without_attributes_has_panels(self) -> None:
        graph = nx.petersen_graph()
        nx.set_edge_attributes(graph, 1e9, "capacity")
        bare = topology.from_networkx(graph, npus=list(graph))
        found = collectives.analyze(bare, "all_to_all", 1 * MiB)
        (panel,) = load_panels(found)
        assert np.isfinite(panel.values).any()


class TestPlotLoads:
    @pytest.mark.parametrize("name", list(MACHINES))
    def test_texts_are_inside_and_apart(self, name: str) -> None:
        figure, ax = plot_loads(analysed(name))
        check_texts(figure)
        assert ax.figure is figure

    def test_one_scale_for_all_panels(self) -> None:
        _, ax = plot_loads(analysed("damaged"))
        meshes = [
            item
            for panel in ax.child_axes
            for item in panel.collections
            if isinstance(item, QuadMesh) and panel.get_ylabel()
        ]
        named = [mesh for mesh in meshes if mesh.axes.get_ylabel() == "node"]
        assert len(named) == 2
        assert {mesh.get_clim() for mesh in named} == {(0, 100)}

    def test_it_says_what_limits_and_what_was_asked(self) -> None:
        said = words(plot_loads(analysed("cloudmatrix384"))[0]).replace("\n", " ")
        assert analysed("cloudmatrix384").bottleneck.sentence[1:] in said
        for part in ("64 MiB", "384 ranks", "cloudmatrix384", "ECMP", "idle: CPU–L1", "%"):
            assert part in said

    @pytest.mark.parametrize("style", list(STYLES))
    def test_styles(self, style: str) -> None:
        check_texts(plot_loads(analysed("star"), style=style)[0])


class TestBandwidthCurves:
    def test_points_are_analyses(self) -> None:
        analysis = analysed("cloudmatrix384", "all_reduce", "ring")
        sizes = [2.0**k for k in (12, 20, 28)]
        (curve,) = bandwidth_curves(analysis, sizes)
        for size, busbw in zip(sizes, curve.busbw, strict=True):
            again = collectives.analyze(CM, "all_reduce", size, algorithm="ring")
            assert busbw == pytest.approx(again.busbw)

    @pytest.mark.parametrize("name", list(MACHINES))
    def test_no_line_is_above_its_bound(self, name: str) -> None:
        (curve,) = bandwidth_curves(analysed(name))
        assert (curve.busbw <= curve.bound * (1 + 1e-9)).all()
        assert (np.diff(curve.busbw) >= -1e-9 * curve.peak).all()

    def test_groups_have_the_factor_of_the_largest_group(self) -> None:
        machine = MACHINES["dgx"]
        teams = collectives.groups(machine, tp=4)["tp"]
        found = collectives.analyze_groups(machine, "all_to_all", 64 * MiB, teams)
        (curve,) = bandwidth_curves(found, [MiB, 64 * MiB])
        assert curve.busbw[-1] == pytest.approx(found.busbw)
        assert (curve.busbw <= curve.bound * (1 + 1e-9)).all()

    def test_half_size_of_a_straight_law_is_alpha_over_beta(self) -> None:
        """T = α + S/β reaches half of β at S = α β."""
        star = topology.star(4, link=100 * GB)
        found = collectives.analyze(star, "all_gather", MiB, algorithm="direct", alpha=1e-6)
        sizes = np.geomspace(1e2, 1e12, 2001)
        (curve,) = bandwidth_curves(found, sizes)
        spb = found.cost.latency.serialisation / found.size
        assert curve.half_size == pytest.approx(1e-6 / spb, rel=1e-2)

    def test_ports_are_those_that_lead_somewhere(self) -> None:
        ports = {name: bandwidth_curves(analysed(name))[0].port for name in MACHINES}
        assert ports["cloudmatrix384"] == pytest.approx(392 * GB)
        assert ports["nvl72"] == pytest.approx(900 * GB)
        assert ports["torus"] == pytest.approx(200 * GB)

    def test_crossovers_are_where_the_fastest_changes(self) -> None:
        pair = [
            collectives.analyze(MACHINES["star"], "all_reduce", MiB, algorithm=name, alpha=1e-6)
            for name in ("ring", "recursive_doubling")
        ]
        found = crossovers(pair)
        assert found
        for item, busbw in found:
            times = [one.plan.cost(item.size).time for one in pair]
            assert times[0] == pytest.approx(times[1])
            factor = 2 * (len(pair[0].ranks) - 1) / len(pair[0].ranks)
            assert busbw == pytest.approx(factor * item.size / times[0])

    @pytest.mark.parametrize("sizes", [[1.0], [2.0, 1.0], [0.0, 1.0], [[1.0, 2.0]]])
    def test_sizes_that_do_not_fit_are_refused(self, sizes: object) -> None:
        with pytest.raises(SupernodeError, match="sizes must be"):
            bandwidth_curves(analysed("star"), sizes)  # type: ignore[arg-type]

    def test_nothing_to_plot_is_said(self) -> None:
        with pytest.raises(SupernodeError, match="no analysis"):
            bandwidth_curves([])


class TestPlotBandwidth:
    @pytest.mark.parametrize("size", [0, KiB, MiB])
    def test_the_bound_is_of_every_size(self, size: float) -> None:
        """A line across all sizes does not depend on the size that was asked."""
        found = collectives.analyze(topology.dgx_h100(1), "all_gather", size)
        (curve,) = bandwidth_curves(found)
        assert curve.bound == pytest.approx(450e9)

    def test_lines_bounds_and_ports(self) -> None:
        figure, ax = plot_bandwidth([analysed(n) for n in ("cloudmatrix384", "nvl72", "dgx")])
        dashes = [line.get_linestyle() for line in ax.lines]
        assert dashes.count("--") == 3
        assert dashes.count(":") == 3
        assert ax.get_xscale() == "log"
        check_texts(figure)

    def test_all_algorithms_on_one_machine(self) -> None:
        names = ("ring", "direct", "hierarchical", "hierarchical_direct")
        figure, ax = plot_bandwidth([analysed("cloudmatrix384", "all_reduce", n) for n in names])
        check_texts(figure)
        said = words(figure)
        assert all(name in said for name in names)
        assert "GB/s" in ax.get_ylabel()
        assert len([line for line in ax.lines if line.get_gid() == "half"]) == 4

    def test_measured_points_and_given_axes(self) -> None:
        figure = Figure(figsize=(9, 6))
        mine = figure.add_axes((0.1, 0.3, 0.8, 0.5))
        _, ax = plot_bandwidth(analysed("star"), mine, measured=[(MiB, 20 * GB)])
        assert ax is mine
        assert "measured" in words(figure)

    @pytest.mark.parametrize("style", list(STYLES))
    def test_styles(self, style: str) -> None:
        check_texts(plot_bandwidth(analysed("nvl72"), style=style)[0])


def test_the_machines_are_supernodes() -> None:
    assert all(isinstance(machine, Supernode) for machine in MACHINES.values())
