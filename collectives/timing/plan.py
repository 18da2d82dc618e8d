"""Find how long a schedule takes on a fabric, and where the time goes.

The α-β model with contention: a step takes its endpoint overhead, plus the time of its slowest
transfer: the latency of the slowest path, plus its bytes through the most loaded link on the way
at that link's rate. Steps follow one another; equal steps are routed once and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from collectives.model.schedule import Schedule, ScheduleError, Step
from collectives.model.sharing import Shared, SharedFlow, route_shared
from collectives.timing.pipelined import Dataflow, dataflow
from topology.errors import unknown_name
from topology.fabric import Fabric, FloatArray, IntArray
from topology.hardware.devices import device, device_catalogue
from topology.routing import (
    Combined,
    CombinedFlow,
    Demand,
    Flow,
    Pairs,
    Slowest,
    Uniform,
    check_ranks,
    ecmp,
    route_combined,
)
from topology.supernode import Supernode
from topology.validation import is_number

RATES = ("line", "effective")
ROUTINGS = ("ecmp",)


@dataclass(frozen=True)
class Latency:
    """Where the time goes on the critical path, in seconds; the parts add up to the total.

    Attributes
    ----------
    endpoint
        Software and engines at the ends: α of every step and its messages.
    serialisation
        Bytes through the most loaded links.
    switches
        Port to port, in switches and NICs.
    propagation
        Along copper and fibre.
    transceivers
        In optical modules.
    fec
        Forward error correction.
    waiting
        Links waiting for chunks on their way, where a schedule's steps overlap.
    """

    endpoint: float = 0.0
    serialisation: float = 0.0
    switches: float = 0.0
    propagation: float = 0.0
    transceivers: float = 0.0
    fec: float = 0.0
    waiting: float = 0.0

    @property
    def total(self) -> float:
        """Return the sum of the parts."""
        return float(sum(getattr(self, part.name) for part in fields(self)))

    def times(self, count: float) -> Latency:
        """Return every part ``count`` times."""
        return Latency(**{part.name: getattr(self, part.name) * count for part in fields(self)})

    def __add__(self, other: Latency) -> Latency:
        parts = (part.name for part in fields(self))
        return Latency(**{part: getattr(self, part) + getattr(other, part) for part in parts})


@dataclass(frozen=True)
class Endpoint:
    """Endpoint software: seconds per step and per message, and where the figures come from."""

    alpha: float
    message: float
    source: str


@dataclass(frozen=True, eq=False)
class StepCost:
    """One step of a schedule at one size.

    Attributes
    ----------
    phase, repeat
        As in the step.
    time
        Seconds of one repetition.
    latency
        The parts of that time.
    transfer
        Seconds the most loaded link is busy in one repetition.
    busy
        Seconds each arc is busy in one repetition, shape (arcs,).
    node_busy
        Seconds each switch's total forwarding capacity is busy, shape (nodes,); zero where a
        switch forwards whatever its ports can carry.
    """

    phase: str
    repeat: int
    time: float
    latency: Latency
    transfer: float
    busy: FloatArray
    node_busy: FloatArray


@dataclass(frozen=True, eq=False)
class Cost:
    """A schedule on a fabric at one size.

    Attributes
    ----------
    size
        S in bytes.
    steps
        Every distinct step.
    """

    size: float
    steps: tuple[StepCost, ...]

    @cached_property
    def time(self) -> float:
        """Return seconds from the first step's start to the last one's end."""
        return float(sum(step.repeat * step.time for step in self.steps))

    @cached_property
    def latency(self) -> Latency:
        """Return where the time goes."""
        return sum((step.latency.times(step.repeat) for step in self.steps), Latency())

    @cached_property
    def transfer(self) -> float:
        """Return seconds the most loaded links of the steps are busy, added up."""
        return float(sum(step.repeat * step.transfer for step in self.steps))


@dataclass(frozen=True, eq=False)
class _Routed:
    step: Step
    flow: Flow | CombinedFlow | SharedFlow
    busy: FloatArray  # per byte of S
    slowest: Slowest
    endpoint: float


@dataclass(frozen=True, eq=False)
class Plan:
    """A schedule routed on a fabric: its cost at any size is then a few multiplications.

    Attributes
    ----------
    supernode, schedule
        What runs where.
    ranks
        Rank at each position, shape (p,).
    rate
        "line" or "effective".
    endpoint
        Endpoint overheads.
    """

    supernode: Supernode
    schedule: Schedule
    ranks: IntArray
    rate: str
    endpoint: Endpoint
    routing: str = "ecmp"
    _steps: tuple[_Routed, ...] = field(default=(), repr=False)
    _overlapping: Dataflow | None = field(default=None, repr=False)

    @property
    def fabric(self) -> Fabric:
        """Return the fabric it runs on."""
        return self.supernode.fabric

    def cost(self, size: float) -> Cost:
        """Return the cost at a size in bytes; raise `ScheduleError` if it is not a size."""
        if not is_number(size) or not 0 <= size < np.inf:
            raise ScheduleError(f"size is {size!r}; it must be a number of bytes, zero or more")
        if self._overlapping is not None:
            return Cost(float(size), (self._overlapping_cost(self._overlapping, size),))
        return Cost(float(size), tuple(self._step_cost(routed, size) for routed in self._steps))

    def critical_path(self, step: int, size: float) -> list[int]:
        """Return the arcs of the slowest transfer of a step; none where it has no single path.

        Parameters
        ----------
        step
            Position among the steps of the cost.
        size
            S in bytes.
        """
        if self._overlapping is not None or not len(self._steps[step].slowest.latency):
            return []
        routed = self._steps[step]
        if isinstance(routed.flow, CombinedFlow):
            return list(routed.flow.path)
        slowest = routed.slowest
        at = int(np.argmax(slowest.latency + size * slowest.transfer))
        if isinstance(routed.flow, SharedFlow) and (path := routed.flow.path(at)) is not None:
            return path
        ends = self._rank_of[int(slowest.src[at])], self._rank_of[int(slowest.dst[at])]
        return ecmp(self.supernode).slowest_path(*ends)

    def _overlapping_cost(self, moved: Dataflow, size: float) -> StepCost:
        capacity = _capacity(self.fabric, self.rate)
        alpha = self.endpoint.alpha + self.endpoint.message
        time = moved.finish(size, capacity, alpha)
        busy = size * self.schedule.chunk_fraction * moved.loads / capacity
        transfer = float(busy.max(initial=0.0))
        begun = min(alpha, time - transfer)
        split = Latency(begun, transfer, waiting=time - transfer - begun)
        none = np.zeros(len(self.fabric.nodes))
        return StepCost("all steps, overlapping", 1, time, split, transfer, busy, none)

    def _step_cost(self, routed: _Routed, size: float) -> StepCost:
        split = Latency(endpoint=routed.endpoint)
        slowest = routed.slowest
        if len(slowest.latency):
            at = int(np.argmax(slowest.latency + size * slowest.transfer))
            serial = Latency(serialisation=size * float(slowest.transfer[at]))
            split += self._latency(routed, at) + serial
        busy, node_busy = size * routed.busy, size * routed.flow.node_busy()
        transfer = max(float(busy.max(initial=0.0)), float(node_busy.max(initial=0.0)))
        step = routed.step
        return StepCost(step.phase, step.repeat, split.total, split, transfer, busy, node_busy)

    @cached_property
    def _rank_of(self) -> dict[int, int]:
        return {int(node): r for r, node in enumerate(self.fabric.npus)}

    @cached_property
    def _paths(self) -> dict[tuple[int, int], Latency]:
        return {}

    def _latency(self, routed: _Routed, at: int) -> Latency:
        """Split the latency of the slowest transfer of a step."""
        if isinstance(routed.flow, CombinedFlow):
            return self._split(routed.flow.path)
        if isinstance(routed.flow, SharedFlow) and (path := routed.flow.path(at)) is not None:
            return self._split(path)
        return self._path(int(routed.slowest.src[at]), int(routed.slowest.dst[at]))

    def _path(self, source: int, target: int) -> Latency:
        """Split the latency of the slowest path between two nodes."""
        known = self._paths.get((source, target))
        if known is None:
            ends = self._rank_of[source], self._rank_of[target]
            arcs = ecmp(self.supernode).slowest_path(*ends)
            known = self._paths[source, target] = self._split(arcs)
        return known

    def _split(self, arcs: list[int]) -> Latency:
        fabric = self.fabric
        links = [fabric.links[fabric.link[arc]] for arc in arcs]
        inside = sum(float(fabric.node_latency[fabric.head[arc]]) for arc in arcs[:-1])
        transceivers = sum(link.transceivers for link in links)
        fec = sum(link.fec for link in links)
        whole = sum(float(fabric.latency[arc]) for arc in arcs)
        rest = max(0.0, whole - transceivers - fec)
        return Latency(0.0, 0.0, inside, rest, transceivers, whole - rest - transceivers)


def endpoint_of(
    supernode: Supernode, ranks: IntArray, alpha: float | None, message: float | None
) -> Endpoint:
    """Return the endpoint overheads of some ranks: the slowest device's, unless given.

    Parameters
    ----------
    supernode, ranks
        Whose devices to look up.
    alpha, message
        Seconds per step and per message, instead of the catalogue's.
    """
    for name, value in (("alpha", alpha), ("message", message)):
        if value is not None and (not is_number(value) or not 0 <= value < np.inf):
            raise ScheduleError(f"{name} is {value!r}; it must be seconds, zero or more")
    graph = supernode.graph
    names = {graph.nodes[supernode.npus[r]].get("device") for r in ranks.tolist()}
    known = device_catalogue()
    rows = [device(name) for name in sorted(n for n in names if n in known)]
    found_alpha = max((row.value("alpha") for row in rows), default=0.0)
    found_message = max((row.value("message") for row in rows), default=0.0)
    if alpha is None and message is None and not rows:
        source = "no device row for these NPUs: no endpoint overhead"
    else:
        given = alpha is not None or message is not None
        source = "given" if given else "device row " + ", ".join(row.name for row in rows)
    return Endpoint(
        found_alpha if alpha is None else float(alpha),
        found_message if message is None else float(message),
        source,
    )


def plan(
    supernode: Supernode,
    schedule: Schedule,
    *,
    ranks: npt.ArrayLike | None = None,
    routing: str = "ecmp",
    rate: str = "line",
    alpha: float | None = None,
    message: float | None = None,
) -> Plan:
    """Route every distinct step of a schedule once.

    Parameters
    ----------
    supernode
        What it runs on.
    schedule
        What runs.
    ranks
        Rank of each position; by default position r is rank r.
    routing
        "ecmp".
    rate
        "line", or "effective" for what software reaches according to the link types.
    alpha, message
        Endpoint seconds per step and per message; by default from the devices' rows.

    Raises
    ------
    SupernodeError
        If the ranks do not fit the schedule, or a pair has no path.
    """
    if routing not in ROUTINGS:
        raise unknown_name("routing", routing, ROUTINGS)
    if rate not in RATES:
        raise unknown_name("rate", rate, RATES)
    fabric = supernode.fabric
    chosen = check_ranks(np.arange(schedule.ranks) if ranks is None else ranks, len(fabric.npus))
    if len(chosen) != schedule.ranks:
        raise ScheduleError(
            f"schedule {schedule.name!r} is for {schedule.ranks} ranks, not {len(chosen)}"
        )
    endpoint = endpoint_of(supernode, chosen, alpha, message)
    if schedule.overlaps:
        moved = dataflow(fabric, schedule, chosen)
        return Plan(supernode, schedule, chosen, rate, endpoint, routing, (), moved)
    capacity = _capacity(fabric, rate)
    routes: dict[object, tuple[Flow | CombinedFlow | SharedFlow, FloatArray, Slowest]] = {}
    routed = []
    for step in schedule.steps:
        key = _key(step.traffic)
        if key not in routes:
            flow = _route(supernode, _placed(step.traffic, chosen))
            routes[key] = (flow, flow.busy(capacity), flow.slowest(capacity))
        overhead = endpoint.alpha + step.messages * endpoint.message
        routed.append(_Routed(step, *routes[key], overhead))
    return Plan(supernode, schedule, chosen, rate, endpoint, routing, tuple(routed))


def _route(supernode: Supernode, traffic: Demand) -> Flow | CombinedFlow | SharedFlow:
    if isinstance(traffic, Shared):
        return route_shared(supernode, traffic, _route)
    if isinstance(traffic, Combined):
        return route_combined(supernode, traffic)
    return ecmp(supernode).route(traffic)


def _key(traffic: Demand) -> tuple[object, ...]:
    """Return what two equal traffics have in common."""
    if isinstance(traffic, Shared):
        return ("shared", *(_key(part) for part in traffic.parts))
    if isinstance(traffic, Combined):
        shares = (traffic.added.tobytes(), traffic.copied.tobytes(), traffic.through)
        return ("combined", traffic.members.tobytes(), *shares)
    if isinstance(traffic, Uniform):
        return ("uniform", traffic.ranks.tobytes(), traffic.amount)
    return ("pairs", traffic.src.tobytes(), traffic.dst.tobytes(), traffic.amount.tobytes())


def _placed(traffic: Demand, ranks: IntArray) -> Demand:
    """Put positions on ranks."""
    if isinstance(traffic, Shared):
        ends = ranks[traffic.src], ranks[traffic.dst]
        parts = tuple(_placed(part, ranks) for part in traffic.parts)
        return Shared(*ends, traffic.amount, parts)
    if isinstance(traffic, Uniform):
        return Uniform(ranks[traffic.ranks], traffic.amount)
    if isinstance(traffic, Combined):
        src, dst, members = ranks[traffic.src], ranks[traffic.dst], ranks[traffic.members]
        return replace(traffic, src=src, dst=dst, members=members)
    return Pairs(ranks[traffic.src], ranks[traffic.dst], traffic.amount)


def _capacity(fabric: Fabric, rate: str) -> FloatArray:
    if rate == "line":
        return fabric.capacity
    efficiency = np.array([link.efficiency for link in fabric.links])
    reached: FloatArray = fabric.capacity * efficiency[fabric.link]
    return reached
