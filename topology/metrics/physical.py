"""Count cables and transceivers, and add up what they and the switches draw, cost and fail.

A full-duplex cable is two edges of the graph; it is counted once. Each lane is a cable of its
own. A link with one direction only (a directed network, or half of a broken cable) counts whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from topology import border, units
from topology.errors import GraphError, shown
from topology.fabric import Fabric
from topology.hardware.catalogue import Entry, load_catalogue
from topology.hardware.devices import device_catalogue
from topology.hardware.media import MEDIA, Link
from topology.supernode import Supernode
from topology.text import Part, Printed, Table, counted

_FIT_HOURS = 1e9


@dataclass(frozen=True, repr=False)
class Cables(Printed):
    """Equal cables between two sorts of nodes.

    Attributes
    ----------
    ends
        Words for the two ends, such as ("L1", "L2").
    link
        What each is made of.
    count
        Lanes: each is one cable.
    """

    ends: tuple[str, str]
    link: Link
    count: float

    def parts(self) -> list[Part]:
        """Return what a person reads: how many cables of which link."""
        return [f"{counted(self.count, 'cable')} {'–'.join(self.ends)} of {self.link.parts()[0]}"]

    @property
    def modules(self) -> float:
        """Pluggable transceivers, both ends together."""
        return _whole(self.count * self.link.modules)

    @property
    def length(self) -> float:
        """Metres in all."""
        return self.count * self.link.length


@dataclass(frozen=True, repr=False)
class NetworkPower(Printed):
    """What the network draws, in watts.

    Attributes
    ----------
    optics, switches, nics
        Transceivers, switch chips and NICs.
    missing
        How many of each device or link type have no published power, by name: they are not in
        the sum.
    """

    optics: float
    switches: float
    nics: float
    missing: Mapping[str, float]

    def parts(self) -> list[Part]:
        """Return what a person reads: watts in all, by part, and what is not known."""
        each = {part: getattr(self, part) for part in ("optics", "switches", "nics")}
        total = f"the network draws {units.format_power(self.total)}"
        return _summed(total, each, self.missing, units.format_power)

    @property
    def total(self) -> float:
        """Watts of all whose power is known."""
        return self.optics + self.switches + self.nics


@dataclass(frozen=True, repr=False)
class NetworkCost(Printed):
    """What the network costs at given prices.

    Attributes
    ----------
    items
        Cost of each priced part by name, in the currency of the prices.
    missing
        How many of each part have no price, by name: they are not in the sum.
    """

    items: Mapping[str, float]
    missing: Mapping[str, float]

    def parts(self) -> list[Part]:
        """Return what a person reads: the cost in all, by part, and what has no price."""
        return _summed(f"the network costs {self.total:,.0f}", self.items, self.missing, _plain)

    @property
    def total(self) -> float:
        """Cost of all parts with a price."""
        return sum(self.items.values())


@dataclass(frozen=True, repr=False)
class Reliability(Printed):
    """How often a network part fails, from failures per 1e9 hours (FIT).

    Attributes
    ----------
    items
        FIT of all parts of a name together.
    missing
        How many of each part have no published rate, by name: they are not in the sum.
    """

    items: Mapping[str, float]
    missing: Mapping[str, float]

    def parts(self) -> list[Part]:
        """Return what a person reads: how often something fails, by part, and what is unknown."""
        hours = f"every {self.mtbf / 3600:,.0f} hours" if self.items else "at an unknown rate"
        return _summed(f"a part fails {hours}, FIT by part", self.items, self.missing, _plain)

    @property
    def fit(self) -> float:
        """Failures per 1e9 hours, all parts together."""
        return sum(self.items.values())

    @cached_property
    def mtbf(self) -> float:
        """Mean seconds between two failures anywhere; infinite where no rate is known."""
        return _FIT_HOURS * 3600 / self.fit if self.fit else float("inf")


def _summed(
    first: str,
    items: Mapping[str, float],
    missing: Mapping[str, float],
    printer: Callable[[float], str],
) -> list[Part]:
    """Return a sum in words, what it is made of, and how many parts are not in it."""
    rows = [(name, printer(value)) for name, value in items.items()]
    absent = ", ".join(f"{count:,g} {name}" for name, count in missing.items())
    notes = [f"not known, and not in the sum: {absent}"] if absent else []
    return [first, *notes, Table("", ("part", "in all"), rows)]


def _plain(value: float) -> str:
    return f"{value:,.0f}"


def cables(supernode: Supernode) -> tuple[Cables, ...]:
    """Return the cables, grouped by their ends and what they are made of.

    Where the two directions of a cable have records of their own, it is under the first.
    """
    fabric = supernode.fabric
    records = {link: i for i, link in reversed(list(enumerate(fabric.links)))}
    same = np.array([records[link] for link in fabric.links], dtype=np.int64)
    kind = same[fabric.link]
    low, high = np.minimum(fabric.tail, fabric.head), np.maximum(fabric.tail, fabric.head)
    order = np.lexsort((kind, high, low))
    key = np.stack([low, high, kind])[:, order]
    starts = np.flatnonzero((np.diff(key[:2], axis=1, prepend=-1) != 0).any(axis=0))
    if not len(starts):
        return ()
    count = np.maximum.reduceat(fabric.lanes[order], starts)
    groups: dict[tuple[str, str, int], float] = {}
    for (u, v, record), lanes in zip(key[:, starts].T.tolist(), count.tolist(), strict=True):
        group = (*_ends(fabric, u, v), record)
        groups[group] = groups.get(group, 0) + lanes
    return tuple(
        Cables((a, b), fabric.links[record], _whole(lanes))
        for (a, b, record), lanes in sorted(groups.items())
    )


def _ends(fabric: Fabric, u: int, v: int) -> tuple[str, str]:
    a, b = sorted((fabric.labels[u], fabric.labels[v]))
    return (b, a) if b == "NPU" else (a, b)


def _whole(number: float) -> float:
    """Return a count as an int if it is one."""
    return int(number) if float(number).is_integer() else number


def cable_count(supernode: Supernode, medium: str | None = None) -> float:
    """Return full-duplex cables, each lane one, of a medium ("copper", "optical") or of all."""
    return _whole(sum(group.count for group in _of_medium(supernode, medium)))


def link_counts(supernode: Supernode) -> tuple[float, float]:
    """Return full-duplex cables of copper, and of fibre."""
    return cable_count(supernode, "copper"), cable_count(supernode, "optical")


def cable_length(supernode: Supernode, medium: str | None = None) -> float:
    """Return metres of cable, of a medium or of all."""
    return float(sum(group.length for group in _of_medium(supernode, medium)))


def optics(supernode: Supernode) -> float:
    """Return pluggable transceivers: cables times modules per lane, both ends together."""
    return _whole(sum(group.modules for group in cables(supernode)))


def _of_medium(supernode: Supernode, medium: str | None) -> list[Cables]:
    if medium is not None:
        border.choice(medium, "medium", MEDIA)
    return [group for group in cables(supernode) if medium in (None, group.link.medium)]


def network_power(supernode: Supernode) -> NetworkPower:
    """Return what transceivers, switches and NICs draw, as far as it is published."""
    light = (
        ("optics", f"{group.link.type} (transceiver)", group.modules, group.link.power or None)
        for group in cables(supernode)
        if group.modules
    )
    devices = (
        (kind, name, count, _figure(device_catalogue().get(name), "power"))
        for (kind, name), count in _devices(supernode).items()
    )
    known, missing = _sums([*light, *devices])
    optical, switches, nics = (known.get(part, 0.0) for part in ("optics", "switch", "nic"))
    return NetworkPower(optical, switches, nics, dict(sorted(missing.items())))


def _sums(
    rows: Iterable[tuple[str, str, float, float | None]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Add up rows of (part, name, count, figure of one): by part, and the counts without one."""
    known: dict[str, float] = {}
    missing: dict[str, float] = {}
    for part, name, count, each in rows:
        if each is None:
            missing[name] = missing.get(name, 0) + count
        else:
            known[part] = known.get(part, 0.0) + count * each
    return known, missing


