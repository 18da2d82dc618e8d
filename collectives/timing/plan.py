"""Put a schedule on a machine: its cost at any size is then a few multiplications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from collectives.model.schedule import IntArray, Schedule, ScheduleError
from collectives.timing.cost import Cost, StepCost
from collectives.timing.endpoint import Endpoint, arc_rates, endpoint_of
from collectives.timing.overlapped import Overlapped
from collectives.timing.pipelined import pipelined
from collectives.timing.routed import Routes
from collectives.timing.stepwise import Race, stepwise
from topology import border, units
from topology.approximation import Approximation
from topology.fabric import Fabric
from topology.routing import Router, RoutingLike, check_ranks, router
from topology.supernode import Supernode
from topology.text import Part, Printed, counted

_ON_TREES = "; what switches add or copy, over trees of such switches"


class Engine(Protocol):
    """A way to time a schedule on a fabric."""

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return in which ways its times are not exact."""

    def cost(self, size: float) -> tuple[StepCost, ...]:
        """Return what each step takes at a size in bytes."""

    def time(self, size: float) -> float:
        """Return seconds at a size in bytes: what the steps' costs add up to."""

    def critical_path(self, step: int, size: float) -> list[int]:
        """Return the arcs of the slowest transfer of a step."""


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Printed):
    """A schedule routed on a fabric.

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
    router
        Which way traffic goes.
    engine
        How it is timed.
    """

    supernode: Supernode
    schedule: Schedule
    ranks: IntArray
    rate: str
    endpoint: Endpoint
    router: Router
    engine: Engine = field(repr=False)

    @property
    def fabric(self) -> Fabric:
        """Return the fabric it runs on."""
        return self.supernode.fabric

    @property
    def ways(self) -> str:
        """Say which way traffic goes; no policy takes what switches add or copy off its trees."""
        helped = any(step.traffic.in_network for step in self.schedule.steps)
        return self.router.words + _ON_TREES * helped

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return in which ways its costs are not exact."""
        return self.engine.approximations

    def cost(self, size: float) -> Cost:
        """Return the cost at a size in bytes; raise `ScheduleError` if it is not a size."""
        size = border.size(size, error=ScheduleError)
        return Cost(size, self.engine.cost(size), len(self.fabric.tail))

    def time(self, size: float) -> float:
        """Return seconds at a size in bytes, the cost's own time, quicker than the cost."""
        return self.engine.time(border.size(size, error=ScheduleError))

    def critical_path(self, step: int, size: float) -> list[int]:
        """Return the arcs of the slowest transfer of a step; none where it sends nothing.

        Parameters
        ----------
        step
            Position among the steps of the cost.
        size
            S in bytes.
        """
        return self.engine.critical_path(step, border.size(size, error=ScheduleError))

    def parts(self) -> list[Part]:
        """Return what people read: what runs where, and on what terms."""
        end, schedule = self.endpoint, self.schedule
        return [
            f"{schedule.collective.title} {schedule.name} on {counted(len(self.ranks), 'rank')} of "
            f"{self.supernode.title}",
            f"{self.ways}; {self.rate} rate",
            f"α {units.format_time(end.alpha)} a step, {units.format_time(end.message)} a message",
        ]


def plan(
    supernode: Supernode,
    schedule: Schedule,
    *,
    ranks: npt.ArrayLike | None = None,
    routing: RoutingLike = "ecmp",
    rate: str = "line",
    alpha: float | str | None = None,
    message: float | str | None = None,
    exact: bool = False,
    progress: Callable[[float], None] | None = None,
    race: Race | None = None,
    routes: Routes | None = None,
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
        A policy: see `topology.routing.router`.
    rate
        "line", or "effective" for what software reaches according to the link types.
    alpha, message
        Endpoint seconds per step and per message, or texts such as "2us"; by default from the
        devices' rows.
    exact
        Whether the length of every single link counts, however long that takes.
    progress
        Called with the fraction done.
    race
        A size and a time: routing stops with `TooSlowError` once the schedule must take longer.
    routes
        What has been routed already with this routing at this rate; more is added to it.

    Raises
    ------
    SupernodeError
        If the ranks do not fit the schedule, or a pair has no path.
    """
    fabric = supernode.fabric
    chosen = check_ranks(np.arange(schedule.ranks) if ranks is None else ranks, len(fabric.npus))
    if len(chosen) != schedule.ranks:
        raise ScheduleError(
            f"schedule {schedule.name!r} is for {schedule.ranks} ranks, not {len(chosen)}"
        )
    policy, rates = router(supernode, routing, exact=exact), arc_rates(fabric, rate)
    endpoint = endpoint_of(supernode, chosen, alpha, message)
    engine: Engine
    if schedule.overlaps:
        engine = pipelined(policy, schedule, chosen, endpoint, rates)
    else:
        limit = race if schedule.lockstep else None
        engine = stepwise(
            routes or Routes(policy, rates), schedule.steps, chosen, endpoint, progress, limit
        )
        if not schedule.lockstep:
            engine = Overlapped(schedule, engine)
    return Plan(supernode, schedule, chosen, rate, endpoint, policy, engine)
