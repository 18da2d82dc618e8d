"""Name the collectives, and how their sizes and bandwidths are counted (as nccl-tests does).

References
----------
NVIDIA nccl-tests, doc/PERFORMANCE.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from topology.errors import unknown_name


@dataclass(frozen=True)
class Collective:
    """What every rank has before and after.

    Attributes
    ----------
    name
        As in calls: "all_reduce".
    size
        What the size S means, in words.
    factor
        busbw / algbw for n ranks.
    """

    name: str
    size: str
    factor: Callable[[int], float]

    @property
    def title(self) -> str:
        """Return the name as people write it: "all-reduce"."""
        return self.name.replace("_", "-")


def _share(n: int) -> float:
    return (n - 1) / n


_BUFFER = "bytes of each rank's buffer"
_VECTOR = "bytes of the full vector"
_COLLECTIVES: Mapping[str, Collective] = MappingProxyType(
    {
        c.name: c
        for c in (
            Collective("all_reduce", _BUFFER, lambda n: 2 * (n - 1) / n),
            Collective("reduce_scatter", _VECTOR, _share),
            Collective("all_gather", _VECTOR, _share),
            Collective(
                "all_to_all", "bytes each rank sends in all, its own share included", _share
            ),
            Collective("broadcast", _BUFFER, lambda _: 1.0),
            Collective("reduce", _BUFFER, lambda _: 1.0),
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
