"""Look things up by name, and take in those of users' packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from topology.errors import SupernodeError, UnknownNameError
from topology.registry import PluginError, Registry, plugin_faults


def _one() -> int:
    return 1


def _two() -> int:
    return 2


def test_a_name_is_found_however_it_is_spelt() -> None:
    registry: Registry[object] = Registry("thing", "supernode.none")
    assert registry.register("full-mesh", aliases=["clique"])(_one) is _one
    assert {id(registry[n]) for n in ("full_mesh", "Full-Mesh", " full-mesh", "CLIQUE")} == {
        id(_one)
    }
    assert registry.names() == ["full-mesh"]
    assert registry.canonical("FULL_MESH") == "full-mesh"
    assert "clique" in registry
    assert "ring" not in registry
    assert 3 not in registry


def test_an_unknown_name_lists_the_near_ones() -> None:
    registry: Registry[object] = Registry("thing", "supernode.none")
    registry.add("torus", _one)
    with pytest.raises(UnknownNameError, match="thing 'tours' is not known; did you mean torus"):
        registry["tours"]


def test_a_name_belongs_to_one_thing() -> None:
    registry: Registry[object] = Registry("thing", "supernode.none")
    registry.add("torus", _one, aliases=["donut"])
    registry.add("torus", _one)
    for name in ("torus", "Torus", "donut"):
        with pytest.raises(SupernodeError, match=r"is there already, from .*_one"):
            registry.add(name, _two)
    registry.add("torus", _two, replace=True)
    assert registry["donut"] is _two
    with pytest.raises(SupernodeError, match="is not a name"):
        registry.add(" ", _one)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package of entry points: one good, one broken, one that registers nothing."""
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[supernode.tests]\nbad = no_such_module_at_all\ngood = mine_good\nidle = json\n"
    )
    (tmp_path / "mine_good.py").write_text("from holder import R\nR.add('good', len)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_good", raising=False)
    plugin_faults.cache_clear()
    return tmp_path


def test_plugins_are_loaded_when_they_are_needed(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry: Registry[object] = Registry("thing", "supernode.tests")
    registry.add("own", _one)
    holder = type(sys)("holder")
    holder.R = registry  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "holder", holder)
    assert registry["own"] is _one
    assert "mine_good" not in sys.modules, (package, "a known name needs no plugin")
    assert registry["good"] is len
    assert registry.names() == ["own", "good"]
    with pytest.raises(PluginError, match=r"plugin 'bad' of mine .*ModuleNotFoundError"):
        registry["bad"]
    with pytest.raises(PluginError, match="registers no thing 'idle'"):
        registry["idle"]
    with pytest.raises(UnknownNameError, match=r"'goood'.*did you mean good.*plugin 'bad'"):
        registry["goood"]
