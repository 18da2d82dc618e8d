"""``supernode analyze --all``, ``tune``, ``sweep`` and ``moe``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import topology
from collectives import algorithm_names, analyze
from collectives.analysis.sweeps import read_csv
from collectives.cli import main
from collectives.workloads.moe import analyze_moe
from collectives.workloads.moe_traffic import deepseek_v3
from topology.units import MiB

DGX = "dgx-h100:nodes=2"


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def _text(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_analyze_all(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("analyze", DGX, "all-to-all", "64MiB", "--all", "--alpha", "1us")
    data = _json(capsys, *words)
    names = [row["algorithm"] for row in data["algorithms"]]
    assert sorted([*names, *data["refused"]]) == sorted(algorithm_names("all_to_all"))
    best = analyze(topology.dgx_h100(2), "all_to_all", 64 * MiB, alpha=1e-6)
    assert data["algorithms"][0]["time_s"] == pytest.approx(best.time)
    text = _text(capsys, *words)
    assert text.startswith(
        f"{best.algorithm} is the fastest of {len(names)}: all-to-all is limited"
    )
    assert all(name in text for name in algorithm_names("all_to_all"))


def test_tune(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("tune", DGX, "all-to-all", "--low", "64B", "--high", "1MiB")
    data = _json(capsys, *words, "--algorithms", "direct,hierarchical,bruck")
    assert data["table"][0]["from_bytes"] == 64
    assert data["table"][-1]["to_bytes"] == MiB
    assert len(data["crossovers"]) == len(data["table"]) - 1
    assert "tuner table" in _text(capsys, *words, "--ranks", "0-7")


def test_sweep_writes_what_it_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    words = ("sweep", DGX, "gb200-nvl72", "--sizes", "1KiB-64KiB", "--ranks", "4,8",
             "--collectives", "all-to-all", "--algorithms", "direct,dimension")  # fmt: skip
    data = _json(capsys, *words, "-o", str(path))
    records = read_csv(path)
    assert len(records) == len(data["records"]) == 2 * 4 * 2 * 2
    assert [record.size_B for record in records[:4]] == [1024, 4096, 16384, 65536]
    assert sum(bool(record.error) for record in records) == 16
    assert all((row["time_s"] is None) == bool(row["error"]) for row in data["records"])
    text = _text(capsys, *words)
    assert text.startswith("32 analyses, 16 of which do not fit")


def test_a_sweep_rises_with_the_size_whatever_wins(capsys: pytest.CaptureFixture[str]) -> None:
    rows = _json(capsys, "sweep", "mi250", "--collectives", "all-reduce")["records"]
    assert len({row["algorithm"] for row in rows}) > 2
    assert [row["size_B"] for row in rows] == sorted(row["size_B"] for row in rows)


def test_moe(capsys: pytest.CaptureFixture[str]) -> None:
    data = _json(capsys, "moe", "dgx-h100:nodes=4", "--dedup", "node", "--tokens", "64")
    same = analyze_moe(topology.dgx_h100(4), deepseek_v3(64), dedup="node")
    assert data["time_s"] == pytest.approx(same.time)
    assert data["token_bytes"] == {"dispatch": 7392, "combine": 14336}
    text = _text(capsys, "moe", "cloudmatrix384:nodes=4", "--ep", "8,32", "--skew", "0.3")
    assert text.startswith("EP8 → EP32 on cloudmatrix384-4-nodes: dispatch ")
    assert "EP4 takes" in _text(capsys, "moe", DGX, "--ranks", "0,1,8,9", "--seed", "3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["analyze", DGX, "all-to-all", "1MiB", "--all", "--algorithm", "ring"], "--all takes"),
        (["tune", DGX, "all-to-all", "--low", "1GiB", "--high", "1MiB"], "rising"),
        (["tune", DGX, "all-to-all", "--algorithms", "rnig"], "rnig"),
        (["sweep", DGX, "--ranks", "0"], "--ranks is 0"),
        (["sweep", DGX, "--jobs", "0"], "--jobs is 0"),
        (["sweep", DGX, "--sizes", "5"], "no unit"),
        (["sweep", DGX, "-o", "/no/where.csv"], "cannot be written"),
        (["moe", DGX, "--ep", "x"], "--ep is 'x'"),
        (["moe", DGX, "--ep", "8", "--ranks", "0-7"], "leave out --ranks"),
        (["moe", DGX, "--top-k", "0"], "top_k is 0"),
        (["moe", DGX, "--ep", "64"], "1 to 16"),
    ],
)
def test_mistakes_are_told_in_a_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
