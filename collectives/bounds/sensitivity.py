"""Say what each class of links is worth: how much faster the best gets if it gets faster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.bounds.bound import Bound
from collectives.bounds.limits import bound
from collectives.model.collective import Collective
from topology import border, units
from topology.errors import SupernodeError
from topology.fabric import Fabric, FloatArray
from topology.supernode import Supernode
from topology.text import Part, Printed, counted

_ENDS = ("NPU", "GPU", "die")


@dataclass(frozen=True, repr=False)
class Worth(Printed):
    """What one class of links, both directions together, is worth to a bound.

    Attributes
    ----------
    name
        "NPU↔L1".
    medium
        "copper" or "optical".
    links
        How many directed links.
    change
        How much capacity was added to all of them, as a fraction.
    most
        The most algbw can rise by it, as a fraction: what the certificate allows.
    gain
        How much algbw does rise, as a fraction, worked out afresh.
    """

    name: str
    medium: str
    links: int
    change: float
    most: float
    gain: float

    def parts(self) -> list[Part]:
        """Return what it is worth."""
        given, got = (units.format_percent(x) for x in (self.change, self.gain))
        links = counted(self.links, f"{self.name} link")
        return [f"{links}, {self.medium}: +{given} capacity, +{got} algbw"]


def sensitivity(
    supernode: Supernode,
    kind: str | Collective,
    ranks: npt.ArrayLike | None = None,
    *,
    change: float = 0.1,
    size: float | None = None,
    **choices: Any,
) -> tuple[Worth, ...]:
    """Return what more capacity on each class of links does to a bound, the best first.

    Parameters
    ----------
    supernode, kind, ranks
        As in `bound`.
    change
        How much capacity is added, as a fraction: 0.1 for 10 %.
    size
        S in bytes, where latency may leave less to gain; by default large sizes.
    **choices
        Passed to `bound`.

    Raises
    ------
    SupernodeError
        If change is not above 0.
    """
    change = border.number(change, "sensitivity: change", above=0, error=SupernodeError)

    def limit(machine: Supernode) -> Bound:
        found = bound(machine, kind, ranks, **choices)
        return found if size is None else found.at(size)

    before = limit(supernode)
    slow = _slowness(before)
    fabric = supernode.fabric
    weight = _weights(supernode, before)
    rows = []
    for (name, medium), arcs in _cables(fabric).items():
        share = float(weight[arcs].sum())
        links = [fabric.arcs[arc] for arc in arcs.tolist()]
        least = before.seconds_per_byte / (1 + share * change)
        most, gain = _rise(slow, _slowness(replace(before, seconds_per_byte=least))), 0.0
        if most > 0:
            faster = supernode.degrade(links=links, factor=1 + change, both_directions=False)
            gain = _rise(slow, _slowness(limit(faster)))
        rows.append(Worth(name, medium, len(links), change, most, gain))
    return tuple(sorted(rows, key=lambda row: (-row.gain, -row.most, row.name)))


def _slowness(found: Bound) -> float:
    """Return the time at the bound's size, or for each byte of a large one."""
    return found.seconds_per_byte if found.size is None else found.time


def _rise(slow: float, fast: float) -> float:
    """Return by how much algbw rises, as a fraction, without the noise of floats."""
    gain = slow / fast - 1 if fast > 0 else 0.0
    return 0.0 if abs(gain) < 1e-9 else gain


def _cables(fabric: Fabric) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """Return the arcs of each class of links, both directions together."""
    found: dict[tuple[str, str], list[npt.NDArray[np.int64]]] = {}
    names: dict[tuple[frozenset[str], str], tuple[str, str]] = {}
    for cls in fabric.classes:
        key = (frozenset((cls.tail, cls.head)), cls.medium)
        low, high = (cls.head, cls.tail) if cls.head in _ENDS else (cls.tail, cls.head)
        name = names.setdefault(key, (f"{low}↔{high}", cls.medium))
        found.setdefault(name, []).append(cls.arcs)
    return {name: np.concatenate(arcs) for name, arcs in found.items()}


def _weights(supernode: Supernode, before: Bound) -> FloatArray:
    """Return the share of each arc in what the certificate counts as offered, shape (arcs,).

    A class with no share cannot raise the bound: the same certificate holds with more of it.
    """
    fabric = supernode.fabric
    weight, total = np.zeros(len(fabric.tail)), 0.0
    for place, offered in before.certificate.offered(supernode):
        total += offered
        if isinstance(place, tuple):
            weight[fabric.arc(*place)] += offered
    return weight / total if total else weight
