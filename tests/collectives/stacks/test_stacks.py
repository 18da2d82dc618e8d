"""Stacks: what they take, what they choose, and that their constants hold together."""

from __future__ import annotations

from collections import defaultdict
from math import log2

import numpy as np
import pytest

import collectives
import topology
from collectives.stacks import domains, stack
from collectives.stacks.constants import WORDS
from collectives.validation import measurements
from topology.errors import SupernodeError
from topology.hardware.catalogue import load_rows
from topology.supernode import Supernode
from topology.units import GB, GiB, KiB, MiB, us

SIZES = [float(2**k) for k in range(6, 35, 3)]
MACHINES = {
    "one node": topology.dgx_h100(nodes=1),
    "two nodes": topology.dgx_h100(nodes=2),
    "A100": topology.dgx_a100(nodes=3),
    "MI300X": topology.mi300x(),
    "CloudMatrix384": topology.cloudmatrix384(nodes=2),
    "NVL72": topology.gb200_nvl72(),
}
STACKS = [
    ("one node", "nccl", "all_reduce"), ("one node", "nccl", "all_to_all"),
    ("two nodes", "nccl", "all_reduce"), ("two nodes", "nccl", "all_gather"),
    ("two nodes", "nccl", "broadcast"), ("two nodes", "mscclpp", "all_reduce"),
    ("A100", "nccl", "reduce_scatter"), ("A100", "nccl", "all_to_all"),
    ("MI300X", "rccl", "all_reduce"), ("MI300X", "rccl", "all_to_all"),
    ("CloudMatrix384", "hccl", "all_reduce"), ("NVL72", "nccl", "all_reduce"),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "name", "kind"), STACKS)
def test_a_stack_is_no_faster_than_perfect_software_and_time_never_falls(
    machine: str, name: str, kind: str
) -> None:
    found = collectives.analyze_sizes(MACHINES[machine], kind, SIZES, stack=name)
    times = np.array([one.time for one in found])
    assert (np.diff(times) >= -1e-12 * times[1:]).all()
    for one in found[::3]:
        assert one.time >= one.ideal.time * (1 - 1e-12)
        assert one.ideal.time >= one.bound.time * (1 - 1e-9)
        assert one.latency.total == pytest.approx(one.time)


def test_slower_links_are_no_faster() -> None:
    machine = MACHINES["two nodes"]
    links = [edge for edge in machine.graph.edges if edge[0].startswith("nic") or "npu/0" in edge]
    slow = machine.degrade(links=links, factor=0.5)
    for size in (KiB, MiB, GiB):
        for kind in ("all_reduce", "all_to_all"):
            whole, half = (collectives.analyze(m, kind, size, stack="nccl").time
                           for m in (machine, slow))  # fmt: skip
            assert half >= whole * (1 - 1e-12)


def _tuner(size: float, nodes: int) -> dict[str, float]:
    """NCCL 2.30's own times for an all-reduce on nodes of 8 H100, written from tuning.cc."""
    n, base = 8 * nodes, {"LL": 6.6, "LL128": 14.0, "Simple": 8.4}
    near = {"LL": 0.6, "LL128": 1.9, "Simple": 3.4}
    far = {"LL": 2.7, "LL128": 4.0, "Simple": 14.0}
    post = {"LL": 1.0, "LL128": 1.0, "Simple": 3.0}
    ring = 370.8 if nodes == 1 else 388.0
    cap = {1: 141.0, 2: 39.0}[nodes]
    found = {}
    for p in base:
        bus = {"LL": min(cap, ring / 2), "LL128": 0.92 * ring, "Simple": ring}[p]
        across = 2 * (nodes - 1)
        hop = near[p] if nodes == 1 else max(near[p], post[p])
        latency = base[p] + (2 * (n - 1) - across) * hop + across * far[p]
        if p == "Simple" and nodes > 1 and size >= 64 * n * 16:
            latency *= 1.4
        found[f"Ring {p}"] = latency * us + size * 2 * (n - 1) / n / (bus * GB)
    tree = {"LL": (6.8, 0.6, 5.0), "LL128": (14.0, 1.25, 8.5), "Simple": (8.4, 4.0, 14.0)}
    factors = {
        "LL": "1 1 1 1 .9 .8 .7 .7 .7 .7 .6 .5 .4 .4 .5 .6 .7 .8 .9 1 1 1 1 1",
        "LL128": "1 1 1 1 1 .9 .8 .8 .8 .7 .6 .6 .6 .6 .6 .6 .8 .9 .9 .9 .9 1 1 1",
        "Simple": ".9 .9 .9 .9 .9 .9 .9 .8 .7 .6 .6 .5 .5 .5 .5 .6 .7 .8 .7 .7 .8 .9 .9 .9",
    }
    for p, (start, inside, between) in tree.items():
        top = {"LL": min(cap, 0.92 * ring / 3.8), "LL128": 0.92 * ring * (7 / 9 if nodes == 1 else
               120 / 128), "Simple": 0.92 * ring}[p]  # fmt: skip
        at = int(log2(size / 64)) if size >= 64 else -1
        factor = float(factors[p].split()[at]) if 0 <= at < 23 else 1.0
        latency = start + 2 * (7 * inside + log2(nodes) * between)
        found[f"Tree {p}"] = latency * us + size / (top / 2 * factor * GB)
    if nodes == 1:
        found["NVLS Simple"] = 25 * us + size / (8 * 40 * 0.85 * GB)
    else:
        intra = 40 * 0.85 * 2 * 8 * 7 / 8  # heads, and the channel that NCCL takes off
        bus = min(intra, 2 * 8 * 48.0, 57.7 * 16)
        found["NVLSTree Simple"] = (25 + 2 * 20.9) * us + size * 15 / 8 / (bus * GB)
    return found


