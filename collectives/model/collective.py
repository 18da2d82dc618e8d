"""Name the collectives: what each rank has before and after, and how sizes are counted.

Data is cut into chunks. Each collective says at which ranks every chunk is at the start and
where it must be at the end, and whether the ranks' chunks are added up on the way.

References
----------
NVIDIA nccl-tests, doc/PERFORMANCE.md and src/*.cu, for sizes and bandwidth factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from topology import units
from topology.errors import unknown_name
from topology.fabric import IntArray
from topology.text import Part, Printed

Place: TypeAlias = Literal["everyone", "owner", "root", "origin", "destination"]


@dataclass(frozen=True, repr=False)
class Collective(Printed):
    """What every rank has before and after.

    Attributes
    ----------
    name
        As in calls: "all_reduce".
    size
        What the size S means, in words.
    factor
        busbw / algbw for n ranks.
    before, after
        Where each chunk is at the start, and must be at the end: at "everyone", at its "owner"
        (rank r owns the r-th p-th of the vector), at the "root"; in an all-to-all at its
        "origin" and its "destination".
    adds
        Whether every rank has its own version of the chunks and the result is their sum.
    moves
        Whether it moves data; the messages of a barrier only say that they came.
    """

    name: str
    size: str
    factor: Callable[[int], float]
    before: Place = "everyone"
    after: Place = "everyone"
    adds: bool = False
    moves: bool = True

    def payload(self, size: float) -> float:
        """Return S in bytes for a size that was asked: 0 where no data moves."""
        return size if self.moves else 0.0

    def of(self, size: float, title: str = "") -> str:
        """Return it, or what it is called, at a size in words: "all-reduce of 64 MiB"."""
        named = title or self.title
        return f"{named} of {units.format_size(size)}" if self.moves else named

    def parts(self) -> list[Part]:
        """Return what people read."""
        return [f"{self.title}: S is {self.size}"]

    @property
    def title(self) -> str:
        """Return the name as people write it: "all-reduce"."""
        return self.name.replace("_", "-")

    @property
    def rooted(self) -> bool:
        """Whether one rank, the root, has another part than the rest."""
        return "root" in (self.before, self.after)


def places(place: Place, ranks: int, chunks: int, root: int = 0) -> tuple[IntArray, IntArray]:
    """Return every rank and chunk that a place means: two arrays, shape (k,).

    Parameters
    ----------
    place
        As in `Collective.before`.
    ranks, chunks
        How many there are. For "owner" the ranks divide the chunks evenly; for "origin" and
        "destination" chunk (o * p + d) * k + j is the j-th of k from rank o to rank d.
    root
        The root's rank.
    """
    chunk = np.arange(chunks)
    if place == "everyone":
        return np.repeat(np.arange(ranks), chunks), np.tile(chunk, ranks)
    if place == "root":
        return np.full(chunks, root), chunk
    if place == "owner":
        return chunk // max(1, chunks // ranks), chunk
    origin, destination = np.divmod(chunk // max(1, chunks // ranks**2), ranks)
    return (origin if place == "origin" else destination), chunk


def _share(n: int) -> float:
    return (n - 1) / n


def _double_share(n: int) -> float:
    return 2 * (n - 1) / n


def _one(_: int) -> float:
    return 1.0


def _zero(_: int) -> float:
    return 0.0


_BUFFER = "bytes of each rank's buffer"
_VECTOR = "bytes of the full vector"
_SENT = "bytes each rank sends in all, its own share included"
_SIGNAL = "always 0, as no data moves"
_COLLECTIVES: Mapping[str, Collective] = MappingProxyType(
    {
        c.name: c
        for c in (
            Collective("all_reduce", _BUFFER, _double_share, adds=True),
            Collective("reduce_scatter", _VECTOR, _share, after="owner", adds=True),
            Collective("all_gather", _VECTOR, _share, before="owner"),
            Collective("all_to_all", _SENT, _share, "origin", "destination"),
            Collective("broadcast", _BUFFER, _one, before="root"),
            Collective("reduce", _BUFFER, _one, after="root", adds=True),
            Collective("gather", _VECTOR, _share, "owner", "root"),
            Collective("scatter", _VECTOR, _share, "root", "owner"),
            Collective("barrier", _SIGNAL, _zero, adds=True, moves=False),
        )
    }
)


def collective_names() -> list[str]:
    """Return the names `collective` knows."""
    return list(_COLLECTIVES)


def collective(name: str | Collective) -> Collective:
    """Return a collective by name; ``-`` and ``_`` are the same.

    Raises
    ------
    UnknownNameError
        If the name is not known; the near ones are listed.
    """
    if isinstance(name, Collective):
        return name
    found = _COLLECTIVES.get(str(name).strip().lower().replace("-", "_"))
    if found is None:
        raise unknown_name("collective", name, _COLLECTIVES)
    return found
