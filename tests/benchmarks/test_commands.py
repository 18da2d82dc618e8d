"""How long whole commands take and how much memory, now and in version 0.1.

Run with ``--benchmark-enable -n 0``. Version 0.1 is taken out of the repository's history and run
beside this one; where the history is not there, no ratio is given.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import Process

ROOT = Path(__file__).parents[2]
BEFORE = "13a3671af9df81db2d4d854726105e45f89e31b2"
"""The last commit of version 0.1."""
MOST_BYTES = 2e9
DEMANDS = {
    "tpu-v4 all-to-all": 5.0,
    "tpu-v4 all-reduce": 8.0,
    "atlas-950 all-reduce": 8.0,
}
"""Seconds asked for of ``supernode analyze MACHINE COLLECTIVE 64MiB`` as a process of its own."""
UP_TO_1024 = [
    "dgx-h100:nodes=128", "frontier-group", "ub-mesh-pod", "nvl72-superpod", "cloudmatrix384",
]  # fmt: skip
"""Machines of 384 to 1,024 NPUs, on which every algorithm is tried."""
EVERY = 10.0

Run = Callable[..., Process]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Return the tree of version 0.1, if the history has it."""
    folder = tmp_path_factory.mktemp("before")
    packed = folder / "tree.tar"
    archive = ["git", "archive", "-o", str(packed), BEFORE, "topology", "collectives"]
    if subprocess.run(archive, cwd=ROOT, capture_output=True, check=False).returncode:
        return None
    subprocess.run(["tar", "-xf", str(packed), "-C", str(folder)], check=True)
    return folder


def _measure(
    words: list[str], asked: float, run: Run, record: Any, before: Path | None, benchmark: Any
) -> None:
    now = benchmark.pedantic(lambda: run(words), rounds=1)
    name = f"`supernode {' '.join(words)}`"
    record(name, now.seconds, f"<= {asked:g} s", "s")
    record("  peak memory", now.peak / 1e9, f"<= {MOST_BYTES / 1e9:g} GB", "GB")
    if before is not None and benchmark.enabled:
        record(
            "  processor seconds: version 0.1 / now", run(words, before).processor / now.processor
        )


@pytest.mark.parametrize("what", DEMANDS)
def test_one_analysis_of_thousands_of_npus(
    what: str, run: Run, record: Any, before: Path | None, benchmark: Any
) -> None:
    words = ["analyze", *(what.split() if benchmark.enabled else ["gaudi3", "all-reduce"]), "64MiB"]
    _measure(words, DEMANDS[what], run, record, before, benchmark)


@pytest.mark.parametrize("kind", ["all-reduce", "all-to-all"])
@pytest.mark.parametrize("machine", UP_TO_1024)
def test_every_algorithm_on_up_to_1024_npus(
    machine: str, kind: str, run: Run, record: Any, before: Path | None, benchmark: Any
) -> None:
    words = ["analyze", machine if benchmark.enabled else "gaudi3", kind, "64MiB", "--all"]
    _measure(words, EVERY, run, record, before, benchmark)
