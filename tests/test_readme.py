"""The README's code runs, its commands exist, and the files it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collectives.cli import build_parser
from collectives.cli.commands import COMMANDS

_ROOT = Path(__file__).parents[1]
_TEXT = (_ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_block_runs(capsys: pytest.CaptureFixture[str]):
    (code,) = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - it is the README's own
    assert names["a"].efficiency > 0.9  # type: ignore[attr-defined]
    assert "limited by" in capsys.readouterr().out


def test_the_commands_it_names_are_there():
    named = set(re.findall(r"`supernode (\w+)", _TEXT))
    assert named
    assert named <= {command.name for command in COMMANDS}


@pytest.mark.parametrize(
    "line", re.findall(r"`(supernode (?:analyze|compare|bound|show|simulate) [^`]+)`", _TEXT)
)
def test_its_command_lines_parse(line: str):
    build_parser().parse_args(line.split()[1:])


def test_the_files_it_names_are_there():
    links = re.findall(r"\]\((?!http)([^)]+)\)", _TEXT)
    assert [link for link in links if not (_ROOT / link).exists()] == []


def test_nothing_is_left_to_fill_in():
    assert "@@" not in _TEXT
