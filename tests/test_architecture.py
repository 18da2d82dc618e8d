"""Read the imports and hold the arrows of the design."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

import collectives
import topology

ROOT = Path(__file__).parent.parent
FOLDERS = {".ci", "collectives", "examples", "tests", "topology"}
PACKAGES = ("topology", "collectives")
LAYERS = (
    ("errors",),
    ("units", "naming", "registry", "approximation"),
    ("border",),
    ("hardware.catalogue",),
    ("hardware.media", "hardware.devices"),
    ("validation",),
    ("fabric",),
    ("supernode",),
    ("conversion",),
)
"""Modules of topology, the lowest first: each imports from those before it only."""
DRAWS = ("topology.drawing", "collectives.plots", "collectives.report")


def _modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported while a module runs, with ``from a import b`` as a.b."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from _imports(node)


def _resolve(name: str) -> str | None:
    """Return the project's module that an imported name lives in."""
    while name:
        if name in MODULES:
            return name
        name = name.rpartition(".")[0]
    return None


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


USES = {name: sorted(set(_imports(_tree(name)))) for name in MODULES}


def _inside(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_topology_knows_nothing_of_collectives() -> None:
    wrong = [m for m, uses in USES.items() if _inside(m, ("topology",))
             and any(_inside(name, ("collectives",)) for name in uses)]  # fmt: skip
    assert wrong == []


def test_nothing_but_the_pictures_imports_matplotlib() -> None:
    wrong = [m for m, uses in USES.items() if not _inside(m, DRAWS)
             and any(_inside(name, ("matplotlib",)) for name in uses)]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("height", range(len(LAYERS)))
def test_the_core_imports_downwards_only(height: int) -> None:
    below = {f"topology.{name}" for layer in LAYERS[:height] for name in layer}
    for name in LAYERS[height]:
        used = {_resolve(use) for use in USES[f"topology.{name}"]} - {None}
        assert used <= below, f"topology.{name} imports {sorted(map(str, used - below))}"


def test_routing_rests_on_the_core_only() -> None:
    core = {f"topology.{name}" for layer in LAYERS for name in layer} | {"topology.symmetry"}
    for module in MODULES:
        if _inside(module, ("topology.routing",)):
            used = {_resolve(use) for use in USES[module]} - {None}
            wrong = {use for use in used if use not in core and
                     not _inside(str(use), ("topology.routing",))}  # fmt: skip
            assert not wrong, f"{module} imports {sorted(map(str, wrong))}"


def test_no_module_imports_itself_in_a_loop() -> None:
    graph = nx.DiGraph()
    for module, uses in USES.items():
        for use in uses:
            target = _resolve(use)
            if target is not None and target != module:
                graph.add_edge(module, target)
    loops = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert loops == []


def test_imports_stand_at_the_top_and_have_no_stars() -> None:
    wrong = []
    for module in MODULES:
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.ImportFrom):
                wrong += [f"{module}: *" for alias in node.names if alias.name == "*"]
            if isinstance(node, ast.FunctionDef):
                late = [name for name in _imports(node) if _inside(name, PACKAGES)]
                wrong += [f"{module}.{node.name}: {n}" for n in late if not _inside(n, DRAWS)]
    assert wrong == []


_STAGES = """
import json, sys
import topology
topology.cloudmatrix384(1).fabric
loaded = [[*sys.modules]]
import collectives
collectives.analyze(topology.gb200_nvl72(), "all_reduce", "1 MiB")
loaded.append([*sys.modules])
topology.draw, collectives.plot_loads
loaded.append([*sys.modules])
print(json.dumps(loaded))
"""


def test_nothing_is_loaded_before_it_is_used() -> None:
    """Topology alone leaves out collectives, and only a picture loads matplotlib."""
    done = subprocess.run(
        [sys.executable, "-c", _STAGES], capture_output=True, text=True, check=True, cwd=ROOT
    )
    built, analysed, drawn = json.loads(done.stdout)
    assert "topology" in built
    assert "collectives" not in built
    assert "matplotlib" not in analysed
    assert "matplotlib" in drawn


@pytest.mark.parametrize("package", [topology, collectives], ids=lambda package: package.__name__)
def test_public_names_are_there_once_and_in_order(package: object) -> None:
    names: list[str] = package.__all__  # type: ignore[attr-defined]
    assert names == sorted(set(names))
    assert all(hasattr(package, name) for name in names)


def test_the_house_has_these_folders_and_no_other() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a working copy")
    done = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT)
    top = {line.split("/")[0] for line in done.stdout.splitlines() if "/" in line}
    assert top <= FOLDERS
    names = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert names - {"__pycache__"} <= {"benchmarks", "fuzz", *PACKAGES}


def test_nothing_names_the_machine_it_was_written_on() -> None:
    places = ["/" + place for place in ("work/", "home/", "root/", "tmp/briefs")]
    for folder in (*PACKAGES, "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".csv", ".md", ".json", ".toml"):
                text = path.read_text(encoding="utf-8")
                assert not [place for place in places if place in text], path
