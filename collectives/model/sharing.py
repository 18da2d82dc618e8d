"""Route traffic of several kinds at the same time over the same links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from topology.fabric import Fabric, FloatArray
from topology.routing import Combined, CombinedFlow, Demand, Flow, Pairs, Slowest
from topology.supernode import Supernode

Router: TypeAlias = Callable[[Supernode, Demand], "Flow | CombinedFlow | SharedFlow"]


@dataclass(frozen=True, eq=False)
class Shared(Pairs):
    """Demands at the same time, some of which switches add up or copy.

    ``src`` and ``dst`` count the messages: those of the pairs, and one for each member of a set
    that switches serve.

    Attributes
    ----------
    parts
        The demands.
    """

    parts: tuple[Demand, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class SharedFlow:
    """Several flows on the same links; answers what a `Flow` does.

    Attributes
    ----------
    fabric
        What they are routed on.
    flows
        Each, as if alone.
    """

    fabric: Fabric
    flows: tuple[Flow | CombinedFlow, ...]

    @cached_property
    def loads(self) -> FloatArray:
        """What each arc carries of all flows, shape (arcs,)."""
        total: FloatArray = np.sum([flow.loads for flow in self.flows], axis=0)
        return total

    def busy(self, capacity: FloatArray | None = None) -> FloatArray:
        """Return seconds each arc is busy, shape (arcs,), for demands in bytes."""
        return self.loads / (self.fabric.capacity if capacity is None else capacity)

    def node_busy(self) -> FloatArray:
        """Return seconds each node's forwarding capacity is busy, shape (nodes,)."""
        busy: FloatArray = np.sum([flow.node_busy() for flow in self.flows], axis=0)
        return busy

    def slowest(self, capacity: FloatArray | None = None) -> Slowest:
        """Return what the transfers of every flow meet, among the loads of all."""
        found = [self._slowest(flow, capacity) for flow in self.flows]
        columns = (
            np.concatenate([getattr(part, name) for part in found])
            for name in ("latency", "transfer", "src", "dst")
        )
        return Slowest(*columns)

    def _slowest(self, flow: Flow | CombinedFlow, capacity: FloatArray | None) -> Slowest:
        if isinstance(flow, Flow):
            return replace(flow, loads=self.loads).slowest(capacity)
        alone = flow.slowest(capacity)
        links, nodes = self.busy(capacity)[flow.loads > 0], self.node_busy()[flow.node_busy() > 0]
        busiest = max(links.max(initial=0.0), nodes.max(initial=0.0))
        return replace(alone, transfer=np.full_like(alone.transfer, busiest))

    @cached_property
    def _counts(self) -> list[int]:
        return [len(flow.slowest().latency) for flow in self.flows]

    def path(self, at: int) -> list[int] | None:
        """Return the arcs of a transfer of `slowest`; None where it is the slowest path by ECMP."""
        for flow, count in zip(self.flows, self._counts, strict=True):
            if at < count:
                return flow.path if isinstance(flow, CombinedFlow) else None
            at -= count
        return None


def route_shared(supernode: Supernode, demand: Shared, route: Router) -> SharedFlow:
    """Return demands on the links they share.

    Parameters
    ----------
    supernode
        The machine.
    demand
        The demands, in ranks.
    route
        Routes one of them.
    """
    flows = (route(supernode, part) for part in demand.parts)
    return SharedFlow(
        supernode.fabric, tuple(flow for flow in flows if not isinstance(flow, SharedFlow))
    )


def share_links(plain: Pairs, combined: list[Combined]) -> Pairs:
    """Return plain and combined traffic as one demand; plain as it is where that is all."""
    if not combined:
        return plain
    ends = [np.roll(part.members, 1) for part in combined]
    return Shared(
        np.concatenate([plain.src, *(part.members for part in combined)]),
        np.concatenate([plain.dst, *ends]),
        np.concatenate([plain.amount, *(np.zeros(len(part.members)) for part in combined)]),
        (*([plain] if len(plain.src) else []), *combined),
    )
