"""Time a schedule as a stack carries it out: software, hops, pipelines, and what links reach.

All stacks cut what they send into chunks that follow each other over every link, so that a
schedule takes what its most loaded link takes, not the sum over its steps::

    time = launch + base + hops x time of a hop + (S + stages x bytes in flight) / bandwidth

The loads are those of the schedule on this machine, at the rates software reaches on its links;
the constants are the stack's (`collectives.stacks.constants`).

References
----------
NVIDIA NCCL 2.30, src/graph/tuning.cc, for latency by hop and protocol and bandwidth by algorithm;
src/device/all_reduce.h for the stages of NVLS. Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005)
49-66, for the terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import floor, log2

import numpy as np

from collectives.model.collective import Collective
from collectives.model.schedule import Step
from collectives.stacks.constants import Case
from collectives.stacks.domains import domains, network_arcs
from collectives.stacks.stack import Stack, Way
from collectives.timing import Plan, arc_rates
from collectives.timing.cost import Latency, StepCost
from collectives.timing.routed import RoutedTraffic, Routes
from topology.approximation import Approximation
from topology.fabric import Fabric, FloatArray, IntArray
from topology.units import GB, GiB

MADE_FOR = GiB
"""Bytes for which schedules are made that are made for one size."""

_LEAST = 64.0  # bytes, of the first factor of a correction by size


@dataclass(frozen=True)
class Shape:
    """How the ranks of a plan stand.

    Attributes
    ----------
    ranks, domains, members
        How many ranks, in how many scale-up domains, and of how many the largest has.
    network
        Link type of the NICs' links to the network between domains; empty inside one.
    """

    ranks: int
    domains: int
    members: int
    network: str = ""


def hops(kind: Collective, algorithm: str, shape: Shape, steps: tuple[int, int]) -> tuple[int, int]:
    """Return how many hops follow each other, inside domains and between them.

    Parameters
    ----------
    kind, algorithm
        What runs. Pipelines have as many hops as what is first takes from end to end.
    shape
        How the ranks stand.
    steps
        How many steps the schedule has that stay inside domains, and that do not.
    """
    n, m, g = shape.ranks, shape.domains, shape.members
    twice = 2 if kind.name == "all_reduce" else 1
    deep = floor(log2(m)) if m > 1 else 0
    if algorithm in ("ring", "chain"):
        between = twice * (m - 1)
        return twice * (n - 1) - between, between
    known = {
        "tree": (2 * (g - 1), 2 * deep),
        "nvls": (1, min(1, m - 1)),
        "nvls_tree": (1, 2 * deep),
        "collnetdirect": (2 * min(1, g - 1), 1),
        "collnetchain": (2 * (g - 1), 1),
        "hierarchical": (twice, twice),
        "p2p": (1, min(1, m - 1)),
    }
    return known.get(algorithm, steps)


@dataclass(frozen=True, eq=False)
class Deployed:
    """A plan as a stack carries it out: a way to time it, as `collectives.timing.plan.Engine`.

    Attributes
    ----------
    plan
        The schedule on its paths, as perfect software would run it.
    stack, way
        By whom, and with which algorithm and protocol.
    shape
        How the ranks stand.
    use
        "time", or "tuner" for what the stack itself believes.
    ideal
        Returns seconds that perfect software takes in the same way, at a size in bytes.
    least
        Seconds that it takes at least: what it takes for smaller calls.
    """

    plan: Plan
    stack: Stack
    way: Way
    shape: Shape
    use: str
    ideal: Callable[[float], float]
    least: float
    _traffic: tuple[tuple[Step, RoutedTraffic], ...]

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return in which ways the paths are not exact."""
        return self.plan.approximations

    @cached_property
    def _rates(self) -> FloatArray:
        """Bytes/s software reaches on each arc in this way, shape (arcs,)."""
        fabric = self.plan.fabric
        own = self._number("efficiency", default=1.0)
        there = self._number("network_efficiency", default=own)
        by = np.where(network_arcs(fabric), there, own)
        return arc_rates(fabric, "effective") * by

    @cached_property
    def _busy(self) -> FloatArray:
        """Seconds each arc is busy per byte of S, over the whole schedule, shape (arcs,)."""
        total = np.zeros(len(self.plan.fabric.tail))
        for step, on in self._traffic:
            total += step.repeat * on.scale * on.flow.busy(self._rates)
        return total

    @cached_property
    def _inside(self) -> FloatArray:
        """Seconds each switch's forwarding is busy per byte of S, shape (nodes,)."""
        total = np.zeros(len(self.plan.fabric.nodes))
        for step, on in self._traffic:
            total += step.repeat * on.node_busy()
        return total

    @cached_property
    def _seconds(self) -> float:
        """Seconds per byte of S, once the pipeline is full."""
        kind, far = self.plan.schedule.collective, network_arcs(self.plan.fabric)
        near, net = (float(self._busy[mask].max(initial=0.0)) for mask in (~far, far))
        near /= self._grid(near)
        extra = self._number("unoverlapped") * min(near, net)
        slowest = max(near, net, float(self._inside.max(initial=0.0))) + extra
        caps = [self._number("cap"), self._number("channels") * self._number("channel")]
        factor = kind.factor(self.shape.ranks)
        least = max([slowest, *(factor / cap for cap in caps if cap > 0)])
        return least / self._number("bandwidth", default=1.0)

    def _grid(self, near: float) -> float:
        """Return what is left of links' rate by the speeds that multicast heads can have.

        A head's own link carries its traffic twice; its speed is the highest of a fixed list that
        fits (NCCL, src/graph/search.cc, ncclTopoSearchTryNvls). More GPUs than heads share them.
        """
        speeds = self.stack.constants.word("grid", self._case).split()
        if not speeds or not self.way.schedule.startswith("nvls") or not near:
            return 1.0
        heads = self._heads
        twice = self.plan.schedule.collective.name == "all_reduce"
        rate = (1 + twice / self.shape.members) / (near * self._number("efficiency", default=1.0))
        fits = [speed for speed in map(float, speeds) if speed * GB * (heads + 1) <= rate]
        quantised = max(fits, default=0.0) * GB * (heads + 1) / rate or 1.0
        return quantised * (1 + twice / self.shape.members) / (1 + twice / heads)

    @property
    def _heads(self) -> int:
        """How many GPUs of a domain are heads of a multicast."""
        most = self._number("heads")
        return min(self.shape.members, int(most)) if most else self.shape.members

    @cached_property
    def _hops(self) -> tuple[int, int]:
        far = network_arcs(self.plan.fabric)
        steps = [0, 0]
        for step, on in self._traffic:
            steps[bool((on.flow.busy(self._rates)[far] > 0).any())] += step.repeat
        schedule = self.plan.schedule
        name = self.way.algorithm.lower().replace("tree", "_tree").lstrip("_")
        return hops(schedule.collective, name, self.shape, (steps[0], steps[1]))

    def _number(self, name: str, default: float = 0.0, size: float = 0.0) -> float:
        pieces = self._pieces if name == "chunk" else 1.0
        case = replace(self._case, piece=size / pieces)
        return self.stack.constants.value(name, case, default)

    @cached_property
    def _case(self) -> Case:
        return replace(
            self.stack.case(self.way), collective=self.plan.schedule.collective.name,
            domains=self.shape.domains, use=self.use, network=self.shape.network,
        )  # fmt: skip

    @property
    def _pieces(self) -> float:
        """In how many streams a call is cut: channels, each with every head of a domain."""
        heads = self._heads if self.way.schedule.startswith("nvls") else 1
        return max(1.0, self._number("channels")) * heads

    def _software(self, size: float) -> float:
        """Seconds of base and hops at a size."""
        near, net = self._hops
        scale = self._number("scale", default=1.0)
        sent = sum(step.repeat * step.messages for step in self.plan.schedule.steps)
        found = (
            self._number("base")
            + self._number("message") * sent
            + scale
            * (
                near * self._number("hop")
                + net * (self._number("network_hop") + self._number("network_latency"))
            )
        )
        ways = self._number("paths")
        if ways:
            found += ways * max(float(on.slowest.latency.max(initial=0)) for _, on in self._traffic)
        plateau = self._number("plateau")
        if plateau and size >= _LEAST * self.shape.ranks * self._number("channels"):
            found *= plateau
        return found * self._number("fixed", default=1.0)

    def terms(self, size: float) -> tuple[float, float, float]:
        """Return seconds of software, seconds per byte, and bytes that fill the pipeline."""
        stages = self._number("stages")
        flight = min(size, self._pieces * self._number("chunk", size=size)) if stages else 0.0
        fill = stages * flight * self._number("fill", default=1.0)
        fill += (self._number("half") * size) ** 0.5
        return self._software(size), self._seconds / self._correction(size), fill

    def _correction(self, size: float) -> float:
        factors = self.stack.constants.word("correction", self._case).split()
        at = floor(log2(size / _LEAST)) if size >= _LEAST else -1
        return float(factors[at]) if 0 <= at < len(factors) else 1.0

    def time(self, size: float) -> float:
        """Return seconds at a size: never less than perfect software, nor than a launch."""
        return self._split(size).total

    def _split(self, size: float) -> Latency:
        software, per_byte, fill = self.terms(size)
        moving = (size + fill) * per_byte
        if self.use == "tuner":
            return Latency(endpoint=software, serialisation=moving)
        added, least = (self.stack.launch_time(name) for name in ("added", "floor"))
        ideal = self.ideal(size)
        rest = max(0.0, max(least, ideal, self.least) - software - moving - added)
        return Latency(endpoint=software + added + rest, serialisation=moving)

    def cost(self, size: float) -> tuple[StepCost, ...]:
        """Return what all steps together take at a size in bytes."""
        return (
            StepCost(
                self.way.title, 1, self._split(size),
                size * max(float(self._busy.max(initial=0)), float(self._inside.max(initial=0))),
                size, lambda: self._busy, lambda: self._inside,
            ),
        )  # fmt: skip

    def critical_path(self, step: int, size: float) -> list[int]:
        """Return the arcs of the slowest transfer of the first step."""
        return self.plan.critical_path(step, size)


