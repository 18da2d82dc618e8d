"""Slim Fly: the McKay-Miller-Siran graphs, of diameter 2 and close to the Moore bound."""

from __future__ import annotations

import numpy as np

from topology import border
from topology.errors import GraphError
from topology.fabric import IntArray
from topology.hardware.media import link_type
from topology.shapes.fields import Field, field, prime_power
from topology.shapes.parts import LinkLike, graph_of
from topology.shapes.registry import shape
from topology.supernode import Supernode


@shape
def slim_fly(
    q: int,
    npus_per_switch: int | None = None,
    *,
    link: LinkLike,
    npu_link: LinkLike | None = None,
    lanes: int = 1,
) -> Supernode:
    r"""Return the Slim Fly of a prime power q = 4 w + d, d being -1, 0 or 1.

    ::

        (0, x, y)  --  (0, x, y')      if y - y' is in X          q columns of q switches
        (1, m, c)  --  (1, m, c')      if c - c' is in X'         q columns of q switches
        (0, x, y)  --  (1, m, c)       if y = m x + c             over the field GF(q)

    2 q^2 switches of degree k = (3 q - d) / 2, q^2 (3 q - d) / 2 links, diameter 2 (4 between
    NPUs), against a Moore bound of k^2 + 1 vertices. q = 5 is the Hoffman-Singleton graph. X
    and X' are made of powers of a primitive element z: even and odd powers for d = 1 (up to
    z^(q-2)); for d = 0 X = 1, z^2, .., z^(q-2) and X' = z, z^3, .., z^(q-1); for d = -1
    X = +-1, +-z^2, .., +-z^(2w-2) and X' = +-z, +-z^3, .., +-z^(2w-1). ``coord`` is
    (0, x, y) or (1, m, c), elements of GF(p^n) by number: digits to the base p.

    Besta and Hoefler, Slim Fly: A Cost Effective Low-Diameter Network Topology, SC 2014,
    arXiv:1912.08968; McKay, Miller and Siran, A note on large graphs of diameter two and given
    maximum degree, J. Combin. Theory B 74, 1998; Hafner, Geometric realisation of the graphs of
    McKay-Miller-Siran, J. Combin. Theory B 90, 2004.

    Parameters
    ----------
    q
        A prime power, 3 or more: 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, ...
    npus_per_switch
        By default k / 2, rounded up, which balances the load; 0 makes the vertices NPUs that
        forward.
    link
        Between switches: catalogue name, rate per lane in bytes/s, or `LinkType`.
    npu_link
        From an NPU to its switch; by default the same.
    lanes
        Parallel links between switches.

    Raises
    ------
    GraphError
        If q is not a prime power, or 2.
    """
    size = border.whole(q, "slim_fly: q", least=3)
    border.afford("slim_fly", 2 * size**2, 2 * size**3)
    factors = prime_power(size)
    if factors is None:
        near = [n for n in range(max(3, size - 4), size + 5) if prime_power(n)]
        raise GraphError(
            f"slim_fly: q is {q}; it must be a prime power, such as {', '.join(map(str, near))}"
        )
    degree = (3 * size - _delta(size)) // 2
    each = (degree + 1) // 2 if npus_per_switch is None else npus_per_switch
    each = border.whole(each, "slim_fly: npus_per_switch", least=0)
    down = link_type(link if npu_link is None else npu_link)
    u, v = zip(*_edges(size, field(*factors)), strict=True)
    coord = [(s, x, y) for s in range(2) for x in range(size) for y in range(size)]
    called = {"q": size, "npus_per_switch": each, "npu_link": down.name}
    return graph_of(
        "slim_fly", 2 * size**2, [(np.concatenate(u), np.concatenate(v))], link, lanes, called,
        size=str(size), coord=coord, npus_per_switch=each, npu_link=down,
    )  # fmt: skip


def _delta(q: int) -> int:
    return {0: 0, 1: 1, 3: -1}[q % 4]


def generators(q: int, powers: IntArray) -> tuple[IntArray, IntArray]:
    """Return X and X' for GF(q), q = 4 w + d, from the powers of a primitive element.

    Both are symmetric, -x being in them with x: -1 is z^((q-1)/2), or 1 if q is even.
    """
    if _delta(q) == 1:
        return powers[0::2], powers[1::2]
    if _delta(q) == 0:
        return powers[0 : q - 1 : 2], np.append(powers[1::2], powers[0])
    w = (q + 1) // 4
    even, odd = np.arange(0, 2 * w, 2), np.arange(1, 2 * w, 2)
    both = np.array([[0], [(q - 1) // 2]])
    return powers[(even + both) % (q - 1)].ravel(), powers[(odd + both) % (q - 1)].ravel()


def _edges(q: int, gf: Field) -> list[tuple[IntArray, IntArray]]:
    """Return the links as index arrays, each cable once: both sides' columns, then between."""
    found = []
    column, y = np.divmod(np.arange(q * q), q)
    for side, steps in enumerate(generators(q, gf.powers)):
        to = gf.add[y[:, None], np.unique(steps)[None]]
        u, v = np.broadcast_arrays(column[:, None] * q + y[:, None], column[:, None] * q + to)
        found.append((side * q * q + u[u < v], side * q * q + v[u < v]))
    x, m, c = (grid.ravel() for grid in np.indices((q, q, q)))
    line = gf.add[gf.multiply[m, x], c]
    found.append((x * q + line, q * q + m * q + c))
    return found
