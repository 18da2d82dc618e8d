"""Every shape and every small machine of the catalogue gets a proven schedule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import collectives
import topology
from collectives.synthesis import synthesize
from topology import LinkType, Supernode, shapes
from topology.units import GB, MiB, us

LINK = LinkType(capacity=50 * GB, latency=0.5 * us)
KINDS = ("all_gather", "reduce_scatter", "all_reduce", "all_to_all")
SHAPES: dict[str, tuple[Callable[[], Supernode], ...]] = {
    "bcube": tuple(lambda n=n: shapes.bcube(n, 1, link=LINK) for n in (2, 3)),
    "circulant": tuple(lambda n=n: shapes.circulant(n, (1, 3), link=LINK) for n in (7, 10)),
    "clos": tuple(lambda n=n: shapes.clos(n, radix=4, link=LINK) for n in (4, 8)),
    "complete_bipartite": tuple(
        lambda n=n, s=s: shapes.complete_bipartite(n, 3, link=LINK, switches=s)
        for n, s in ((2, False), (4, True))
    ),
    "de_bruijn": tuple(lambda n=n: shapes.de_bruijn(2, n, link=LINK) for n in (2, 3)),
    "dragonfly": (
        lambda: shapes.dragonfly(1, link=LINK), lambda: shapes.dragonfly(1, 2, 2, link=LINK),
    ),
    "dragonfly_plus": (lambda: shapes.dragonfly_plus(1, 2, 2, 2, link=LINK),),
    "fat_tree": (lambda: shapes.fat_tree(2, link=LINK), lambda: shapes.fat_tree(4, link=LINK)),
    "full_mesh": tuple(lambda n=n: shapes.full_mesh(n, link=LINK) for n in (2, 5)),
    "generalised_kautz": tuple(
        lambda n=n: shapes.generalised_kautz(2, n, link=LINK) for n in (5, 9)
    ),
    "hamming_mesh": tuple(
        lambda b=b, n=n: shapes.hamming_mesh(b, n, link=LINK)
        for b in ((1, 1), (1, 2), (2, 1), (2, 2), (2, 3)) for n in ((1, 1), (1, 2), (2, 1), (2, 2))
    ),
    "hypercube": tuple(lambda n=n: shapes.hypercube(n, link=LINK) for n in (1, 3)),
    "hyperx": tuple(
        lambda n=n: shapes.hyperx((2, 3), link=LINK, npus_per_switch=n) for n in (0, 2)
    ),
    "line": tuple(lambda n=n: shapes.line(n, link=LINK) for n in (2, 5)),
    "mesh": tuple(lambda n=n: shapes.mesh(n, link=LINK) for n in ((3, 2), (3, 3), (2, 2, 3))),
    "nd_full_mesh": (lambda: shapes.nd_full_mesh((2, 3), link=LINK),),
    "petersen": (lambda: shapes.petersen(link=LINK),),
    "rail_only": (lambda: shapes.rail_only(2, 2, link=LINK, rail_link=LINK),),
    "rail_optimised": (lambda: shapes.rail_optimised(2, 3, link=LINK, rail_link=LINK),),
    "random_regular": tuple(
        lambda n=n: shapes.random_regular(8, 3, link=LINK, npus_per_switch=n) for n in (0, 1)
    ),
    "ring": tuple(lambda n=n: shapes.ring(n, link=LINK) for n in (3, 6)),
    "slim_fly": (lambda: shapes.slim_fly(3, 1, link=LINK),),
    "star": tuple(lambda n=n: shapes.star(n, link=LINK) for n in (2, 7)),
    "torus": tuple(lambda n=n: shapes.torus(n, link=LINK) for n in ((2, 3), (4, 3), (2, 2, 2))),
    "twisted_torus": (lambda: shapes.twisted_torus((4, 2), {(0, 1): 1}, link=LINK),),
    "xgft": (lambda: shapes.xgft((2, 3), (1, 2), link=LINK),),
}  # fmt: skip
SYSTEMS: dict[str, dict[str, object]] = {
    "cloudmatrix384": {"nodes": 2}, "gb200-nvl72": {}, "dgx-h100": {"nodes": 2}, "dgx-1v": {},
    "dgx-a100": {}, "hgx-b200": {}, "mi300x": {}, "mi250": {}, "frontier-node": {},
    "frontier-group": {"chassis": 1}, "trainium2": {}, "gaudi3": {},
}  # fmt: skip


def prove(machine: Supernode, kind: str) -> None:
    """A schedule is made, right, and no better than the bound."""
    schedule = synthesize(machine, kind, size=16 * MiB)
    collectives.verify(schedule)
    found = collectives.analyze(machine, kind, 16 * MiB, algorithm=schedule)
    assert found.time >= found.bound.time * (1 - 1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(name: str, kind: str) -> None:
    for make in SHAPES[name]:
        prove(make(), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_small_machine(name: str, kind: str) -> None:
    prove(topology.system(name, **SYSTEMS[name]), kind)


def test_no_shape_is_forgotten() -> None:
    assert {"line_digraph", *SHAPES} == set(shapes.shape_names())
