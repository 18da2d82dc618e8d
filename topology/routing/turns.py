"""Say which hop follows which on the paths of a flow: what it takes to look for deadlock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.errors import RoutingError
from topology.fabric import IntArray

_MOST = 25_000_000


@dataclass(frozen=True, eq=False)
class Turns:
    """Hops of paths, and which follows which; no hop follows itself, at once or later.

    Attributes
    ----------
    arc
        The arc of each hop, shape (hops,).
    before, after
        Hops of which the second follows the first on some path, shape (turns,).
    """

    arc: IntArray
    before: IntArray
    after: IntArray

    def of_arcs(self, arcs: int) -> tuple[IntArray, IntArray]:
        """Return which arc follows which, each pair once; ``arcs`` is how many there are."""
        key = np.unique(self.arc[self.before] * arcs + self.arc[self.after])
        first, second = np.divmod(key, arcs)
        return first, second


def join_turns(
    first: Turns, second: Turns, before: IntArray | None = None, after: IntArray | None = None
) -> Turns:
    """Return the turns of two flows together.

    Parameters
    ----------
    first, second
        Their turns.
    before, after
        Hops of the first that hops of the second follow, shape (turns,), if any do.
    """
    count, none = len(first.arc), np.zeros(0, dtype=np.int64)
    before, after = (none if ends is None else ends for ends in (before, after))
    return Turns(
        np.concatenate([first.arc, second.arc]),
        np.concatenate([first.before, count + second.before, before]),
        np.concatenate([first.after, count + second.after, count + after]),
    )


def afford_turns(count: int) -> None:
    """Raise `RoutingError` if there are too many turns to list."""
    if count > _MOST:
        raise RoutingError(
            f"the paths have {count:,} turns, and {_MOST:,} are looked at at most; choose fewer "
            "ranks="
        )
