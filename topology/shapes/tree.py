"""Size and wire trees of switches with several roots: what Clos networks and rails are made of.

A tree is an extended generalised fat tree, XGFT(h; m_1, ..., m_h; w_1, ..., w_h): a node of
tier l has m_l children and w_(l+1) parents (Ohring, Ibel, Das and Kumar, On Generalized Fat
Trees, IPPS 1995). Tier l falls into subtrees; node y of subtree t has index t W_l + y, where
W_l = w_1 ... w_l is how many nodes of tier l a subtree has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from topology import border
from topology.errors import GraphError
from topology.fabric import IntArray
from topology.hardware.media import LinkType
from topology.shapes.parts import pairs
from topology.supernode import Builder

MOST_PORTS = 2**16
"""Of a switch."""
_WORDS = ("leaf", "spine", "core")


@dataclass(frozen=True)
class Tree:
    """How many children and parents the nodes of each tier have.

    Attributes
    ----------
    children
        Of a switch of tier 1, 2, ...: the last tier's say how wide the tree is.
    parents
        Of a node of tier 0, 1, ...; tier 0 are the ends.
    lanes
        Parallel links from a node of tier 0, 1, ... to each parent.
    """

    children: tuple[int, ...]
    parents: tuple[int, ...]
    lanes: tuple[int, ...]

    @property
    def ends(self) -> int:
        """How many ends the full tree has."""
        return math.prod(self.children)

    def below(self, tier: int) -> int:
        """Return how many ends are below a switch of a tier."""
        return math.prod(self.children[:tier])

    def width(self, tier: int) -> int:
        """Return how many nodes of a tier each of its subtrees has."""
        return math.prod(self.parents[:tier])

    def nodes(self, tier: int, ends: int) -> int:
        """Return how many nodes of a tier are needed above the first ``ends`` ends."""
        return -(-ends // self.below(tier)) * self.width(tier)

    def switches(self, ends: int) -> int:
        """Return how many switches are needed above the first ``ends`` ends."""
        return sum(self.nodes(tier, ends) for tier in range(1, len(self.children) + 1))

    def links(self, tier: int, ends: int) -> tuple[IntArray, IntArray]:
        """Return child and parent indices of every link from a tier to the next."""
        wide, up = self.width(tier), self.parents[tier]
        child = np.arange(self.nodes(tier, ends))
        subtree, y = np.divmod(child, wide)
        first = subtree // self.children[tier] * (wide * up) + y
        parent = first[:, None] + np.arange(up) * wide
        return np.repeat(child, up), parent.ravel()

    def pod(self, tier: int, ends: int) -> IntArray:
        """Return in which of the widest subtrees below the top the nodes of a tier are."""
        inner = math.prod(self.children[tier:-1]) * self.width(tier)
        return np.arange(self.nodes(tier, ends)) // inner


def wire(
    builder: Builder,
    ends: Sequence[str],
    tree: Tree,
    links: Sequence[LinkType],
    *,
    plane: int | None = None,
    tier: int = 1,
) -> list[list[str]]:
    """Add a tree's switches above some ends, and every link; return the ids tier by tier.

    Parameters
    ----------
    builder
        Where they are added; the ends are there already.
    ends
        Ids of the ends, at most as many as the tree has.
    tree
        Children, parents and lanes.
    links
        Link type of each tier's links upwards.
    plane
        A number that goes into the ids, if there are several such trees.
    tier
        The ``tier`` of the lowest switches.
    """
    below = list(ends)
    found = []
    for level in range(1, len(tree.children) + 1):
        word = _WORDS[level - 1] if level <= len(_WORDS) else f"tier{level}"
        prefix = word if plane is None else f"{word}/{plane}"
        inside = level < len(tree.children) > 2
        names = builder.add_grid(
            prefix,
            tree.nodes(level, len(ends)),
            kind="switch",
            tier=tier + level - 1,
            plane=plane,
            pod=tree.pod(level, len(ends)).tolist() if inside else None,
        )
        child, parent = tree.links(level - 1, len(ends))
        lanes = tree.lanes[level - 1]
        builder.connect(pairs(below, child, names, parent), links[level - 1], lanes=lanes)
        found.append(names)
        below = names
    return found


@dataclass(frozen=True)
class Sizing:
    """What a network of switches is made from.

    Attributes
    ----------
    shape
        Whose parameters these are, for messages.
    radix
        Ports of a switch.
    tiers
        2 or 3.
    ratios
        Bandwidth down over bandwidth up, of a leaf and of a spine.
    lanes
        Ports of a leaf that an end takes.
    speed
        Rate of a lane at the ends over a lane further up.
    """

    shape: str
    radix: int
    tiers: int
    ratios: tuple[float, float]
    lanes: int = 1
    speed: float = 1.0

    def ports(self, tier: int) -> tuple[int, int]:
        """Return a switch's ports downwards and upwards, below the top tier."""
        ratio = self.ratios[tier - 1] / (self.speed if tier == 1 else 1.0)
        step = self.lanes if tier == 1 else 1
        down, up = shares(self.radix, ratio, step)
        if down < 1:
            raise GraphError(
                f"{self.shape}: radix is {self.radix}; a switch of so few ports cannot have "
                f"{step} down and {uplinks(step, ratio)} up; raise it"
            )
        return down, up

    def tree(self, ends: int) -> Tree:
        """Return the tree that carries some ends; raise `GraphError` if its tiers cannot.

        A tier that would have one switch's worth below it is left out: one leaf needs no
        spines, one pod no cores.
        """
        down, up = self.ports(1)
        each = down // self.lanes
        leaves = -(-ends // each)
        if leaves == 1:
            return Tree((ends,), (1,), (self.lanes,))
        if self.tiers == 2 and leaves <= self.radix:
            lanes = spread(up, self.radix // leaves)
            return Tree((each, leaves), (1, up // lanes), (self.lanes, lanes))
        if self.tiers == 3:
            found = self._three_tiers(leaves, each, up)
            if found is not None:
                return found
        raise GraphError(
            f"{self.shape}: {ends} ends are too many; {self.tiers} tiers of {self.radix}-port "
            f"switches carry {self.most(each)} at this oversubscription; raise radix or "
            "oversubscription" + (", or give tiers=3" if self.tiers == 2 else "")
        )

    def most(self, each: int) -> int:
        """Return how many ends the tiers carry at most, with so many to a leaf."""
        return each * self.radix * (self.ports(2)[0] if self.tiers == 3 else 1)

    def _three_tiers(self, leaves: int, each: int, up: int) -> Tree | None:
        room, _ = self.ports(2)
        pods = -(-leaves // room)
        if pods > self.radix:
            return None
        per_pod = -(-leaves // pods)
        pods = -(-leaves // per_pod)
        lanes = spread(up, room // per_pod)
        spines = up // lanes
        if pods == 1:
            return Tree((each, per_pod), (1, spines), (self.lanes, lanes))
        above = uplinks(per_pod * lanes, self.ratios[1])
        cores = spread(above, self.radix // pods)
        return Tree((each, per_pod, pods), (1, spines, above // cores), (self.lanes, lanes, cores))


def shares(radix: int, ratio: float, step: int = 1) -> tuple[int, int]:
    """Return the most ports down, a multiple of a step, and ports up at a ratio of down to up.

    None go down where the ports do not suffice.
    """
    down = int(radix * ratio / (1 + ratio) + 1e-9)
    down -= down % step
    while down > 0 and down + uplinks(down, ratio) > radix:
        down -= step
    return down, uplinks(down, ratio)


def uplinks(down: int, ratio: float) -> int:
    """Return the whole uplinks, 1 or more, that so many downlinks need at a ratio of down to up."""
    return max(1, math.ceil(down / ratio - 1e-9))


def spread(up: int, most: int) -> int:
    """Return how many of ``up`` links may go to one switch, at most ``most``, all alike."""
    return max(n for n in range(1, max(1, min(up, most)) + 1) if up % n == 0)


def ratios(shape: str, oversubscription: Any) -> tuple[float, float]:
    """Return the oversubscription of leaves and spines, from one for both or one for each."""
    given = oversubscription if isinstance(oversubscription, tuple | list) else [oversubscription]
    if len(given) not in (1, 2):
        must = "a number, 1 (none) or more, or two: for leaves and for spines"
        border.refuse(given, f"{shape}: oversubscription", must)
    found = [border.number(each, f"{shape}: oversubscription", least=1) for each in given]
    return found[0], found[-1]
