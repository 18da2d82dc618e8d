"""Name what limits: the busiest class of links, or the part of the latency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collectives.timing import Cost
from topology import units
from topology.fabric import ArcClass, Fabric, FloatArray

_EQUAL = 1 - 1e-9
_DOMINANT = 0.5


_ENDPOINTS = ("NPU", "GPU", "die")
_FORWARDING = "forwarding of"


@dataclass(frozen=True)
class LinkClass:
    """How busy one class of links is.

    Attributes
    ----------
    name
        "NPU→L1".
    medium
        "copper" or "optical".
    links
        How many directed links.
    capacity
        Bytes/s of the narrowest of them.
    load
        Bytes through the most loaded one (by time), over the whole collective.
    utilisation
        Share of the transfer time that the busiest one is in use, 0 to 1.
    mean
        The same, averaged over the class.
    """

    name: str
    medium: str
    links: int
    capacity: float
    load: float
    utilisation: float
    mean: float


@dataclass(frozen=True)
class Bottleneck:
    """What limits, in words and as links.

    Attributes
    ----------
    kind
        "bandwidth" or "latency": which takes the larger part of the time.
    sentence
        What a person should read first.
    name
        The class of links that is busiest: "NPU→L1".
    links
        The busiest directed links, as pairs of ids.
    utilisation
        Their share of the transfer time.
    runner_up
        The next class, or None.
    runner_up_utilisation
        How busy that one is.
    shares
        Share of the transfer time that each class is the busiest, by class.
    """

    kind: str
    sentence: str
    name: str
    links: tuple[tuple[str, str], ...]
    utilisation: float
    runner_up: str | None
    runner_up_utilisation: float
    shares: dict[str, float]


def busy_seconds(fabric: Fabric, cost: Cost) -> FloatArray:
    """Return seconds each arc is in use over a whole schedule, shape (arcs,)."""
    total = np.zeros(len(fabric.tail))
    for step in cost.steps:
        total += step.repeat * step.busy
    return total


def link_classes(fabric: Fabric, cost: Cost) -> tuple[LinkClass, ...]:
    """Return how busy every class of links is, the busiest first."""
    busy = busy_seconds(fabric, cost)
    whole = cost.transfer
    rows = [_class(fabric, cls, busy, whole) for cls in fabric.classes]
    return tuple(sorted(rows, key=lambda row: -round(row.utilisation, 9)))


def _class(fabric: Fabric, cls: ArcClass, busy: FloatArray, whole: float) -> LinkClass:
    used = busy[cls.arcs] / whole if whole > 0 else np.zeros(len(cls.arcs))
    capacity = fabric.capacity[cls.arcs]
    return LinkClass(
        name=cls.name,
        medium=cls.medium,
        links=len(cls.arcs),
        capacity=float(capacity.min()),
        load=float((busy[cls.arcs] * capacity).max()),
        utilisation=float(used.max()),
        mean=float(used.mean()),
    )


def find_bottleneck(title: str, fabric: Fabric, cost: Cost) -> Bottleneck:
    """Return the busiest class of links, how busy the next one is, and the sentence.

    Parameters
    ----------
    title
        The collective's name in words.
    fabric, cost
        What ran where.
    """
    busy = busy_seconds(fabric, cost)
    whole = cost.transfer
    shares = _shares(fabric, cost)
    if not shares:
        sentence = f"{title} moves nothing over the links"
        return Bottleneck("latency", sentence, "", (), 0.0, None, 0.0, {})
    used = busy / whole
    choked = max(shares, key=lambda name: shares[name])
    if choked.startswith(_FORWARDING):
        return _choked(title, cost, choked, shares, link_classes(fabric, cost))
    outward = {cls.name for cls in fabric.classes if cls.tail in _ENDPOINTS}
    first = max(shares, key=lambda name: (round(shares[name], 12), name in outward))
    arcs = np.concatenate([cls.arcs for cls in fabric.classes if cls.name == first])
    top = float(used[arcs].max())
    at_top = arcs[used[arcs] >= top * _EQUAL]
    rows = link_classes(fabric, cost)
    back = "→".join(reversed(first.split("→")))
    mirrored = back != first and any(
        row.name == back and row.utilisation >= top * _EQUAL for row in rows
    )
    hidden = {first, back} if mirrored else {first}
    other = next((row for row in rows if row.name not in hidden and row.utilisation > 0), None)
    said = _links_said(rows, first, len(at_top), len(arcs), top)
    if mirrored:
        said += f" ({back} the same)"
    if other is not None:
        word = "optics" if other.medium == "optical" else "links"
        said += f"; the {other.name} {word} stand at {units.format_percent(other.utilisation)}"
    if top < _EQUAL:
        said = _in_turn(rows, shares, outward)
    split = cost.latency
    sentence = f"{title} is limited by {said}"
    kind = "bandwidth" if split.serialisation >= _DOMINANT * cost.time else "latency"
    return Bottleneck(
        kind=kind,
        sentence=f"{title} is limited by {said}"
        if kind == "bandwidth"
        else _slow(title, cost, said),
        name=first,
        links=tuple(fabric.arcs[arc] for arc in at_top.tolist()),
        utilisation=top,
        runner_up=other.name if other else None,
        runner_up_utilisation=other.utilisation if other else 0.0,
        shares=shares,
    )


def _choked(
    title: str, cost: Cost, name: str, shares: dict[str, float], rows: tuple[LinkClass, ...]
) -> Bottleneck:
    """Return the bottleneck where switches forward less than their ports carry."""
    said = f"what the {name.removeprefix(_FORWARDING).strip()} switches can forward in all"
    other = rows[0]
    said += f"; the {other.name} links stand at {units.format_percent(other.utilisation)}"
    slow = cost.latency.serialisation < _DOMINANT * cost.time
    sentence = _slow(title, cost, said) if slow else f"{title} is limited by {said}"
    kind = "latency" if slow else "bandwidth"
    top = shares[name]
    return Bottleneck(kind, sentence, name, (), top, other.name, other.utilisation, shares)


def _shares(fabric: Fabric, cost: Cost) -> dict[str, float]:
    """Return for each class the share of the transfer time in which it is the busiest."""
    shares: dict[str, float] = {}
    for step in cost.steps:
        if step.transfer == 0:
            continue
        least = step.transfer * _EQUAL
        names = {cls.name for cls in fabric.classes if step.busy[cls.arcs].max() >= least}
        nodes = np.flatnonzero(step.node_busy >= least).tolist()
        names |= {f"{_FORWARDING} {fabric.labels[node]}" for node in nodes} if not names else set()
        for name in names:
            weight = step.repeat * step.transfer / cost.transfer
            shares[name] = shares.get(name, 0.0) + weight
    return dict(sorted(shares.items()))


def _links_said(
    rows: tuple[LinkClass, ...], name: str, limiting: int, count: int, top: float
) -> str:
    number = f"the {limiting:,}" if limiting == count else f"{limiting:,} of the {count:,}"
    optical = any(row.name == name and row.medium == "optical" for row in rows)
    return f"{number} {name} {'optics' if optical else 'links'} at {units.format_percent(top)}"


def _in_turn(rows: tuple[LinkClass, ...], shares: dict[str, float], outward: set[str]) -> str:
    """Say which classes limit one after the other, in the phases of a schedule."""
    said = []
    told: set[str] = set()
    by_share = sorted(shares, key=lambda name: (-round(shares[name], 9), name not in outward, name))
    for name in by_share:
        back = "→".join(reversed(name.split("→")))
        if back in told:
            continue
        told.add(name)
        row = next(row for row in rows if row.name == name)
        noun = "optics" if row.medium == "optical" else "links"
        share = units.format_percent(shares[name])
        said.append(f"the {row.links:,} {name} {noun} ({share} of the transfer time)")
    return " and then ".join(said)


def _slow(title: str, cost: Cost, said: str) -> str:
    """Say which part of the latency takes most of the time."""
    split = cost.latency
    parts = {
        "endpoint software": split.endpoint,
        "switches": split.switches,
        "propagation": split.propagation,
        "transceivers": split.transceivers,
        "FEC": split.fec,
    }
    worst = max(parts, key=lambda part: parts[part])
    share = units.format_percent(1 - split.serialisation / cost.time)
    own = units.format_percent(parts[worst] / cost.time)
    verb = "take" if worst in ("switches", "transceivers") else "takes"
    return (
        f"{title} is limited by latency, {share} of {units.format_time(cost.time)}: "
        f"{worst} alone {verb} {own}; on bandwidth it would be {said}"
    )
