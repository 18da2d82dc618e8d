"""Random regular graphs, as Jellyfish wires its switches."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from topology import border
from topology.errors import GraphError
from topology.fabric import BoolArray, IntArray
from topology.hardware.media import link_type
from topology.shapes.parts import LinkLike, graph_of
from topology.shapes.registry import shape
from topology.supernode import Supernode

_TRIES = 1000


@shape
def random_regular(
    count: int,
    degree: int,
    *,
    link: LinkLike,
    seed: int = 0,
    npus_per_switch: int = 0,
    npu_link: LinkLike | None = None,
    lanes: int = 1,
) -> Supernode:
    r"""Return a connected random graph in which every vertex has the same degree.

    ::

        o o [s]---[s] o o       S switches with r links to other switches and T NPUs each,
             | \  / |           wired at random; or NPUs as vertices, with T = 0
             |  \/  |
        o o [s]-/\-[s] o o      S r / 2 links between vertices, S T NPUs

    Singla, Hong, Popa, Godfrey, Jellyfish: Networking Data Centers Randomly, NSDI 2012. Ports
    are paired at random, and links that would join a vertex to itself or double a link trade
    ends with random others; a graph that is not connected is drawn again. The same seed gives
    the same graph.

    Parameters
    ----------
    count
        S, the vertices.
    degree
        r, from 1 to S - 1; S r must be even.
    link
        A link type: its name in the catalogue, a rate per lane in bytes/s, or a `LinkType`.
    seed
        0 or more.
    npus_per_switch
        T; 0 for NPUs as vertices, which forward.
    npu_link
        From an NPU to its switch; by default as between switches.
    lanes
        Parallel links between neighbours.

    Raises
    ------
    GraphError
        If S r is odd, or no connected graph is found (degree 1 beyond two vertices).
    """
    n = border.whole(count, "random_regular: count", least=2)
    r = border.whole(degree, "random_regular: degree", least=1, most=n - 1)
    each = border.whole(npus_per_switch, "random_regular: npus_per_switch", least=0)
    border.afford("random_regular", n * (1 + each), n * (r + 2 * each))
    chance = np.random.default_rng(border.seed(seed, "random_regular: seed"))
    if n * r % 2:
        raise GraphError(
            f"random_regular: {n} vertices of degree {r} have an odd number of ports; "
            "make one of the two even"
        )
    down = link_type(link if npu_link is None else npu_link)
    called = {
        "count": n, "degree": r, "seed": seed, "npus_per_switch": each, "npu_link": down.name,
    }  # fmt: skip
    return graph_of(
        "random_regular", n, [_connected(n, r, chance)], link, lanes, called,
        size=f"{n}-{r}-seed-{seed}", npus_per_switch=each, npu_link=down,
    )  # fmt: skip


def _connected(n: int, r: int, chance: np.random.Generator) -> tuple[IntArray, IntArray]:
    for _ in range(_TRIES if r > 1 or n == 2 else 0):
        u, v = _draw(n, r, chance)
        if _is_connected(n, u, v):
            return u, v
    raise GraphError(
        f"random_regular: no connected graph of {n} vertices of degree {r} was found; "
        "raise the degree"
    )


def _draw(n: int, r: int, chance: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Draw a simple regular graph; a dense one as the complement of a sparse one."""
    if 2 * r > n - 1:
        absent = np.zeros((n, n), dtype=bool)
        u, v = _draw(n, n - 1 - r, chance)
        absent[u, v] = absent[v, u] = True
        u, v = np.nonzero(np.triu(~absent, k=1))
        return u.astype(np.int64), v.astype(np.int64)
    while True:
        stubs = chance.permutation(np.repeat(np.arange(n), r)).reshape(-1, 2)
        if _mend(n, stubs, chance):
            return stubs.min(axis=1), stubs.max(axis=1)


def _mend(n: int, ends: IntArray, chance: np.random.Generator) -> bool:
    """Let faulty links trade ends with random ones until none is left, in place."""
    for _ in range(_TRIES):
        bad = np.flatnonzero(_faulty(n, ends))
        if not len(bad):
            return True
        other = chance.integers(len(ends), size=len(bad))
        for i, j in zip(bad.tolist(), other.tolist(), strict=True):
            ends[i, 1], ends[j, 1] = ends[j, 1], ends[i, 1]
    return False


def _faulty(n: int, ends: IntArray) -> BoolArray:
    """Tell which links join a vertex to itself or repeat an earlier link."""
    key = ends.min(axis=1) * n + ends.max(axis=1)
    repeated = np.ones(len(key), dtype=bool)
    repeated[np.unique(key, return_index=True)[1]] = False
    faulty: BoolArray = repeated | (ends[:, 0] == ends[:, 1])
    return faulty


def _is_connected(n: int, u: IntArray, v: IntArray) -> bool:
    graph = sparse.coo_array((np.ones(len(u)), (u, v)), shape=(n, n))
    return int(csgraph.connected_components(graph, directed=False)[0]) == 1