def _devices(supernode: Supernode) -> Counter[tuple[str, str]]:
    """Count the switches and NICs by kind and device; those without one by their kind."""
    found: Counter[tuple[str, str]] = Counter()
    for _, data in supernode.graph.nodes(data=True):
        kind = str(data.get("kind", "switch"))
        if kind in ("switch", "nic"):
            found[kind, str(data.get("device", kind))] += 1
    return found


def network_cost(supernode: Supernode, prices: Mapping[str, float]) -> NetworkCost:
    """Return what the network costs at given prices.

    Parameters
    ----------
    supernode
        The machine.
    prices
        A price for each device (name in devices.csv; "switch" or "nic" for nodes without one),
        for a cable of each link type, and under "optics" for a transceiver.

    Raises
    ------
    GraphError
        If a price is negative or not a number, or names nothing in the machine.
    """
    parts = _parts(supernode)
    _check_given("prices", prices, supernode, parts)
    rows = ((name, name, count, prices.get(name)) for name, count in parts.items())
    return NetworkCost(*_sums(rows))


def _check_given(
    what: str, given: Mapping[str, float], supernode: Supernode, parts: Mapping[str, float]
) -> None:
    for name, value in given.items():
        border.number(value, f"{what}: {name}")
        if name not in parts:
            known = ", ".join(sorted(parts))
            raise GraphError(f"{what}: {supernode.name} has no {shown(name)}; it has {known}")


