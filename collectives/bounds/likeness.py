"""Find needs that are images of one another, so that one of them is bounded for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from collectives.bounds.certificates import CollectiveNeed, Need
from collectives.bounds.network import Network
from topology.fabric import Fabric, IntArray
from topology.symmetry import codes

_MOST = 24
_Look: TypeAlias = tuple[tuple[object, ...], tuple[tuple[int, int], ...]]


def unlike(fabric: Fabric, net: Network, needs: Sequence[Need]) -> tuple[list[Need], int]:
    """Return one need of each kind that no symmetry carries to another, and how many have none.

    Parameters
    ----------
    fabric
        The whole fabric, for its latencies.
    net
        The part of it that carries all needs.
    needs
        What must reach whom.
    """
    kinds = np.array(fabric.kind)[net.node]
    mark = codes([kinds, fabric.forwards[net.node], fabric.node_latency[net.node]])
    timed = replace(net, fabric=replace(net.fabric, latency=fabric.latency[net.arc]), mark=mark)
    group, index = timed.quotient.group, net.fabric.index
    looks: dict[_Look, list[Need]] = {}
    for need in needs:
        looks.setdefault(_look(need, group, index), []).append(need)
    same = DisjointSet(looks)
    if len(looks) > 1:
        for image in timed.orbits.generators:
            for look in looks:
                if (turned := _turned(look, image)) in looks:
                    same.merge(look, turned)
    found = [[need for look in looks if look in part for need in looks[look]]
             for part in same.subsets()]  # fmt: skip
    place = {id(need): at for at, need in enumerate(needs)}
    found.sort(key=lambda alike: (-getattr(alike[0], "weight", 1.0), place[id(alike[0])]))
    return [alike[0] for alike in found[:_MOST]], sum(map(len, found[_MOST:]))


def _look(need: Need, group: IntArray, index: Mapping[str, int]) -> _Look:
    """Return what twins leave alike: how many ranks of a need are in each group of twins."""
    if not isinstance(need, CollectiveNeed):
        return (need,), ()
    held, count = np.unique(group[[index[rank] for rank in need.ranks]], return_counts=True)
    root = [] if need.root is None else [(int(group[index[need.root]]), 0)]
    places = zip(held.tolist(), count.tolist(), strict=True)
    return (need.collective, need.weight), (*root, *places)


def _turned(look: _Look, image: IntArray) -> _Look:
    """Return how a need looks after a symmetry of the groups; a root stands first."""
    moved = [(int(image[at]), count) for at, count in look[1]]
    return look[0], tuple(sorted(moved, key=lambda place: (place[1] > 0, place)))
