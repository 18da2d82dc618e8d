"""Say how long a schedule takes at least, before it is routed: what its routing cannot beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from collectives.model.schedule import IntArray, Schedule, Step
from collectives.timing.endpoint import Endpoint
from topology.fabric import Fabric, FloatArray
from topology.routing import Router

Column: TypeAlias = tuple[FloatArray, FloatArray]

_ROUNDING = 1e-12


def floor_time(
    schedule: Schedule,
    router: Router,
    ranks: IntArray,
    endpoint: Endpoint,
    rates: FloatArray,
    size: float,
) -> float:
    """Return seconds that a schedule takes at least, without routing it.

    Every rank must send and receive what a step has for it over its own links, all of them at
    once at best, and the slowest of them all takes the latency of one link at least; what the
    router can only send one way keeps that link busy.

    Parameters
    ----------
    schedule
        What runs.
    router
        Which way traffic goes.
    ranks
        Rank at each position, shape (p,).
    endpoint
        Software overheads.
    rates
        Bytes/s of each arc, shape (arcs,).
    size
        S in bytes.
    """
    least = 0.0
    if not schedule.overlaps:
        each = step_floors(schedule.steps, router, ranks, endpoint, rates, size)
        if schedule.lockstep:
            return sum(each)
        ends: list[float] = []
        for number, seconds in enumerate(each):
            ends.append(seconds + max((ends[i] for i in schedule.waits_for(number)), default=0.0))
        least = max(ends, default=0.0)
    ports = _ports(router.fabric, ranks, rates)
    return max(least, (1 - _ROUNDING) * _overlapping(schedule, endpoint, ports, size))


def step_floors(
    steps: Sequence[Step],
    router: Router,
    ranks: IntArray,
    endpoint: Endpoint,
    rates: FloatArray,
    size: float,
    tried: int = 0,
) -> list[float]:
    """Return seconds that each step takes at least, all its repetitions.

    Parameters
    ----------
    steps, router, ranks, endpoint, rates, size
        As in `floor_time`.
    tried
        How many pairs of each step to route.
    """
    ports = _ports(router.fabric, ranks, rates)
    busy = {}
    for traffic in {id(step.traffic): step.traffic for step in steps}.values():
        alone = size * router.least_busy(traffic.placed(ranks), rates, tried)
        busy[id(traffic)] = max(alone, _slowest(ports, traffic.ports(len(ranks)), size))
    software = (endpoint.alpha + step.messages * endpoint.message for step in steps)
    return [
        (1 - _ROUNDING) * step.repeat * (seconds + busy[id(step.traffic)])
        for step, seconds in zip(steps, software, strict=True)
    ]


def run_floor(
    schedule: Schedule,
    router: Router,
    ranks: IntArray,
    endpoint: Endpoint,
    rates: FloatArray,
    size: float,
    *,
    most: tuple[float, float] = (np.inf, np.inf),
    tick: float = 0.0,
) -> float:
    """Return seconds that a simulation takes at least: as if no rank waited for another.

    Each rank must hand over and send what its steps have for it, one step after the other over
    its own links; `floor_time` lets the slowest rank of each step hold up all, which ranks that
    go on by themselves can beat.

    Parameters
    ----------
    schedule, router, ranks, endpoint, rates, size
        As in `floor_time`.
    most
        Bytes/s that a rank can send, and receive, in all.
    tick
        By how many seconds each message may be shorter.
    """
    ports = [
        (latency, np.minimum(rate, limit))
        for (latency, rate), limit in zip(_ports(router.fabric, ranks, rates), most, strict=True)
    ]
    least = 0.0 if tick else _overlapping(schedule, endpoint, ports, size)
    if schedule.overlaps:
        return (1 - _ROUNDING) * least
    latency, rate = ports[0]
    own: dict[int, FloatArray] = {}
    ends: list[FloatArray] = []
    for number, step in enumerate(schedule.steps):
        traffic = step.traffic
        if id(traffic) not in own:
            sends = np.bincount(np.zeros(0, dtype=int), minlength=schedule.ranks)
            messages = traffic.messages()
            sends[: len(messages)] = messages
            out = traffic.ports(schedule.ranks)[0]
            used = (out > 0) & (rate > 0)
            moves = np.zeros(schedule.ranks)
            moves[used] = latency[used] + size * out[used] / rate[used]
            moves -= np.minimum(moves, tick * np.maximum(sends, 1)) if tick else 0.0
            own[id(traffic)] = moves + np.where(
                sends > 0, endpoint.alpha + sends * endpoint.message, 0.0
            )
        before = [ends[i] for i in schedule.waits_for(number)]
        start = np.max(before, axis=0) if before else 0.0
        ends.append(start + step.repeat * own[id(traffic)])
    ended = max((float(end.max(initial=0.0)) for end in ends), default=0.0)
    return (1 - _ROUNDING) * max(least, ended)


def _ports(fabric: Fabric, ranks: IntArray, rates: FloatArray) -> list[Column]:
    """Return least latency and total bytes/s of each rank's links, out of it and into it."""
    found = []
    for end in (fabric.tail, fabric.head):
        latency = np.full(len(fabric.nodes), np.inf)
        np.minimum.at(latency, end, fabric.latency)
        rate: FloatArray = np.bincount(end, rates, len(fabric.nodes)).astype(float)
        found.append((latency[fabric.npus[ranks]], rate[fabric.npus[ranks]]))
    return found


def _slowest(ports: list[Column], needed: Column, size: float) -> float:
    """Return the least seconds from a step's start until every rank has sent and received all."""
    least = 0.0
    for (latency, rate), amount in zip(ports, needed, strict=True):
        used = (amount > 0) & (rate > 0)  # where there is no link, routing says so
        seconds = latency[used] + size * amount[used] / rate[used]
        least = max(least, float(seconds.max(initial=0.0)))
    return least


def _overlapping(
    schedule: Schedule,
    endpoint: Endpoint,
    ports: list[Column],
    size: float,
) -> float:
    """Return the least for transfers that wait for links and chunks, not for whole steps."""
    count = schedule.ranks
    sent, received, messages = np.zeros(count), np.zeros(count), np.zeros(count)
    for step in schedule.steps:
        out, into = step.traffic.ports(count)
        sent += step.repeat * out
        received += step.repeat * into
        sends = step.traffic.messages()
        messages[: len(sends)] += step.repeat * sends
    if not messages.any():
        return 0.0
    on_links = endpoint.message + _slowest(ports, (sent, received), size)
    return endpoint.alpha + max(on_links, float(messages.max()) * endpoint.message)
