"""What every shape has in common, and the oracles that name them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from math import prod

import numpy as np
import pytest

import topology
from tests.public import public_names
from tests.topology.shapes.graphs import LINK, adjacency, diameter, npu_hops, valid
from topology import Supernode, shapes
from topology.hardware.media import LinkType

Build = Callable[..., Supernode]

CALLS: dict[str, tuple[object, ...]] = {
    "bcube": (3, 1),
    "circulant": (9, (1, 3)),
    "clos": (40,),
    "complete_bipartite": (3, 4),
    "de_bruijn": (2, 3),
    "dragonfly": (2,),
    "dragonfly_plus": (2,),
    "fat_tree": (4,),
    "full_mesh": (6,),
    "generalised_kautz": (3, 14),
    "hamming_mesh": ((2, 2), (2, 3)),
    "hypercube": (3,),
    "hyperx": ((3, 4),),
    "line": (5,),
    "mesh": ((3, 4),),
    "nd_full_mesh": ((3, 4),),
    "petersen": (),
    "rail_only": (4, 2),
    "rail_optimised": (4, 2),
    "random_regular": (10, 3),
    "ring": (7,),
    "slim_fly": (4,),
    "star": (5,),
    "torus": ((3, 4),),
    "twisted_torus": ((4, 8), {(0, 1): 4}),
    "xgft": ((2, 3), (1, 2)),
}
"""A small one of every shape but `line_digraph`, which is made from another."""

names = pytest.mark.parametrize("name", sorted(CALLS))


def _make(name: str, link: object, **more: object) -> Supernode:
    rails = {"rail_link": link} if name.startswith("rail_") else {}
    return getattr(topology, name)(*CALLS[name], link=link, **rails, **more)


def test_every_shape_is_called_here_and_reachable_from_the_top() -> None:
    assert {*CALLS, "line_digraph"} == set(shapes.shape_names())
    assert all(getattr(topology, name) is getattr(shapes, name) for name in shapes.shape_names())
    assert set(shapes.shape_names()) <= set(public_names(topology))


@names
def test_a_link_type_by_name_by_rate_and_in_full(name: str) -> None:
    named = _make(name, "nvlink5")
    valid(named)
    rated = _make(name, 50e9)
    full = _make(name, LinkType(capacity=50e9, name="mine", latency=1e-7))
    assert adjacency(named) == adjacency(rated) == adjacency(full)
    records = {data["link"].type for *_, data in named.graph.edges(data=True)}
    assert records == {"nvlink5"}
    assert {data["latency"] for *_, data in full.graph.edges(data=True)} == {1e-7}


@names
def test_parameters_build_it_again(name: str) -> None:
    shape = _make(name, "nvlink5")
    again = getattr(topology, name)(**shape.parameters)
    assert adjacency(again) == adjacency(shape)
    assert again.name == shape.name
    assert again.npus == shape.npus


@names
def test_ranks_are_in_order_and_tiers_rise_from_them(name: str) -> None:
    shape = _make(name, LINK)
    assert shape.npus == tuple(f"npu/{i}" for i in range(len(shape.npus)))
    for _, data in shape.graph.nodes(data=True):
        assert (data["tier"] == 0) == (data["kind"] == "npu")
    assert topology.routing.ecmp(shape).loads().min() >= 0


@pytest.mark.parametrize("name", shapes.shape_names())
def test_docstrings_have_a_sketch_and_every_parameter(name: str) -> None:
    build = getattr(topology, name)
    text = inspect.getdoc(build)
    assert "::\n" in text
    section = text.split("Parameters\n---")[1]
    assert all(parameter in section for parameter in inspect.signature(build).parameters)


# The best rate per pair for uniform all-to-all over unit links, and its share of the bound
# by distances, arcs / sum of distances; None where equal-cost paths do not reach the best.
ALL_TO_ALL: list[tuple[str, Build, tuple[object, ...], float, float, bool]] = [
    ("ring 8", topology.ring, (8,), 8, 1, True),
    ("ring 9", topology.ring, (9,), 10, 1, True),
    ("torus 4x4", topology.torus, ((4, 4),), 8, 1, True),
    ("torus 5x5", topology.torus, ((5, 5),), 15, 1, True),
    ("torus 8x8", topology.torus, ((8, 8),), 64, 1, True),
    ("torus 4x8", topology.torus, ((4, 8),), 32, 0.75, True),
    ("torus 3x3x3", topology.torus, ((3, 3, 3),), 9, 1, True),
    ("torus 4x4x4", topology.torus, ((4, 4, 4),), 32, 1, True),
    ("Q3", topology.hypercube, (3,), 4, 1, True),
    ("Q4", topology.hypercube, (4,), 8, 1, True),
    ("Q5", topology.hypercube, (5,), 16, 1, True),
    ("K8", topology.full_mesh, (8,), 1, 1, True),
    ("K4,4", topology.complete_bipartite, (4, 4), 2.5, 1, True),
    ("Petersen", topology.petersen, (), 5, 1, True),
    ("mesh 3x3", topology.mesh, ((3, 3),), 6, 1, False),
    ("mesh 4x4", topology.mesh, ((4, 4),), 16, 0.8333, False),
    ("C(16,{3,4})", topology.circulant, (16, {3, 4}), 8, 0.9375, False),
    ("C(12,{2,3})", topology.circulant, (12, {2, 3}), 4.6667, 0.9643, False),
    ("GenKautz(4,16)", topology.generalised_kautz, (4, 16), 7.5714, 0.9245, False),
    ("GenKautz(4,20)", topology.generalised_kautz, (4, 20), 8.7143, 0.9754, False),
    ("GenKautz(4,27)", topology.generalised_kautz, (4, 27), 14.9216, 0.9949, False),
    ("GenKautz(4,32)", topology.generalised_kautz, (4, 32), 21.25, 0.8698, False),
]


@pytest.mark.parametrize(
    ("build", "size", "inverse", "share", "best"),
    [row[1:] for row in ALL_TO_ALL],
    ids=[row[0] for row in ALL_TO_ALL],
)
def test_all_to_all_optimum(
    build: Build, size: tuple[object, ...], inverse: float, share: float, best: bool
) -> None:
    """Equal-cost paths reach the optimum where links are alike, and never beat it."""
    shape = build(*size, link=1.0)
    by_distance = npu_hops(shape).sum() / len(shape.fabric.arcs)
    assert by_distance / inverse == pytest.approx(share, abs=1e-4)
    worst = topology.routing.ecmp(shape).loads().max()
    assert worst >= inverse * (1 - 1e-4)
    if best:
        assert worst == pytest.approx(inverse)


DIAMETERS: list[tuple[Build, tuple[object, ...], int]] = [
    (topology.ring, (8,), 4), (topology.ring, (9,), 4), (topology.ring, (16,), 8),
    (topology.torus, ((4, 4),), 4), (topology.torus, ((5, 5),), 4),
    (topology.torus, ((3, 4),), 3), (topology.torus, ((4, 8),), 6),
    (topology.torus, ((8, 8),), 8), (topology.torus, ((4, 4, 4),), 6),
    (topology.torus, ((4, 4, 8),), 8), (topology.torus, ((8, 8, 8),), 12),
    (topology.torus, ((32, 32),), 32), (topology.hypercube, (10,), 10),
    (topology.complete_bipartite, (4,), 2), (topology.full_mesh, (8,), 1),
    (topology.circulant, (16, {3, 4}), 3), (topology.circulant, (12, {2, 3}), 2),
    (topology.generalised_kautz, (2, 8), 3), (topology.generalised_kautz, (2, 12), 3),
    (topology.generalised_kautz, (4, 16), 2), (topology.generalised_kautz, (4, 20), 2),
    (topology.generalised_kautz, (4, 27), 3), (topology.generalised_kautz, (4, 32), 3),
    (topology.generalised_kautz, (4, 64), 3), (topology.generalised_kautz, (4, 81), 4),
    (topology.generalised_kautz, (4, 128), 4), (topology.generalised_kautz, (4, 256), 4),
]  # fmt: skip


@pytest.mark.parametrize(("build", "size", "steps"), DIAMETERS)
def test_steps_of_a_breadth_first_broadcast(
    build: Build, size: tuple[object, ...], steps: int
) -> None:
    """Its latency in steps is the diameter: the published table of direct-connect graphs."""
    assert diameter(build(*size, link=LINK)) == steps


@pytest.mark.parametrize("dims", [(4, 4), (4, 4, 4), (6, 6), (8, 8)])
def test_mean_distance_of_an_even_torus(dims: tuple[int, ...]) -> None:
    """D k / 4 times N / (N - 1)."""
    total = prod(dims)
    found = npu_hops(topology.torus(dims, link=LINK))
    expected = len(dims) * dims[0] / 4 * total / (total - 1)
    assert found.sum() / (total * (total - 1)) == pytest.approx(expected)
    assert np.all(found.sum(axis=1) == found.sum(axis=1)[0])
