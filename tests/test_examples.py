"""Every example runs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_SCRIPTS = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
_ELSEWHERE = {"gallery.py"}  # makes every picture; its functions are tested with the pictures


@pytest.mark.parametrize(
    "script", [p for p in _SCRIPTS if p.name not in _ELSEWHERE], ids=lambda path: path.stem
)
def test_an_example_runs(script: Path, capsys: pytest.CaptureFixture[str]):
    runpy.run_path(str(script))["main"]()
    assert capsys.readouterr().out.strip()
