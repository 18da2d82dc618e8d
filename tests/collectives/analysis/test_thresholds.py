"""Effort is limited in many places; no limit may change an answer without a word."""

from __future__ import annotations

import sys
from functools import cache

import pytest

import collectives
import topology
from collectives import Analysis
from topology import Supernode
from topology.units import MiB

LIMITS = {
    "topology.routing.ecmp": ("_MANY", "_ARCS", "_SORTS", "_PAYS", "_FEW"),
    "topology.routing.hops": ("_CELLS",),
    "topology.routing.distances": ("_CELLS",),
    "topology.routing.spreading": ("_CELLS", "_SAMPLE", "_KEPT_HOPS"),
    "topology.routing.paths": ("_BATCH",),
    "topology.metrics.distance": ("_DENSE", "_ROWS"),
    "topology.solvers.linear": ("_FEW_VARIABLES",),
    "topology.symmetry.search": ("_DEPTH", "_CANDIDATES", "_PATIENCE", "_WORK"),
    "collectives.model.execution": ("_WORDS_AT_ONCE",),
    "collectives.bounds.certificates.proofs": ("_CELLS",),
    "collectives.bounds.latency": ("_CELLS", "_BLOCK", "_SWEEPS"),
    "collectives.bounds.likeness": ("_MOST",),
    "collectives.bounds.dual": ("_PLAIN", "_CELLS"),
    "collectives.bounds.exchange": ("_MOST_VARIABLES", "_MOST_SEARCHED"),
    "collectives.bounds.gather": ("_WORK", "_FEWEST"),
    "collectives.algorithms.hamiltonian": ("_TRIES", "_SMALL", "_STEPS"),
    "collectives.algorithms.tiers": ("_MOST_RANKS",),
    "collectives.analysis.candidate": ("_MOST_WORK",),
    "collectives.timing.stepwise": ("_TRIED",),
}  # fmt: skip
BY_NAME = {"_TRIES", "_SMALL", "_STEPS", "_MOST_RANKS"}  # what they leave out is refused by name


def _machines() -> list[Supernode]:
    """Return a machine of tiers, and a torus that lost a cable and has a narrow one."""
    torus = topology.torus((3, 3), link="nvlink5")
    uneven = torus.without(links=[("npu/0", "npu/1"), ("npu/1", "npu/0")])
    return [topology.dgx_h100(2), uneven.degrade(links=[("npu/4", "npu/5")], factor=0.5)]


def _answers() -> list[Analysis]:
    kinds = ("all_reduce", "all_to_all")
    return [collectives.analyze(*asked, MiB) for asked in zip(_machines(), kinds, strict=True)]


@cache
def _free() -> list[Analysis]:
    return _answers()


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in LIMITS.items() for n in names])
@pytest.mark.parametrize("end", ["none", "all"])
def test_a_limit_changes_nothing_or_is_told(
    module: str, name: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = _free()
    value = getattr(sys.modules[module], name)
    least = (
        1
        if name in ("_ARCS", "_BATCH", "_CELLS", "_BLOCK", "_ROWS", "_WORDS_AT_ONCE", "_SAMPLE")
        else 0
    )
    limit = type(value)(least if end == "none" else min(10**6 * max(value, 1), 2**40))
    monkeypatch.setattr(sys.modules[module], name, limit)
    for before, after in zip(known, _answers(), strict=True):
        told = {str(note) for note in after.approximations} - set(map(str, before.approximations))
        if told:
            assert after.bound.time <= before.bound.time * (1 + 1e-9)
            assert after.time >= before.bound.time * (1 - 1e-9)
            continue
        assert after.bound.time == pytest.approx(before.bound.time, rel=1e-7)
        if name in BY_NAME:
            assert after.time >= before.time * (1 - 1e-9) or end == "all"
        else:
            assert after.time == pytest.approx(before.time, rel=1e-9)


@pytest.mark.parametrize("limit", [1, 2**40])
@pytest.mark.parametrize("at", [("collectives.timing.turns", "_CELLS"),
                                ("collectives.timing.flows", "_KNOWN")])  # fmt: skip
def test_what_a_simulation_keeps_changes_no_time(
    at: tuple[str, str], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (("ring", {}), ("hierarchical_direct", {}), ("ring", {"window": 1}))
    machine = topology.dgx_h100(2)

    def times() -> list[float]:
        return [
            collectives.simulate(machine, "all_reduce", MiB, algorithm=name, **terms).time
            for name, terms in asked
        ]

    known = times()
    monkeypatch.setattr(sys.modules[at[0]], at[1], limit)
    assert times() == pytest.approx(known, rel=1e-12)
