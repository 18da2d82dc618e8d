"""Hold that ``supernode show`` prints what a machine is made of and where figures come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import topology
from collectives.cli import main
from topology.hardware.devices import device
from topology.hardware.media import link_catalogue
from topology.inventory import inventory
from topology.systems import system, system_entry, system_names


def test_the_first_line_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "gb200-nvl72"]) == 0
    said = capsys.readouterr().out
    first = said.splitlines()[0]
    assert first.startswith("NVIDIA GB200 NVL72 (gb200-nvl72): 72 NPUs, 18 switch chips")
    assert "900 GB/s per NPU, one way" in " ".join(said.split())
    assert "estimate" in said


LARGE = {"atlas-950", "atlas-960", "ironwood", "tpu-v4", "tpu-v5p"}


@pytest.mark.parametrize("name", [name for name in system_names() if name not in LARGE])
def test_json_carries_every_figure_of_the_machine(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", name, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    made_of = inventory(system(name))
    known = {(f["subject"], f["name"], f["value"]) for f in data["figures"]}
    entries = [device(d) for d in made_of.devices]
    entries += [link_catalogue()[t] for t in made_of.link_types]
    entry = system_entry(system(name))
    assert entry is not None
    for subject in [entry, *entries]:
        for figures in subject.figures.values():
            for figure in figures:
                assert (subject.name, figure.name, figure.value) in known
    assert all(f["source"] and f["date"] and f["confidence"] for f in data["figures"])


def test_cables_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "cloudmatrix384"]) == 0
    assert "6,720 copper lanes, 5,376 optical lanes, 5,376 transceivers" in capsys.readouterr().out
    assert main(["show", "mi300x"]) == 0
    assert "28 copper lanes, no transceivers" in capsys.readouterr().out


def test_a_saved_machine_and_its_faults_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.json"
    machine = topology.star(4, link="nvlink5").without(links=[("npu/0", "switch/0")])
    topology.save(machine, file)
    assert main(["show", str(file)]) == 0
    said = capsys.readouterr().out
    assert "star-4: 4 NPUs, 1 switch chip" in said
    assert "changed: without" in said
    assert "no published figures" in said


def test_sources_print_every_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["show", "cloudmatrix384", "--sources"]) == 0
    said = "".join(capsys.readouterr().out.split())
    for subject in ("ascend910c", "ub-switch-l1", "kunpeng920"):
        assert subject in said
    assert "BF16,dense780TFLOPS(anothersource)" in said
    assert "SemiAnalysis" in said


def test_a_variant_has_no_published_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "cloudmatrix384:nodes=6"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "a variant of Huawei CloudMatrix384 (cloudmatrix384-6-nodes)" in said
    assert "no published figures of a variant of Huawei CloudMatrix384" in said


@pytest.mark.parametrize("name", [name for name in system_names() if name not in LARGE])
def test_the_list_shows_the_machine_that_show_shows(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["list", "--json"])
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["systems"]}
    main(["show", name, "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert listed[name]["npus"] == shown["npus"]
    assert listed[name]["title"] == shown["title"]
    rate = shown["npu_bandwidth_Bps"]["scale-up"][1]
    assert listed[name]["npu_bandwidth_Bps"] == pytest.approx(rate, rel=5e-3)  # as published


def test_an_unknown_name_lists_the_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "gb200"]) == 2
    assert "gb200-nvl72" in capsys.readouterr().err
