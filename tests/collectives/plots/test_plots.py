"""Distribution, critical path, steps, traffic, failures, machines: data, artists and words."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure

import collectives
import topology
from collectives import Analysis, plots
from collectives.analysis.comparison import Comparison
from tests.pictures import check_texts, words
from topology import SupernodeError
from topology.drawing import STYLES
from topology.units import GB, KiB, MiB

CM = topology.cloudmatrix384(nodes=12)
MACHINES = {
    "cloudmatrix384": CM,
    "damaged": CM.without(nodes=["l2/0/0", "l1/5/3"]),
    "nvl72": topology.gb200_nvl72(),
    "dgx": topology.dgx_h100(nodes=4),
    "star": topology.star(6, link=50 * GB),
    "torus": topology.torus((4, 4), link=50 * GB),
}
CASES = [
    ("cloudmatrix384", "all_to_all", "direct"),
    ("damaged", "all_to_all", "direct"),
    ("cloudmatrix384", "all_reduce", "ring"),
    ("dgx", "all_reduce", "hierarchical"),
    ("nvl72", "all_gather", "direct"),
    ("torus", "all_to_all", "direct"),
]


@cache
def analysed(name: str, kind: str, algorithm: str, size: float = MiB) -> Analysis:
    return collectives.analyze(MACHINES[name], kind, size, algorithm=algorithm)


@pytest.fixture(params=CASES, ids=[" ".join(case) for case in CASES])
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return analysed(*request.param)


class TestDistribution:
    def test_highest_and_mean_are_those_of_the_classes(self, analysis: Analysis) -> None:
        found = {item.name.removesuffix(" and back"): item for item in
                 plots.load_distribution(analysis)}  # fmt: skip
        for row in analysis.links:
            back = "→".join(reversed(row.name.split("→")))
            item = found[row.name] if row.name in found else found[back]
            assert item.highest == pytest.approx(row.utilisation)
            assert item.mean == pytest.approx(row.mean)

    def test_values_fall(self, analysis: Analysis) -> None:
        for item in plots.load_distribution(analysis):
            assert (np.diff(item.values) <= 0).all()
            assert item.imbalance >= 1 - 1e-12

    def test_an_even_machine_is_called_even_and_a_damaged_one_not(self) -> None:
        even = words(plots.plot_distribution(analysed(*CASES[0]))[0])
        uneven = words(plots.plot_distribution(analysed(*CASES[1]))[0])
        assert "used evenly" in even
        assert "least evenly" in uneven


class TestLatency:
    def test_parts_add_up_to_the_time(self, analysis: Analysis) -> None:
        waits = plots.critical_waits(analysis)
        assert sum(wait.seconds for wait in waits) == pytest.approx(analysis.time)
        for part in ("endpoint", "serialisation", "switches", "transceivers", "fec"):
            total = sum(wait.seconds for wait in waits if wait.part == part)
            assert total == pytest.approx(getattr(analysis.latency, part), abs=1e-15)

    def test_each_begins_where_the_one_before_ends(self, analysis: Analysis) -> None:
        end = 0.0
        for wait in plots.critical_waits(analysis):
            assert wait.start == pytest.approx(end, abs=1e-15)
            assert wait.seconds > 0
            end = wait.start + wait.seconds

    def test_the_path_of_cloudmatrix384_has_three_switches(self) -> None:
        waits = plots.critical_waits(analysed("cloudmatrix384", "all_to_all", "direct", 512.0))
        switches = [wait.label for wait in waits if wait.part == "switches"]
        assert [name.partition("/")[0] for name in switches] == ["l1", "l2", "l1"]
        for part in ("propagation", "transceivers", "fec"):
            links = [wait.label for wait in waits if wait.part == part]
            assert len(links) == (4 if part == "propagation" else 2)
            assert all(" → " in label for label in links)

    def test_it_says_what_takes_longest(self) -> None:
        small = analysed("cloudmatrix384", "all_to_all", "direct", 512.0)
        assert "Endpoint software takes" in words(plots.plot_latency(small)[0])
        large = analysed("cloudmatrix384", "all_to_all", "direct", 1024 * MiB)
        assert "Moving the bytes takes" in words(plots.plot_latency(large)[0])


class TestSteps:
    def test_bars_stay_in_their_step(self, analysis: Analysis) -> None:
        bars = plots.step_bars(analysis)
        steps = analysis.cost.steps
        starts = np.cumsum([0.0, *(step.time * step.repeat for step in steps)])
        assert starts[-1] == pytest.approx(analysis.time)
        for bar in bars:
            assert bar.start == pytest.approx(starts[bar.step])
            assert bar.start + bar.seconds <= starts[bar.step + 1] * (1 + 1e-9)
            assert 0 < bar.share <= 1 + 1e-9

    def test_phases_are_named(self) -> None:
        said = words(plots.plot_steps(analysed("dgx", "all_reduce", "hierarchical"))[0])
        assert "takes" in said
        assert "NIC→leaf" in said


class TestTraffic:
    def test_all_to_all_sends_what_it_should(self) -> None:
        found = plots.traffic_matrix(analysed("cloudmatrix384", "all_to_all", "direct"))
        assert found.by == "node"
        assert found.sent.shape == (12, 12)
        assert found.sent.sum() == pytest.approx(96 * MiB * 95 / 96)
        assert found.inside == pytest.approx(7 / 95)
        np.testing.assert_allclose(found.sent, found.sent.T)

    def test_a_ring_sends_on_to_the_next_group(self) -> None:
        found = plots.traffic_matrix(analysed("cloudmatrix384", "all_reduce", "ring"))
        assert found.sent.sum() == pytest.approx(96 * 2 * 95 / 96 * MiB)
        assert found.inside == pytest.approx(7 / 8)
        assert np.count_nonzero(found.sent) == 24

    def test_brute_force_over_transfers(self) -> None:
        found = analysed("dgx", "all_reduce", "hierarchical")
        expected = np.zeros((4, 4))
        size = found.size * found.schedule.chunk_fraction
        for moved in found.schedule.transfers():
            apart = moved.src != moved.dst
            np.add.at(expected, (moved.src[apart] // 8, moved.dst[apart] // 8), size)
        np.testing.assert_allclose(plots.traffic_matrix(found).sent, expected)


class TestFailures:
    def test_a_failure_never_helps_and_one_dead_switch_costs_a_seventh(self) -> None:
        curves = plots.failure_curves(analysed("cloudmatrix384", "all_to_all", "direct", 1e9))
        left = {curve.part: curve for curve in curves}
        assert set(left) == {"L1 switch", "L2 switch", "NPU–L1 link", "L1–L2 link"}
        for curve in curves:
            assert curve.left[0] == 1.0
            assert all(0 <= share <= 1 + 1e-9 for share in curve.left)
        assert left["L1 switch"].first == pytest.approx(6 / 7, rel=5e-3)
        assert left["L1 switch"].there == 84

    def test_it_is_the_analysis_of_the_damaged_machine(self) -> None:
        whole = analysed("cloudmatrix384", "all_to_all", "direct")
        curves = {c.part: c for c in plots.failure_curves(whole, counts=[2])}
        hurt = CM.without(nodes=["l2/0/0", "l2/0/1"])
        again = collectives.analyze(hurt, "all_to_all", MiB, algorithm="direct")
        assert curves["L2 switch"].left[-1] == pytest.approx(whole.time / again.time)

    def test_the_first_to_fail_is_the_worst_of_all(self) -> None:
        """The GCDs of an MI250 node are linked by one, two and four lanes."""
        whole = collectives.analyze(topology.mi250(), "all_to_all", MiB)
        (curve,) = plots.failure_curves(whole, counts=[1])
        left = [
            whole.time / collectives.analyze(
                topology.fail(whole.supernode, unit), "all_to_all", MiB, algorithm=whole.algorithm
            ).time
            for unit in topology.failure_units(whole.supernode, "link")
        ]  # fmt: skip
        assert curve.first == pytest.approx(min(left)) != pytest.approx(left[0])

    def test_what_is_cut_off_is_zero(self) -> None:
        curves = plots.failure_curves(analysed("star", "all_reduce", "direct"))
        assert {curve.part: curve.first for curve in curves} == {
            "switch": 0.0, "NPU–switch link": 0.0,
        }  # fmt: skip
        said = words(plots.plot_failures(analysed("star", "all_reduce", "direct"))[0])
        assert "cuts ranks off" in said

    def test_counts_that_do_not_fit_are_refused(self) -> None:
        with pytest.raises(SupernodeError, match="counts"):
            plots.failure_curves(analysed("star", "all_reduce", "direct"), counts=[0])


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return collectives.compare([CM, MACHINES["nvl72"]], sizes=[64 * MiB])


class TestMachines:
    def test_shares_are_of_the_largest(self, comparison: Comparison) -> None:
        found = {m.title: m for m in plots.machine_measures(comparison)}
        assert found["NPUs"].values == (96, 72)
        assert found["NPUs"].shares == (1.0, 72 / 96)
        for measure in found.values():
            assert max(share for share in measure.shares if share is not None) == 1.0

    @pytest.mark.parametrize("style", list(STYLES))
    def test_the_chart_is_legible_and_says_its_values(
        self, comparison: Comparison, style: str
    ) -> None:
        figure, _ = plots.plot_machines(comparison, style=style)
        check_texts(figure)
        assert "32.4 TB/s" in words(figure)


PLOTS = [
    plots.plot_distribution, plots.plot_fabric, plots.plot_latency, plots.plot_loads,
    plots.plot_steps, plots.plot_traffic,
]  # fmt: skip


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: str(plot.__name__))
def test_texts_are_inside_and_apart(plot: object, analysis: Analysis) -> None:
    figure, ax = plot(analysis)  # type: ignore[operator]
    assert ax.figure is figure
    check_texts(figure)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: str(plot.__name__))
@pytest.mark.parametrize("style", ["dark", "print"])
def test_styles_and_given_axes(plot: object, style: str) -> None:
    figure = Figure(figsize=(14, 9))
    mine = figure.add_axes((0.3, 0.25, 0.55, 0.5))
    same, ax = plot(analysed("dgx", "all_reduce", "hierarchical"), mine, style=style)  # type: ignore[operator]
    assert (same, ax) == (figure, mine)


def test_failures_are_legible() -> None:
    check_texts(plots.plot_failures(analysed("dgx", "all_to_all", "direct"))[0])


def test_titles_say_collective_size_ranks_and_routing() -> None:
    for plot in PLOTS:
        said = words(plot(analysed("dgx", "all_reduce", "hierarchical", 64 * KiB))[0])
        for part in ("all-reduce", "64 KiB", "32 ranks", "ECMP"):
            assert part in said.replace("\n", " "), f"{plot.__name__} does not say {part}"


def test_one_rank_waits_for_nothing() -> None:
    found = collectives.analyze(topology.star(1, link=GB), "all_reduce", MiB)
    said = words(collectives.plot_latency(found)[0])
    assert "moves nothing" in said
    assert "e−" not in said


def test_copies_of_switches_are_said_to_count() -> None:
    """A multicast hands 1 MiB to the network; the matrix has a copy for each of 7 others."""
    machine = topology.dgx_h100(1)
    note = "what switches add or copy"
    helped = collectives.analyze(machine, "broadcast", MiB, algorithm="multicast")
    plain = collectives.analyze(machine, "broadcast", MiB, algorithm="binomial_tree")
    assert note in words(collectives.plot_traffic(helped)[0]).replace("\n", " ")
    assert note not in words(collectives.plot_traffic(plain)[0]).replace("\n", " ")
