"""Circulant graphs: rings with chords of chosen lengths."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from topology import border
from topology.errors import GraphError
from topology.shapes.parts import LinkLike, graph_of
from topology.shapes.registry import shape
from topology.supernode import Supernode


@shape
def circulant(npus: int, offsets: Iterable[int], *, link: LinkLike, lanes: int = 1) -> Supernode:
    r"""Return NPU i with links to i + s and i - s, modulo their number, for every offset s.

    ::

          o--o
         /|\/|\        C(8, {1, 2}): a ring, and every second one joined as well
        o-+-+-+-o
         ...           N vertices, N links an offset (N / 2 for the offset N / 2)

    Degree two for each offset, one for N / 2; vertex-transitive; connected if and only if the
    offsets and N have no common divisor. Elspas and Turner, Graphs with circulant adjacency
    matrices, J. Combinatorial Theory 9, 1970.

    Parameters
    ----------
    npus
        2 or more.
    offsets
        Each from 1 to N / 2, all different.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    lanes
        Parallel links between neighbours.

    Raises
    ------
    GraphError
        If an offset is out of range or stands twice, or the graph would fall apart.
    """
    n = border.whole(npus, "circulant: npus", least=2)
    border.afford("circulant", n)
    steps = _offsets(n, offsets)
    starts = [np.arange(n // 2 if 2 * step == n else n) for step in steps]
    ends = [(start + step) % n for start, step in zip(starts, steps, strict=True)]
    called = {"npus": n, "offsets": steps}
    return graph_of(
        "circulant", n, [(np.concatenate(starts), np.concatenate(ends))], link, lanes, called,
        size="-".join(map(str, (n, *steps))), coord=[(i,) for i in range(n)],
    )  # fmt: skip


def _offsets(n: int, offsets: object) -> tuple[int, ...]:
    given = border.members(offsets, "circulant: offsets")
    found = sorted(border.whole(step, "circulant: an offset", most=n // 2) for step in given)
    for step, following in pairwise(found):
        if step == following:
            raise GraphError(f"circulant: the offset {step} stands twice; use lanes=")
    common = int(np.gcd.reduce([n, *found]))
    if common > 1:
        raise GraphError(
            f"circulant: {n} NPUs and the offsets {found} have the common divisor {common}, so "
            f"the graph falls into {common} parts; add an offset that {common} does not divide"
        )
    return tuple(found)
