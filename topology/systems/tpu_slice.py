"""Build slices of TPU pods: cubes of 4 x 4 x 4 chips on optical circuit switches.

A cube is a rack; its links are electrical. Each of the 16 positions on a face has a fibre to the
circuit switch of that position and dimension, which joins it to the facing cube, or, at the end
of a slice, to the first one. The switches are mirrors: they add fibre, not a hop, so they are
not nodes. Which cube meets which is a setting, and so any box of cubes is a torus, and the
wrap-around can be twisted. Jouppi et al., TPU v4, ISCA 2023, arXiv:2304.01433, §2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import ceil, prod

import numpy as np

from topology.errors import GraphError
from topology.fabric import BoolArray, FloatArray, IntArray
from topology.hardware.media import link_type
from topology.placement import Floor, Place, choose_link
from topology.shapes.lattice import lattice_steps
from topology.shapes.parts import by_x, coordinates, pairs
from topology.supernode import Builder, Supernode
from topology.systems.cabling import STEP, assumed
from topology.systems.catalogue import build_row
from topology.systems.sizes import Box, box

CUBE = 4
_HOST = (2, 2, 1)
_FLOOR = Floor(racks_per_row=8)


@dataclass(frozen=True)
class Generation:
    """A TPU generation.

    Attributes
    ----------
    name
        What tables call it; also its row in devices.csv and in systems.csv.
    copper, optical
        Link types inside a cube, and through a circuit switch.
    largest
        The largest slice.
    sources
        Where the wiring comes from.
    """

    name: str
    copper: str
    optical: str
    largest: tuple[int, int, int]
    sources: tuple[str, ...]


def build_slice(generation: Generation, shape: Box | None, *, twisted: bool) -> Supernode:
    """Return a slice: a torus of whole cubes, or a mesh inside one cube.

    Parameters
    ----------
    generation
        Which TPU.
    shape
        Three widths, as (4, 4, 8) or "4x4x8"; None for the largest.
    twisted
        Whether the wrap-around of the short dimensions shifts the long ones; see `twists_of`.

    Raises
    ------
    GraphError
        If the shape is not three widths that are multiples of 4, or 1, 2 or 4 each; has more
        chips than the largest slice; or is to be twisted and cannot be.
    """
    dims = _checked(generation, shape)
    twists = twists_of(generation.name, dims) if twisted else {}
    builder = Builder()
    chips, cube = _add_chips(builder, generation, dims)
    wraps = all(width % CUBE == 0 for width in dims)
    circuit = _to_circuit_switch(generation, int(cube.max()) + 1)
    for u, v, optical in _links(dims, twists, cube, wraps=wraps):
        builder.connect(pairs(chips, u[~optical], chips, v[~optical]), generation.copper)
        fibre = circuit[cube[u[optical]]] + circuit[cube[v[optical]]]
        for length, which in _by_length(fibre):
            kind = choose_link(length, [generation.optical])
            ends = pairs(chips, u[optical][which], chips, v[optical][which])
            builder.connect(ends, kind)
    size = "" if dims == generation.largest else by_x(dims)
    variant = "-".join(filter(None, (size, "twisted" if twisted else "")))
    sources = (*generation.sources, *_assumptions(generation))
    about = {"sources": sources, "parameters": {"shape": dims, "twisted": twisted}}
    return build_row(builder, generation.name, chips, variant, **about)


def twists_of(name: str, dims: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Return {dimension: {shifted dimension: by}} of a twisted torus.

    n x n x 2n and n x 2n x 2n can be twisted: going round a short dimension, of n, lands n
    further in every long one, of 2n. Both are then as symmetric as a cube (Camarero, Martinez,
    Beivide, Symmetric interconnection networks from cubic crystal lattices, arXiv:1311.2019).
    The rule is that paper's lattice, taken over: the TPU v4 paper cites it and names the shapes.
    """
    n = min(dims)
    short = [axis for axis, width in enumerate(dims) if width == n]
    long = [axis for axis, width in enumerate(dims) if width == 2 * n]
    if n % CUBE or not long or len(short) + len(long) != len(dims):
        raise GraphError(
            f"{name}: a slice of {by_x(dims)} cannot be twisted; it must be n x n x 2n or "
            "n x 2n x 2n with n a multiple of 4, such as 4x4x8"
        )
    return dict.fromkeys(product(short, long), n)


def _checked(generation: Generation, shape: Box | None) -> tuple[int, ...]:
    if shape is None:
        return generation.largest
    name = generation.name
    dims = box(name, "shape", shape)
    cubes = all(width % CUBE == 0 for width in dims)
    if len(dims) != len(generation.largest) or not (cubes or set(dims) <= {1, 2, CUBE}):
        raise GraphError(
            f"{name}: shape is {by_x(dims)}; it must be three widths that are multiples of 4, "
            "such as 4x4x8, or part of one cube: 1, 2 or 4 each"
        )
    if prod(dims) > prod(generation.largest):
        raise GraphError(
            f"{name}: shape is {by_x(dims)}, {prod(dims):,} chips; the largest slice is "
            f"{by_x(generation.largest)}, {prod(generation.largest):,}"
        )
    return dims