def shape_of(fabric: Fabric, groups: Sequence[IntArray]) -> Shape:
    """Return how the ranks of groups stand in the scale-up domains of their machine.

    The largest counts where groups differ.
    """
    label = domains(fabric)
    spread = [np.unique(label[row], return_counts=True)[1] for row in groups]
    across = max(map(len, spread))
    switch = np.array([kind == "switch" for kind in fabric.kind], dtype=bool)
    out = np.flatnonzero(fabric.is_nic[fabric.tail] & switch[fabric.head])
    network = fabric.links[fabric.link[out[0]]].type if across > 1 and len(out) else ""
    return Shape(max(map(len, groups)), across, int(max(map(np.max, spread))), network)


def deploy(
    plan: Plan,
    routes: Routes,
    stack: Stack,
    way: Way,
    shape: Shape,
    use: str = "time",
    ideal: Callable[[float], float] | None = None,
    least: float = 0.0,
) -> Plan:
    """Return a plan as a stack carries it out.

    Parameters
    ----------
    plan
        As perfect software would run it.
    routes
        What has been routed already.
    stack, way, shape
        By whom, with which algorithm and protocol, and how the ranks stand.
    use
        "time", or "tuner" for what the stack itself believes.
    ideal, least
        As in `Deployed`; by default what the plan takes, and 0.
    """
    traffic = tuple(
        (step, routes.find(step.traffic.placed(plan.ranks))) for step in plan.schedule.steps
    )
    return replace(
        plan,
        rate="effective",
        engine=Deployed(plan, stack, way, shape, use, ideal or plan.time, least, traffic),
    )


def deployed_like(plan: Plan, other: Plan, routes: Routes) -> Plan:
    """Return a plan carried out as another one is: by the same stack in the same way, if by any."""
    engine = other.engine
    if not isinstance(engine, Deployed):
        return plan
    return deploy(plan, routes, engine.stack, engine.way, engine.shape, engine.use)
