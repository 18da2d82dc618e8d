"""Nodes of several NPUs on rails: NPU i of every node on the switches of rail i."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import combinations

from topology import border
from topology.errors import GraphError
from topology.hardware.media import LinkType, link_type
from topology.shapes.parts import LinkLike, add_nics
from topology.shapes.registry import shape
from topology.shapes.tree import MOST_PORTS, Sizing, Tree, ratios, spread, uplinks, wire
from topology.supernode import Builder, Supernode

_INSIDE = ("switch", "mesh")


@dataclass(frozen=True)
class _Plan:
    """Parameters of both kinds of rails; they are checked, and links are looked up."""

    shape: str
    nodes: int
    npus_per_node: int
    link: LinkLike
    rail_link: LinkLike
    nic_link: LinkLike | None
    inside: str
    lanes: int

    def __post_init__(self) -> None:
        border.choice(self.inside, f"{self.shape}: inside", _INSIDE)
        for what in ("nodes", "npus_per_node", "lanes"):
            count = border.whole(getattr(self, what), f"{self.shape}: {what}")
            object.__setattr__(self, what, count)
        border.afford(
            self.shape, self.ends, self.ends * (self.npus_per_node - 1) * (self.inside == "mesh")
        )
        for what in ("link", "rail_link", "nic_link"):
            given = getattr(self, what)
            object.__setattr__(self, what, None if given is None else link_type(given))

    @property
    def ends(self) -> int:
        return self.nodes * self.npus_per_node


@shape
def rail_optimised(
    nodes: int,
    npus_per_node: int = 8,
    *,
    link: LinkLike,
    rail_link: LinkLike,
    nic_link: LinkLike | None = None,
    inside: str = "switch",
    lanes: int = 1,
    radix: int = 64,
    oversubscription: float = 1.0,
) -> Supernode:
    r"""Return nodes whose NPU i is on leaf i of its unit, with spines above all leaves.

    ::

        spines             [0]    ...    [s]
                            |  \   /  |
        leaf i = rail i   [rail 0] ... [rail g-1]        x ceil(m / d) units
                            |             |
        g NPUs             o --[switch]-- o              x m nodes

    m g NPUs; with R ports and ratio o a unit has d = R o / (1 + o) nodes (or m, if fewer) and
    g leaves of d / o uplinks each; spines join R leaves at most. Two NPUs of one rail and unit
    meet at their leaf; others take the spines: ``ecmp`` sends NPU to NPU, without the detour
    by the node's own switch that NCCL calls PXN. NVIDIA, DGX SuperPOD H100 Reference
    Architecture RA-11333-001.

    Parameters
    ----------
    nodes
        m, 1 or more. A single node has no rails.
    npus_per_node
        g, 1 or more.
    link
        Inside a node: catalogue name, rate per lane in bytes/s, or `LinkType`.
    rail_link
        From an NPU (or its NIC) to its leaf, and from leaves to spines.
    nic_link
        From an NPU to its NIC; None for NPUs whose own ports are on the leaf.
    inside
        "switch" for one switch in each node, "mesh" for a full mesh of its NPUs.
    lanes
        Parallel links inside the node.
    radix
        Ports of leaves and spines.
    oversubscription
        Bandwidth down over bandwidth up at a leaf, 1 or more.

    Raises
    ------
    GraphError
        If a number is out of range, or two tiers do not reach that many nodes.
    """
    shape = "rail_optimised"
    plan = _Plan(shape, nodes, npus_per_node, link, rail_link, nic_link, inside, lanes)
    ports = border.whole(radix, f"{shape}: radix", least=2, most=MOST_PORTS)
    ratio = ratios(shape, oversubscription)
    down = min(plan.nodes, Sizing(shape, ports, 2, ratio).ports(1)[0])
    builder = Builder()
    npus, ends = _add_nodes(builder, plan)
    if plan.nodes > 1:
        _add_rails(builder, plan, ends, ports, down, uplinks(down, ratio[0]))
    return _finish(builder, plan, npus, radix=ports, oversubscription=oversubscription)


@shape
def rail_only(
    nodes: int,
    npus_per_node: int = 8,
    *,
    link: LinkLike,
    rail_link: LinkLike,
    nic_link: LinkLike | None = None,
    inside: str = "switch",
    lanes: int = 1,
    radix: int = 64,
) -> Supernode:
    r"""Return nodes whose NPU i is on rail i, with nothing between rails but the nodes.

    ::

        [rail 0]  [rail 1]  ...  [rail g-1]     a switch each; two or three tiers without
            |         |             |           oversubscription where m is above its ports
            o --------o- [switch] --o           x m nodes of g NPUs

    m g NPUs and, with m at most R ports, g rail switches and m g links to them. Traffic
    between rails crosses a node: up a rail and over, or over and up. So **NPUs forward** here,
    2 hops within a rail or a node and 4 otherwise where a rail is one switch. Wang et al.,
    Rail-only: A Low-Cost High-Performance Network for Training LLMs with Trillion Parameters,
    Hot Interconnects 2024, arXiv:2307.12169.

    Parameters
    ----------
    nodes
        m, 1 or more. A single node has no rails.
    npus_per_node
        g, 1 or more.
    link
        Inside a node: catalogue name, rate per lane in bytes/s, or `LinkType`.
    rail_link
        From an NPU (or its NIC) to its rail, and within the rail.
    nic_link
        From an NPU to its NIC; None for NPUs whose own ports are on the rail.
    inside
        "switch" for one switch in each node, "mesh" for a full mesh of its NPUs.
    lanes
        Parallel links inside the node.
    radix
        Ports of the rails' switches.

    Raises
    ------
    GraphError
        If a number is out of range, or three tiers do not reach that many nodes.
    """
    shape = "rail_only"
    plan = _Plan(shape, nodes, npus_per_node, link, rail_link, nic_link, inside, lanes)
    ports = border.whole(radix, f"{shape}: radix", least=2, most=MOST_PORTS)
    builder = Builder()
    npus, ends = _add_nodes(builder, plan, forwards=True)
    if plan.nodes > 1:
        tree = _rail_tree(shape, ports, plan.nodes)
        for rail in range(plan.npus_per_node):
            layers = [link_type(plan.rail_link)] * 3
            wire(builder, ends[rail :: plan.npus_per_node], tree, layers, plane=rail, tier=2)
    return _finish(builder, plan, npus, radix=ports)


def _add_rails(
    builder: Builder, plan: _Plan, ends: list[str], radix: int, down: int, up: int
) -> None:
    g, units = plan.npus_per_node, -(-plan.nodes // down)
    if units * g > radix:
        raise GraphError(
            f"{plan.shape}: nodes is {plan.nodes}; {radix}-port spines join {radix // g * down} "
            f"nodes of {g} NPUs at this oversubscription; raise radix or oversubscription"
        )
    leaf = builder.add_grid(
        "leaf", units, g, kind="switch", tier=2, per={"pod": g}, among={"plane": g}
    )
    homes = (leaf[i // g // down * g + i % g] for i in range(plan.ends))
    builder.connect(zip(ends, homes, strict=True), plan.rail_link)
    if len(leaf) > 1:
        wide = spread(up, radix // len(leaf))
        spine = builder.add_grid("spine", up // wide, kind="switch", tier=3)
        builder.connect(((u, v) for u in leaf for v in spine), plan.rail_link, lanes=wide)


def _rail_tree(shape: str, radix: int, nodes: int) -> Tree:
    if nodes <= radix:
        return Tree((nodes,), (1,), (1,))
    two = Sizing(shape, radix, 2, (1.0, 1.0))
    if nodes <= two.most(two.ports(1)[0]):
        return two.tree(nodes)
    return Sizing(shape, radix, 3, (1.0, 1.0)).tree(nodes)


def _add_nodes(
    builder: Builder, plan: _Plan, *, forwards: bool = False
) -> tuple[list[str], list[str]]:
    """Add the NPUs, what joins them inside a node, and their NICs; return NPUs and rail ends."""
    g = plan.npus_per_node
    npus = builder.add_grid(
        "npu", plan.ends, kind="npu", tier=0, forwards=forwards, per={"node": g}, among={"slot": g}
    )
    if g > 1 and plan.inside == "mesh":
        near = ((npus[n * g + i], npus[n * g + j]) for n, i, j in _pairs_inside(plan))
        builder.connect(near, plan.link, lanes=plan.lanes)
    elif g > 1:
        hub = builder.add_grid("switch", plan.nodes, kind="switch", tier=1, per={"node": 1})
        ends = ((npu, hub[i // g]) for i, npu in enumerate(npus))
        builder.connect(ends, plan.link, lanes=plan.lanes)
    if plan.nic_link is None:
        return npus, npus
    per, among = {"node": g}, {"plane": g}
    return npus, add_nics(builder, npus, None, plan.nic_link, forwards=True, per=per, among=among)


def _pairs_inside(plan: _Plan) -> Iterator[tuple[int, int, int]]:
    for node in range(plan.nodes):
        for i, j in combinations(range(plan.npus_per_node), 2):
            yield node, i, j


def _finish(builder: Builder, plan: _Plan, npus: list[str], **called: object) -> Supernode:
    given = {item.name: getattr(plan, item.name) for item in fields(plan)}
    words = {what: v.name if isinstance(v, LinkType) else v for what, v in given.items()}
    name = f"{words.pop('shape').replace('_', '-')}-{plan.nodes}x{plan.npus_per_node}"
    return builder.build(name, npus, parameters={**words, **called})
