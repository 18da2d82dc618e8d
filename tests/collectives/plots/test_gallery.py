"""The gallery's pictures of every machine are legible; no text is cut or covered."""

from __future__ import annotations

import importlib.util
from itertools import islice
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


@pytest.mark.parametrize("name", ["damaged", "nvl72", "dgx-h100", "dragonfly"])
def test_every_picture_of_the_gallery_is_legible(name: str) -> None:
    """The failures of one of them: it is their analyses that take long, not their picture."""
    names = []
    for what, figure in GALLERY.pictures(GALLERY.MACHINES[name]()):
        names.append(what)
        check_texts(figure)
        if what == "bandwidth" and name != "nvl72":
            break
    assert len(names) == len(set(names)) == 10 + (name == "nvl72")


def test_it_writes_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = GALLERY.pictures
    monkeypatch.setattr(GALLERY, "pictures", lambda machine: islice(pictures(machine), 3))
    made = GALLERY.main([str(tmp_path), "torus"])
    assert all(path.stat().st_size > 1000 for path in made)
    assert len(capsys.readouterr().out.splitlines()) == len(made) == 3


def test_the_pictures_of_the_readme_are_there() -> None:
    there = {path.name for path in (_FILE.parent / "pictures").iterdir()}
    assert there == {"fabric.png", "loads.png", "bandwidth.png"}
