"""What goes from one rank to another by way of their nodes: all-to-all, scatter and gather.

Between nodes everything stays on the rail of its target: inside the node to the member on that
rail, then across. Where a node has no member there whose NIC is alive, it goes by another, and
where the target has no NIC, through a member of its node (see `columns_of`).

References
----------
NCCL's PXN: Kobus et al., Doubling all2all performance with NCCL 2.12, NVIDIA technical blog, 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from collectives.algorithms.columns import Columns, columns_of
from collectives.algorithms.compose import Steps, reverse
from collectives.algorithms.grid import grid_steps
from collectives.algorithms.registry import algorithm
from collectives.algorithms.rooted import check_root
from collectives.algorithms.segments import in_segments
from collectives.model.collective import collective
from collectives.model.schedule import (
    IntArray,
    Schedule,
    Step,
    Team,
    Transfers,
    as_team,
    traffic_of,
)

_WORDS = ("to the rail", "along the rail", "from the rail")
_MOST_CHUNKS = 2_000_000


def hierarchical_all_to_all(
    name: str, team: Team | int, *, segments: int | None = None
) -> Schedule:
    """All-to-all in two steps: to the neighbour on the right rail, then along that rail.

    Every rank first gives each neighbour what is meant for that neighbour's place on any node,
    S/g each; then sends S/m to every node along its own rail. Messages between nodes are g
    times larger and stay on their rail (NCCL's PXN): (g-1)/g · S/B_i + (m-1)/m · S/B_e + 2α in one
    segment, and the longer of the two terms in many. Where only l of a node's g members reach
    other nodes, they carry g/l times as much, and what is meant for the others takes a third step.

    Parameters
    ----------
    name
        Of the algorithm.
    team
        Who takes part, in groups, which may differ in size.
    segments
        How many; by default the best for the team's size S.
    """
    made = as_team(team)
    columns, p = columns_of(made, name), made.size
    chunks = p * p
    if columns.regular:
        steps = grid_steps(columns.gates.T, _WORDS[:2])
    else:
        origin, target = np.divmod(np.arange(p * p), p)
        if chunks * columns.pieces <= _MOST_CHUNKS:
            chunks *= columns.pieces
            origin, target = (np.repeat(end, columns.pieces) for end in (origin, target))
            piece = np.arange(chunks) % columns.pieces
        else:
            piece = origin % columns.pieces
        steps = _by_gates(columns, origin, target, piece, p / chunks)
    whole = Schedule(name, collective("all_to_all"), p, chunks, steps)
    return in_segments(made, whole, segments)


def _by_gates(
    columns: Columns, origin: IntArray, target: IntArray, piece: IntArray, share: float
) -> Steps:
    """Return the steps that take chunk i from its origin to its target.

    Parameters
    ----------
    columns
        Whose pieces say which way a chunk goes.
    origin, target, piece
        Of each chunk.
    share
        Size of a chunk as a fraction of S.
    """
    home = np.empty(sum(map(len, columns.rows)), dtype=np.int64)
    place = np.empty_like(home)
    for number, row in enumerate(columns.rows):
        home[row], place[row] = number, np.arange(len(row))
    near = home[origin] == home[target]
    column = place[target] * columns.pieces + piece
    leaves, enters = (
        np.where(near, target, columns.gates[home[end], column]) for end in (origin, target)
    )
    ways: Sequence[IntArray] = (origin, leaves, enters, target)
    steps = []
    for src, dst, word in zip(ways, ways[1:], _WORDS, strict=False):
        chunk = np.flatnonzero(src != dst)
        moved = Transfers(src[chunk], dst[chunk], chunk)
        if len(chunk):
            steps.append(Step(lambda _, moved=moved: moved, traffic_of(moved, share), 1, word))  # type: ignore[misc]
    return tuple(steps)


for _name in ("pxn", "hierarchical"):  # its name in NCCL, and what it is
    algorithm("all_to_all", _name, candidate=_name == "pxn")(
        partial(hierarchical_all_to_all, _name)
    )


def hierarchical_fan(
    kind: str, name: str, team: Team | int, *, root: int = 0, segments: int | None = None
) -> Schedule:
    """Scatter to the root's neighbours on each rail, then along the rails; a gather backwards.

    (g-1)/g · S/B_i + (m-1)/m · (S/g)/B_e + 2α in one segment, and the longer of the two terms in S
    in many: all of a node's NICs carry what the root's own would.

    Parameters
    ----------
    kind, name
        Of the collective, scatter or gather, and of the algorithm.
    team, segments
        As in `hierarchical_all_to_all`.
    root
        Who has, or gets, all of it.
    """
    made = as_team(team)
    columns, p = columns_of(made, name), made.size
    chunks = p * columns.pieces
    target, piece = np.divmod(np.arange(chunks), columns.pieces)
    origin = np.full(chunks, check_root(root, p))
    steps = _by_gates(columns, origin, target, piece, 1 / chunks)
    if kind == "gather":
        steps = reverse(steps, "gather", reduce=False)
    return in_segments(
        made, Schedule(name, collective(kind), p, chunks, steps, root=root), segments
    )


for _kind in ("scatter", "gather"):
    algorithm(_kind, "hierarchical")(partial(hierarchical_fan, _kind, "hierarchical"))
