"""Who sends which chunk to whom, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from collectives.model.errors import ScheduleError
from topology import border
from topology.text import Part, Printed, Table, counted

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

_SHOWN = 5


@dataclass(frozen=True, eq=False, repr=False)
class Transfers(Printed):
    """What moves in one step, all at once: sender, receiver and chunk of each transfer.

    Every transfer sends what its sender held before the step.

    Attributes
    ----------
    src, dst
        Positions, shape (k,); lists will do.
    chunk
        Which chunk, shape (k,). For all-to-all, the block from o to d is chunk o * p + d.
    reduce
        Whether the receiver adds the chunk to its own (True) or takes it as it is (False): one
        for all, or one for each transfer, shape (k,).
    """

    src: IntArray
    dst: IntArray
    chunk: IntArray
    reduce: bool | BoolArray = False

    def __post_init__(self) -> None:
        for name in ("src", "dst", "chunk"):
            given = getattr(self, name)
            if not isinstance(given, np.ndarray):
                given = border.ordered(given, f"transfers: {name}", ScheduleError)
                object.__setattr__(self, name, _flat(given))
        self._check()

    def _check(self) -> None:
        columns = (self.src, self.dst, self.chunk)
        if any(column.dtype.kind not in "iu" or column.ndim != 1 for column in columns):
            raise ScheduleError("transfers: src, dst and chunk must be flat lists of whole numbers")
        lengths = [len(column) for column in columns]
        if len(set(lengths)) > 1 or np.shape(self.reduce) not in ((), self.src.shape):
            raise ScheduleError(
                f"transfers: src, dst and chunk have lengths {lengths}, reduce has shape "
                f"{np.shape(self.reduce)}; the lengths must be equal"
            )

    def __len__(self) -> int:
        return len(self.src)

    def parts(self) -> list[Part]:
        """Return how many there are, and the first few."""
        first = f"{counted(len(self), 'transfer')}, {int(self.adds.sum()):,} added at the receiver"
        columns = (self.src, self.dst, self.chunk, self.adds)
        rows = zip(*(column[:_SHOWN].tolist() for column in columns), strict=True)
        texts = [[*map(str, row[:3]), "added" if row[3] else "copied"] for row in rows]
        more = [f"and {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []
        return [first, *([Table("", ("from", "to", "chunk", "is"), texts)] if texts else []), *more]

    @property
    def adds(self) -> BoolArray:
        """Return whether each transfer is added, shape (k,)."""
        return np.broadcast_to(np.asarray(self.reduce, dtype=bool), self.src.shape)


def _flat(given: list[Any]) -> IntArray:
    """Return whole numbers as an array; anything else as an array that is refused."""
    try:
        return np.array(given) if given else np.zeros(0, dtype=np.int64)
    except ValueError:  # lists in lists, of any depth
        return np.empty((0, 0), dtype=np.int64)


def join(parts: Sequence[Transfers]) -> Transfers:
    """Return transfers that happen together as one."""
    src, dst, chunk = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("src", "dst", "chunk")
    )
    return Transfers(src, dst, chunk, np.concatenate([part.adds for part in parts]))
