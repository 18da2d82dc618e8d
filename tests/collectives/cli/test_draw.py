"""``supernode draw``: every picture from the command line, and clear words when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collectives.cli import main
from collectives.cli.commands.draw import PICTURES

SYSTEM = "dgx-h100:nodes=1"


@pytest.mark.parametrize("kind", list(PICTURES))
def test_every_picture_is_drawn(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.svg"
    words = ["draw", SYSTEM, "--picture", kind, "-o", str(target)]
    what = [] if kind in ("racks", "machines") else ["--collective", "all-reduce"]
    assert main([*words, *what]) == 0
    assert "</svg>" in target.read_text()
    first, *_ = capsys.readouterr().out.splitlines()
    assert first


def test_a_machine_alone_is_drawn(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    assert main(["draw", "gb200-nvl72", "-o", str(target)]) == 0
    assert target.read_bytes().startswith(b"\x89PNG")


def test_json_says_where_and_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "a.pdf"
    words = ["draw", SYSTEM, "--collective", "all-to-all", "--size", "1MiB", "--json"]
    assert main([*words, "-o", str(target)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == str(target)
    assert said["conclusion"].startswith("all-to-all is limited by")


def test_the_conclusion_is_the_picture_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["draw", "mi250", "--picture", "failures", "--collective", "all-to-all", "--json"]
    assert main([*words, "-o", str(tmp_path / "a.pdf")]) == 0
    picture = json.loads(capsys.readouterr().out)["conclusion"]
    assert main(["faults", "mi250", "all-to-all", "64MiB", "--units", "link", "--json"]) == 0
    worst = min(row["left"] for row in json.loads(capsys.readouterr().out)["failures"])
    assert picture.startswith(f"One dead GCD–GCD link leaves {100 * worst:.1f}".removesuffix(".0"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--picture", "fabrik"], "did you mean fabric"),
        (["--picture", "loads"], "needs --collective"),
        (["--collective", "all-reduce", "--size", "64"], "no unit"),
        (["--style", "lihgt"], "did you mean light"),
        ([SYSTEM], "one machine, not 2"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.png"
    assert main(["draw", SYSTEM, *words, "-o", str(target)]) == 2
    assert said in capsys.readouterr().err
    assert not target.exists()


def test_a_wrong_ending_is_said_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", "no-such-machine", "-o", str(tmp_path / "a.jpg")]) == 2
    assert ".png, .svg, .pdf" in capsys.readouterr().err
