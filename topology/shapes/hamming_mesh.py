"""HammingMesh: boards with a mesh of NPUs, joined by switches along every row and column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from topology import border
from topology.errors import GraphError, shown
from topology.fabric import IntArray
from topology.hardware.media import LinkType, link_type
from topology.shapes.parts import LinkLike, by_x, coordinates, dimensions, pairs
from topology.shapes.registry import shape
from topology.supernode import Builder, Supernode


@shape
def hamming_mesh(
    board: Sequence[int],
    boards: Sequence[int],
    *,
    link: LinkLike,
    board_link: LinkLike | None = None,
    lanes: int = 1,
) -> Supernode:
    r"""Return a HammingMesh: x by y boards of a by b NPUs.

    ::

                 [column switches, one for every column of NPUs]
                   |   |           |   |
        [row]------o---o-----------o---o------[row]     boards of 2 x 2; a row's switch takes
                   |   |           |   |                the west and the east port of that row
        [row]------o---o-----------o---o------[row]     of every board (drawn twice here)
                   |   |           |   |

    N = a b x y NPUs of degree 4, which **forward** on their board; a y row switches of 2 x
    ports and b x column switches of 2 y ports; 2 N / b links to row switches and 2 N / a to
    column switches (N links of two lanes in a dimension in which a board is 1 wide).
    ``coord`` is (row of NPUs, column of NPUs). Hx2Mesh has a = b = 2, Hx4Mesh a = b = 4;
    boards of 1 x 1 make a two-dimensional HyperX of NPUs around switches.

    One switch stands for each row and column; the paper builds a two-level fat tree where 2 x
    or 2 y is above a switch's ports. Along a dimension of a single board there are no switches.

    Hoefler et al., HammingMesh: A Network Topology for Large-Scale Deep Learning, SC 2022,
    arXiv:2209.01346.

    Parameters
    ----------
    board
        (a, b): rows and columns of NPUs on a board.
    boards
        (y, x): rows and columns of boards.
    link
        From the edge of a board to its switch: catalogue name, rate per lane in bytes/s, or
        `LinkType`.
    board_link
        On a board; by default the same.
    lanes
        Parallel links in place of each.

    Raises
    ------
    GraphError
        If a size is below 1, or ``board`` or ``boards`` is not a pair.
    """
    inner = _pair("board", board)
    outer = _pair("boards", boards)
    far = link_type(link)
    near = far if board_link is None else link_type(board_link)
    width = border.whole(lanes, "hamming_mesh: lanes")
    rows, columns = inner[0] * outer[0], inner[1] * outer[1]
    border.afford("hamming_mesh", rows * columns)
    grid = np.arange(rows * columns).reshape(rows, columns)
    r, c = np.divmod(grid.ravel(), columns)
    builder = Builder()
    home = (r // inner[0] * outer[1] + c // inner[1]).tolist()
    coord = coordinates((rows, columns))
    npus = builder.add_grid(
        "npu", grid.size, kind="npu", tier=0, forwards=True, coord=coord, node=home
    )
    for word, lines, size in (("row", grid, inner[1]), ("column", grid.T, inner[0])):
        _add_dimension(builder, npus, word, lines, size, (near, far), width)
    called = {"board": inner, "boards": outer, "link": far.name, "board_link": near.name}
    return builder.build(
        f"hamming-mesh-{by_x(inner)}-{by_x(outer)}", npus, parameters={**called, "lanes": width}
    )


def _add_dimension(
    builder: Builder,
    npus: list[str],
    word: str,
    lines: IntArray,
    size: int,
    links: tuple[LinkType, LinkType],
    lanes: int,
) -> None:
    """Add the links along lines of NPUs: within boards of ``size``, and to a switch a line."""
    place = np.arange(lines.shape[1])
    inside = place[:-1][place[:-1] % size < size - 1]
    builder.connect(
        pairs(npus, lines[:, inside], npus, lines[:, inside + 1]), links[0], lanes=lanes
    )
    if lines.shape[1] == size:
        return
    switches = builder.add_grid(word, len(lines), kind="switch", tier=1)
    edge = place[(place % size == 0) | (place % size == size - 1)]
    homes = np.repeat(np.arange(len(lines)), len(edge))
    both = 2 if size == 1 else 1
    ends = pairs(npus, lines[:, edge], switches, homes)
    builder.connect(ends, links[1], lanes=both * lanes)


def _pair(what: str, sizes: object) -> tuple[int, ...]:
    found = dimensions("hamming_mesh", sizes, what)
    if len(found) != 2:
        raise GraphError(
            f"hamming_mesh: {what} is {shown(sizes)}; give rows and columns, such as (2, 2)"
        )
    return found
