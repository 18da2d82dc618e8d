"""Count what a supernode is made of: its nodes by device, its links by class and type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from topology import units
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.hardware.devices import device_catalogue
from topology.hardware.media import MEDIA
from topology.supernode import Supernode
from topology.text import Part, Printed, Table, counted, span

_HOSTED = ("npu", "cpu", "nic")


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one kind, tier and device.

    Attributes
    ----------
    label
        The word for them: "NPU", "L1", "NVSwitch".
    kind, tier, device
        As on the nodes; an empty device is one the catalogue does not know.
    count
        How many.
    ports
        Lanes of one in the network (see `network_arcs`), the fewest and the most.
    capacity
        Bytes/s that one can send into the network, the least and the most.
    racks
        In how many racks they are; 0 where the machine does not say.
    """

    label: str
    kind: str
    tier: int
    device: str
    count: int
    ports: tuple[int, int]
    capacity: tuple[float, float]
    racks: int


@dataclass(frozen=True)
class LinkGroup:
    """Links between two kinds of node over one link type; a full-duplex link counts once.

    Attributes
    ----------
    ends
        "NPU–L1".
    type, medium
        The link type's name; "copper" or "optical".
    links, lanes
        How many pairs of nodes are linked, and how many lanes that takes.
    rate
        Bytes/s of a lane in one direction, the smallest and the largest.
    capacity
        Bytes/s of all of them, in one direction.
    length
        Metres, the shortest and the longest.
    per_npu
        Bytes/s an NPU can send into them, the least and the most of all NPUs.
    modules
        Pluggable transceivers on all of them, both ends.
    duplex
        Whether every link runs both ways.
    """

    ends: str
    type: str
    medium: str
    links: int
    lanes: int
    rate: tuple[float, float]
    capacity: float
    length: tuple[float, float]
    per_npu: tuple[float, float]
    modules: float
    duplex: bool


@dataclass(frozen=True, repr=False)
class Inventory(Printed):
    """Everything a supernode is made of.

    Attributes
    ----------
    nodes
        From the NPUs upwards.
    links
        From the NPUs upwards.
    racks
        How many; 0 where the machine does not say.
    """

    nodes: tuple[NodeGroup, ...]
    links: tuple[LinkGroup, ...]
    racks: int

    def parts(self) -> list[Part]:
        """Return what a person reads: how many of each kind, cables, nodes and links."""
        words = (("npu", "NPU"), ("switch", "switch chip"), ("cpu", "CPU"), ("nic", "NIC"))
        said = ", ".join(counted(n, word) for kind, word in words if (n := self.count(kind)))
        where = f" in {counted(self.racks, 'rack')}" if self.racks else ""
        nodes = Table(
            "nodes",
            ("node", "kind", "tier", "device", "count", "ports used", "into the network", "racks"),
            [_node_row(group) for group in self.nodes],
        )
        links = Table(
            "links, full duplex; rates are one way",
            ("class", "medium", "type", "links", "lanes", "a lane", "all", "per NPU", "length"),
            [_link_row(group) for group in self.links],
        )
        return [f"{said}{where}", _cables(self), nodes, links]

    def count(self, kind: str) -> int:
        """Return how many nodes are of a kind."""
        return sum(group.count for group in self.nodes if group.kind == kind)

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the catalogue's devices in use."""
        return tuple(dict.fromkeys(group.device for group in self.nodes if group.device))

    @property
    def link_types(self) -> tuple[str, ...]:
        """Return the link types in use, by name."""
        return tuple(dict.fromkeys(group.type for group in self.links))


def inventory(supernode: Supernode) -> Inventory:
    """Return what a supernode is made of."""
    fabric = supernode.fabric
    attributes = [supernode.graph.nodes[node] for node in fabric.nodes]
    ports, capacity = node_ports(fabric)
    return Inventory(
        nodes=_node_groups(fabric, attributes, ports, capacity),
        links=_link_groups(fabric),
        racks=len({data["rack"] for data in attributes if "rack" in data}),
    )


def network_arcs(fabric: Fabric) -> BoolArray:
    """Return which arcs belong to the network, shape (arcs,).

    All but those inside a host: between an NPU and its CPU or NIC, or between those two. They
    do not use the ports that a device's row counts.
    """
    kind = np.array(fabric.kind)
    hosted = np.isin(kind, _HOSTED)
    aside = np.isin(kind, _HOSTED[1:])
    inside = hosted[fabric.tail] & hosted[fabric.head]
    return ~(inside & (aside[fabric.tail] | aside[fabric.head]))


def node_ports(fabric: Fabric) -> tuple[IntArray, FloatArray]:
    """Return the lanes and the bytes/s each node has into the network, shapes (nodes,).

    Where the two directions differ, lanes are those of the busier one; bytes/s are outgoing.
    """
    used = network_arcs(fabric)
    count = len(fabric.nodes)
    tail, head, lanes = fabric.tail[used], fabric.head[used], fabric.lanes[used]
    out = np.bincount(tail, lanes, minlength=count)
    into = np.bincount(head, lanes, minlength=count)
    capacity: FloatArray = np.bincount(tail, fabric.capacity[used], minlength=count).astype(float)
    return np.maximum(out, into).astype(np.int64), capacity