def _parts(supernode: Supernode) -> dict[str, float]:
    """Count the parts of the network by name."""
    parts: dict[str, float] = {}
    for name, count, _ in _failing(supernode):
        parts[name] = parts.get(name, 0) + count
    return {name: _whole(count) for name, count in sorted(parts.items())}


def reliability(supernode: Supernode, rates: Mapping[str, float] | None = None) -> Reliability:
    """Return how often the network fails, from the FIT figures of the catalogue.

    Parameters
    ----------
    supernode
        The machine.
    rates
        FIT by part, as in `network_cost`: a device, a cable of a link type, or "optics". They
        go before the catalogue's figures: ``FIT`` of a device, ``cable`` and ``module`` of a
        link type.

    Raises
    ------
    GraphError
        If a rate is negative or not a number, or names nothing in the machine.
    """
    given = dict(rates or {})
    _check_given("rates", given, supernode, _parts(supernode))
    rows = _failing(supernode)
    return Reliability(*_sums((part, part, n, given.get(part, fit)) for part, n, fit in rows))


def _failing(supernode: Supernode) -> Iterator[tuple[str, float, float | None]]:
    """Yield each part of the network: its name, how many, and the published FIT of one."""
    for group in cables(supernode):
        entry = cable_catalogue().get(group.link.type)
        yield group.link.type, group.count, _figure(entry, "cable")
        if group.modules:
            yield "optics", group.modules, _figure(entry, "module")
    for (_, name), count in sorted(_devices(supernode).items()):
        yield name, count, _figure(device_catalogue().get(name), "FIT")


def _figure(entry: Entry | None, name: str) -> float | None:
    figure = entry.figure(name) if entry else None
    return figure.value if figure else None


def cable_catalogue() -> Mapping[str, Entry]:
    """Return every row of cables.csv: differential pairs and failure rates, by link type."""
    return load_catalogue("cables.csv", ("link", "title"))


def copper_wires(supernode: Supernode) -> float:
    """Return differential pairs in copper cables, where the catalogue knows how many a link has.

    This is what vendors count as copper cables: 5,184 in a GB200 NVL72.
    """
    known = cable_catalogue()
    groups = _of_medium(supernode, "copper")
    return _whole(sum(g.count * (_figure(known.get(g.link.type), "pairs") or 0.0) for g in groups))
