"""Name the kinds of things that can fail as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from topology import border
from topology.registry import Registry
from topology.supernode import Supernode
from topology.text import Part, Printed


@dataclass(frozen=True, repr=False)
class FailureUnit(Printed):
    """What fails together.

    Attributes
    ----------
    name
        Such as "optic l1/0/0 3", "switch l2/0/1", "rack 2".
    nodes
        Ids of the nodes that are lost.
    lanes
        Links that lose lanes: (u, v, which of its lanes, numbered from 0), in both directions.
    sort
        The word for those like it: "L2 switch", "L1–L2 link", "rack".
    """

    name: str
    nodes: tuple[str, ...] = ()
    lanes: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
    sort: str = ""

    def parts(self) -> list[Part]:
        """Return what a person reads: the unit, and what it takes with it."""
        said = [f"node {node}" for node in self.nodes]
        said += [f"{len(which)} of {u} → {v}" for u, v, which in self.lanes]
        more = f" and {len(said) - 4} more" if len(said) > 4 else ""
        return [f"{self.name} takes {', '.join(said[:4]) or 'nothing'}{more}"]


def alive(link: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the lanes that a link still has, from its attributes."""
    gone = link.get("failed", ())
    return [lane for lane in range(int(link.get("lanes", 1)) + len(gone)) if lane not in gone]


Finder: TypeAlias = Callable[[Supernode], Iterator[FailureUnit]]

FAILURE_UNITS: Registry[Finder] = Registry("failure unit", "supernode.failure_units")


def failure_unit(kind: str, *, aliases: Sequence[str] = ()) -> Callable[[Finder], Finder]:
    """Return a decorator that makes a kind of unit known by name.

    The function yields the units of a machine, in natural order.
    """
    return FAILURE_UNITS.register(kind, aliases=aliases)


def unit_kinds() -> list[str]:
    """Return the kinds of units."""
    return FAILURE_UNITS.names()


def failure_units(supernode: Supernode, kind: str) -> tuple[FailureUnit, ...]:
    """Return everything of one kind that can fail, in natural order; what has failed cannot.

    Parameters
    ----------
    supernode
        The machine.
    kind
        One of `unit_kinds`. An optic (or transceiver) carries 2 / modules lanes of its link type
        at one end of them: two where a link has one module to a lane, both ends together.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    return tuple(border.take(FAILURE_UNITS[kind](supernode), nodes=0))
