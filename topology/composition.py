"""Join supernodes by a scale-out network: NICs, leaf switches, spines and, if need be, cores.

References
----------
Clos, A study of non-blocking switching networks, Bell System Technical J. 32 (1953) 406-424.
Al-Fares, Loukissas and Vahdat, A scalable, commodity data center network architecture,
SIGCOMM 2008 (three tiers).
NVIDIA DGX SuperPOD Reference Architecture RA-11333-001 (rails: NIC i of every node on leaf i).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil
from types import MappingProxyType
from typing import Any

from topology import border
from topology.errors import GraphError, unknown_name
from topology.hardware.devices import device
from topology.hardware.media import LinkType, link_catalogue, link_type
from topology.supernode import Builder, Supernode

LAYOUTS = ("clos", "rail", "rail-only")
"""How NICs meet leaves: in order; by rail, under shared spines; by rail, each rail alone."""

_DEFAULT_PORTS = 64
_TIERS = 3
_NAMES = ("leaf", "spine", "core")
_OFFSET = ("node", "rack", "supernode")


@dataclass(frozen=True, kw_only=True)
class ScaleOut:
    """A network between supernodes: what it is made of and how it is wired.

    Attributes
    ----------
    link
        Link type from a NIC to its leaf: a name in media.csv, bytes/s, or a `LinkType`.
    uplink
        Link type between switches; by default ``link``.
    nic_link
        Link type from an NPU to a NIC; by default copper of the rate of ``link``.
    nic, switch
        Devices in devices.csv, or None.
    ports
        Ports of a switch; by default those of the device, or 64.
    layout
        "clos": NICs fill the leaves in rank order. "rail": the NICs in the same place of their
        nodes share leaves, and all leaves share the spines. "rail-only": each rail is a network
        of its own.
    npus_per_nic
        NPUs that share a NIC; only for machines without NICs of their own.
    oversubscription
        Downlinks over uplinks, at least 1: one number for the leaves, or one for the leaves and
        one for the spines of three tiers.
    tiers
        1 to 3 tiers of switches, or None for as few as reach.
    """

    link: str | float | LinkType
    uplink: str | float | LinkType | None = None
    nic_link: str | float | LinkType | None = None
    nic: str | None = None
    switch: str | None = None
    ports: int | None = None
    layout: str = "clos"
    npus_per_nic: int = 1
    oversubscription: float | tuple[float, ...] = 1.0
    tiers: int | None = None
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise GraphError(
                f"scale-out: layout is {self.layout!r}; it must be one of {', '.join(LAYOUTS)}"
            )
        for name in ("ports", "npus_per_nic", "tiers"):
            value = getattr(self, name)
            if value is None and name != "npus_per_nic":
                continue
            border.whole(value, f"scale-out: {name}", most=_TIERS if name == "tiers" else None)
        for name in ("nic", "switch"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise GraphError(f"scale-out: {name} is {value!r}; it must be a device's name")
            if value is not None:
                device(value)
        for ratio in self.ratios:
            border.number(ratio, "scale-out: oversubscription", least=1)

    @property
    def ratios(self) -> tuple[float, float]:
        """Oversubscription of the leaves, and of the spines of three tiers."""
        given = self.oversubscription
        ratios = given if isinstance(given, tuple) else (given,)
        if not 1 <= len(ratios) <= _TIERS - 1:
            raise GraphError(
                f"scale-out: oversubscription has {len(ratios)} numbers; give one for the leaves, "
                "or one for the leaves and one for the spines"
            )
        return (*ratios, 1.0)[:2]  # type: ignore[return-value]

    @property
    def radix(self) -> int:
        """Ports of a switch."""
        if self.ports is not None:
            return self.ports
        known = device(self.switch).value("ports") if self.switch else 0
        return int(known) or _DEFAULT_PORTS


SCALE_OUTS: Mapping[str, ScaleOut] = MappingProxyType(
    {
        "roce": ScaleOut(
            link="roce-optical", nic_link="roce-internal", nic="rdma-nic-910c",
            switch="roce-switch-400g",
            sources=("Serving Large Language Models on Huawei CloudMatrix384, arXiv:2506.12708v2, "
                     "§3.2: 400 Gbps of RDMA per NPU; the wiring of its switches is derived",),
        ),
        "infiniband": ScaleOut(
            link="ndr-optical", nic_link="pcie5-x16", nic="connectx7", switch="quantum2",
            layout="rail",
            sources=("NVIDIA DGX SuperPOD H100 Reference Architecture RA-11333-001, Table 4",),
        ),
    }
)  # fmt: skip
"""Scale-out networks by name: the RDMA plane of CloudMatrix384, rail-optimised InfiniBand."""


def compose(
    supernode: Supernode | Sequence[Supernode],
    count: int = 1,
    *,
    scale_out: str | float | LinkType | ScaleOut,
    name: str | None = None,
) -> Supernode:
    """Return several supernodes joined by a scale-out network, as one machine.

    ::

        cores (third tier, if two do not reach)
        spines              [0] [1] ... [s]
                             | X | X ... |
        leaves              [0] [1] ... [l]
                             |           |
        NICs                 n n n   n n n
        supernodes          (o o o) (o o o)

    Parameters
    ----------
    supernode
        The machine to repeat, or several different ones, which are then repeated in turn. NICs
        it has are used if they pass nothing on yet; a machine without NICs gets one per NPU.
    count
        How many times.
    scale_out
        A name ("roce", "infiniband"), a `ScaleOut`, or just a link type for one with switches of
        64 ports: a name in media.csv, bytes/s, or a `LinkType`.
    name
        What tables call it; by default the machine's name and the count.

    Returns
    -------
    Supernode
        Node ``a/b`` of supernode i is ``a/i/b``; the ranks are those of supernode 0, then of 1,
        and so on. ``node`` and ``rack`` count on from supernode to supernode, and ``supernode``
        says which.

    Raises
    ------
    GraphError
        If count is not a whole number of 1 or more, the NICs are on a network already, or three
        tiers of switches do not reach.
    """
    count = border.whole(count, "compose: count")
    kinds = (
        [supernode]
        if isinstance(supernode, Supernode)
        else border.ordered(supernode, "compose: supernode")
    )
    if not kinds:
        raise GraphError("compose: there is no supernode; give one or more")
    size = [sum(n) for n in zip(*(_size(kind) for kind in kinds), strict=True)]
    border.afford(f"compose: {count:,} times", *(count * n for n in size))
    plan = _scale_out(scale_out)
    builder = Builder()
    npus: list[str] = []
    nics: list[_Nic] = []
    offsets = dict.fromkeys(_OFFSET, 0)
    parts = {id(kind): _Part(kind, plan) for kind in kinds}
    for index, kind in enumerate(kinds * count):
        part = parts[id(kind)]
        npus += part.copy(builder, index, offsets)
        nics += part.nics(builder, index, offsets)
        offsets = {key: offsets[key] + part.spans[key] for key in _OFFSET}
    _wire(builder, plan, nics, set(_NAMES).intersection(*(p.prefixes for p in parts.values())))
    return builder.build(
        name or _name(kinds, count),
        npus,
        sources=dict.fromkeys([s for kind in kinds for s in kind.sources] + [*plan.sources]),
        parameters=_parameters(kinds, count, plan),
    )


def _scale_out(given: str | float | LinkType | ScaleOut) -> ScaleOut:
    if isinstance(given, ScaleOut):
        return given
    if isinstance(given, str):
        if given in SCALE_OUTS:
            return SCALE_OUTS[given]
        if given not in link_catalogue():
            raise unknown_name("scale-out", given, [*SCALE_OUTS, *link_catalogue()])
    return ScaleOut(link=given)


def _size(machine: Supernode) -> tuple[int, int]:
    return machine.graph.number_of_nodes(), machine.graph.number_of_edges()


def _name(kinds: Sequence[Supernode], count: int) -> str:
    names = list(dict.fromkeys(kind.name for kind in kinds))
    return f"{count * len(kinds)}x {' + '.join(names)}"


def _parameters(kinds: Sequence[Supernode], count: int, plan: ScaleOut) -> dict[str, Any]:
    machines = [
        {"name": kind.name, "parameters": dict(kind.parameters), "history": list(kind.history)}
        for kind in kinds
    ]
    wiring = {item.name: getattr(plan, item.name) for item in fields(plan)}
    return {"machines": machines, "count": count, "scale_out": wiring}


@dataclass(frozen=True)
class _Nic:
    """A NIC of the composition: its id, and its place among the NICs of its node."""

    name: str
    rail: int


class _Part:
    """A supernode to be copied, with what every copy shares worked out once."""

    def __init__(self, machine: Supernode, plan: ScaleOut) -> None:
        self.machine = machine
        self.plan = plan
        nodes = machine.graph.nodes(data=True)
        self.names = [_split(node, str(data.get("kind", "switch"))) for node, data in nodes]
        self.prefixes = {head for head, _ in self.names}
        self.spans = {key: _span([data.get(key) for _, data in nodes]) for key in _OFFSET}
        self.spans["supernode"] = max(1, self.spans["supernode"])
        self.own = _own_nics(machine)
        self.rename: dict[str, str] = {}

    def copy(self, builder: Builder, index: int, offsets: Mapping[str, int]) -> list[str]:
        """Add the copy of one index and return its ranks."""
        graph = self.machine.graph
        names = [f"{head}/{index}/{rest}" for head, rest in self.names]
        self.rename = dict(zip(graph, names, strict=True))
        rows = {node: self._attributes(data, offsets) for node, data in graph.nodes(data=True)}
        for nic in self.own:
            rows[nic]["forwards"] = True
        builder.include(graph, self.rename, rows)
        return [self.rename[npu] for npu in self.machine.npus]

    def _attributes(self, data: Mapping[str, Any], offsets: Mapping[str, int]) -> dict[str, Any]:
        """Return a node's attributes in a copy: its node, rack and supernode counted on."""
        row = {"supernode": 0, **data}
        for key in _OFFSET:
            if self.spans[key] and row.get(key) is not None:
                row[key] += offsets[key]
        return row

    def nics(self, builder: Builder, index: int, offsets: Mapping[str, int]) -> list[_Nic]:
        """Return the NICs of the copy made last, adding them if it has none."""
        if self.own:
            homes = [self.machine.graph.nodes[nic].get("node") for nic in self.own]
            return _on_rails([self.rename[nic] for nic in self.own], homes)
        return self._new_nics(builder, index, offsets)

    def _new_nics(self, builder: Builder, index: int, offsets: Mapping[str, int]) -> list[_Nic]:
        plan, each = self.plan, self.plan.npus_per_nic
        owners = self.machine.npus[::each]
        rows = [self.machine.graph.nodes[npu] for npu in owners]
        prefix = "nic" if "nic" not in self.prefixes else "scale-out-nic"
        names = builder.add_nodes(
            (f"{prefix}/{index}/{i}" for i in range(len(owners))),
            kind="nic", tier=1, device=plan.nic, forwards=True,
            supernode=offsets["supernode"],
            **{key: _shifted([row.get(key) for row in rows], offsets[key])
               for key in ("node", "rack")},
        )  # fmt: skip
        inner = _nic_link(plan)
        ends = ((self.rename[npu], names[i // each]) for i, npu in enumerate(self.machine.npus))
        builder.connect(ends, inner)
        return _on_rails(names, [row.get("node") for row in rows])


def _split(node: str, kind: str) -> tuple[str, str]:
    """Return the first part of an id and the rest; an id of one part belongs to its kind."""
    head, slash, rest = node.partition("/")
    return (head, rest) if slash else (kind, node)


def _span(values: Sequence[object]) -> int:
    """Return how many numbers an attribute counts through; 0 where it is no number."""
    known = [value for value in values if value is not None]
    whole = [v for v in known if isinstance(v, int) and not isinstance(v, bool)]
    return max(whole) + 1 if whole and len(whole) == len(known) and min(whole) >= 0 else 0


def _shifted(values: Sequence[Any], offset: int) -> list[Any] | None:
    if any(value is None for value in values):
        return None
    return [value + offset if isinstance(value, int) else value for value in values]


def _own_nics(machine: Supernode) -> list[str]:
    """Return the machine's NICs in the order of the ranks they serve."""
    graph = machine.graph
    rank = {npu: r for r, npu in enumerate(machine.npus)}
    first: dict[str, int] = {}
    for node, data in graph.nodes(data=True):
        if data.get("kind") != "nic":
            continue
        near = {*graph.successors(node), *graph.predecessors(node)}
        beyond = sorted(n for n in near if graph.nodes[n].get("kind") == "switch")
        if beyond and data.get("forwards"):
            raise GraphError(
                f"compose: {node} of {machine.name} is on {beyond[0]} already; compose the machine "
                "without its own scale-out network, such as scale_out=False"
            )
        served = [rank[n] for n in near if n in rank]
        if served:
            first[node] = min(served)
    return sorted(first, key=lambda nic: first[nic])


def _nic_link(plan: ScaleOut) -> LinkType:
    if plan.nic_link is not None:
        return link_type(plan.nic_link)
    outer = link_type(plan.link)
    return LinkType(capacity=outer.capacity, name=f"{outer.name}-internal")


def _on_rails(names: Sequence[str], homes: Sequence[object]) -> list[_Nic]:
    """Give each NIC its rail: its place among the NICs of the same node."""
    seen: defaultdict[object, int] = defaultdict(int)
    found = []
    for name, home in zip(names, homes, strict=True):
        found.append(_Nic(name, seen[home]))
        seen[home] += 1
    return found


def _wire(builder: Builder, plan: ScaleOut, nics: Sequence[_Nic], taken: set[str]) -> None:
    """Join NICs by the switches of a plan."""
    prefixes = [f"scale-out-{name}" if taken else name for name in _NAMES]
    rails: dict[int, list[str]] = defaultdict(list)
    for nic in nics:
        rails[0 if plan.layout == "clos" else nic.rail].append(nic.name)
    groups = [rails[rail] for rail in sorted(rails)]
    if plan.layout == "rail-only":
        for rail, ends in enumerate(groups):
            _Clos(builder, plan, [ends], [f"{prefix}/{rail}" for prefix in prefixes]).build()
    else:
        _Clos(builder, plan, groups, prefixes).build()


class _Clos:
    """One tree of switches over groups of NICs; the NICs of a group fill leaves of their own."""

    def __init__(
        self, builder: Builder, plan: ScaleOut, groups: Sequence[list[str]], prefixes: list[str]
    ) -> None:
        self.builder = builder
        self.plan = plan
        self.groups = groups
        self.prefixes = prefixes
        self.radix = plan.radix
        self.uplink = link_type(plan.link if plan.uplink is None else plan.uplink)

    def build(self) -> None:
        """Add the switches and links, on as few tiers as reach or on as many as asked for."""
        tiers = self.plan.tiers or self._fewest()
        if tiers == 1:
            self._leaves(self.radix)
            return
        down, up = _shares(self.radix, self.plan.ratios[0])
        leaves = self._leaves(down)
        if tiers == 2:
            self._two(leaves, min(up, self._needed(down)))
        else:
            self._three(leaves, min(up, self._needed(down)))

    def _needed(self, down: int) -> int:
        """Return the uplinks a leaf needs for the NICs that the fullest has."""
        fullest = min(down, max(map(len, self.groups)))
        return ceil(fullest / self.plan.ratios[0])

    def _count(self, down: int) -> int:
        return sum(ceil(len(group) / down) for group in self.groups)

    def _fewest(self) -> int:
        """Return the fewest tiers that reach every NIC."""
        if self._count(self.radix) == 1:
            return 1
        down, _ = _shares(self.radix, self.plan.ratios[0])
        if self._count(down) <= self.radix:
            return 2
        return _TIERS

    def _leaves(self, down: int) -> list[str]:
        leaves: list[str] = []
        for group in self.groups:
            here = [f"{self.prefixes[0]}/{len(leaves) + i}" for i in range(ceil(len(group) / down))]
            self._switches(here, tier=2)
            ends = ((nic, here[i // down]) for i, nic in enumerate(group))
            self.builder.connect(ends, self.plan.link)
            leaves += here
        if self.plan.tiers == 1 and len(leaves) > 1:
            raise self._too_many(len(leaves), "one tier")
        return leaves

    def _switches(self, names: Sequence[str], tier: int) -> None:
        self.builder.add_nodes(names, kind="switch", tier=tier, device=self.plan.switch)

    def _two(self, leaves: Sequence[str], up: int) -> None:
        """Add spines: every leaf has equally many lanes to each."""
        if len(leaves) > self.radix:
            raise self._too_many(len(leaves), "two tiers")
        spines = _divisor(up, ceil(len(leaves) * up / self.radix))
        names = [f"{self.prefixes[1]}/{j}" for j in range(spines)]
        self._switches(names, tier=3)
        pairs = [(leaf, spine) for leaf in leaves for spine in names]
        self.builder.connect(pairs, self.uplink, lanes=up // spines)

    def _three(self, leaves: Sequence[str], up: int) -> None:
        """Add pods of leaves and spines, and cores: spine j of every pod meets the cores j."""
        most, above = _shares(self.radix, self.plan.ratios[1])
        pods = ceil(len(leaves) / most)
        if pods > self.radix:
            raise self._too_many(len(leaves), "three tiers")
        size = ceil(len(leaves) / pods)
        rising = min(above, ceil(size / self.plan.ratios[1]))
        cores = _divisor(rising, ceil(pods * rising / self.radix))
        spine, core = self.prefixes[1:]
        for j in range(up):
            self._switches([f"{core}/{j}/{c}" for c in range(cores)], tier=4)
        for pod in range(pods):
            members = leaves[pod * size : (pod + 1) * size]
            names = [f"{spine}/{pod}/{j}" for j in range(up)]
            self._switches(names, tier=3)
            self.builder.connect([(u, v) for u in members for v in names], self.uplink)
            pairs = [(names[j], f"{core}/{j}/{c}") for j in range(up) for c in range(cores)]
            self.builder.connect(pairs, self.uplink, lanes=rising // cores)

    def _too_many(self, leaves: int, tiers: str) -> GraphError:
        nics = sum(map(len, self.groups))
        return GraphError(
            f"compose: {nics} NICs need {leaves} leaves, more than {tiers} of {self.radix}-port "
            "switches join; allow more tiers (3 at most), choose layout='rail-only', or give more "
            "ports or oversubscription"
        )


def _shares(radix: int, ratio: float) -> tuple[int, int]:
    """Return ports down and up of a switch at a ratio of down to up."""
    down = min(radix - 1, int(radix * ratio / (1 + ratio)))
    if down < 1:
        raise GraphError(f"scale-out: ports is {radix}; a switch with uplinks needs 2 or more")
    return down, ceil(down / ratio)


def _divisor(number: int, least: int) -> int:
    """Return the smallest divisor of a number that is not below another."""
    found = max(1, least)
    while number % found:
        found += 1
    return found
