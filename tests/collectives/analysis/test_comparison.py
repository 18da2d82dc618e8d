"""The press's table of CloudMatrix384 against GB200 NVL72 comes out of the catalogue."""

from __future__ import annotations

import json

import pytest

import collectives
import topology
from collectives.analysis.comparison import Comparison, Row, compare
from collectives.cli import main
from topology.errors import SupernodeError
from topology.units import KiB, MiB


@pytest.fixture(scope="module")
def press() -> Comparison:
    return compare([topology.cloudmatrix384(), topology.gb200_nvl72()], sizes=[KiB, 64 * MiB])


def row(found: Comparison, title: str) -> Row:
    return next(r for r in (*found.published, *found.computed) if r.title == title)


@pytest.mark.parametrize(
    ("title", "cm", "nvl", "ratio"),
    [
        ("NPUs", 384, 72, 5.3),
        ("dense BF16", 300e15, 180e15, 1.7),
        ("HBM capacity", 49.2e12, 13.8e12, 3.6),
        ("HBM bandwidth", 1229e12, 576e12, 2.1),
        ("power", 559e3, 145e3, 3.9),
    ],
)
def test_the_press_table(press: Comparison, title: str, cm: float, nvl: float, ratio: float):
    found = row(press, title)
    assert [cell.value for cell in found.cells] == pytest.approx([cm, nvl])
    assert found.ratio is not None
    assert round(found.ratio, 1) == ratio
    assert all(cell.source for cell in found.cells)


def test_both_bf16_figures_have_their_own_source(press: Comparison):
    first = row(press, "dense BF16").cells[0]
    second = row(press, "dense BF16, another source").cells[0]
    assert second.value == pytest.approx(384 * 752e12)
    assert first.source != second.source


def test_optics_of_the_press_equal_the_graphs(press: Comparison):
    assert row(press, "optics, scale-up").cells[0].value == 5376
    assert row(press, "optics (400G modules)").cells[0].value == 6912
    assert topology.metrics.optics(topology.cloudmatrix384()) == 5376
    assert topology.metrics.optics(topology.cloudmatrix384(scale_out=True)) == 6912
    wires = row(press, "copper wire pairs in cables").cells[1].value
    assert wires == row(press, "copper cables").cells[1].value == 5184


def test_bisection_and_diameter(press: Comparison):
    cut = [cell.value for cell in row(press, "bisection, one way").cells]
    assert cut == pytest.approx([75.264e12, 32.4e12], rel=1e-12)
    assert [cell.value for cell in row(press, "diameter").cells] == [4, 2]


def test_times_are_those_of_analyze(press: Comparison):
    timing = next(t for t in press.timings if t.collective == "all_to_all" and t.size == 64 * MiB)
    alone = collectives.analyze(topology.cloudmatrix384(), "all_to_all", 64 * MiB)
    assert timing.times[0] == pytest.approx(alone.time, rel=1e-12)
    assert timing.bottlenecks[0] == alone.bottleneck.sentence


def test_a_cluster_is_a_multiple_of_its_catalogue_row():
    found = compare([topology.dgx_h100(3)], sizes=[KiB])
    power = row(found, "power").cells[0]
    assert power.value == pytest.approx(3 * 10.2e3)
    assert power.confidence in ("derived", "estimate")
    assert power.source.startswith("3 ×")


def test_a_machine_nobody_published_says_so():
    found = compare([topology.star(4, link=50e9), topology.gb200_nvl72()], sizes=[KiB])
    assert row(found, "power").cells[0].text == "not published"
    assert row(found, "power").ratio is None
    assert compare([topology.star(4, link=50e9)], sizes=[KiB]).published == ()


@pytest.mark.parametrize("bad", [[], ["cloudmatrix384"], [None]])
def test_only_machines_are_compared(bad: list[object]):
    with pytest.raises(SupernodeError, match=r"compare.* supernode"):
        compare(bad)  # type: ignore[arg-type]


def test_every_figure_is_printed(press: Comparison):
    out = str(press)
    assert out.splitlines()[0].startswith("cloudmatrix384 has")
    for said in (
        "559 kW",
        "145 kW",
        "5,376",
        "6,912",
        "288.8 PFLOPS",
        "75.26 TB/s",
        "SemiAnalysis",
    ):
        assert said in out


def test_the_command_prints_what_the_call_returns(capsys: pytest.CaptureFixture[str]):
    machines = [topology.gb200_nvl72(), topology.dgx_h100(1)]
    assert main(["compare", "gb200-nvl72", "dgx-h100:nodes=1", "--sizes", "1KiB"]) == 0
    assert capsys.readouterr().out.strip() == str(compare(machines, sizes=[KiB])).strip()
    assert main(["compare", "gb200-nvl72", "--sizes", "1KiB", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["machines"] == ["gb200-nvl72"]
    assert main(["compare", "gb200-nvl72", "--sizes", "64"]) == 2
    assert "no unit" in capsys.readouterr().err


def test_the_bandwidth_of_an_npu_is_the_same_by_every_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = topology.dgx_h100()
    main(["show", "dgx-h100", "--json"])
    shown = json.loads(capsys.readouterr().out)["npu_bandwidth_Bps"]
    rows = {row.title: row.cells[0].value for row in compare([machine], sizes=(1e6,)).computed}
    for links, value in (("scale-up", 450e9), ("scale-out", 50e9)):
        assert shown[links] == [value, value]
        assert rows[f"{links} bandwidth per NPU, one way"] == value
        assert topology.per_npu_bandwidth(machine, links) == value
    assert topology.per_npu_bandwidth(machine) == 500e9


def test_a_changed_machine_has_no_watts_of_its_own() -> None:
    whole = topology.dgx_h100(2)
    worn = whole.degrade(links=[("leaf/0/0", "spine/0")], factor=0.5)
    found = compare([whole, worn], sizes=(1e6,))
    power = row(found, "power").cells
    assert power[0].value == 2 * 10.2e3
    assert power[0].source.startswith("2 × ")
    assert (power[1].value, power[1].text) == (None, "not published for this variant")
    assert row(found, "HBM capacity").cells[1].value == 16 * 80e9, "its chips are what they were"
