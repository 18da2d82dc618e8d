"""``supernode simulate``, and ``supernode analyze --simulate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import collectives
import topology
from collectives.cli import main
from topology.units import GB, MiB, ns

ASK = ("dgx-h100:nodes=2", "all-to-all", "1MiB", "--algorithm", "direct")


def test_it_says_time_path_and_terms(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chart = tmp_path / "gantt.svg"
    terms = ("--injection", "30GB/s", "--tick", "1ns", "--gantt", str(chart))
    assert main(["simulate", *ASK, *terms]) == 0
    said = capsys.readouterr().out
    wanted = collectives.simulate(
        topology.dgx_h100(2), "all_to_all", 1 * MiB, algorithm="direct", injection=30 * GB,
        tick=1 * ns,
    )  # fmt: skip
    assert said.startswith(str(wanted).splitlines()[0])
    for part in ("critical path", "limits: injection 30 GB/s a rank", "whole 1 ns"):
        assert part in said.replace("\n ", "")
    assert chart.read_text(encoding="utf-8").startswith("<?xml")


def test_json_holds_every_rank_and_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *ASK, "--forwarding", "store-and-forward", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert max(data["jobs"][0]["finish_s"]) == data["time_s"]
    assert len(data["utilisation"]) == len(topology.dgx_h100(2).fabric.tail)
    assert max(row["utilisation"] for row in data["links"]) == pytest.approx(
        max(row["share"] for row in data["utilisation"])
    )
    assert data["critical_path"][-1]["arrival"] == pytest.approx(data["time_s"])


def test_analyze_tells_both_and_by_how_much_they_differ(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["analyze", *ASK, "--simulate"]) == 0
    said = capsys.readouterr().out
    assert "the same: closed form" in said.splitlines()[0]
    assert main(["analyze", *ASK[:3], "--algorithm", "bruck", "--simulate", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    ratio = data["simulation"]["time_s"] / data["time_s"]
    assert data["simulated_over_estimate"] == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--window", "0"], "window is 0"),
        (["--forwarding", "fast"], "forwarding is 'fast'"),
        (["--injection", "3"], "has no unit"),
        (["--style", "dark"], "--gantt"),
        (["--gantt", "a.txt"], "a.txt"),
    ],
)
def test_faults_are_told(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert main(["simulate", *ASK, *words]) == 2
    assert told in capsys.readouterr().err


def test_jobs_at_once_are_those_of_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ("--job", "tp all-reduce 1MiB ring", "--job", "0-7/8-15 all-to-all 1MiB direct")
    assert main(["simulate", ASK[0], "--tp", "8", *jobs, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    rows = [range(8), range(8, 16)]
    wanted = collectives.simulate(
        topology.dgx_h100(2),
        [collectives.Job("all_reduce", rows, MiB, "ring"),
         collectives.Job("all_to_all", rows, MiB, "direct")],
    )  # fmt: skip
    assert data["time_s"] == wanted.time
    assert len(data["jobs"]) == 2
    for wrong in (["--job", "tp"], [*ASK[1:3], *jobs], [], [*ASK[1:3], "--tp", "8"]):
        assert main(["simulate", ASK[0], *wrong]) == 2
        assert "--" in capsys.readouterr().err
