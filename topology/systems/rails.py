"""Join nodes of 8 GPUs by rails: NIC i of every node on leaf i of its unit, under spines.

Wiring: NVIDIA DGX SuperPOD H100 Reference Architecture RA-11333-001, Table 4: NIC i of every node
goes to leaf i of its scalable unit of 32 nodes. Machines of other makers and rates are taken to be
wired alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil
from types import MappingProxyType
from typing import Any

from topology import border
from topology.errors import GraphError
from topology.hardware.devices import device
from topology.hardware.media import LinkType, link_catalogue, link_type
from topology.shapes.parts import LinkLike, add_nics
from topology.shapes.tree import shares, spread, uplinks
from topology.supernode import Builder, Supernode
from topology.systems.board import NPUS, Board, add_boards
from topology.units import MB, Gbps

RAILS = "NVIDIA DGX SuperPOD H100 Reference Architecture RA-11333-001, Table 4"
_PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "hdr-optical": ("connectx6", "quantum"),
        "ndr-optical": ("connectx7", "quantum2"),
        "roce-optical": ("connectx7", "roce-switch-400g"),
        "xdr-optical": ("connectx8", "quantum3"),
    }
)
"""The NIC and the switch of a network, by its cable; slow ones first."""


@dataclass(frozen=True)
class Node:
    """A node as it is deployed: its board, the links from a GPU to its NIC, and the network.

    Attributes
    ----------
    board
        The GPUs and what joins them.
    pcie
        Link type from a GPU to its NIC.
    network
        Link type from a NIC to its leaf, unless another is asked for.
    sources
        Where the wiring comes from, if not from where that of the machine does.
    """

    board: Board
    pcie: str
    network: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Network:
    link: LinkType
    nic: str
    switch: str


def build_nodes(
    row: str,
    kinds: Mapping[str, Node],
    sources: Sequence[str],
    *,
    gpu: str,
    nodes: int | None,
    nic: LinkLike | None,
    oversubscription: float,
    sharp: bool = False,
    nics: bool = True,
) -> Supernode:
    """Return a node, or nodes on rails.

    Parameters
    ----------
    row
        Of systems.csv: the machine with the first of its kinds of GPU.
    kinds
        What a node is like with each kind of GPU.
    sources
        Where the wiring of a node comes from.
    gpu
        Which of the kinds.
    nodes
        How many; None for one whose NICs are on no network, and 1 for one without NICs.
    nic
        Link type from a NIC to its leaf, or its rate; None for the usual one.
    oversubscription
        Leaf downlinks over leaf uplinks, at least 1.
    sharp
        Whether the switches of the network add up and copy, as InfiniBand's do with SHARP.
    nics
        Whether a node on no network has its NICs.

    Raises
    ------
    GraphError
        If a parameter is not one of these, or two tiers of switches do not reach.
    """
    what = row.replace("-", "_")
    node = kinds[border.choice(gpu, f"{what}: gpu", kinds)]
    count = 1 if nodes is None else border.whole(nodes, f"{what}: nodes")
    ratio = border.number(oversubscription, f"{what}: oversubscription", least=1)
    network = _network(what, node.network, nic)
    if count > 1 and not nics:
        raise GraphError(f"{what}: nics is False; {count} nodes need NICs to reach each other")
    border.afford(what, count * node.board.size)
    builder = Builder()
    npus = add_boards(builder, node.board, nodes)
    if count > 1:
        _add_rails(builder, what, npus, node.pcie, network, ratio,
                   {"reduces": True, "multicasts": True} if sharp else {})  # fmt: skip
    elif nodes is None and nics:
        add_nics(builder, npus, network.nic, node.pcie, forwards=False, node=0)
    usual = next(iter(kinds))
    sized = f"{count}-nodes" + "-sharp" * sharp if count > 1 else ""
    cabled = network.link.name if nic is not None else ""
    parameters = {"gpu": gpu, "nodes": nodes, "nic": cabled or None, "nics": nics}
    return builder.build(
        "-".join(filter(None, (row.replace(usual, gpu), sized, cabled))),
        npus,
        sources=dict.fromkeys((*sources, *node.sources, *([RAILS] if count > 1 else []))),
        parameters={**parameters, "oversubscription": oversubscription, "sharp": sharp},
        row=row,
        copies=0 if gpu != usual or cabled else count,
    )


def _network(what: str, usual: str, given: LinkLike | None) -> _Network:
    """Return the cable, NIC and switch; a rate is one of the usual cable, or the next that has it.

    The NIC and switch of another link type are the usual ones if they are as fast.
    """
    kind = link_type(usual if given is None else given)
    if kind.name in _PARTS:
        return _Network(kind, *_PARTS[kind.name])
    fastest = max(link_type(name).capacity for name in _PARTS)
    unit = 'bytes/s, such as 50 * GB, or a text such as "400 Gbps",'
    border.number(kind.capacity, f"{what}: nic", least=MB, most=fastest, unit=unit)
    fast = (name for name in (usual, *_PARTS) if link_type(name).capacity >= kind.capacity)
    name = next(fast)
    if not isinstance(given, LinkType) and given not in link_catalogue():
        usual_link, speed = link_type(name), f"{kind.capacity / Gbps:g}"
        kind = replace(
            usual_link, capacity=kind.capacity, name=f"{name}-{speed}g",
            sources=(f"{speed} Gbps as asked for; the rest as {name}", *usual_link.sources),
        )  # fmt: skip
    return _Network(kind, *_PARTS[name])


def _add_rails(
    builder: Builder,
    what: str,
    npus: list[str],
    pcie: str,
    network: _Network,
    ratio: float,
    helping: Mapping[str, Any],
) -> None:
    """Add a NIC to each GPU, leaves for each rail, and spines."""
    nodes = len(npus) // NPUS
    ports = int(device(network.switch).value("ports"))
    down = min(nodes, shares(ports, ratio)[0])
    units = ceil(nodes / down)
    if units * NPUS > ports:
        raise GraphError(
            f"{what}: nodes is {nodes}; two tiers of {ports}-port switches reach "
            f"{down * (ports // NPUS)} nodes at {ratio:g}:1; a larger cluster needs a third tier"
        )
    nics = add_nics(
        builder, npus, network.nic, pcie, forwards=True,
        per={"node": NPUS}, among={"plane": NPUS},
    )  # fmt: skip
    leaf = builder.add_grid(
        "leaf", units, NPUS, kind="switch", tier=2, device=network.switch, among={"plane": NPUS},
        **helping,
    )  # fmt: skip
    above = (leaf[i // NPUS // down * NPUS + i % NPUS] for i in range(len(nics)))
    builder.connect(zip(nics, above, strict=True), network.link)
    up = uplinks(down, ratio)
    lanes = spread(up, ports // len(leaf))
    spine = builder.add_grid("spine", up // lanes, kind="switch", tier=3, device=network.switch,
                             **helping)  # fmt: skip
    builder.connect(product(leaf, spine), network.link, lanes=lanes)