@pytest.mark.parametrize("nodes", [1, 2])
def test_nccl_chooses_as_its_own_tuner_does(nodes: int) -> None:
    """Where the choice differs, the tuner would give the same at a size within a factor of 2."""
    machine = MACHINES["one node" if nodes == 1 else "two nodes"]
    table = collectives.tune(machine, "all_reduce", low=64, high=8 * GiB, stack="nccl")
    for size in np.geomspace(64, 8 * GiB, 24).tolist():
        near = {min(times, key=times.__getitem__) for factor in (0.5, 0.7, 1, 1.4, 2)
                for times in [_tuner(size * factor, nodes)]}  # fmt: skip
        assert table.choose(size) in near


def test_what_was_fitted_was_measured_and_is_two_points_at_most() -> None:
    known = {one.name for one in measurements()}
    points = defaultdict(set)
    for row in load_rows("stacks.csv", WORDS):
        for name in row.words.get("fitted_on", "").split():
            assert name in known, name
            if "launch" not in row.words and "-node" not in name:  # a table's own constants
                key = row.words.get("network") or row.words.get("generation", "")
                points[row.words["stack"], key].add(name)
    assert all(len(names) <= 2 for names in points.values()), points


def test_domains_are_what_nics_join() -> None:
    assert len(set(domains(MACHINES["two nodes"].fabric))) == 2
    assert len(set(domains(MACHINES["CloudMatrix384"].fabric))) == 1
    assert len(set(domains(topology.star(4, link="nvlink4").fabric))) == 1


def test_unknown_devices_are_refused_and_a_generation_can_be_said() -> None:
    plain = topology.star(8, link="nvlink4")
    with pytest.raises(SupernodeError, match="generation=hopper"):
        collectives.analyze(plain, "all_reduce", MiB, stack="nccl")
    found = collectives.analyze(plain, "all_reduce", MiB, stack="nccl:generation=hopper")
    assert found.question.stack is not None
    assert found.question.stack.generation == "hopper"
    with pytest.raises(SupernodeError, match="nccl"):
        collectives.analyze(plain, "all_reduce", MiB, stack="nickel")
    with pytest.raises(SupernodeError, match="launch"):
        collectives.analyze(plain, "all_reduce", MiB, launch="graph")
    with pytest.raises(SupernodeError, match="has no way 'bruck'"):
        collectives.analyze(MACHINES["one node"], "all_reduce", MiB, stack="nccl",
                            algorithm="bruck")  # fmt: skip


def test_reads_and_writes_are_between_two() -> None:
    machine = MACHINES["CloudMatrix384"]
    found = collectives.analyze(machine, "broadcast", MiB, stack="hccl", algorithm="write",
                                ranks=[0, 8])  # fmt: skip
    assert found.cost.steps[0].phase == "write"
    with pytest.raises(SupernodeError, match="has no way"):
        collectives.analyze(machine, "broadcast", MiB, stack="hccl")
    assert collectives.analyze(machine, "broadcast", MiB).deployed is None


def test_a_launch_is_a_floor_or_comes_on_top() -> None:
    machine: Supernode = MACHINES["one node"]
    plain, one, torch = (
        collectives.analyze(machine, "all_reduce", KiB, stack="nccl", launch=launch).time
        for launch in (None, "one-process", "pytorch")
    )
    assert one > plain
    assert torch == pytest.approx(plain + 5 * us)
    assert stack("ideal", machine) is None
