"""Traffic on its paths, as far as times need it; what differs in amount only is routed once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from collectives.model.schedule import IntArray
from topology.approximation import Approximation
from topology.fabric import FloatArray
from topology.routing import Demand, RoutedFlow, Router, Slowest


@dataclass(frozen=True, eq=False)
class RoutedTraffic:
    """Traffic on its paths, of all steps that have the same.

    Attributes
    ----------
    flow
        The paths.
    rates
        Bytes/s of each arc, shape (arcs,).
    most
        Seconds the most loaded link or switch is busy per byte of S.
    slowest
        Of the kinds of transfers, those that are the slowest at some size.
    kinds
        Their places in the flow's own list, shape (k,).
    scale
        How much of what is routed this is.
    """

    flow: RoutedFlow
    rates: FloatArray
    most: float
    slowest: Slowest
    kinds: IntArray
    approximations: tuple[Approximation, ...]
    scale: float = 1.0
    _paths: dict[int, list[int]] = field(default_factory=dict, repr=False)

    def scaled(self, factor: float) -> RoutedTraffic:
        """Return the same traffic, so many times as much of it."""
        slowest = replace(self.slowest, transfer=self.slowest.transfer * factor)
        scale = self.scale * factor
        return replace(self, most=self.most * factor, slowest=slowest, scale=scale)

    def busy(self) -> FloatArray:
        """Return seconds each arc is busy per byte of S, shape (arcs,)."""
        return self.scale * self.flow.busy(self.rates)

    def node_busy(self) -> FloatArray:
        """Return seconds each switch's forwarding is busy per byte of S, shape (nodes,)."""
        return self.scale * self.flow.node_busy()

    def at(self, size: float) -> int | None:
        """Return which kind of transfer is the slowest at a size; None if there is none."""
        if not len(self.kinds):
            return None
        return int(np.argmax(self.slowest.latency + size * self.slowest.transfer))

    def time(self, size: float) -> float:
        """Return seconds of the slowest transfer at a size."""
        return float((self.slowest.latency + size * self.slowest.transfer).max(initial=0.0))

    def path(self, kind: int) -> list[int]:
        """Return the arcs of the slowest path of a kind."""
        if kind not in self._paths:
            self._paths[kind] = self.flow.path(int(self.kinds[kind]))
        return self._paths[kind]


def route_traffic(flow: RoutedFlow, rates: FloatArray) -> RoutedTraffic:
    """Return what a cost needs of traffic on its paths.

    Parameters
    ----------
    flow
        The paths.
    rates
        Bytes/s of each arc, shape (arcs,).
    """
    found, notes = flow.slowest(rates), flow.approximations(rates)
    kinds = _slowest_at_some_size(found)
    columns = (getattr(found, name)[kinds] for name in ("latency", "transfer", "src", "dst"))
    most = flow.worst(rates)
    flow.forget()
    return RoutedTraffic(flow, rates, most, Slowest(*columns), kinds, notes)


def _slowest_at_some_size(found: Slowest) -> IntArray:
    """Return the kinds of transfers that no other beats in latency and in transfer, sorted."""
    order = np.lexsort((-found.latency, -found.transfer))
    latency = found.latency[order]
    before = np.concatenate(([-1.0], np.maximum.accumulate(latency)[:-1]))[: len(order)]
    kept: IntArray = order[latency > before]
    return np.sort(kept)


@dataclass(frozen=True, eq=False)
class Routes:
    """All traffic of a question on its paths.

    Attributes
    ----------
    router
        Which way traffic goes.
    rates
        Bytes/s of each arc, shape (arcs,).
    """

    router: Router
    rates: FloatArray
    _known: dict[object, RoutedTraffic] = field(default_factory=dict, repr=False)

    def find(self, traffic: Demand) -> RoutedTraffic:
        """Return traffic among ranks on its paths; the same object for equal traffic."""
        unit, amount = traffic.unit()
        key = unit.key, amount
        if key not in self._known:
            if (unit.key, 1.0) not in self._known:
                self._known[unit.key, 1.0] = route_traffic(self.router.route(unit), self.rates)
            self._known[key] = self._known[unit.key, 1.0].scaled(amount)
        return self._known[key]
