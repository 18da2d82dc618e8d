"""How fast collectives are simulated; run with ``--benchmark-enable``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import collectives
import topology
from topology import Supernode
from topology.units import GB, MiB

RANKS = [64, 128, 256, 512, 1024, 2048]


def _damaged() -> Supernode:
    """CloudMatrix384 with 50 links between NPUs and switches gone, drawn at random."""
    machine = topology.cloudmatrix384()
    cables = sorted({tuple(sorted(arc)) for arc in machine.fabric.arcs if "cpu" not in str(arc)})
    gone = np.random.default_rng(1).choice(len(cables), 50, replace=False)
    return machine.without(links=[cables[at] for at in gone.tolist()])


CASES = {
    "384 ranks, direct all-to-all, CloudMatrix384": (
        topology.cloudmatrix384, "all_to_all", "direct", "< 1 s",
    ),
    "384 ranks, ring all-reduce, CloudMatrix384": (
        topology.cloudmatrix384, "all_reduce", "ring", "< 1 s",
    ),
    "384 ranks, direct all-to-all, 50 links gone": (_damaged, "all_to_all", "direct", "< 10 s"),
    "1,024 ranks, direct all-to-all, one switch": (
        lambda: topology.star(1024, link="nvlink5"), "all_to_all", "direct", "< 5 s",
    ),
    "1,024 ranks, direct all-to-all, 128 DGX H100": (
        lambda: topology.dgx_h100(128), "all_to_all", "direct", "< 5 s",
    ),
    "4,096 ranks, direct all-to-all, one switch": (
        lambda: topology.star(4096, link="nvlink5"), "all_to_all", "direct", "< 60 s",
    ),
    "4,096 ranks, direct all-to-all, torus 16 x 16 x 16": (
        lambda: topology.torus((16, 16, 16), link="nvlink5"), "all_to_all", "direct", "< 60 s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_simulate(name: str, timed: Any, record: Any) -> None:
    make, kind, algorithm, asked = CASES[name]

    def run() -> object:
        machine = make()  # each time anew: what routing keeps with a machine is no help
        return collectives.simulate(machine, kind, 64 * MiB, algorithm=algorithm)

    record(name, timed(run, rounds=3), asked, "s")


def test_memory_of_384_ranks(run: Any, record: Any) -> None:
    words = ["simulate", "cloudmatrix384", "all-to-all", "64MiB", "--algorithm", "direct"]
    done = run(words)
    record("384 ranks as a command, seconds", done.seconds, "", "s")
    record("384 ranks as a command, memory at most", done.peak / GB, "< 1 GB", "GB")


def test_cost_against_ranks(record: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Seconds of a simulated direct all-to-all by how many ranks exchange, plotted."""
    machines: dict[str, Callable[[int], Supernode]] = {
        "one switch": lambda ranks: topology.star(ranks, link="nvlink5"),
        "DGX H100 cluster": lambda ranks: topology.dgx_h100(ranks // 8),
        "torus": lambda ranks: topology.torus((ranks // 64, 8, 8), link="nvlink5"),
    }
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.add_subplot(xscale="log", yscale="log", xlabel="ranks", ylabel="seconds")
    for name, make in machines.items():
        took = []
        for ranks in RANKS:
            machine = make(ranks)
            start = time.perf_counter()
            collectives.simulate(machine, "all_to_all", 64 * MiB, algorithm="direct")
            took.append(time.perf_counter() - start)
        record(f"simulate {RANKS[-1]:,} ranks, {name}", took[-1], "", "s")
        ax.plot(RANKS, took, marker="o", label=name)
    ax.legend()
    path = tmp_path_factory.mktemp("plots") / "simulation-cost.png"
    figure.savefig(path)
    assert path.stat().st_size > 0
