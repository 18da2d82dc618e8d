"""How near the steady state of a synthesised schedule is to the bound."""

from __future__ import annotations

import numpy as np

from topology.approximation import Approximation
from topology.fabric import FloatArray
from topology.routing import Demand, Router
from topology.text import Printed

EQUAL = 1e-9


def busy_of(routing: Router, demand: Demand) -> FloatArray:
    """Return seconds that each link, and each limited switch, is busy with a demand."""
    flow = routing.route(demand)
    return np.concatenate([flow.busy(), flow.node_busy()])


def near_bound(bound: float, reached: float) -> str:
    """Say how near a steady state is to the bound, both in seconds per byte; a run waits too."""
    share = min(1.0, bound / reached) if reached else 1.0
    return f"busiest link at {100 * share:.4g} % of the bound; waiting comes on top"


class SteadyState(Printed):
    """What a forest and an exchange have in common: how busy they keep the busiest link.

    Attributes
    ----------
    seconds_per_byte
        Busy time of the most loaded link or switch per byte of S.
    bound
        The least that any algorithm takes.
    """

    seconds_per_byte: float
    bound: float

    @property
    def optimal(self) -> bool:
        """Return whether the steady state reaches the bound to 1e-9."""
        return self.seconds_per_byte <= self.bound * (1 + EQUAL)

    @property
    def efficiency(self) -> float:
        """Return bound / steady state, 0 to 1."""
        return min(1.0, self.bound / self.seconds_per_byte) if self.seconds_per_byte else 1.0

    @property
    def near(self) -> str:
        """Say how near the bound it is."""
        return near_bound(self.bound, self.seconds_per_byte)

    @property
    def approximations(self) -> tuple[Approximation, ...]:
        """Return how much slower than the optimum it can be, where it is not the optimum."""
        if self.optimal:
            return ()
        slower = self.seconds_per_byte / self.bound - 1
        return (Approximation("synthesis", "the best of the schedules that were tried", slower),)

    def better_than(self, other: SteadyState | None) -> bool:
        """Tell whether it is faster than another, if there is one, by more than rounding."""
        return other is None or self.seconds_per_byte < other.seconds_per_byte * (1 - EQUAL)