def _add_chips(
    builder: Builder, generation: Generation, dims: tuple[int, ...]
) -> tuple[list[str], IntArray]:
    """Add the chips; return their ids and the cube, which is the rack, of each."""
    grid = np.indices(dims).reshape(len(dims), -1)
    cube = _number(grid, dims, (CUBE,) * len(dims))
    host = _number(grid, dims, _HOST)
    inside = np.ravel_multi_index(tuple(grid % CUBE), (CUBE,) * len(dims))
    chips = builder.add_grid(
        "npu", prod(dims), kind="npu", tier=0, device=generation.name, forwards=True,
        coord=coordinates(dims), rack=cube.tolist(), node=host.tolist(), slot=inside.tolist(),
    )  # fmt: skip
    return chips, cube


def _number(grid: IntArray, dims: tuple[int, ...], block: tuple[int, ...]) -> IntArray:
    """Return which block of a tiling each coordinate is in, shape (chips,)."""
    tiles = [ceil(width / size) for width, size in zip(dims, block, strict=True)]
    where = [axis // size for axis, size in zip(grid, block, strict=True)]
    numbers: IntArray = np.ravel_multi_index(tuple(where), tiles).astype(np.int64)
    return numbers


def _links(
    dims: tuple[int, ...], twists: Mapping[tuple[int, int], int], cube: IntArray, *, wraps: bool
) -> Iterator[tuple[IntArray, IntArray, BoolArray]]:
    """Yield, for each dimension, both ends of every cable and whether it leaves the cube."""
    for width, ends in zip(dims, lattice_steps(dims, wrap=wraps, twists=twists), strict=True):
        u, v = (end.ravel() for end in ends)
        last = np.repeat(np.arange(len(ends[0])) == width - 1, prod(dims) // width)
        yield u, v, last | (cube[u] != cube[v])


def _to_circuit_switch(generation: Generation, cubes: int) -> FloatArray:
    """Return metres from each cube to the circuit switches, in the row after the pod's last."""
    pod = ceil(prod(generation.largest) / CUBE**3)
    row = ceil(pod / _FLOOR.racks_per_row)
    there = Place(row * _FLOOR.racks_per_row + _FLOOR.racks_per_row // 2)
    return np.array([_FLOOR.length(Place(rack), there) for rack in range(cubes)])


def _by_length(metres: FloatArray) -> Iterator[tuple[float, IntArray]]:
    """Yield each length, in half metres, and which of the cables have it."""
    steps = np.ceil(metres / STEP - 1e-9).astype(np.int64)
    order = np.argsort(steps, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(steps[order])) + 1):
        if len(group):
            yield float(steps[group[0]]) * STEP, group


def _assumptions(generation: Generation) -> tuple[str, ...]:
    modules = link_type(generation.optical).modules
    return (
        f"estimate: fibres run by way of circuit switches in a row beside the racks, {modules:g} "
        "modules to a link",
        assumed(_FLOOR),
    )


def circuit_switches(machine: Supernode) -> dict[str, list[tuple[str, str]]]:
    """Return the links through each optical circuit switch of a slice: what its failure takes.

    A switch serves one dimension and one of the 16 positions on a cube's face, so a pod has 48,
    and every cube has two ports on each. Hand a row to `Supernode.without` as ``links=``.

    Parameters
    ----------
    machine
        A slice, as `topology.tpu_v4` returns it, or that with faults.

    Returns
    -------
    dict
        {"ocs/dimension/position": pairs of chips, each cable once}.

    Raises
    ------
    GraphError
        If the machine is not a TPU slice.
    """
    dims, twisted = (machine.parameters.get(key) for key in ("shape", "twisted"))
    if not isinstance(dims, tuple) or len(dims) != len(_HOST):
        raise GraphError(f"{machine.name} is not a TPU slice; it has no circuit switches")
    grid = np.indices(dims).reshape(len(dims), -1)
    twists = twists_of(machine.name, dims) if twisted else {}
    wraps = all(width % CUBE == 0 for width in dims)
    found: dict[str, list[tuple[str, str]]] = {}
    every = _links(dims, twists, _number(grid, dims, (CUBE,) * len(dims)), wraps=wraps)
    for axis, (u, v, optical) in enumerate(every):
        first, second = (grid[other] % CUBE for other in range(len(dims)) if other != axis)
        for i, j in zip(u[optical].tolist(), v[optical].tolist(), strict=True):
            pair = f"npu/{i}", f"npu/{j}"
            if machine.graph.has_edge(*pair):
                name = f"ocs/{axis}/{first[i] * CUBE + second[i]}"
                found.setdefault(name, []).append(pair)
    return found
