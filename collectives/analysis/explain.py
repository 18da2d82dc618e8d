"""Say in words what an analysis found: the one place where facts become sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from topology import units
from topology.text import counted

if TYPE_CHECKING:
    from collectives.analysis.bottleneck import Bottleneck, Carrier

_FULL = 1 - 1e-9
_NAMED = 3
_RATES = {"line": "line rate, no protocol overhead", "effective": "effective rate of each link"}
_ORDER = {
    "step": "cut-through inside the network; a step starts when the one before has ended",
    "needed": "cut-through inside the network; a step starts when those it needs have ended, and "
    "steps at work at once share links max-min fairly",
    "chunk": "store and forward; a transfer starts when its link is free and its chunk is there",
    "simulated": "a rank sends once its own transfers of the steps that it needs are done, whether "
    "or not its receiver is as far",
}


def sentence(found: Bottleneck) -> str:
    """Say what limits, and what comes next."""
    if found.time == 0:
        return f"{found.title} moves nothing over the links"
    said = _on_bandwidth(found, found.key) if found.key else ""
    if found.kind == "bandwidth":
        return f"{found.title} is limited by {said}"
    return _on_latency(found) + (f"; on bandwidth it would be {said}" if said else "")


def shortly(found: Bottleneck) -> str:
    """Return what limits for which share of the transfer time, latency first if that takes more."""
    said = [f"{found.name} {units.format_percent(found.share)}"] if found.key else []
    return ", then ".join(["latency", *said] if found.kind == "latency" else said)


def _on_bandwidth(found: Bottleneck, key: Carrier) -> str:
    if key.forwards:
        said = f"what the {key.tail} switches can forward in all"
    elif found.utilisation < _FULL:
        return _in_turn(found, key)
    else:
        said = f"{_links(found, key)} at {units.format_percent(found.utilisation)}"
        said += f" ({key.back.name} the same)" if found.mirrored else ""
    other = found.runner_up_class
    if other is not None:
        stand = units.format_percent(other.utilisation)
        said += f"; the {other.name} {noun(other.key)} stand at {stand}"
    return said


def _links(found: Bottleneck, key: Carrier) -> str:
    """Name the limiting links: how many of how many, by id where they are few."""
    many = len(found.links)
    number = f"the {many:,}" if many == found.of else f"{many:,} of the {found.of:,}"
    said = f"{number} {key.name} {noun(key)}"
    if found.dimension is not None:
        said += f" along dimension {found.dimension}"
    if many <= _NAMED and many < found.of:
        said += f" ({', '.join(f'{u}→{v}' for u, v in found.links)})"
    return said


def noun(key: Carrier) -> str:
    """Return "optics" or "links"."""
    return "optics" if key.medium == "optical" else "links"


def _in_turn(found: Bottleneck, first: Carrier) -> str:
    """Say which classes limit together, and which one after the other, in a schedule's phases."""
    said = []
    for keys, share in found.share_of[:_NAMED]:
        order = sorted(keys, key=lambda key: (key != first, key.tail != first.tail))
        told = [key for at, key in enumerate(order) if key.back not in order[:at]]
        what = " with ".join(_class(found, key) for key in told)
        said.append(f"{what} ({units.format_percent(share)} of the transfer time)")
    rest = sum(share for _, share in found.share_of[_NAMED:])
    return " and then ".join([*said, *([f"others ({units.format_percent(rest)})"] if rest else [])])


def _class(found: Bottleneck, key: Carrier) -> str:
    if key.forwards:
        return f"what the {key.tail} switches can forward"
    count = next(row.links for row in found.rows if row.key == key)
    return f"the {count:,} {key.name} {noun(key)}"


