"""Hold TPU slices to the torus they are, and twisted ones to their symmetry."""

from __future__ import annotations

from math import prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests.topology.systems.machines import whole
from topology import Supernode, metrics
from topology.errors import GraphError
from topology.systems import tpu_v4, tpu_v5p
from topology.systems.tpu_slice import circuit_switches, twists_of
from topology.units import GB

POD = {"tpu-v4": (16, 16, 16), "tpu-v5p": (16, 16, 24), "ironwood": (16, 16, 36)}
TWISTED = [(4, 4, 8), (4, 8, 8), (8, 4, 4), (4, 8, 4), (8, 8, 16)]
shapes = st.tuples(*[st.sampled_from([4, 8, 12])] * 3)


def distances(machine: Supernode) -> list[int]:
    """Return hops from the first chip; a vertex-transitive graph has the same from any."""
    return list(nx.single_source_shortest_path_length(machine.graph, machine.npus[0]).values())


@pytest.mark.parametrize("name", list(POD))
def test_a_pod_is_a_torus_of_cubes(name: str) -> None:
    machine = whole(name)
    dims = POD[name]
    count = prod(dims)
    assert len(machine.npus) == count
    cables = metrics.cables(machine)
    by_medium = {
        m: sum(c.count for c in cables if c.link.medium == m) for m in ("copper", "optical")
    }
    cubes = count // 64
    assert by_medium == {"copper": 144 * cubes, "optical": 48 * cubes}
    assert metrics.optics(machine) == 96 * cubes
    assert {d for _, d in machine.graph.out_degree()} == {6}
    assert max(distances(machine)) == sum(width // 2 for width in dims)
    racks = {machine.graph.nodes[npu]["rack"] for npu in machine.npus}
    assert len(racks) == cubes


@settings(max_examples=15)
@given(shapes)
def test_a_slice_is_the_torus_of_its_shape(dims: tuple[int, int, int]) -> None:
    machine, torus = tpu_v4(dims), topology.torus(dims, link=50 * GB)
    assert set(machine.graph.edges) == set(torus.graph.edges)
    assert all(
        machine.graph.nodes[npu]["coord"] == torus.graph.nodes[npu]["coord"] for npu in machine.npus
    )


@settings(max_examples=15)
@given(shapes)
def test_a_link_is_fibre_exactly_if_it_leaves_its_cube_or_wraps(dims: tuple[int, int, int]) -> None:
    graph = tpu_v5p(dims).graph
    for u, v, data in graph.edges(data=True):
        a, b = graph.nodes[u]["coord"], graph.nodes[v]["coord"]
        step = max(abs(x - y) for x, y in zip(a, b, strict=True))
        same = all(x // 4 == y // 4 for x, y in zip(a, b, strict=True))
        assert (data["link"].medium == "copper") == (same and step == 1)
        assert data["capacity"] == 100 * GB


@pytest.mark.parametrize(
    ("shape", "links"), [("2x2x1", 4), ((2, 2, 2), 12), ((2, 4, 4), 64), ((1, 1, 1), 0)]
)
def test_a_part_of_a_cube_is_a_mesh_on_copper(shape: object, links: int) -> None:
    machine = tpu_v4(shape)  # type: ignore[arg-type]
    assert machine.graph.number_of_edges() == 2 * links
    assert metrics.optics(machine) == 0
    assert {machine.graph.nodes[npu]["rack"] for npu in machine.npus} == {0}


def test_a_cube_wraps_through_the_circuit_switches() -> None:
    machine = tpu_v4("4x4x4")
    assert metrics.optics(machine) == 96
    assert machine.graph.number_of_edges() == 2 * 192
    assert metrics.bisection(machine) == pytest.approx(2 * 16 * 50 * GB)


def test_a_host_has_four_neighbouring_chips() -> None:
    graph = tpu_v4("4x4x8").graph
    homes: dict[int, list[tuple[int, ...]]] = {}
    for _, data in graph.nodes(data=True):
        homes.setdefault(data["node"], []).append(data["coord"])
    assert len(homes) == 32
    for chips in homes.values():
        assert len(chips) == 4
        assert np.ptp(np.array(chips), axis=0).tolist() == [1, 1, 0]


@pytest.mark.parametrize("dims", TWISTED)
def test_twisted_tori_are_shorter_and_as_symmetric(dims: tuple[int, ...]) -> None:
    plain, twisted = tpu_v4(dims), tpu_v4(dims, twisted=True)
    assert {d for _, d in twisted.graph.out_degree()} == {6}
    near, far = sorted(distances(twisted)), sorted(distances(plain))
    assert max(near) < max(far)
    assert sum(near) < sum(far)
    for npu in twisted.npus[:: max(1, len(twisted.npus) // 16)]:  # vertex-transitive
        lengths = nx.single_source_shortest_path_length(twisted.graph, npu).values()
        assert sorted(lengths) == near


@pytest.mark.parametrize(("dims", "diameter"), [((4, 4, 8), 6), ((4, 8, 8), 6)])
def test_twisted_diameter(dims: tuple[int, ...], diameter: int) -> None:
    assert metrics.diameter(tpu_v4(dims, twisted=True)) == diameter


@pytest.mark.parametrize(("dims", "gain"), [((4, 4, 8), 1.745), ((4, 8, 8), 1.391)])
def test_twisting_relieves_all_to_all_and_loads_every_link_alike(
    dims: tuple[int, ...], gain: float
) -> None:
    """Jouppi et al. measure 1.63x on 4x4x8 and 1.31x on 4x8x8; ECMP in the fluid limit gives more.

    The exact figures were computed apart from this library, with NetworkX.
    """
    plain = topology.routing.ecmp(tpu_v4(dims)).loads()
    twisted = topology.routing.ecmp(tpu_v4(dims, twisted=True)).loads()
    assert plain.max() / twisted.max() == pytest.approx(gain, abs=6e-4)
    assert twisted == pytest.approx(twisted.mean(), rel=1e-9)


@pytest.mark.parametrize("dims", TWISTED[:2])
def test_the_twist_is_the_cubic_crystal_lattice(dims: tuple[int, ...]) -> None:
    """The cables are those of Z^3 modulo the lattice, and just the wrap-around ones move."""
    n, long = min(dims), [axis for axis, width in enumerate(dims) if width > min(dims)]
    machine = tpu_v4(dims, twisted=True)
    number = {machine.graph.nodes[npu]["coord"]: npu for npu in machine.npus}

    def reduce(point: list[int]) -> tuple[int, ...]:
        for axis in (a for a in range(3) if a not in long):
            turns, point[axis] = divmod(point[axis], n)
            for other in long:
                point[other] += turns * n
        for axis in long:
            point[axis] %= 2 * n
        return tuple(point)

    expected = set()
    for coord, npu in number.items():
        for axis in range(3):
            point = list(coord)
            point[axis] += 1
            other = number[reduce(point)]
            expected |= {(npu, other), (other, npu)}
    assert set(machine.graph.edges) == expected
    lattice = topology.twisted_torus(
        dims,
        twists_of("x", dims),
        link=GB,
    )
    assert set(lattice.graph.edges) == expected


def test_mean_distance_of_a_torus() -> None:
    """Each dimension of even width k adds k / 4 over all pairs, the chip itself included."""
    dims = (4, 8, 12)
    count = prod(dims)
    expected = sum(width / 4 for width in dims) * count / (count - 1)
    assert metrics.mean_distance(tpu_v4(dims)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("4x4", "three widths"), ((4, 4, 6), "multiples of 4"), ("4xfourx4", "as in 4x4x8"),
        ((4, 4, 0), "1 or more"), ((16, 16, 32), "largest slice"), ((2, 4, 8), "multiples of 4"),
        (7, "three widths"), ((4, 4, 4.0), "whole number"),
    ],
)  # fmt: skip
def test_no_such_slice(shape: object, told: str) -> None:
    with pytest.raises(GraphError, match=told):
        tpu_v4(shape)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", ["4x4x4", "4x4x12", "4x8x16", "8x8x8", "2x2x1"])
def test_what_cannot_be_twisted_is_told(shape: str) -> None:
    with pytest.raises(GraphError, match="cannot be twisted"):
        tpu_v4(shape, twisted=True)


@pytest.mark.parametrize("twisted", [False, True])
def test_circuit_switches_carry_every_fibre_once(twisted: bool) -> None:
    machine = tpu_v4("4x4x8", twisted=twisted)
    found = circuit_switches(machine)
    assert set(found) == {f"ocs/{axis}/{place}" for axis in range(3) for place in range(16)}
    fibres = {
        frozenset((u, v))
        for u, v, data in machine.graph.edges(data=True)
        if data["link"].medium == "optical"
    }
    carried = [frozenset(pair) for pairs in found.values() for pair in pairs]
    assert len(carried) == len(fibres)
    assert set(carried) == fibres
    for axis in range(3):  # two ports of each cube on every switch of a dimension
        for place in range(16):
            ends = [npu for pair in found[f"ocs/{axis}/{place}"] for npu in pair]
            cubes = [machine.graph.nodes[npu]["rack"] for npu in ends]
            assert sorted(cubes) == [0, 0, 1, 1]


def test_a_pod_uses_all_128_ports_of_48_circuit_switches() -> None:
    found = circuit_switches(whole("tpu-v4"))
    assert len(found) == 48
    assert {2 * len(links) for links in found.values()} == {128}


def test_a_dead_circuit_switch_leaves_the_slice_connected() -> None:
    machine = tpu_v4("4x4x8")
    name, links = next(iter(circuit_switches(machine).items()))
    broken = machine.without(links=links)
    assert nx.is_strongly_connected(broken.graph)
    assert name not in circuit_switches(broken)
    plain, hurt = (topology.routing.ecmp(m).loads().max() for m in (machine, broken))
    assert hurt >= plain


def test_only_tpu_slices_have_circuit_switches() -> None:
    with pytest.raises(GraphError, match="not a TPU slice"):
        circuit_switches(topology.torus((4, 4, 4), link=GB))
