"""Every example runs, and says what it is about."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from collectives.algorithms import registry

_SCRIPTS = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
_ELSEWHERE = {"gallery.py"}  # makes every picture; its functions are tested with the pictures
_SAYS = {
    "moe_dispatch": ("EP64 → EP320 on cloudmatrix384: dispatch ", "times as fast"),
    "own_algorithm": ("every rank has the sum: True", "refused: all-reduce 'hasty'"),
}


@pytest.mark.parametrize(
    "script", [p for p in _SCRIPTS if p.name not in _ELSEWHERE], ids=lambda path: path.stem
)
def test_an_example_runs(
    script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    known = registry._registry("all_reduce")
    monkeypatch.setattr(known, "_known", dict(known._known))  # an example may register its own
    runpy.run_path(str(script))["main"]()
    said = capsys.readouterr().out
    assert said.strip()
    assert all(words in said for words in _SAYS.get(script.stem, ()))
