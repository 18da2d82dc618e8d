"""The gallery's pictures of every machine are legible; no text is cut or covered."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.pictures import check_texts

_FILE = Path(__file__).parents[3] / "examples" / "gallery.py"


def _gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GALLERY = _gallery()


@pytest.mark.parametrize("name", [n for n in GALLERY.MACHINES if n != "atlas-950"])
def test_every_picture_of_the_gallery_is_legible(name: str) -> None:
    names = []
    for what, figure in GALLERY.pictures(GALLERY.MACHINES[name]()):
        names.append(what)
        check_texts(figure)
    assert len(names) == len(set(names)) >= 9


def test_it_writes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = GALLERY.main([str(tmp_path), "torus"])
    assert all(path.stat().st_size > 1000 for path in made)
    assert len(capsys.readouterr().out.splitlines()) == len(made)


def test_the_pictures_of_the_readme_are_there() -> None:
    there = {path.name for path in (_FILE.parent / "pictures").iterdir()}
    assert there == {"fabric.png", "loads.png", "bandwidth.png"}
