"""Values that nobody should give, and some that are right."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import networkx as nx
import numpy as np

import collectives
import topology
from topology.units import GB, KiB, MiB

DEEP: list[Any] = []
for _ in range(3000):
    DEEP = [DEEP]

ODD: Sequence[Any] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 1.5, -0.0, math.nan, math.inf, -math.inf, 10**400,
    -(10**400), 10**5000, 2**31, 2**63, 2**64, 10**9, 1e308, -1e308, 1e-320, 5e-324, 1e31, "", " ",
    "x", "²", "½", "٣", "\0", "a\0b", "\ud800", "64 MiB", "1e400 B", "-1 B", "1e-320B", "yes", "No",
    "9" * 5000, "x" * 10**4, "\n", "{}", "npu/0", "switch/0", "all-reduce", "ring", "auto", b"x",
    [], {}, set(), {0, 1}, frozenset({1}), (), [0], [0, 1], [1, 0], [0, 0], [0.5], ["0"], [None],
    [[]], [[0, 1], [1, 0]], [-1], [10**400], {0: 1}, {"a": "b"}, {(0, 1): 1.0}, {(0, 1): math.nan},
    range(3), range(0), range(10**12), object(), len, int, ..., NotImplemented, 1j, Decimal("1"),
    Fraction(1, 3), Fraction(10**400), Path(), np.nan, np.float32(2), np.int64(3), np.bool_(True),
    np.array([1, 2]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([]), np.array(["a"]),
    np.array(None), np.zeros((2, 2, 2)), np.full((4, 4), 1e308), np.full((4, 4), np.nan), DEEP,
)  # fmt: skip


def odd(rng: Random) -> Any:
    """Return a value that is seldom right."""
    value = rng.choice(ODD)
    if rng.random() < 0.1 and isinstance(value, int | float) and not isinstance(value, bool):
        return [value, value]
    return value


@cache
def machines() -> Sequence[topology.Supernode]:
    """Return small machines of every sort."""
    lone = nx.DiGraph()
    lone.add_nodes_from(["npu/0", "npu/1"], kind="npu", forwards=True)
    lone.add_edge("npu/0", "npu/1", capacity=1 * GB)
    uneven = nx.DiGraph()
    for u, v, rate in ((0, "w", 3), ("w", 1, 1), ("w", 2, 2), (1, 0, 1), (2, 0, 5), (1, 2, 1)):
        uneven.add_edge(u, v, capacity=rate * GB, latency=rate * 1e-7)
    mesh = topology.mesh((3, 2), link=7 * GB)
    return (
        topology.star(4, link="nvlink4"), topology.star(1, link=1 * GB), mesh,
        topology.torus((2, 3), link=[25 * GB, 50 * GB]), topology.full_mesh(3, link=10 * GB),
        topology.rail_only(2, 2, link=100 * GB, rail_link=50 * GB, nic_link=50 * GB),
        topology.clos(8, radix=4, link=25 * GB, tiers=3), topology.system("dgx-1v"),
        topology.de_bruijn(2, 2, link=1 * GB), topology.bcube(2, 1, link=1 * GB),
        topology.from_networkx(lone), topology.from_networkx(uneven, [0, 1, 2], name="uneven"),
        topology.compose(topology.star(2, link=9 * GB), 2, scale_out="infiniband"),
        mesh.without(links=[("npu/0", "npu/1")], both_directions=False),
        topology.dgx_h100(1), topology.dgx_h100(2, oversubscription=2),
        topology.dgx_h100(1).degrade(links=[("npu/0", "nvswitch/0/0")], factor=0.5),
    )  # fmt: skip


KINDS = (
    "all_reduce", "all-gather", "reduce_scatter", "all-to-all", "broadcast", "reduce", "gather",
    "scatter", "barrier",
)  # fmt: skip
SIZES = (0, 1, 8 * KiB, 64 * MiB, 1e9, "64 MiB", 1e29)

_GOOD: Mapping[str, Callable[[Random], Any]] = {
    "supernode": lambda rng: rng.choice(machines()),
    "supernodes": lambda rng: rng.sample(machines(), rng.randint(1, 2)),
    "machines": lambda rng: rng.sample(machines(), rng.randint(1, 2)),
    "base": lambda rng: rng.choice(machines()),
    "graph": lambda rng: rng.choice(machines()).graph,
    "kind": lambda rng: rng.choice((*KINDS, "link", "switch", "cable", "optic", "node")),
    "kinds": lambda rng: rng.sample(KINDS, 2),
    "name": lambda rng: rng.choice((*KINDS, "ring", "dgx-h100", "nvlink4", "h100", "ecmp")),
    "collective_name": lambda rng: rng.choice(KINDS),
    "size": lambda rng: rng.choice(SIZES),
    "sizes": lambda rng: rng.choice(([1], [1, 2], [0, 1e6], ["1KiB"], [2, 3])),
    "algorithm": lambda rng: rng.choice(("auto", *_algorithms())),
    "algorithms": lambda rng: rng.sample(_algorithms(), 2),
    "ranks": lambda rng: rng.choice((None, [0], [0, 1], [1, 0, 2], range(2), (0, 1, 2, 3))),
    "npus": lambda rng: rng.choice((None, 2, 3, 4, ["npu/0", "npu/1"])),
    "routing": lambda rng: rng.choice(
        (
            *topology.routing.routing_names(),
            "hashed:seed=3",
            lambda src, dst: [src, dst],
        )
    ),
    "rate": lambda rng: rng.choice(("line", "effective")),
    "alpha": lambda rng: rng.choice((None, 0, 1e-6)),
    "message": lambda rng: rng.choice((None, 0, 2e-9)),
    "group_size": lambda rng: rng.choice((None, 1, 2, 4)),
    "root": lambda rng: rng.choice((0, 1)),
    "gap": lambda rng: rng.choice((0.01, 0.5)),
    "relay": lambda rng: rng.random() < 0.5,
    "exact": lambda rng: rng.random() < 0.5,
    "link": lambda rng: rng.choice((1 * GB, "nvlink4", "50 GB/s", topology.LinkType(capacity=1e9))),
    "lanes": lambda rng: rng.choice((1, 2, [1, 2])),
    "dims": lambda rng: rng.choice((3, (2, 2), (3, 2), [2, 2, 2])),
    "layer": lambda _: collectives.MoELayer(4, 64, 2, 8),
    "schedule": lambda rng: _schedule(rng),  # noqa: PLW0108 - it is defined below
    "links": lambda rng: rng.choice(([], [("npu/0", "switch/0")], [("npu/0", "npu/1")])),
    "nodes": lambda rng: rng.choice(([], ["npu/1"], "switch/0", 1, 2)),
    "factor": lambda rng: rng.choice((0.5, 2, 4)),
    "count": lambda rng: rng.choice((1, 2, 4)),
    "seed": lambda rng: rng.choice((0, 1, None)),
    "matrix": lambda _: [[0, 1e6, 2], [3, 4, 5], [1, 0, 1]],
    "low": lambda rng: rng.choice((1, "1KiB")),
    "high": lambda rng: rng.choice((1e3, "1MiB")),
    "demand": lambda rng: rng.choice((None, {("npu/0", "npu/1"): 1.0}, {(0, 1): 2.0})),
    "scale_out": lambda rng: rng.choice(("infiniband", 1e9)),
    "tp": lambda rng: rng.choice((1, 2)),
    "groups": lambda rng: rng.choice(([[0, 1]], [[0, 1], [2, 3]], [[0], [1]])),
    "jobs": lambda _: [collectives.Job("all_reduce", [[0, 1]], 1e6)],
    "analysis": lambda rng: _analysis(rng),  # noqa: PLW0108 - it is defined below
    "analyses": lambda rng: [_analysis(rng)],
    "comparison": lambda rng: collectives.compare([rng.choice(machines()[2:6])], sizes=[1e6]),
    "style": lambda rng: rng.choice(("light", "dark", "print")),
    "ax": lambda _: None,
    "a": lambda rng: rng.choice((1, 2)),
    "inputs": lambda _: [np.arange(4.0)] * 4,
}


def good(name: str, rng: Random) -> Any:
    """Return a value that a parameter of this name may well have."""
    made = _GOOD.get(name)
    return made(rng) if made else rng.choice((1, 2, 3, 4, 1.0, None))


@cache
def _algorithms() -> Sequence[str]:
    return sorted({name for kind in KINDS for name in collectives.algorithm_names(kind)})


def _analysis(rng: Random) -> Any:
    kinds = ("all_reduce", "all_to_all", "broadcast")
    return collectives.analyze(rng.choice(machines()[:9]), rng.choice(kinds), 1e6)


def _schedule(rng: Random) -> Any:
    kind = rng.choice(KINDS[:4])
    try:
        return collectives.make_schedule(machines()[0], kind, algorithm=rng.choice(_algorithms()))
    except topology.SupernodeError:
        return collectives.make_schedule(machines()[0], kind, algorithm="direct")
