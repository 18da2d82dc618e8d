"""How fast the core is, against what it replaces; run with ``--benchmark-enable``."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import networkx as nx
import numpy as np
import pytest

import collectives
import topology
from tests import reference
from topology.routing import Ecmp, Pairs
from topology.units import MiB

COMMAND = ("analyze", "cloudmatrix384", "all-to-all", "64MiB")


def test_ecmp_loads_against_betweenness(timed: Any, record: Any) -> None:
    """Distances, quotient and loads from nothing, each time; NetworkX's take some seconds."""
    machine = topology.cloudmatrix384()
    fabric = machine.fabric

    def theirs() -> object:
        return nx.edge_betweenness_centrality_subset(
            machine.graph, machine.npus, machine.npus, normalized=False
        )

    ours = timed(lambda: Ecmp(fabric).loads(), rounds=20)
    other = timed(theirs, rounds=3)
    record("ECMP loads of CloudMatrix384: networkx betweenness / ours", other / ours, ">= 100 x")


def test_ecmp_loads_of_a_matrix_against_the_plain_router(timed: Any, record: Any) -> None:
    """A random demand, where no two ranks are alike."""
    machine = topology.cloudmatrix384(6)
    count = len(machine.npus)
    rng = np.random.default_rng(3)
    src, dst = np.divmod(rng.choice(count * count, 400, replace=False), count)
    demand = Pairs(src, dst, rng.random(400))
    fabric = machine.fabric
    ours = timed(lambda: Ecmp(fabric).loads(demand), rounds=10)
    plain = timed(lambda: reference.loads(machine, demand), rounds=2)
    record("400 random pairs on 6 nodes: plain router / ours", plain / ours)


def test_build_and_compile(timed: Any, record: Any) -> None:
    ours = timed(lambda: topology.cloudmatrix384().fabric, rounds=10)
    record("build and compile CloudMatrix384", ours, "< 0.5 s", "s")


def test_analyse_in_process(timed: Any, record: Any) -> None:
    def run() -> object:
        machine = topology.cloudmatrix384()
        return collectives.analyze(machine, "all_to_all", 64 * MiB).bottleneck

    found = timed(run, rounds=5)
    record("analyze() of CloudMatrix384 from nothing", found, "", "s")


def test_the_whole_process(timed: Any, record: Any, run: Any) -> None:
    """Interpreter, imports, build, analysis and printing; peak memory of the largest child."""
    bare = [sys.executable, "-c", "import networkx, scipy.sparse.csgraph, rich.console"]
    whole = timed(lambda: run(COMMAND), rounds=5)
    libraries = timed(lambda: subprocess.run(bare, check=True), rounds=5)
    name = " ".join(["supernode", *COMMAND])
    record(f"`{name}`", whole, "< 2 s", "s")
    record("  the same / importing its libraries alone", whole / libraries)
    record("  peak memory", run(COMMAND).peak / 1e6, "< 400 MB", "MB")


@pytest.mark.parametrize("kind", ["all_reduce", "all_to_all"])
def test_another_size_costs_little(timed: Any, record: Any, kind: str) -> None:
    """A plan is routed once; sizes are then a few multiplications."""
    machine = topology.cloudmatrix384()
    schedule = collectives.make_schedule(machine, kind, algorithm="direct")
    made = collectives.plan(machine, schedule)
    again = timed(lambda: made.cost(64 * MiB), rounds=20)
    anew = timed(lambda: collectives.plan(machine, schedule).cost(64 * MiB), rounds=5)
    record(f"{kind} at another size: routing anew / a plan kept", anew / again)
