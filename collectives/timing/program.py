"""Lay out what a simulation carries out: messages on links, and which turns wait for which.

A turn is one repetition of a step. Messages, ranks and links that are alike are one, as far as
the routing found them to be; everything after this works on those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from collectives.model.schedule import UNSTATED, IntArray, Schedule
from collectives.timing.endpoint import Endpoint
from topology.fabric import Fabric, FloatArray
from topology.routing import Demand, RoutedFlow, Router
from topology.routing.streams import ActorsDifferError, Resources, Streams, join_streams
from topology.supernode import Supernode

_NONE = -1
_ROUNDING = 1e-11  # of a link's capacity, from shares that add up to it


@dataclass(frozen=True, eq=False)
class Part:
    """A schedule on ranks, one of those that run at once.

    Attributes
    ----------
    schedule, ranks
        What runs, and the rank at each position, shape (p,).
    size
        S in bytes.
    endpoint
        Software overheads.
    """

    schedule: Schedule
    ranks: IntArray
    size: float
    endpoint: Endpoint


@dataclass(frozen=True, eq=False)
class Pattern:
    """The messages of a step, all its repetitions alike.

    Attributes
    ----------
    first, size
        Where its messages begin among all, and how many there are.
    senders, receivers
        Message, from 0 in each pattern, and actor of each sender and receiver, shapes (2, s)
        and (2, t); those of a sender in the order in which it sends them.
    messages
        How many messages each rank of an actor sends, shape (actors,).
    ends
        How many messages of the pattern an actor sends or receives, shape (actors,).
    """

    first: int
    size: int
    senders: IntArray
    receivers: IntArray
    messages: FloatArray
    ends: IntArray


def pattern_of(
    first: int, senders: IntArray, receivers: IntArray, each: FloatArray, actors: int
) -> Pattern:
    """Return the messages of a step.

    Parameters
    ----------
    first, senders, receivers
        As in `Pattern`.
    each
        How many messages each entry of the senders is for a rank, shape (s,).
    actors
        How many actors there are.
    """
    sent: FloatArray = np.bincount(senders[1], each, actors).astype(float)
    ends = np.bincount(np.concatenate([senders[1], receivers[1]]), minlength=actors)
    size = int(senders[0].max(initial=-1)) + 1
    return Pattern(first, size, senders, receivers, sent, ends)


@dataclass(frozen=True, eq=False)
class Origin:
    """What a program was before what is alike became one.

    Attributes
    ----------
    program
        The same, with each on its own.
    message, actor
        What each of its messages and actors is now, shapes (messages,) and (actors,).
    """

    program: Program
    message: IntArray
    actor: IntArray


@dataclass(frozen=True, eq=False)
class Program:
    """What a simulation carries out.

    Attributes
    ----------
    fabric
        The machine.
    parts
        What runs at once; each has actors of its own.
    share, count, latency, resources
        Of all messages, and what they share: as in `Streams`.
    capacity
        Bytes/s of each resource, shape (resources,).
    bytes
        Of each message, shape (messages,).
    patterns
        The messages of each distinct step.
    pattern
        Which pattern each turn has, shape (turns,).
    part
        Which part each turn is of, shape (turns,).
    step
        Position of its step in the part's schedule, shape (turns,).
    needs
        The turns that each waits for.
    ahead
        The turn before it on its channel, -1 for none, shape (turns,).
    actor
        Of each rank in each part, shape (parts, ranks).
    flows
        The demands on their paths.
    origin
        What it was before what is alike became one; None if it still is that.
    """

    fabric: Fabric
    parts: tuple[Part, ...]
    share: sparse.csc_array
    count: FloatArray
    latency: FloatArray
    resources: Resources
    capacity: FloatArray
    bytes: FloatArray
    patterns: tuple[Pattern, ...]
    pattern: IntArray
    part: IntArray
    step: IntArray
    needs: tuple[tuple[int, ...], ...]
    ahead: IntArray
    actor: IntArray
    flows: tuple[RoutedFlow, ...] = field(repr=False)
    origin: Origin | None = field(default=None, repr=False)

    def at(self, turn: int) -> Pattern:
        """Return the messages of a turn."""
        return self.patterns[int(self.pattern[turn])]

    def actors_of(self, part: int) -> IntArray:
        """Return the actor at each position of a part, shape (p,)."""
        found: IntArray = self.actor[part, self.parts[part].ranks]
        return found

    @cached_property
    def actors(self) -> int:
        """How many actors there are, of all parts."""
        return int(self.actor.max(initial=-1)) + 1

    @cached_property
    def peak(self) -> FloatArray:
        """Bytes/s of each message with nothing else on its links, shape (messages,)."""
        share = self.share
        message = np.repeat(np.arange(share.shape[1]), np.diff(share.indptr))
        need, most = share.data * self.count[message], self.capacity[share.indices]
        found = np.full(share.shape[1], np.inf)
        np.minimum.at(found, message[need > 0], most[need > 0] / need[need > 0])
        return found

    @cached_property
    def followers(self) -> tuple[tuple[int, ...], ...]:
        """The turns that wait for each."""
        found: list[list[int]] = [[] for _ in self.needs]
        for turn, needs in enumerate(self.needs):
            for other in needs:
                found[other].append(turn)
        return tuple(map(tuple, found))

    @cached_property
    def uncontended(self) -> bool:
        """Whether no message can slow another down, whichever of them meet.

        Where each turn follows the one before, a rank is in one at a time, and counts for what
        it sends in the fullest. Turns of any other order may all meet, and count as contended.
        """
        if not all(part.schedule.lockstep for part in self.parts):
            return False
        rate = self.count * np.where(np.isfinite(self.peak), self.peak, 0.0)
        most: sparse.csr_array = sparse.csr_array((len(self.capacity), self.actors))
        for on in self.patterns:
            here = slice(on.first, on.first + on.size)
            sender = np.zeros(on.size, dtype=np.int64)
            sender[on.senders[0][::-1]] = on.senders[1][::-1]  # of several, the first
            by = sparse.csr_array(
                (rate[here], (np.arange(on.size), sender)), shape=(on.size, self.actors)
            )  # fmt: skip
            most = most.maximum(sparse.csr_array(self.share[:, here] @ by))
        total = np.asarray(most.sum(axis=1)).reshape(-1)
        return bool((total <= self.capacity * (1 + _ROUNDING)).all())


def lay_out(
    supernode: Supernode,
    router: Router,
    parts: Sequence[Part],
    rates: FloatArray,
    *,
    injection: float = np.inf,
    ejection: float = np.inf,
    apart: bool = False,
    progress: Callable[[float], object] = lambda _: None,
) -> Program:
    """Return what a simulation carries out.

    Parameters
    ----------
    supernode, router
        Where, and which way traffic goes.
    parts
        What runs at once.
    rates
        Bytes/s of each arc, shape (arcs,).
    injection, ejection
        Bytes/s that a rank can send, and receive, in all.
    apart
        Whether every rank is its own actor.
    progress
        Called with the fraction routed.
    """
    fabric = supernode.fabric
    demands, which = _distinct(parts)
    demands = demands or [UNSTATED]
    flows, every, streams = _streams(router, demands, progress, apart=apart)
    actors = int(streams.actor.max(initial=-1)) + 1
    first = np.cumsum([0, *(len(one.count) for one in every)])
    members = np.bincount(streams.actor, minlength=actors)
    patterns: list[Pattern] = []
    sizes = np.zeros(len(streams.count))
    for (number, _), at in which.items():
        one, offset = every[at], np.array([[0], [number * actors]])
        several = np.bincount(one.senders[0], minlength=len(one.count))[one.senders[0]] > 1
        each = np.where(several, 1.0, one.count[one.senders[0]] / members[one.senders[1]])
        order = _in_turn(one, actors)
        ends = one.senders[:, order] + offset, one.receivers + offset
        patterns.append(pattern_of(int(first[at]), *ends, each[order], len(parts) * actors))
        sizes[first[at] : first[at + 1]] = one.amount * parts[number].size
    share, capacity = _with_ports(fabric, streams, rates, injection, ejection)
    return Program(
        fabric, tuple(parts), share, streams.count, streams.latency, streams.resources, capacity,
        sizes, tuple(patterns), *_turns(parts, which),
        streams.actor + actors * np.arange(len(parts))[:, None], flows,
    )  # fmt: skip


def _in_turn(one: Streams, actors: int) -> IntArray:
    """Return an order of senders in which each comes to its receivers from itself on upwards."""
    to = np.zeros(len(one.count), dtype=np.int64)
    to[one.receivers[0]] = one.receivers[1]
    message, sender = one.senders
    order: IntArray = np.lexsort(((to[message] - sender) % actors, sender))
    return order


def _streams(
    router: Router,
    demands: Sequence[Demand],
    progress: Callable[[float], object],
    *,
    apart: bool,
) -> tuple[tuple[RoutedFlow, ...], list[Streams], Streams]:
    """Return demands on their paths and as streams, each and all; apart if they do not fit."""
    way = router.apart() if apart else router
    flows, every = [], []
    try:
        for done, demand in enumerate(demands):
            progress(done / len(demands))
            flows.append(way.route(demand))
            every.append(flows[-1].streams())
        return tuple(flows), every, join_streams(router.fabric, every)
    except ActorsDifferError:
        if apart:
            raise
        return _streams(router, demands, progress, apart=True)


def _turns(
    parts: Sequence[Part], which: dict[tuple[int, object], int]
) -> tuple[IntArray, IntArray, IntArray, tuple[tuple[int, ...], ...], IntArray]:
    """Return pattern, part and step of every turn, what it needs, and what is ahead of it."""
    rows: list[tuple[int, int, int]] = []
    needs: list[tuple[int, ...]] = []
    ahead: list[int] = []
    for number, part in enumerate(parts):
        last: list[int] = []
        on_channel: dict[int, int] = {}
        for at, step in enumerate(part.schedule.steps):
            for again in range(step.repeat):
                before = (len(rows) - 1,) if again else ()
                waits = part.schedule.waits_for(at)
                needs.append(before or tuple(sorted({last[other] for other in waits})))
                free = again or step.channel is None
                ahead.append(_NONE if free else on_channel.get(step.channel, _NONE))  # type: ignore[arg-type]
                rows.append((which[number, step.traffic.key], number, at))
            last.append(len(rows) - 1)
            if step.channel is not None:
                on_channel[step.channel] = last[-1]
    pattern, of_part, of_step = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return pattern, of_part, of_step, tuple(needs), np.array(ahead, dtype=np.int64)


def _with_ports(
    fabric: Fabric, streams: Streams, rates: FloatArray, injection: float, ejection: float
) -> tuple[sparse.csc_array, FloatArray]:
    """Return shares and capacities with what each rank can send and receive as more rows."""
    capacity = streams.resources.capacity(fabric, rates)
    shares = [streams.share]
    sides = (injection, streams.senders, fabric.tail), (ejection, streams.receivers, fabric.head)
    members = np.bincount(streams.actor)
    for limit, ends, near in sides:
        if not np.isfinite(limit):
            continue
        several = np.bincount(ends[0], minlength=len(streams.count))[ends[0]] > 1
        part = 1.0 / members[ends[1]]
        if several.any():  # of a stream from many to many, what goes over each rank's own links
            part[several] = _over_ports(fabric, streams, ends[:, several], near)
        shape = len(members), len(streams.count)
        shares.append(sparse.csc_array((part, (ends[1], ends[0])), shape=shape))
        capacity = np.concatenate([capacity, np.full(len(members), limit)])
    return sparse.csc_array(sparse.vstack(shares)), capacity


def _over_ports(fabric: Fabric, streams: Streams, ends: IntArray, near: IntArray) -> FloatArray:
    """Return the share of each stream over all links at one of its ranks, shape (k,)."""
    resources = streams.resources
    at_rank = sparse.csr_array(
        (np.ones(len(resources.arc)), (near[resources.arc], resources.at)),
        shape=(len(fabric.nodes), resources.size),
    )  # fmt: skip
    rank = np.searchsorted(streams.actor, ends[1])  # each rank is its own actor here
    over = sparse.csr_array(at_rank[fabric.npus[rank]] @ streams.share)
    found: FloatArray = np.asarray(over[np.arange(len(rank)), ends[0]]).reshape(-1)
    return found


def _distinct(parts: Sequence[Part]) -> tuple[list[Demand], dict[tuple[int, object], int]]:
    """Return every different traffic of each part, and where it is by part and key."""
    demands: list[Demand] = []
    which: dict[tuple[int, object], int] = {}
    for number, part in enumerate(parts):
        for step in part.schedule.steps:
            key = number, step.traffic.key
            if key not in which:
                which[key] = len(demands)
                demands.append(step.traffic.placed(part.ranks))
    return demands, which