def _node_groups(
    fabric: Fabric, attributes: Sequence[Mapping[str, Any]], ports: IntArray, capacity: FloatArray
) -> tuple[NodeGroup, ...]:
    members: dict[tuple[str, str, int, str], list[int]] = {}
    for i, data in enumerate(attributes):
        device = str(data.get("device", ""))
        key = (fabric.labels[i], fabric.kind[i], int(data.get("tier", 0)), device)
        members.setdefault(key, []).append(i)
    groups = [
        NodeGroup(
            *key,
            count=len(nodes),
            ports=(int(ports[nodes].min()), int(ports[nodes].max())),
            capacity=(float(capacity[nodes].min()), float(capacity[nodes].max())),
            racks=len({attributes[i]["rack"] for i in nodes if "rack" in attributes[i]}),
        )
        for key, nodes in members.items()
    ]
    return tuple(sorted(groups, key=lambda g: (g.kind != "npu", g.tier, g.label, g.device)))


def _link_groups(fabric: Fabric) -> tuple[LinkGroup, ...]:
    """Group arcs by the words of their ends, lower word first, and by link type."""
    if not len(fabric.tail):
        return ()
    words = sorted(set(fabric.labels), key=lambda word: _word_order(fabric, word))
    code = {word: i for i, word in enumerate(words)}
    label = np.array([code[word] for word in fabric.labels], dtype=np.int64)
    types = sorted({(link.type, link.medium) for link in fabric.links})
    which = {pair: i for i, pair in enumerate(types)}
    kind = np.array([which[link.type, link.medium] for link in fabric.links], dtype=np.int64)
    low = np.minimum(label[fabric.tail], label[fabric.head])
    high = np.maximum(label[fabric.tail], label[fabric.head])
    key = (low * len(words) + high) * len(types) + kind[fabric.link]
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1)).tolist()
    groups = []
    for lo, hi in pairwise([*starts, len(order)]):
        arcs = order[lo:hi]
        ends, at = divmod(int(key[arcs[0]]), len(types))
        near, far = divmod(ends, len(words))
        groups.append(_link_group(fabric, arcs, f"{words[near]}–{words[far]}", *types[at]))
    return tuple(groups)


def _link_group(fabric: Fabric, arcs: IntArray, ends: str, kind: str, medium: str) -> LinkGroup:
    tail, head, lanes = fabric.tail[arcs], fabric.head[arcs], fabric.lanes[arcs]
    size = len(fabric.nodes)
    pair = np.minimum(tail, head) * size + np.maximum(tail, head)
    _, first, times = np.unique(pair, return_index=True, return_counts=True)
    rate = fabric.capacity[arcs] / lanes
    lengths = [fabric.links[i].length for i in np.unique(fabric.link[arcs])]
    modules = np.array([link.modules for link in fabric.links])[fabric.link[arcs]]
    sent = np.bincount(tail, fabric.capacity[arcs], minlength=size)[fabric.npus]
    return LinkGroup(
        ends=ends,
        type=kind,
        medium=medium,
        links=len(first),
        lanes=round(float(lanes[first].sum())),
        rate=(float(rate.min()), float(rate.max())),
        capacity=float(fabric.capacity[arcs][first].sum()),
        length=(min(lengths), max(lengths)),
        per_npu=(float(sent.min()), float(sent.max())),
        modules=float((modules * lanes)[first].sum()),
        duplex=bool((times == 2).all()),
    )


def _word_order(fabric: Fabric, word: str) -> tuple[int, str]:
    at = fabric.labels.index(word)
    order = {"npu": 0, "cpu": 1, "nic": 2, "switch": 3}
    return order.get(fabric.kind[at], 3), word


def _cables(made_of: Inventory) -> str:
    lanes = dict.fromkeys(MEDIA, 0)
    for group in made_of.links:
        lanes[group.medium] += group.lanes
    said = [counted(count, f"{medium} lane") for medium, count in lanes.items() if count]
    modules = round(sum(group.modules for group in made_of.links))
    return ", ".join([*said, counted(modules, "transceiver") if modules else "no transceivers"])


def _node_row(group: NodeGroup) -> tuple[str, ...]:
    entry = device_catalogue().get(group.device)
    radix = entry.figure("ports") if entry else None
    return (
        group.label,
        group.kind,
        str(group.tier),
        group.device or "unspecified",
        f"{group.count:,}",
        span(*group.ports, str) + (f" of {radix.value:g}" if radix else ""),
        span(*group.capacity, units.format_rate),
        str(group.racks) if group.racks else "",
    )


def _link_row(group: LinkGroup) -> tuple[str, ...]:
    return (
        group.ends + ("" if group.duplex else ", one way"),
        group.medium,
        group.type,
        f"{group.links:,}",
        f"{group.lanes:,}",
        span(*group.rate, units.format_rate),
        units.format_rate(group.capacity),
        span(*group.per_npu, units.format_rate) if group.per_npu[1] else "",
        span(*group.length, lambda value: f"{value:.3g} m"),
    )