def _on_latency(found: Bottleneck) -> str:
    """Say which part of the latency takes most of the time."""
    split = found.latency
    parts = {
        "endpoint software takes": split.endpoint,
        "switches take": split.switches,
        "propagation takes": split.propagation,
        "transceivers take": split.transceivers,
        "FEC takes": split.fec,
    }
    worst = max(parts, key=lambda part: parts[part])
    who, verb = worst.rsplit(" ", 1)
    share = units.format_percent(1 - split.serialisation / found.time)
    own = units.format_percent(parts[worst] / found.time)
    return (
        f"{found.title} is limited by latency, {share} of {units.format_time(found.time)}: "
        f"{who} alone {verb} {own}"
    )


def choice(
    name: str, tried: Sequence[str], excluded: Sequence[str], *, auto: bool, by: str = ""
) -> str:
    """Say which algorithm it is, and among which it was chosen.

    Parameters
    ----------
    name
        The algorithm.
    tried, excluded
        All that fit, and those of them whose lower bound was above the fastest.
    auto
        Whether the fastest was asked for.
    by
        The stack that chose it, if one did.
    """
    said = f"algorithm: {name}"
    if not auto:
        return said
    if by:
        return f"{said}, which {by} chooses of {', '.join(tried)}"
    others = [other for other in tried if other != name]
    said += f", the fastest of {', '.join(tried)}" if others else ", the only one tried"
    if excluded:
        said += f" ({len(excluded)} of them by a lower bound on their time)"
    return said


def conditions(
    rate: str, alpha: float, message: float, source: str, *, words: str, order: str
) -> list[str]:
    """Say what the numbers of a plan stand on: routing, rate, forwarding, endpoints."""
    a_step, a_message = units.format_time(alpha), units.format_time(message)
    said = f" ({source})" if source else ""
    return [
        f"routing: {words}",
        f"rate: {_RATES[rate]}",
        f"forwarding: {_ORDER[order]}",
        f"endpoint: α {a_step} a step, {a_message} a message{said}",
    ]


def moving(
    *, stored: bool, window: int | None, injection: float, ejection: float, tick: float
) -> list[str]:
    """Say how a simulation moves messages."""
    limits = [
        f"{name} {units.format_rate(value)} a rank"
        for name, value in (("injection", injection), ("ejection", ejection))
        if value < float("inf")
    ]
    return [
        "transfers: each hop stores a message whole, and a link carries one at a time in order of "
        "arrival" if stored else
        "transfers: cut-through; those under way share links and switches max-min fairly",
        *([f"window: {counted(window, 'message')} of a rank under way at most"] if window else []),
        *(["limits: " + ", ".join(limits)] if limits else []),
        *([f"durations: cut to whole {units.format_time(tick)}"] if tick else []),
    ]  # fmt: skip


def deployed(name: str, generation: str, launch: str, source: str, *, words: str) -> list[str]:
    """Say what the numbers of a plan stand on where a stack carries it out."""
    return [
        f"routing: {words}",
        f"rate: {_RATES['effective']}",
        f"stack: {name} with its constants for {generation}, launched as {launch} ({source})",
        "forwarding: in chunks that follow each other over every link",
    ]


VERIFIED = "schedule: as given, verified"
LOCKSTEP = "groups: all in lockstep, step by step; a step's load is what all of them send in it"


def asked(
    machine: str, npus: int, algorithm: str, jobs: Sequence[tuple[str, Sequence[int]]]
) -> str:
    """Return a question in words.

    Parameters
    ----------
    machine, npus
        Its name and how many NPUs it has.
    algorithm
        What carries it out.
    jobs
        What runs, "all-reduce of 64 MiB", and how many ranks each group has.
    """
    what, groups = jobs[0]
    if len(jobs) == len(groups) == 1:
        ranks = f"{groups[0]} of {npus} ranks"
        if groups[0] == npus:
            ranks = counted(npus, "rank")
        return f"{what} on {ranks} of {machine}, {algorithm}"
    said = [
        f"{what} in each of {counted(len(groups), 'group')} of {max(groups)}"
        for what, groups in jobs
    ]
    return f"{', with '.join(said)}, at once on {machine}, {algorithm}"
