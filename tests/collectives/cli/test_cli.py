"""The command line: the answer first, JSON whole, faults in one line and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import collectives
import topology
from collectives.cli import build_parser, main
from collectives.cli.commands import COMMANDS
from topology.units import MiB


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_analyze_prints_the_bottleneck_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "analyze", "cloudmatrix384", "all-to-all", "64MiB")
    assert (code, err) == (0, "")
    first = out.splitlines()[0]
    assert first.startswith("all-to-all is limited by the 2,688 NPU→L1 links at 100 %")
    assert "\x1b" not in out, "plain text when piped"
    for word in ("algbw", "busbw", "bound", "utilisation", "transceivers", "assumptions"):
        assert word in out


def test_json_is_the_analysis(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(
        capsys, "analyze", "cloudmatrix384:nodes=4", "all-to-all", "64 MiB", "--json",
        "--algorithm", "direct", "--ranks", "0-3,8,10-11", "--alpha", "2us", "--message", "0 s",
        "--rate", "effective",
    )  # fmt: skip
    assert code == 0
    data = json.loads(out)
    found = collectives.analyze(
        topology.cloudmatrix384(4), "all_to_all", 64 * MiB, algorithm="direct",
        ranks=[0, 1, 2, 3, 8, 10, 11], alpha=2e-6, message=0.0, rate="effective",
    )  # fmt: skip
    assert data["time_s"] == found.time
    assert data["ranks"] == [0, 1, 2, 3, 8, 10, 11]
    assert data["bottleneck"]["sentence"] == found.bottleneck.sentence


def test_list_names_every_machine(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "list")
    assert code == 0
    for name in topology.system_names():
        assert name in out
    code, out, _ = _run(capsys, "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)["systems"]}
    assert list(rows) == topology.system_names()
    assert rows["gb200-nvl72"]["npus"] == 72
    assert rows["gb200-nvl72"]["npu_bandwidth_Bps"] == 900e9


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["analyze", "cloudmatrix38", "all-to-all", "64MiB"], "did you mean cloudmatrix384"),
        (["analyze", "cloudmatrix384", "all-to-al", "64MiB"], "did you mean all_to_all"),
        (["analyze", "dgx-h100", "all-reduce", "64MiB", "--algorithm", "rng"], "ring"),
        (["analyze", "dgx-h100", "all-reduce", "64"], "has no unit"),
        (["analyze", "dgx-h100", "all-reduce", "fast"], "not a number with a unit"),
        (["analyze", "dgx-h100", "all-reduce", "1MiB", "--alpha", "3"], "has no unit"),
        (["analyze", "dgx-h100", "all-reduce", "1MiB", "--ranks", "0-99"], "no rank"),
        (["analyze", "dgx-h100", "all-reduce", "1MiB", "--ranks", "3-1"], "backwards"),
        (["analyze", "dgx-h100", "all-reduce", "1MiB", "--ranks", "0,0"], "2 times"),
        (["analyze", "dgx-h100", "all-reduce", "1MiB", "--ranks", "a"], "0-31"),
        (["analyze", "dgx-h100:nodes", "all-reduce", "1MiB"], "key=value"),
        (["analyze", "dgx-h100:nodes=x", "all-reduce", "1MiB"], "nodes is 'x'"),
        (["analyze", "dgx-h100:sides=2", "all-reduce", "1MiB"], "'sides'; it takes nodes="),
        (["analyze", "dgx-h100", "all-reduce", "1MiB", "--group-size", "x"], "group-size"),
        (["analyze", "dgx-h100"], "required"),
        (["analize"], "did you mean analyze"),
        (["list", "--jsn"], "--jsn"),
    ],
)
def test_faults_are_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    code, out, err = _run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("supernode: ")
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["draw", "--picture", "machines", "--collective", "barrier"], "not use --collective;"),
        (["draw", "--picture", "racks", "--exact"], "racks picture does not use --exact;"),
        (["draw", "--ranks", "0-3", "--rate", "bar"], "--rate, --ranks; it takes SYSTEMS, --pic"),
        (["draw", "--size", "64MiB"], "without --collective does not use --size"),
        (["bound", "--check", "p", "--ranks", "0-7", "--no-relay"], "use --ranks, --no-relay;"),
        (["bound", "--check", "p", "--root", "0", "-o", "q"], "not use --root, --output;"),
        (["bound", "all-gather", "--check", "p"], "does not use COLLECTIVE;"),
        (["bound", "all-reduce", "--root", "0"], "all-reduce has no root"),
        (["sweep", "--sizes", "1KiB,2KiB", "--factor", "4"], "--factor is for a range"),
        (["moe", "--dedup", "node", "--algorithm", "direct"], "has its own schedule"),
    ],
)
def test_what_would_change_nothing_is_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An option that is given and not used is refused, its default value too."""
    monkeypatch.chdir(tmp_path)
    output = ["-o", "a.png"] if words[0] == "draw" else []
    code, out, err = _run(capsys, words[0], "dgx-h100:nodes=1", *words[1:], *output)
    assert (code, out) == (2, "")
    assert told in err
    assert not list(tmp_path.iterdir())


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys)
    assert code == 0
    for command in COMMANDS:
        assert command.name in out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: object) -> None:
    with pytest.raises(SystemExit) as left:
        build_parser().parse_args([command.name, "--help"])  # type: ignore[attr-defined]
    assert left.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_the_command_runs_as_a_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "collectives", "analyze", "gb200-nvl72", "all-reduce", "1 GiB"],
        capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.startswith("all-reduce is limited by")
    assert done.stderr == ""


def test_a_reader_that_stops_early_is_no_fault() -> None:
    program = f"{sys.executable} -m collectives list | head -1"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "machines" in done.stdout


@pytest.mark.parametrize("command", [["show"], ["bound"], ["export", "-o", "m.json"]])
def test_large_lifts_the_budget_of_every_command(
    command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [command[0], "dgx-h100:nodes=1", *command[1:]]
    words += ["all-gather"] if command == ["bound"] else []
    with topology.budget(nodes=5):
        assert main(words) == 2
        assert "up to 5 are built, and --large" in capsys.readouterr().err
        assert main([*words, "--large"]) == 0
