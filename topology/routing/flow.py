"""What routed traffic answers, and what routes it: one protocol for every demand and policy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from topology.approximation import Approximation
from topology.errors import RoutingError
from topology.fabric import BoolArray, Fabric, FloatArray, IntArray
from topology.routing.demand import Demand, DemandLike, Pairs, Uniform, join_pairs
from topology.routing.given import as_demand
from topology.routing.streams import Streams, join_streams
from topology.routing.turns import Turns
from topology.text import Part, Printed, counted


@dataclass(frozen=True, eq=False)
class Slowest:
    """What the transfers of a demand meet on their way, one entry for each kind of transfer.

    Attributes
    ----------
    latency
        Seconds of the slowest of its paths, shape (k,).
    transfer
        Seconds that the most loaded link or switch on its paths is busy, per unit of size,
        shape (k,).
    src, dst
        Node indices of one such transfer, shape (k,).
    """

    latency: FloatArray
    transfer: FloatArray
    src: IntArray
    dst: IntArray


class RoutedFlow(Printed, ABC):
    """A demand on its paths.

    Attributes
    ----------
    fabric
        What it is routed on.
    loads
        What each arc carries, shape (arcs,), in the units of the demand.
    """

    fabric: Fabric
    loads: FloatArray

    @property
    @abstractmethod
    def words(self) -> str:
        """Say which way the traffic goes."""

    def parts(self) -> list[Part]:
        """Return what people read: the way, how many links are used, and the most loaded one."""
        used, most = (
            int((self.loads > 0).sum()),
            int(np.argmax(self.loads)) if len(self.loads) else 0,
        )
        top = " → ".join(self.fabric.arcs[most]) if used else "none"
        return [f"{self.words}: {used:,} of {counted(len(self.loads), 'link')}; most on {top}"]

    @abstractmethod
    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what each kind of transfer meets where links and nodes are busy for so long.

        Parameters
        ----------
        busy, node_busy
            Seconds of each arc and of each node, shapes (arcs,) and (nodes,), of all traffic.
        """

    @abstractmethod
    def path(self, at: int) -> list[int]:
        """Return the arcs of the path with the highest latency of a transfer of `meets`."""

    @abstractmethod
    def paths(self, src: int, dst: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths from rank to rank: the share of the traffic on each, and its arcs."""

    def streams(self) -> Streams:
        """Return its transfers, equal ones as one, and which links each shares.

        Raises
        ------
        RoutingError
            If the policy does not tell them.
        """
        raise RoutingError(
            f"{self.words}: the policy says what links carry and not who shares them, so it "
            "cannot be simulated; one whose flows are `PairFlow`s can"
        )

    def turns(self) -> Turns:
        """Return which hop follows which on its paths; raise `RoutingError` if it cannot."""
        raise RoutingError(f"{self.words}: the policy does not say which link follows which")

    def approximations(self, capacity: FloatArray | None = None) -> tuple[Approximation, ...]:
        """Return in which ways `slowest` is not exact at some rates of the arcs; none here."""
        del capacity
        return ()

    def forget(self) -> None:
        """Let go of what can be worked out again; nothing here."""

    def busy(self, capacity: FloatArray | None = None) -> FloatArray:
        """Return seconds each arc is busy, shape (arcs,), for a demand in bytes.

        Parameters
        ----------
        capacity
            Bytes/s of each arc; by default the fabric's own.
        """
        return self.loads / (self.fabric.capacity if capacity is None else capacity)

    @cached_property
    def through(self) -> FloatArray:
        """What each node passes on, shape (nodes,): all that comes in, at switches."""
        total = np.bincount(self.fabric.head, self.loads, minlength=len(self.fabric.nodes))
        return np.where(self.fabric.is_switch, total, 0.0)

    def node_busy(self) -> FloatArray:
        """Return seconds each node's forwarding capacity is busy, shape (nodes,)."""
        return self.through / self.fabric.node_capacity

    def worst(self, capacity: FloatArray | None = None) -> float:
        """Return seconds that the most loaded link or switch is busy."""
        busy = self.busy(capacity), self.node_busy()
        return max(float(each.max(initial=0.0)) for each in busy)

    def slowest(self, capacity: FloatArray | None = None) -> Slowest:
        """Return, per kind of transfer, its path latency and its most loaded link or switch."""
        return self.meets(self.busy(capacity), self.node_busy())


class Router(Printed, ABC):
    """A routing policy on one fabric: a new one says how pairs spread, and gets the rest.

    Attributes
    ----------
    fabric
        What it routes on.
    by_pair
        Whether it routes every pair for itself, however alike they are.
    alike
        Whether ranks that a symmetry of the machine exchanges are routed alike.
    """

    fabric: Fabric
    by_pair = True
    alike = True

    def parts(self) -> list[Part]:
        """Return what people read: the way, and on what."""
        return [f"{self.words}, on {self.fabric!r}"]

    @property
    @abstractmethod
    def title(self) -> str:
        """Return the policy's name as people write it: "ECMP"."""

    @property
    @abstractmethod
    def words(self) -> str:
        """Say in a few words which way traffic goes, for lists of assumptions."""

    @abstractmethod
    def spread(self, demand: Uniform | Pairs) -> RoutedFlow:
        """Return a demand among ranks on its paths.

        Raises
        ------
        RoutingError
            If a pair with demand has no path.
        """

    def apart(self) -> Router:
        """Return the same policy, with no transfers merged as alike; itself, if it merges none."""
        return self

    def goes_direct(self, src: IntArray, dst: IntArray) -> bool:
        """Tell whether pairs of linked ranks keep to their link, all its lanes and no other.

        Parameters
        ----------
        src, dst
            Ranks, shape (k,); each has a link to its receiver.
        """
        npus, wanted = self.fabric.npus, np.zeros(len(self.fabric.tail))
        np.add.at(wanted, self.fabric.arcs_between(npus[src], npus[dst]), 1.0)
        busy = self.spread(Pairs(src, dst, np.ones(len(src)))).busy()
        return bool(np.allclose(busy * self.fabric.capacity, wanted, rtol=1e-9, atol=1e-12))

    def turns(self, pairs: Pairs) -> Turns:
        """Return which hop may follow which where some pairs of ranks send, each to another."""
        return self.spread(pairs).turns()

    def least_busy(self, demand: Demand, capacity: FloatArray, tried: int = 0) -> float:
        """Return seconds some link is busy at least, without routing all: 0 if that is not clear.

        Parameters
        ----------
        demand
            In bytes; it fits the fabric.
        capacity
            Bytes/s of each arc.
        tried
            How many pairs to route: what they need, all need.
        """
        del demand, capacity, tried
        return 0.0

    def route(self, demand: DemandLike = None) -> RoutedFlow:
        """Return any demand on its paths: loads, and what the slowest transfers meet.

        Parameters
        ----------
        demand
            See `as_demand`; None is one unit from every NPU to every other.

        Raises
        ------
        RoutingError
            If a pair with demand has no path, or the demand does not fit the fabric.
        """
        return as_demand(self.fabric, demand).routed(self)

    def loads(self, demand: DemandLike = None) -> FloatArray:
        """Return what each arc carries, shape (arcs,), in the order of ``fabric.arcs``."""
        return self.route(demand).loads


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Demand):
    """Demands at the same time; none of them is a sum.

    Attributes
    ----------
    terms
        The demands.
    """

    terms: tuple[Demand, ...]

    @property
    def in_network(self) -> bool:  # type: ignore[override]
        """Whether switches help with a part."""
        return any(part.in_network for part in self.terms)

    @property
    def key(self) -> tuple[object, ...]:
        """Return the parts' keys."""
        return ("sum", *(part.key for part in self.terms))

    @property
    def ends(self) -> IntArray:
        """Return the parts' ranks."""
        return np.concatenate([part.ends for part in self.terms])

    @property
    def listed(self) -> int:
        """Return how many pairs of the parts have to be routed one by one."""
        return sum(part.listed for part in self.terms)

    def pairs(self) -> Pairs:
        """Return the parts' pairs."""
        return join_pairs(self.terms)

    def placed(self, ranks: IntArray) -> Demand:
        """Return it with rank i at ``ranks[i]``."""
        return Sum(tuple(part.placed(ranks) for part in self.terms))

    def scaled(self, factor: float) -> Demand:
        """Return it with every amount times a factor."""
        return Sum(tuple(part.scaled(factor) for part in self.terms))

    def reversed(self) -> Demand:
        """Return it with senders and receivers exchanged."""
        return Sum(tuple(part.reversed() for part in self.terms))

    def messages(self) -> IntArray:
        """Return how many messages of all parts each rank sends."""
        counts = [part.messages() for part in self.terms]
        total = np.zeros(max(map(len, counts)), dtype=np.int64)
        for count in counts:
            total[: len(count)] += count
        return total

    def ports(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Return the least that each rank must send, and receive, of all parts."""
        sent, received = zip(*(part.ports(count) for part in self.terms), strict=True)
        return np.sum(sent, axis=0), np.sum(received, axis=0)

    def crossing(self, side: BoolArray) -> float:
        """Return the least that must go from a side to the others, of all parts."""
        return sum(part.crossing(side) for part in self.terms)

    def checked(self, count: int) -> Demand:
        """Return it with its parts checked."""
        return Sum(tuple(part.checked(count) for part in self.terms))

    def routed(self, router: Router) -> RoutedFlow:
        """Return the parts on the links they share."""
        flows = tuple(part.routed(router) for part in self.terms)
        return SumFlow(router.fabric, np.sum([flow.loads for flow in flows], axis=0), flows)


def add_demands(parts: Sequence[Demand]) -> Demand:
    """Return demands at the same time as one: those among pairs as one list, routed once.

    Parameters
    ----------
    parts
        One demand or more; sums are taken apart.
    """
    flat = [p for part in parts for p in (part.terms if isinstance(part, Sum) else (part,))]
    if len(flat) == 1:
        return flat[0]
    listed = join_pairs([part for part in flat if not part.in_network])
    every = [*([listed] if len(listed.src) else []), *(part for part in flat if part.in_network)]
    return Sum(tuple(every)) if len(every) > 1 else (every or [listed])[0]


@dataclass(frozen=True, eq=False, repr=False)
class SumFlow(RoutedFlow):
    """Several flows on the same links.

    Attributes
    ----------
    fabric
        What they are routed on.
    loads
        What each arc carries of all flows, shape (arcs,).
    flows
        Each, as if alone.
    """

    fabric: Fabric
    loads: FloatArray
    flows: tuple[RoutedFlow, ...]

    @property
    def words(self) -> str:
        """Say which way each kind of traffic goes."""
        return "; ".join(dict.fromkeys(flow.words for flow in self.flows))

    def busy(self, capacity: FloatArray | None = None) -> FloatArray:
        """Return seconds each arc is busy with all flows."""
        found: FloatArray = np.sum([flow.busy(capacity) for flow in self.flows], axis=0)
        return found

    @cached_property
    def _counts(self) -> list[int]:
        idle, still = np.zeros(len(self.fabric.tail)), np.zeros(len(self.fabric.nodes))
        return [len(flow.meets(idle, still).latency) for flow in self.flows]

    def meets(self, busy: FloatArray, node_busy: FloatArray) -> Slowest:
        """Return what the transfers of every flow meet."""
        found = [flow.meets(busy, node_busy) for flow in self.flows]
        columns = (
            np.concatenate([getattr(part, name) for part in found])
            for name in ("latency", "transfer", "src", "dst")
        )
        return Slowest(*columns)

    def path(self, at: int) -> list[int]:
        """Return the arcs of the path with the highest latency of a transfer."""
        flow = 0
        while at >= self._counts[flow]:
            at -= self._counts[flow]
            flow += 1
        return self.flows[flow].path(at)

    def paths(self, src: int, dst: int) -> Iterator[tuple[float, list[int]]]:
        """Yield the paths of the first flow that is not in-network: all flows of pairs agree."""
        return self.flows[0].paths(src, dst)

    def streams(self) -> Streams:
        """Return the transfers of every flow."""
        return join_streams(self.fabric, [flow.streams() for flow in self.flows])

    def forget(self) -> None:
        """Let every flow go of what can be worked out again."""
        for flow in self.flows:
            flow.forget()

    def approximations(self, capacity: FloatArray | None = None) -> tuple[Approximation, ...]:
        """Return in which ways the flows' `slowest` is not exact."""
        found = (note for flow in self.flows for note in flow.approximations(capacity))
        return tuple(sorted(set(found), key=str))
