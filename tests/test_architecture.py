"""Read the imports and hold the arrows of the design."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import networkx as nx
import pytest

import collectives
import topology
from tests.public import public_names

ROOT = Path(__file__).parent.parent
FOLDERS = {".ci", "collectives", "examples", "tests", "topology"}
PACKAGES = ("topology", "collectives")
STOREYS = (
    "topology.errors",
    "topology.units topology.naming topology.registry topology.approximation topology.text",
    "topology.border",
    "topology.calls topology.files",
    "topology.hardware",
    "topology.validation",
    "topology.fabric",
    "topology.supernode",
    "topology.solvers topology.symmetry",
    "topology.routing",
    "",  # every other room of topology: shapes, systems, faults, metrics, drawing …
    "topology",
    "collectives.model",
    "collectives.algorithms",
    "collectives.timing",
    "collectives.stacks",
    "collectives.bounds",
    "collectives.synthesis",
    "collectives.analysis",
    "collectives.workloads",
    "collectives.validation",
    "collectives.plots",
    "collectives.report",
    "collectives",
    "collectives.cli",
    "collectives.__main__",
)
"""Rooms, the lowest first: a room imports from those below it, and from its neighbours only where
they import nothing of it."""
BESIDE = STOREYS.index("")
SOLVERS = {"linprog", "milp", "maximum_flow", "highspy", "ortools", "igraph"}
MOST_LINES, MOST_BODY = 400, 45

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


@cache
def _uses() -> dict[str, list[str]]:
    """Return what every module imports."""
    return {name: sorted(set(_imports(_tree(name)))) for name in MODULES}


def _inside(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _room(module: str) -> str:
    """Return the folder or single module that stands in a package itself."""
    return ".".join(module.split(".")[:2])


def _storey(room: str) -> int:
    for height, rooms in enumerate(STOREYS):
        if room in rooms.split():
            return height
    assert room.startswith("topology."), f"say in STOREYS where {room} stands"
    return BESIDE


def _arrows() -> set[tuple[str, str]]:
    """Return which room imports from which."""
    found = {(_room(module), _room(str(_resolve(use))))
             for module, uses in _uses().items() for use in uses if _resolve(use)}  # fmt: skip
    return {(one, other) for one, other in found if one != other}


def test_rooms_import_downwards_only() -> None:
    wrong = {(one, other) for one, other in _arrows() if _storey(other) > _storey(one)}
    assert wrong == set()


def test_rooms_of_one_storey_do_not_need_each_other() -> None:
    loops = [part for part in nx.strongly_connected_components(nx.DiGraph(_arrows()))
             if len(part) > 1]  # fmt: skip
    assert [sorted(part) for part in loops] == []


def test_one_room_calls_a_solver() -> None:
    allowed = ("topology.solvers", "collectives.bounds.certificates")
    wrong = set()
    for module, uses in _uses().items():
        named = {part for use in uses for part in use.split(".")}
        named |= {n.attr for n in ast.walk(_tree(module)) if isinstance(n, ast.Attribute)}
        if not named.isdisjoint(SOLVERS) and not _inside(module, allowed):
            wrong.add(module)
    assert wrong == set()


def _body(function: ast.FunctionDef) -> int:
    """Count the lines of a function without its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    said = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - said


def test_files_and_functions_are_short() -> None:
    """Under 400 lines a file; 45 a function, its docstring aside."""
    long = {m for m, path in MODULES.items()
            if len(path.read_text(encoding="utf-8").splitlines()) >= MOST_LINES}  # fmt: skip
    for module in MODULES:
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.FunctionDef) and _body(node) > MOST_BODY:
                long.add(f"{module}.{node.name}")
    assert long == set()


def test_nothing_but_the_pictures_imports_matplotlib() -> None:
    wrong = [m for m, uses in _uses().items() if not _inside(m, DRAWS)
             and any(_inside(name, ("matplotlib",)) for name in uses)]  # fmt: skip
    assert wrong == []


def test_no_module_imports_itself_in_a_loop() -> None:
    graph = nx.DiGraph()
    for module, uses in _uses().items():
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
from tests.public import public_names
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
def test_public_names_are_there_once(package: ModuleType) -> None:
    names = public_names(package)
    assert len(names) == len(set(names)) > 20
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


@pytest.mark.parametrize("package", [topology, collectives], ids=lambda package: package.__name__)
def test_all_is_what_the_package_lets_in(package: ModuleType) -> None:
    names = set(package.__all__)
    assert set(public_names(package)) <= names
    assert all(hasattr(package, name) for name in names)
    for name in ("SupernodeError", "torus", "draw") if package is topology else ("analyze",):
        assert name in names
