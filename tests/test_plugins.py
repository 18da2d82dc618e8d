"""The six files of CONTRIBUTING, as a package of a user's own: found by call and by command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
MOST_LINES = 30
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(r'```python\n("""my_package/.*?)```', TEXT, re.DOTALL)
ENTRIES = re.findall(r'entry-points\."(supernode\.\w+)"\]\n([\w-]+ = )"(my_package\.\w+)"', TEXT)
PROGRAM = """
import json, sys
import numpy as np
import collectives, topology
from collectives.cli import main
from topology import formats, metrics, routing, shapes, systems

wheel = shapes.find_shape("wheel")(6, link=1e9)
lab = topology.system("lab", nodes=4)
schedule = collectives.make_schedule(lab, "all_gather", algorithm="rotation")
collectives.verify(schedule)
pair = routing.Pairs(np.array([0]), np.array([3]), np.ones(1))
alone = routing.router(wheel, "first_path").route(pair)
formats.write(wheel, "wheel.edges")
again = formats.read("wheel.edges")
shelves = topology.failure_units(lab, "power-shelf")
said = {
    "wheel": len(wheel.npus), "lab": len(lab.npus), "ranks": schedule.ranks,
    "loads": sorted(alone.loads.tolist()), "edges": again.graph.number_of_edges(),
    "shelves": [len(unit.nodes) for unit in shelves],
    "left": len(topology.fail(lab, shelves[0]).npus),
    "names": ["wheel" in shapes.shape_names(), "lab" in systems.system_names(),
              "rotation" in collectives.algorithm_names("all_gather"),
              "first-path" in routing.routing_names(), "edge-list" in formats.format_names()],
}
open("wheel.toml", "w").write('[shape]\\nfamily = "wheel"\\nnpus = 5\\nlink = "1 GB/s"\\n')
done = [
    main(["show", "lab:nodes=3", "--json"]), main(["show", "wheel.toml"]), main(["list"]),
    main(["export", "wheel.toml", "-o", "mine.edges"]),
    main(["analyze", "mine.edges", "all-gather", "1MiB", "--algorithm", "rotation",
          "--routing", "first-path"]),
]
try:
    topology.system("broken")
except topology.SupernodeError as error:
    said["broken"] = str(error)
try:
    formats.read("nowhere.edges")
except topology.SupernodeError as error:
    said["nowhere"] = str(error)
print("\\nSAID" + json.dumps({**said, "done": done}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed, and one entry point that is broken."""
    folder = tmp_path_factory.mktemp("site")
    package, info = folder / "my_package", folder / "my_package-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").touch()
    for text in FILES:
        name = text.split("/")[1].split(".py")[0]
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    points = "".join(f"[{group}]\n{name}{module}\n" for group, name, module in ENTRIES)
    points = points.replace(
        "[supernode.systems]\n", "[supernode.systems]\nbroken = my_package.no\n"
    )
    (info / "entry_points.txt").write_text(points)
    return folder


@pytest.fixture(scope="module")
def found(installed: Path) -> tuple[dict[str, Any], str]:
    environment = {**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=installed, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown, _, said = done.stdout.partition("\nSAID")
    return json.loads(said), shown


def test_each_is_one_file_of_under_30_lines() -> None:
    assert len(FILES) == len(ENTRIES) == 6
    assert all(len(text.splitlines()) < MOST_LINES for text in FILES)


def test_calls_find_them(found: tuple[dict[str, Any], str]) -> None:
    said, _ = found
    assert (said["wheel"], said["lab"], said["ranks"]) == (6, 32, 32)
    assert said["loads"] == [0.0] * 22 + [1.0, 1.0]
    assert said["edges"] == 24
    assert said["shelves"] == [44, 44]
    assert said["left"] == 16
    assert all(said["names"])
    assert said["nowhere"] == "nowhere.edges cannot be read: No such file or directory"


def test_commands_find_them(found: tuple[dict[str, Any], str]) -> None:
    said, shown = found
    assert said["done"] == [0] * 5
    assert '"npus": 24' in shown
    assert "wheel-5: 5 NPUs, 1 switch chip" in shown
    assert re.search(r"^ lab\b", shown, re.MULTILINE)
    assert "routing: the first shortest path through what forwards" in shown


def test_a_broken_one_is_named_and_takes_no_other_with_it(
    found: tuple[dict[str, Any], str],
) -> None:
    said, shown = found
    assert "plugin 'broken' of my-package (my_package.no) cannot be loaded" in said["broken"]
    assert "plugin 'broken' of my-package" in shown, "the list says so too"
