"""Time a schedule step by step: a step starts when the one before has ended everywhere.

The α-β model with contention: a step takes its endpoint overhead, plus the time of its slowest
transfer: the latency of the slowest path, plus its bytes through the most loaded link or switch on
the way at that one's rate. Equal steps are routed once and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from collectives.model.schedule import IntArray, ScheduleError, Step
from collectives.timing.cost import Latency, StepCost, split_path
from collectives.timing.endpoint import Endpoint
from collectives.timing.lower_bound import step_floors
from collectives.timing.routed import RoutedTraffic, Routes
from topology import border
from topology.approximation import Approximation
from topology.errors import SupernodeError
from topology.fabric import Fabric

_ROUNDING = 1e-9
_TRIED = 4


class TooSlowError(SupernodeError):
    """A schedule that is slower than it may be: no fault, and no need to route the rest."""


@dataclass(frozen=True)
class Race:
    """A size, and the seconds in which a schedule must be done there to be of interest."""

    size: float
    seconds: float

    def check(self, seconds: float) -> None:
        """Raise `TooSlowError` if the schedule takes longer."""
        if seconds * (1 - _ROUNDING) > self.seconds:
            raise TooSlowError(f"takes {seconds:.4g} s or more, not {self.seconds:.4g} s")


@dataclass(frozen=True, eq=False)
class Stepwise:
    """The steps of a schedule on their paths.

    Attributes
    ----------
    fabric
        What they are on.
    endpoint
        Software overheads.
    steps
        Each step, and its traffic on its paths.
    """

    fabric: Fabric
    endpoint: Endpoint
    steps: tuple[tuple[Step, RoutedTraffic], ...]

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return in which ways the paths are not exact."""
        return tuple(sorted({note for _, on in self.steps for note in on.approximations}, key=str))

    def cost(self, size: float) -> tuple[StepCost, ...]:
        """Return what each step takes at a size in bytes."""
        return tuple(self._step(step, on, size) for step, on in self.steps)

    def time(self, size: float) -> float:
        """Return seconds of all steps at a size, without following any path."""
        return float(
            sum(step.repeat * (self._software(step) + on.time(size)) for step, on in self.steps)
        )

    def _software(self, step: Step) -> float:
        return self.endpoint.alpha + step.messages * self.endpoint.message

    def _step(self, step: Step, on: RoutedTraffic, size: float) -> StepCost:
        split = Latency(endpoint=self._software(step))
        kind = on.at(size)
        if kind is not None:
            way = split_path(self.fabric, on.path(kind))
            longer = max(0.0, float(on.slowest.latency[kind]) - way.total)
            serial = size * float(on.slowest.transfer[kind])
            split += way + Latency(serialisation=serial, propagation=longer)
        transfer = size * on.most
        return StepCost(
            step.phase, step.repeat, split, transfer, size, on.busy, on.node_busy,
        )  # fmt: skip

    def critical_path(self, step: int, size: float) -> list[int]:
        """Return the arcs of the slowest transfer of a step; none where it sends nothing."""
        at = border.whole(step, "step", least=0, most=len(self.steps) - 1, error=ScheduleError)
        on = self.steps[at][1]
        kind = on.at(size)
        return [] if kind is None else on.path(kind)


def stepwise(
    routes: Routes,
    steps: Sequence[Step],
    ranks: IntArray,
    endpoint: Endpoint,
    progress: Callable[[float], None] | None = None,
    race: Race | None = None,
) -> Stepwise:
    """Route every distinct step of a schedule once.

    Parameters
    ----------
    routes
        Which way traffic goes, and what has been routed already.
    steps
        What is sent, by position.
    ranks
        Rank of each position, shape (p,).
    endpoint
        Software overheads.
    progress
        Called with the fraction done.
    race
        What it must not be slower than.

    Raises
    ------
    TooSlowError
        Once it is clear to be slower, whatever the steps that are left.
    """
    known: dict[object, RoutedTraffic] = {}
    found: list[tuple[Step, RoutedTraffic]] = []
    left = []
    if race:
        left = step_floors(steps, routes.router, ranks, endpoint, routes.rates, race.size, _TRIED)
        race.check(sum(left))
    for done, step in enumerate(steps):
        key = step.traffic.key
        if key not in known:
            if progress is not None:
                progress(done / len(steps))
            known[key] = routes.find(step.traffic.placed(ranks))
        found.append((step, known[key]))
        if race:
            software = endpoint.alpha + step.messages * endpoint.message
            left[done] = step.repeat * (software + known[key].time(race.size))
            race.check(sum(left))
    return Stepwise(routes.router.fabric, endpoint, tuple(found))
