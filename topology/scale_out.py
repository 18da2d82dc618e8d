"""Join NICs by switches: leaves, spines and, if need be, cores, as a plan says.

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
from dataclasses import dataclass
from itertools import product
from math import ceil
from types import MappingProxyType

from topology import border
from topology.errors import GraphError, unknown_name
from topology.hardware.devices import device
from topology.hardware.media import LinkType, link_catalogue, link_type
from topology.shapes.tree import shares, spread
from topology.supernode import Builder

LAYOUTS = ("clos", "rail", "rail-only")
"""How NICs meet leaves: in order; by rail, under shared spines; by rail, each rail alone."""

_DEFAULT_PORTS = 64
_TIERS = 3
_NAMES = ("leaf", "spine", "core")


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
        border.choice(self.layout, "scale-out: layout", LAYOUTS)
        for name in ("ports", "npus_per_nic", "tiers"):
            value = getattr(self, name)
            if value is None and name != "npus_per_nic":
                continue
            border.whole(value, f"scale-out: {name}", most=_TIERS if name == "tiers" else None)
        for kind in (self.link, self.uplink, self.nic_link):
            if kind is not None:
                link_type(kind)
        for name in ("nic", "switch"):
            value = getattr(self, name)
            if value is not None:
                device(border.word(value, f"scale-out: {name}"))
        for ratio in self.ratios:
            border.number(ratio, "scale-out: oversubscription", least=1)
        for source in border.ordered(self.sources, "scale-out: sources"):
            border.word(source, "scale-out: a source")

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
    def inner(self) -> LinkType:
        """The link type from an NPU to a NIC."""
        if self.nic_link is not None:
            return link_type(self.nic_link)
        outer = link_type(self.link)
        return LinkType(capacity=outer.capacity, name=f"{outer.name}-internal")

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


def scale_out_of(given: str | float | LinkType | ScaleOut) -> ScaleOut:
    """Return a plan from its name, a link type, or itself."""
    if isinstance(given, ScaleOut):
        return given
    if isinstance(given, str):
        if given in SCALE_OUTS:
            return SCALE_OUTS[given]
        if given not in link_catalogue():
            raise unknown_name("scale-out", given, [*SCALE_OUTS, *link_catalogue()])
    return ScaleOut(link=given)


@dataclass(frozen=True)
class Nic:
    """A NIC of the composition: its id, and its place among the NICs of its node."""

    name: str
    rail: int


def wire(builder: Builder, plan: ScaleOut, nics: Sequence[Nic], taken: set[str]) -> None:
    """Join NICs by the switches of a plan; ids of its own where some are taken."""
    before = "scale-out-" if taken.intersection(_NAMES) else ""
    prefixes = [before + name for name in _NAMES]
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
        lanes = spread(up, self.radix // len(leaves))
        names = [f"{self.prefixes[1]}/{j}" for j in range(up // lanes)]
        self._switches(names, tier=3)
        self.builder.connect(product(leaves, names), self.uplink, lanes=lanes)

    def _three(self, leaves: Sequence[str], up: int) -> None:
        """Add pods of leaves and spines, and cores: spine j of every pod meets the cores j."""
        most, above = _shares(self.radix, self.plan.ratios[1])
        pods = ceil(len(leaves) / most)
        if pods > self.radix:
            raise self._too_many(len(leaves), "three tiers")
        size = ceil(len(leaves) / pods)
        rising = min(above, ceil(size / self.plan.ratios[1]))
        lanes = spread(rising, self.radix // pods)
        cores = rising // lanes
        spine, core = self.prefixes[1:]
        for j in range(up):
            self._switches([f"{core}/{j}/{c}" for c in range(cores)], tier=4)
        for pod in range(pods):
            members = leaves[pod * size : (pod + 1) * size]
            names = [f"{spine}/{pod}/{j}" for j in range(up)]
            self._switches(names, tier=3)
            self.builder.connect([(u, v) for u in members for v in names], self.uplink)
            pairs = [(names[j], f"{core}/{j}/{c}") for j in range(up) for c in range(cores)]
            self.builder.connect(pairs, self.uplink, lanes=lanes)

    def _too_many(self, leaves: int, tiers: str) -> GraphError:
        nics = sum(map(len, self.groups))
        return GraphError(
            f"compose: {nics} NICs need {leaves} leaves, more than {tiers} of {self.radix}-port "
            "switches join; allow more tiers (3 at most), choose layout='rail-only', or give more "
            "ports or oversubscription"
        )


def _shares(radix: int, ratio: float) -> tuple[int, int]:
    """Return ports down and up of a switch at a ratio of down to up."""
    down, up = shares(radix, ratio)
    if down < 1:
        raise GraphError(f"scale-out: ports is {radix}; a switch with uplinks needs 2 or more")
    return down, up
